"""Timers, external events, and their races, through the real library."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from emulator.clock import ManualClock
from tests.support.crashes import CrashFaults
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker

START = datetime(2026, 1, 2, 3, 4, 5, 250000, tzinfo=UTC)


def sleeper(ctx):
    yield ctx.create_timer(ctx.current_utc_datetime + timedelta(**ctx.get_input()))
    return str(ctx.current_utc_datetime)


def cancels_at_once(ctx):
    timer = ctx.create_timer(ctx.current_utc_datetime + timedelta(hours=1))
    activity = ctx.call_activity("Echo", 1)
    timer.cancel()
    yield ctx.task_any([activity, timer])
    return "done"


def race(ctx):
    timer = ctx.create_timer(ctx.current_utc_datetime + timedelta(minutes=5))
    event = ctx.wait_for_external_event("Go")
    winner = yield ctx.task_any([event, timer])
    if winner is event:
        timer.cancel()
        return ["event", event.result]
    return ["timeout"]


def goes_on_after_cancelling(ctx):
    timer = ctx.create_timer(ctx.current_utc_datetime + timedelta(minutes=5))
    event = ctx.wait_for_external_event("Go")
    yield ctx.task_any([event, timer])
    timer.cancel()
    yield ctx.wait_for_external_event("End")
    return "end"


def naive(ctx):
    yield ctx.create_timer(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def two_waits(ctx):
    first = yield ctx.wait_for_external_event("Go")
    second = yield ctx.wait_for_external_event("Go")
    return [first, second]


def waits_together(ctx):
    return (
        yield ctx.task_all([ctx.wait_for_external_event("Go"), ctx.wait_for_external_event("Go")])
    )


def generations(ctx):
    n = ctx.get_input()
    event = yield ctx.wait_for_external_event("Go")
    if n == 3:
        return [n, event]
    ctx.continue_as_new(n + 1)


def an_invoker(live):
    functions = [
        sleeper, cancels_at_once, race, goes_on_after_cancelling, naive, two_waits,
        waits_together, generations,
    ]  # fmt: skip
    return InProcessInvoker(
        {each.__name__: each for each in functions}, {"Echo": lambda x: x}, live=live
    )


async def raise_go(hub, instance_id, value, name="Go"):
    await hub.hub.client.raise_event(instance_id, name, value)


async def test_timer_fires_when_it_is_due_and_not_before(path, live):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(live), clock=clock) as hub:
        instance_id = await hub.start("sleeper", {"hours": 2})
        await hub.idle()
        clock.advance(timedelta(hours=2) - timedelta(milliseconds=1))
        hub.hub.clock_moved()
        await hub.idle()
        assert (await hub.snapshot(instance_id)).status == "Running"
        clock.advance(timedelta(milliseconds=1))
        hub.hub.clock_moved()
        assert await hub.output(instance_id) == "2026-01-02 05:04:05.250000+00:00"
        fired = [e for e in await hub.history(instance_id) if e["EventType"] == 11]
    assert [event["FireAt"] for event in fired] == ["2026-01-02T05:04:05.2500000Z"]


async def test_timer_in_the_past_fires_at_once(path, live):
    async with running_hub(path, an_invoker(live)) as hub:
        assert await hub.run("sleeper", {"hours": -2})


async def test_timer_on_the_real_clock(path):
    async with running_hub(path, an_invoker(False)) as hub:
        begun = asyncio.get_running_loop().time()
        await hub.run("sleeper", {"milliseconds": 60})
        assert asyncio.get_running_loop().time() - begun >= 0.06


async def test_cancelled_timer_holds_nobody(path, live):
    invoker = an_invoker(live)
    async with running_hub(path, invoker) as hub:
        instance_id = await hub.start("cancels_at_once")
        assert await hub.output(instance_id) == "done"
        kinds = [event["EventType"] for event in await hub.history(instance_id)]
    assert 10 in kinds
    assert 11 not in kinds
    assert invoker.mismatches == []


async def test_cancelled_timer_never_fires(path, live):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(live), clock=clock) as hub:
        instance_id = await hub.start("goes_on_after_cancelling")
        await hub.idle()
        await raise_go(hub, instance_id, '"x"')
        await hub.idle()
        clock.advance(timedelta(minutes=6))
        hub.hub.clock_moved()
        await raise_go(hub, instance_id, '"y"', "End")
        assert await hub.output(instance_id) == "end"
        kinds = [event["EventType"] for event in await hub.history(instance_id)]
    assert 11 not in kinds


async def test_split_timer_over_three_segments_with_a_restart_between(path, live):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(live), clock=clock) as hub:
        instance_id = await hub.start("sleeper", {"days": 11})
        await hub.idle()
        clock.advance(timedelta(days=3))
        hub.hub.clock_moved()
        await hub.idle()
    invoker = an_invoker(live)
    clock.advance(timedelta(days=3))
    async with running_hub(path, invoker, clock=clock) as hub:
        await hub.idle()
        assert (await hub.snapshot(instance_id)).status == "Running"
        clock.advance(timedelta(days=5))
        hub.hub.clock_moved()
        assert await hub.output(instance_id) == "2026-01-13 03:04:05.250000+00:00"
        fired = [e["FireAt"] for e in await hub.history(instance_id) if e["EventType"] == 11]
    assert [each[:10] for each in fired] == ["2026-01-05", "2026-01-08", "2026-01-13"]
    assert invoker.mismatches == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_split_timer_survives_death_at_each_of_its_commits(tmp_path, when):
    number, died = 0, True
    while died:
        path, clock = tmp_path / f"{number}.db", ManualClock(START)
        async with running_hub(path, an_invoker(False), clock=clock) as hub:
            instance_id = await hub.start("sleeper", {"days": 11})
            await hub.idle()
        faults = CrashFaults(when, number)
        async with running_hub(path, an_invoker(False), clock=clock, faults=faults) as hub:
            sleeping = asyncio.ensure_future(sleep_through(hub, clock, instance_id))
            reached = asyncio.ensure_future(faults.reached.wait())
            await asyncio.wait((sleeping, reached), return_when=asyncio.FIRST_COMPLETED)
            died = faults.reached.is_set()
            sleeping.cancel()
            reached.cancel()
            await hub.hub.stop()
            faults.bury()
            await asyncio.gather(sleeping, reached, return_exceptions=True)
        invoker = an_invoker(False)
        async with running_hub(path, invoker, clock=clock) as hub:
            woken = await sleep_through(hub, clock, instance_id)
            fired = [e["FireAt"] for e in await hub.history(instance_id) if e["EventType"] == 11]
        assert woken == "2026-01-13 03:04:05.250000+00:00"
        assert [each[:10] for each in fired] == ["2026-01-05", "2026-01-08", "2026-01-13"]
        assert invoker.mismatches == []
        number += 1
    assert number > 2


async def sleep_through(hub, clock, instance_id):
    """Let the time come for which the instance waits, segment by segment; its output."""
    for day in (3, 6, 11):
        clock.advance(max(START + timedelta(days=day) - clock.now(), timedelta()))
        await hub.idle()
    return await hub.output(instance_id)


async def test_naive_time_is_the_error_that_it_is_on_azure(path):
    async with running_hub(path, an_invoker(False)) as hub:
        assert (await hub.failure("naive")) == (
            "Orchestrator function 'naive' failed: can't compare offset-naive and offset-aware "
            "datetimes"
        )


async def test_overdue_timer_fires_at_the_next_start(path, live):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(live), clock=clock) as hub:
        instance_id = await hub.start("sleeper", {"hours": 1})
        await hub.idle()
    clock.advance(timedelta(days=1))
    async with running_hub(path, an_invoker(live), clock=clock) as hub:
        assert await hub.output(instance_id) == "2026-01-03 03:04:05.250000+00:00"


async def test_clock_that_is_stepped_back_delays_a_timer_but_loses_none(path):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(False), clock=clock) as hub:
        instance_id = await hub.start("sleeper", {"hours": 1})
        await hub.idle()
        clock.advance(timedelta(hours=-5))
        hub.hub.clock_moved()
        other = await hub.start("sleeper", {"minutes": 1})
        await hub.idle()
        clock.advance(timedelta(hours=6))
        hub.hub.clock_moved()
        assert await hub.output(instance_id)
        assert await hub.output(other)


async def test_events_sent_before_the_wait_are_kept_in_order(path, live):
    async with running_hub(path, an_invoker(live)) as hub:
        instance_id = await hub.start("two_waits")
        await raise_go(hub, instance_id, "1")
        await raise_go(hub, instance_id, "2")
        assert await hub.output(instance_id) == [1, 2]


async def test_two_open_waits_are_served_newest_first_as_the_library_does(path, live):
    async with running_hub(path, an_invoker(live)) as hub:
        instance_id = await hub.start("waits_together")
        await raise_go(hub, instance_id, "1")
        await raise_go(hub, instance_id, "2")
        assert await hub.output(instance_id) == [2, 1]


async def test_event_of_another_case_leaves_it_waiting(path, live):
    async with running_hub(path, an_invoker(live)) as hub:
        instance_id = await hub.start("race")
        await raise_go(hub, instance_id, "1", "go")
        await hub.idle()
        assert (await hub.snapshot(instance_id)).status == "Running"
        await raise_go(hub, instance_id, '{"a": 1}')
        assert await hub.output(instance_id) == ["event", {"a": 1}]


async def test_timeout_wins_when_the_event_comes_later(path, live):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(live), clock=clock) as hub:
        instance_id = await hub.start("race")
        await hub.idle()
        clock.advance(timedelta(minutes=5))
        hub.hub.clock_moved()
        assert await hub.output(instance_id) == ["timeout"]


async def test_event_that_came_first_wins_over_a_timer_found_due_later(path, live):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(live), clock=clock) as hub:
        instance_id = await hub.start("race")
        await hub.idle()
        await hub.hub.client.suspend(instance_id, "hold")
        await hub.status_is(instance_id, "Suspended")
        clock.advance(timedelta(minutes=4))
        await raise_go(hub, instance_id, '"first"')
        clock.advance(timedelta(minutes=4))
        await hub.hub.client.resume(instance_id, "go on")
        assert await hub.output(instance_id) == ["event", "first"]


async def test_events_are_carried_over_generations(path, live):
    async with running_hub(path, an_invoker(live)) as hub:
        instance_id = await hub.start("generations", 1)
        for value in ("10", "20", "30"):
            await raise_go(hub, instance_id, value)
        assert await hub.output(instance_id) == [3, 30]


async def test_events_survive_a_restart(path, live):
    async with running_hub(path, InProcessInvoker()) as hub:  # nobody runs the orchestrator
        hub.hub.client._invoker = an_invoker(live)
        instance_id = await hub.start("two_waits")
        await raise_go(hub, instance_id, '"a"')
        await raise_go(hub, instance_id, '"b"')
    async with running_hub(path, an_invoker(live)) as hub:
        assert await hub.output(instance_id) == ["a", "b"]
