"""A clock that jumps, forwards and back: timers fire once, in their time, and states stay.

The clock of the running emulator is stepped from outside; the kill in the midst sets it back to the
machine's, as a machine does that finds the right time when it starts.
"""

import asyncio
from pathlib import Path
from typing import Any

from emulator.launch import EmulatorProcess
from tests.support.emulator import Emulator, connected, until, write_app

APP = """
    import json, os
    from datetime import timedelta
    import azure.durable_functions as df
    import azure.functions as func

    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.orchestration_trigger(context_name="context")
    def wait(context):
        hours = context.get_input()["hours"]
        began = context.current_utc_datetime
        yield context.create_timer(began + timedelta(hours=hours))
        woke = context.current_utc_datetime
        yield context.call_activity("note", context.instance_id)
        return [woke >= began + timedelta(hours=hours), context.current_utc_datetime >= woke]

    @app.orchestration_trigger(context_name="context")
    def race(context):
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=5))
        event = context.wait_for_external_event("now")
        winner = yield context.task_any([timer, event])
        if winner is event:
            timer.cancel()
        return "event" if winner is event else "timer"

    @app.activity_trigger(input_name="key")
    def note(key: str):
        with open(os.environ["EFFECTS_FILE"], "a") as file:
            file.write(key + "\\n")
"""
_API = "/runtime/webhooks/durabletask"
_HOURS = range(1, 21)


async def start(emulator: Emulator, name: str, instance: str, given: Any = None) -> None:
    path = f"{_API}/orchestrators/{name}/{instance}"
    assert (await emulator.post(path, json=given)).status == 202


async def statuses(emulator: Emulator) -> dict[str, str]:
    found = (await emulator.get(f"{_API}/instances")).json()
    return {each["instanceId"]: each["runtimeStatus"] for each in found}


async def step(emulator: Emulator, hours: float) -> None:
    answer = await emulator.post("/emulator/clock", json={"advanceSeconds": hours * 3600})
    assert answer.status == 200


async def nonsense_is_refused(emulator: Emulator) -> None:
    for given in ({"advanceSeconds": "1"}, {"advanceSeconds": True}, [], {}, None):
        answer = await emulator.post("/emulator/clock", json=given)
        assert (answer.status, list(answer.json())) == (400, ["error"])
    assert (await emulator.post("/emulator/clock", json={"advanceSeconds": 1e12})).status == 400
    assert (await emulator.get("/emulator/clock")).json()["offsetSeconds"] == 0


async def fired(emulator: Emulator, effects: Path, count: int) -> list[str]:
    """What has fired, once so many have, and all that could follow has been waited for."""

    async def are_done() -> bool:
        states = await statuses(emulator)
        waits = [name for name in states if name.startswith("wait-")]
        return sum(states[name] == "Completed" for name in waits) >= count

    await until(are_done, f"{count} timers have fired")
    # An instance that starts and ends now was behind all that was due.
    await start(emulator, "race", f"probe-{count}")
    path = f"{_API}/instances/probe-{count}/raiseEvent/now"
    assert (await emulator.post(path, json=1)).status == 202

    async def is_probed() -> bool:
        return (await statuses(emulator))[f"probe-{count}"] == "Completed"

    await until(is_probed, "the probe has ended")
    return effects.read_text().split()  # noqa: ASYNC240 - a few lines


def names(hours: range) -> list[str]:
    return [f"wait-{each:02}" for each in hours]


async def test_timers_fire_once_whatever_the_clock_does(tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    effects.touch()
    app = write_app(tmp_path / "app", APP)
    process = EmulatorProcess(
        tmp_path / "data", script_root=app, environment={"EFFECTS_FILE": str(effects)}
    )
    doors = await asyncio.to_thread(process.start)
    try:
        async with connected(process, doors) as emulator:
            await nonsense_is_refused(emulator)
            for hours in _HOURS:
                await start(emulator, "wait", f"wait-{hours:02}", {"hours": hours})
            await start(emulator, "race", "race")

            async def all_wait() -> bool:
                states = await statuses(emulator)
                return len(states) == len(_HOURS) + 1 and set(states.values()) == {"Running"}

            await until(all_wait, "all wait for their timers")
            await step(emulator, -3)
            assert await fired(emulator, effects, 0) == []
            await step(emulator, 3 + 10.5)
            assert sorted(await fired(emulator, effects, 10)) == names(range(1, 11))
            before = await statuses(emulator)
            assert before["race"] == "Completed"
            await step(emulator, -8)
            assert sorted(await fired(emulator, effects, 10)) == names(range(1, 11))
            after = await statuses(emulator)
            assert {name: after[name] for name in before} == before
        await asyncio.to_thread(process.kill)
        # The start is at the machine's time, hours before what was stored last.
        doors = await asyncio.to_thread(process.start)
        async with connected(process, doors) as emulator:
            assert (await emulator.get("/emulator/clock")).json()["offsetSeconds"] == 0
            assert sorted(await fired(emulator, effects, 10)) == names(range(1, 11))
            await step(emulator, 15.5)
            assert sorted(await fired(emulator, effects, 15)) == names(range(1, 16))
            await step(emulator, 1000)
            assert sorted(await fired(emulator, effects, 20)) == names(_HOURS)
            for name in names(_HOURS):
                found = (await emulator.get(f"{_API}/instances/{name}?showHistory=true")).json()
                assert found["output"] == [True, True]
                kinds = [event["EventType"] for event in found["historyEvents"]]
                assert kinds.count("TimerFired") == 1
            race = (await emulator.get(f"{_API}/instances/race")).json()
            assert race["output"] == "timer"
    finally:
        assert await asyncio.to_thread(process.stop) == 0
