"""The reference day of an app that is not the pipeline: two instances of one long story.

What the engine promises any app is judged here: the same output, each effect under its key, each
entity operation once, each timer fired once.
"""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

from chaos.outcome import Outcome, by_key, counted
from chaos.supervised import App, Broken, Supervised

NAME = "foreign"
STORES = ("taskhub",)
_ROOT = Path(__file__).resolve().parent / "foreign"
_API = "/runtime/webhooks/durabletask"
_INSTANCES = ("one", "two")
_GENERATIONS = 3
_PATIENCE_S = 60.0


def app(folder: Path) -> App:
    """The app, whose effects go to a file in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return App(_ROOT, (), (("EFFECTS_FILE", str(folder / "effects")),))


async def live(system: Supervised, folder: Path) -> Outcome:
    """Start the instances, tell each of its generations to go on, wait; what it came to."""
    given = {"generation": 1, "log": []}
    for instance in _INSTANCES:
        path = f"{_API}/orchestrators/story/{instance}"
        answer = await system.ask("POST", path, json=given, fine=(500,))
        # It was started, and only the answer was lost.
        if answer.status_code == 500 and "already exists" not in answer.text:
            raise Broken(f"{instance} cannot be started: {answer.text}")
    for generation in range(1, _GENERATIONS + 1):
        for instance in _INSTANCES:
            await _until_waiting(system, instance, generation)
            path = f"{_API}/instances/{instance}/raiseEvent/go-{generation}"
            await system.ask("POST", path, json="go", fine=(410,))
    ended = {instance: await _until_ended(system, instance) for instance in _INSTANCES}
    effects = (folder / "effects").read_text(encoding="utf-8").splitlines()
    facts = {
        "run": by_key([(run["instanceId"], run["runtimeStatus"]) for run in await _runs(system)]),
        "output": by_key([(instance, run["output"]) for instance, run in ended.items()]),
        "timers": by_key([(instance, _timers(run)) for instance, run in ended.items()]),
        "entity": by_key([(each, await _entity(system, each)) for each in _INSTANCES]),
    }
    return Outcome(facts, counted(effects))


async def _until_waiting(system: Supervised, instance: str, generation: int) -> None:
    async def is_waiting() -> bool:
        told = (await _status(system, instance)).get("customStatus") or {}
        if told.get("generation", 0) > generation:
            return True
        return bool(told.get("generation") == generation and told["waits"])

    await _until(is_waiting, f"{instance} waits in generation {generation}")


async def _until_ended(system: Supervised, instance: str) -> dict[str, Any]:
    async def has_ended() -> bool:
        return (await _status(system, instance))["runtimeStatus"] in ("Completed", "Failed")

    await _until(has_ended, f"{instance} has ended")
    return await _status(system, instance, "?showHistory=true")


async def _until(check: Any, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not await check():
        if time.monotonic() > deadline:
            raise Broken(f"It did not come true: {what}")
        await asyncio.sleep(0.02)


async def _status(system: Supervised, instance: str, query: str = "") -> dict[str, Any]:
    answer = await system.ask("GET", f"{_API}/instances/{instance}{query}", fine=(404,))
    body: dict[str, Any] = answer.json() if answer.status_code != 404 else {"runtimeStatus": None}
    return body


async def _runs(system: Supervised) -> list[dict[str, Any]]:
    found = await system.get(f"{_API}/instances?top=500")
    assert isinstance(found, list)
    return [run for run in found if not run["instanceId"].startswith("@")]


async def _entity(system: Supervised, key: str) -> Any:
    return await system.get(f"{_API}/entities/counter/{key}")


def _timers(run: dict[str, Any]) -> dict[str, int]:
    """Of the last generation's timers, how many did not fire, fired twice, fired too early.

    The one that was cancelled does not fire. How many there are depends on how often the step that
    is retried was cut off.
    """
    events = run["historyEvents"]
    due = [event["FireAt"] for event in events if event["EventType"] == "TimerCreated"]
    fired = [event for event in events if event["EventType"] == "TimerFired"]
    times = Counter(event["FireAt"] for event in fired)
    return {
        "unfired": sum(each not in times for each in due),
        "twice": sum(count - 1 for count in times.values()),
        "early": sum(event["Timestamp"] < event["FireAt"] for event in fired),
    }
