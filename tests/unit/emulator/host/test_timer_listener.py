"""Timers: a missed occurrence, no overlap, failures, what is kept on disk."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from emulator.clock import Clock, ManualClock
from emulator.host.functions import Binding, Function
from emulator.host.invocations import Invocations
from emulator.host.log import Log
from emulator.host.schedules import parse_schedule
from emulator.host.timer_listener import TimerListener
from emulator.host.worker_model import InvocationResult
from emulator.worker.protocol import UNSET, Datum
from tests.support.emulator import until

NOW = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC)


class FakeWorker:
    """Records what it is called with."""

    def __init__(self, ok: bool = True) -> None:
        self.calls: list[dict[str, Any]] = []
        self.ok = ok

    async def invoke(self, function: str, inputs: dict[str, Datum], *_: Any) -> InvocationResult:
        self.calls.append(json.loads(inputs["timer"].value))
        return InvocationResult(ok=self.ok, error_type="ValueError", error_message="no")


async def nothing(*_: Any) -> Any:
    return UNSET


@asynccontextmanager
async def listening(
    path: Path, schedule: str, clock: Clock, worker: FakeWorker, **trigger: Any
) -> AsyncIterator[None]:
    values = {"type": "timerTrigger", **trigger}
    binding = Binding("timerTrigger", "in", "timer", None, values, values)
    log = Log(clock, stream=StringIO())
    listener = TimerListener(
        Function("tick", (binding,), "function_app.py"),
        parse_schedule(schedule),
        path,
        invocations=Invocations(worker, nothing, nothing, log),
        clock=clock,
        log=log,
    )
    await listener.start()
    yield
    await listener.stop()
    log.close()


def keep(path: Path, last: datetime, following: datetime) -> None:
    state = {"Last": last.isoformat(), "Next": following.isoformat(), "LastUpdated": ""}
    path.write_text(json.dumps(state))


async def calls(worker: FakeWorker, count: int) -> list[dict[str, Any]]:
    async def enough() -> bool:
        return len(worker.calls) >= count

    await until(enough, f"{count} calls")
    return worker.calls


async def test_missed_occurrence_fires_once_and_is_past_due(tmp_path: Path) -> None:
    path, worker = tmp_path / "tick.json", FakeWorker()
    keep(path, NOW - timedelta(hours=3), NOW - timedelta(hours=2))
    async with listening(path, "0 0 * * * *", ManualClock(NOW), worker):
        [call] = await calls(worker, 1)
        assert call["IsPastDue"] is True
        assert call["ScheduleStatus"]["Last"] == "2024-01-01T09:00:00+00:00"

        async def written() -> bool:
            return json.loads(path.read_text())["Next"] == "2024-01-01T13:00:00+00:00"

        await until(written, "the next occurrence is kept")
    assert len(worker.calls) == 1


async def test_nothing_is_past_due_without_monitoring(tmp_path: Path) -> None:
    path, worker = tmp_path / "tick.json", FakeWorker()
    keep(path, NOW - timedelta(hours=3), NOW - timedelta(hours=2))
    async with listening(
        path, "0 0 * * * *", ManualClock(NOW), worker, useMonitor=False, runOnStartup=True
    ):
        [call] = await calls(worker, 1)
    assert call == {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}


async def test_damaged_state_starts_anew(tmp_path: Path) -> None:
    path, worker = tmp_path / "tick.json", FakeWorker()
    path.write_text("nonsense")
    async with listening(path, "0 0 * * * *", ManualClock(NOW), worker, runOnStartup=True):
        [call] = await calls(worker, 1)
    assert call["ScheduleStatus"]["Last"] == "0001-01-01T00:00:00+00:00"


async def test_failure_does_not_stop_the_schedule(tmp_path: Path) -> None:
    worker = FakeWorker(ok=False)
    async with listening(tmp_path / "tick.json", "00:00:00.01", Clock(), worker):
        await calls(worker, 3)


async def test_occurrences_do_not_overlap(tmp_path: Path) -> None:
    running, most = 0, 0

    class SlowWorker(FakeWorker):
        async def invoke(self, *given: Any) -> InvocationResult:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.03)
            running -= 1
            return await super().invoke(*given)

    worker = SlowWorker()
    async with listening(tmp_path / "tick.json", "00:00:00.01", Clock(), worker):
        await calls(worker, 3)
    assert most == 1
