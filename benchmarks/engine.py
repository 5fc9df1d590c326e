"""What the task hub adds to the durable library, with an app that knows nothing of the emulator.

Two questions: what one episode of a small orchestration costs beside the library's own replay of
the same history, and how the time of a fan-out grows with its size. Every output is checked.
"""

import asyncio
import importlib.util
import json
import math
import shutil
import sqlite3
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measurements import Measured
from benchmarks.system import cpu_seconds, family
from emulator.launch import EmulatorProcess
from emulator.taskhub.events import EventType

_API = "/runtime/webhooks/durabletask"
_TIMEOUT_S = 300
_WARM_UP = 20
_STEPS = 4
# What an episode itself adds to the history of a chain, after the events it was sent.
_WRITTEN = (
    EventType.TASK_SCHEDULED,
    EventType.ORCHESTRATOR_COMPLETED,
    EventType.EXECUTION_COMPLETED,
)

_APP = f"""
    import azure.durable_functions as df

    app = df.DFApp()


    @app.orchestration_trigger(context_name="context")
    def chain(context: df.DurableOrchestrationContext):
        value = 0
        for _ in range({_STEPS}):
            value = yield context.call_activity("add_one", value)
        return value


    @app.orchestration_trigger(context_name="context")
    def fan_out(context: df.DurableOrchestrationContext):
        count = int(context.instance_id.rpartition("-")[2])
        values = yield context.task_all(
            [context.call_activity("add_one", number) for number in range(count)]
        )
        return sum(values)


    @app.activity_trigger(input_name="value")
    def add_one(value: int) -> int:
        return value + 1
"""


@dataclass
class _Running:
    """An emulator that runs the app."""

    api: httpx.AsyncClient
    pids: tuple[int, ...]
    app: Path
    database: Path

    async def run(self, name: str, instance_id: str) -> Any:
        """Start an instance and wait for its end; its output."""
        url = f"{_API}/orchestrators/{name}/{instance_id}"
        waiting = {"timeout": _TIMEOUT_S, "pollingInterval": 1}
        answer = await self.api.post(url, params=waiting)
        if answer.status_code != 200:
            raise RuntimeError(f"{instance_id} did not end: {answer.status_code} {answer.text}")
        return answer.json()

    def cpu_seconds(self) -> list[float]:
        """CPU time of the emulator and of the worker that runs the app."""
        return [cpu_seconds(pid) for pid in self.pids]


@asynccontextmanager
async def _running() -> AsyncIterator[_Running]:
    folder = Path(tempfile.mkdtemp(prefix="engine-bench-"))
    app, data = folder / "app", folder / "data"
    app.mkdir()
    (app / "function_app.py").write_text(textwrap.dedent(_APP), encoding="utf-8")
    (app / "host.json").write_text('{"version": "2.0"}', encoding="utf-8")
    emulator = EmulatorProcess(data, script_root=app, arguments=["--quiet"])
    try:
        doors = emulator.start()
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=doors.host, timeout=2 * _TIMEOUT_S, limits=limits
        ) as api:
            yield _Running(api, family(doors.pid), app, data / "taskhub.db")
    finally:
        emulator.stop()
        shutil.rmtree(folder)


async def episodes(count: int) -> Measured:
    """So many chains of four activities side by side: CPU of one episode, all told.

    The emulator's figure has everything in it: the request that starts an instance, its four
    activities, what is written. The library's is a full replay of the same episode and no more.
    """
    async with _running() as running:
        await _chains(running, "warm", _WARM_UP)
        before = running.cpu_seconds()
        await _chains(running, "chain", count)
        spent = [after - now for after, now in zip(running.cpu_seconds(), before, strict=True)]
        payloads = [text for one in _histories(running.database, "chain-") for text in one]
        replay = _library_seconds(_handle(running.app, "chain"), payloads)
    episode = 1000 * sum(spent) / len(payloads)
    own = 1000 * replay / len(payloads)
    return {
        "CPU of an episode with its activity": (episode, "ms"),
        "of it in the worker": (1000 * spent[1] / len(payloads), "ms"),
        "CPU of the library's own replay": (own, "ms"),
        "ratio": (episode / own, ""),
    }


async def fan_out(sizes: Sequence[int]) -> Measured:
    """One instance with so many activities at once, for each size; how the last two compare."""
    measured: Measured = {}
    async with _running() as running:
        await _chains(running, "warm", _WARM_UP)
        for size in sizes:
            before, started = sum(running.cpu_seconds()), time.perf_counter()
            output = await running.run("fan_out", f"fan-{size}")
            if output != size * (size + 1) // 2:
                raise RuntimeError(f"A fan-out of {size} came to {output}.")
            measured[f"{size} activities"] = (time.perf_counter() - started, "s")
            cpu = 1000 * (sum(running.cpu_seconds()) - before) / size
            measured[f"CPU of one of {size}"] = (cpu, "ms")
    first, last = (measured[f"{size} activities"][0] for size in sizes[-2:])
    growth = math.log(last / first) / math.log(sizes[-1] / sizes[-2])
    return {**measured, f"growth exponent from {sizes[-2]} on": (growth, "")}


async def _chains(running: _Running, prefix: str, count: int) -> None:
    names = [f"{prefix}-{number}" for number in range(count)]
    outputs = await asyncio.gather(*[running.run("chain", name) for name in names])
    if set(outputs) != {_STEPS}:
        raise RuntimeError(f"Chains came to {set(outputs)}.")


def _histories(database: Path, prefix: str) -> Iterator[list[str]]:
    """For each instance: the trigger's payload of every episode, as the library is sent it."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        found = db.execute("SELECT key, id FROM instance WHERE id LIKE ?", (f"{prefix}%",))
        for key, instance_id in found.fetchall():
            rows = db.execute("SELECT events FROM history WHERE instance = ? ORDER BY seq", (key,))
            yield list(_payloads(instance_id, [json.loads(row[0]) for row in rows]))


def _payloads(instance_id: str, stored: list[list[dict[str, Any]]]) -> Iterator[str]:
    history: list[dict[str, Any]] = []
    for events in stored:
        new = [
            {**event, "IsPlayed": False} for event in events if event["EventType"] not in _WRITTEN
        ]
        payload = {
            "history": history + new,
            "instanceId": instance_id,
            "isReplaying": bool(history),
            "parentInstanceId": None,
            "input": None,
            "upperSchemaVersion": 1,
            "upperSchemaVersionNew": 2,
        }
        yield json.dumps(payload)
        history += events


def _handle(app: Path, name: str) -> Callable[[str], str]:
    """The orchestrator as the library has decorated it, in this process."""
    spec = importlib.util.spec_from_file_location("function_app", app / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["function_app"] = module
    spec.loader.exec_module(module)
    functions = {each.get_function_name(): each for each in module.app.get_functions()}
    handle: Callable[[str], str] = functions[name].get_user_function()
    return handle


def _library_seconds(handle: Callable[[str], str], payloads: list[str]) -> float:
    handle(payloads[0])
    started = time.process_time()
    for payload in payloads:
        handle(payload)
    return time.process_time() - started
