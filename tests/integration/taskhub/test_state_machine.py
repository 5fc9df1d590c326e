"""What may become of an instance: suspended, terminated, gated, renewed, replaced, purged."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from emulator.clock import ManualClock
from emulator.taskhub import HubOptions
from emulator.taskhub.errors import Refused
from emulator.taskhub.queries import Filter
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def adds(ctx):
    return (yield ctx.call_activity("Add", ctx.get_input() or 1))


def waits(ctx):
    got = yield ctx.wait_for_external_event("Go")
    return got


def parent(ctx):
    try:
        return (yield ctx.call_sub_orchestrator("waits", None, instance_id="kid"))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        return str(error)


def leaves_timer_open(ctx):
    ctx.set_custom_status("left")
    timer = ctx.create_timer(ctx.current_utc_datetime + timedelta(minutes=1))
    activity = ctx.call_activity("Add", 1)
    yield ctx.task_any([activity, timer])
    return "early"


def renews_with_open_activity(ctx):
    n = ctx.get_input()
    if n == 0:
        return "renewed"
    yield ctx.task_any([ctx.call_activity("Add", 1), ctx.call_activity("Slow", 1)])
    ctx.continue_as_new(n - 1)


def renews_then_raises(ctx):
    yield ctx.call_activity("Add", 1)
    ctx.continue_as_new(1)
    raise ValueError("after all")


def renews_with_status(ctx):
    n = ctx.get_input()
    if n == 1:
        ctx.set_custom_status("first")
        ctx.continue_as_new(2)
        return
    yield ctx.wait_for_external_event("Go")


def counts_down(ctx):
    n = ctx.get_input()
    yield ctx.call_activity("Add", n)
    if n:
        ctx.continue_as_new(n - 1)
        return None
    return "zero"


class Gate:
    """An activity that ends when it is told to."""

    def __init__(self):
        self.open = asyncio.Event()
        self.entered = asyncio.Event()

    async def __call__(self, value):
        self.entered.set()
        await self.open.wait()
        return value


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def invoker(live, gate):
    functions = [
        adds, waits, parent, leaves_timer_open, renews_with_open_activity, renews_then_raises,
        renews_with_status, counts_down,
    ]  # fmt: skip
    return InProcessInvoker(
        {each.__name__: each for each in functions},
        {"Add": lambda x: x + 1, "Slow": gate},
        live=live,
    )


async def kinds_of(hub, instance_id):
    return [event["EventType"] for event in await hub.history(instance_id)]


async def test_suspended_instance_holds_what_arrives(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("waits")
        await hub.idle()
        await hub.hub.client.suspend(one, "look into it")
        await hub.status_is(one, "Suspended")
        assert (await hub.snapshot(one)).output == "look into it"
        await hub.hub.client.raise_event(one, "Go", '"x"')
        await hub.idle()
        assert (await hub.snapshot(one)).status == "Suspended"
        await hub.hub.client.resume(one, "fine")
        assert await hub.output(one) == "x"
        kinds = await kinds_of(hub, one)
    assert kinds == [12, 0, 13, 12, 19, 13, 12, 20, 15, 1, 13]


async def test_instance_suspended_before_it_began_starts_when_it_is_resumed(path, invoker):
    async with running_hub(path, InProcessInvoker()) as hub:
        hub.hub.client._invoker = invoker
        one = await hub.start("adds", 4)
        await hub.hub.client.suspend(one, "not yet")
    async with running_hub(path, invoker) as hub:
        await hub.status_is(one, "Suspended")
        await hub.idle()
        assert invoker.calls["Add"] == 0
        await hub.hub.client.resume(one, "now")
        assert await hub.output(one) == 5
        assert (await kinds_of(hub, one))[:5] == [12, 0, 19, 20, 4]


async def test_suspending_twice_and_resuming_what_runs_are_refused(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("waits")
        with pytest.raises(Refused) as not_suspended:
            await hub.hub.client.resume(one, "")
        await hub.hub.client.suspend(one, "")
        with pytest.raises(Refused) as suspended:
            await hub.hub.client.suspend(one, "")
        await hub.hub.client.resume(one, "")
    assert (not_suspended.value.status, suspended.value.status) == (500, 500)


async def test_activity_that_ends_while_suspended_is_not_lost(path, invoker, gate):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("renews_with_open_activity", 1)
        await gate.entered.wait()
        await hub.hub.client.suspend(one, None)
        await hub.status_is(one, "Suspended")
        gate.open.set()
        await hub.idle()
        await hub.hub.client.resume(one, None)
        assert await hub.output(one) == "renewed"


async def test_suspended_instance_can_be_terminated(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("waits")
        await hub.hub.client.suspend(one, "hold")
        await hub.status_is(one, "Suspended")
        await hub.hub.client.terminate(one, "enough")
        ended = await hub.ended(one)
    assert (ended.status, ended.output) == ("Terminated", "enough")


async def test_pending_instance_can_be_terminated(path, invoker):
    async with running_hub(path, InProcessInvoker()) as hub:
        hub.hub.client._invoker = invoker
        one = await hub.start("adds")
        await hub.hub.client.terminate(one, None)
        ended = await hub.ended(one)
        assert (ended.status, ended.output) == ("Terminated", None)
        assert await kinds_of(hub, one) == [12, 0, 3, 1, 13]


async def test_terminating_a_parent_leaves_its_child(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("parent")
        await hub.until(lambda: hub.hub.client.find("kid"))
        await hub.hub.client.terminate(one, "stop")
        assert (await hub.ended(one)).status == "Terminated"
        await hub.hub.client.raise_event("kid", "Go", "1")
        assert await hub.output("kid") == 1


async def test_terminated_child_fails_its_parents_task_with_the_reason(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("parent")
        await hub.until(lambda: hub.hub.client.find("kid"))
        await hub.hub.client.terminate("kid", "no more")
        assert await hub.output(one) == "no more \n None"


async def test_result_after_termination_is_dropped(path, invoker, gate):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("renews_with_open_activity", 1)
        await gate.entered.wait()
        await hub.hub.client.terminate(one, "stop")
        await hub.ended(one)
        gate.open.set()
        await hub.idle()
        assert (await hub.snapshot(one)).status == "Terminated"


async def test_orchestrator_that_returned_stays_running_until_its_timer_fired(path, invoker):
    clock = ManualClock(START)
    async with running_hub(path, invoker, clock=clock) as hub:
        one = await hub.start("leaves_timer_open")
        await hub.idle()
        found = await hub.snapshot(one)
        assert (found.status, found.custom_status) == ("Running", '"left"')
        episodes = invoker.episodes[one]
        clock.advance(timedelta(minutes=1))
        hub.hub.clock_moved()
        assert await hub.output(one) == "early"
        assert invoker.episodes[one] == episodes
        assert (await kinds_of(hub, one))[-2:] == [11, 1]


async def test_gate_holds_over_a_restart(path, invoker):
    clock = ManualClock(START)
    async with running_hub(path, invoker, clock=clock) as hub:
        one = await hub.start("leaves_timer_open")
        await hub.idle()
    clock.advance(timedelta(minutes=2))
    async with running_hub(path, InProcessInvoker({"leaves_timer_open": None}), clock=clock) as hub:
        assert await hub.output(one) == "early"


async def test_continue_as_new_waits_for_an_open_activity(path, invoker, gate):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("renews_with_open_activity", 1)
        await gate.entered.wait()
        await hub.idle_but_for_activities()
        assert (await hub.snapshot(one)).input == '"1"'
        gate.open.set()
        assert await hub.output(one) == "renewed"
        assert (await hub.snapshot(one)).input == '"0"'


async def test_continue_as_new_then_raise_fails(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.failure("renews_then_raises")
    assert text == "Orchestrator function 'renews_then_raises' failed: after all"


async def test_custom_status_is_kept_into_the_next_generation(path, invoker):
    async with running_hub(
        path, InProcessInvoker({"renews_with_status": renews_with_status})
    ) as hub:
        one = await hub.start("renews_with_status", 1)
        await hub.idle()
        assert (await hub.snapshot(one)).custom_status is None
        assert (await hub.snapshot(one)).status == "Running"


async def test_many_generations_leave_one_history(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("counts_down", 30)
        assert await hub.output(one) == "zero"
        assert len(await hub.history(one)) == 8
        assert (await hub.snapshot(one)).input == '"0"'


async def test_id_in_use_is_refused_and_an_ended_one_is_replaced(path, invoker):
    async with running_hub(path, invoker) as hub:
        await hub.start("waits", instance_id="same")
        await hub.status_is("same", "Running")
        with pytest.raises(Refused) as refusal:
            await hub.start("waits", instance_id="same")
        await hub.hub.client.raise_event("same", "Go", "1")
        assert await hub.output("same") == 1
        assert await hub.run("adds", 1, "same") == 2
        assert (await hub.snapshot("same")).name == "adds"
    assert refusal.value.status == 500
    assert refusal.value.body["ExceptionMessage"] == (
        "An Orchestration instance with the status Running already exists."
    )


async def test_any_state_lets_an_active_instance_be_replaced(path, invoker, gate):
    options = HubOptions(replace_any_state=True)
    async with running_hub(path, invoker, options=options) as hub:
        await hub.start("renews_with_open_activity", 1, "same")
        await gate.entered.wait()
        assert await hub.run("adds", 1, "same") == 2
        gate.open.set()
        await hub.idle()
        found = await hub.snapshot("same")
        assert (found.name, found.status) == ("adds", "Completed")
        # One that has ended is replaced in either mode.
        assert await hub.run("adds", 2, "same") == 3


async def test_restart_takes_the_same_input_to_a_new_or_the_same_id(path, invoker):
    async with running_hub(path, invoker) as hub:
        await hub.run("adds", 5, "one")
        other = await hub.hub.client.restart("one", True)
        assert other != "one"
        assert await hub.output(other) == 6
        assert await hub.hub.client.restart("one", False) == "one"
        assert await hub.output("one") == 6
        await hub.start("waits", instance_id="busy")
        with pytest.raises(Refused) as active:
            await hub.hub.client.restart("busy", False)
        running = await hub.hub.client.restart("busy", True)
        await hub.status_is(running, "Running")
        with pytest.raises(Refused) as unknown:
            await hub.hub.client.restart("nobody", True)
    assert (active.value.status, unknown.value.status) == (500, 400)


async def test_purge_removes_everything_of_an_instance(path, invoker, gate):
    async with running_hub(path, invoker) as hub:
        await hub.start("renews_with_open_activity", 1, "busy")
        await gate.entered.wait()
        assert await hub.hub.client.purge("busy")
        assert not await hub.hub.client.purge("busy")
        gate.open.set()
        await hub.idle()
        assert await hub.hub.client.find("busy") is None
        left = await hub.database.read(
            lambda db: [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in
                        ("instance", "input", "history", "inbox")]
        )  # fmt: skip
    assert left == [0, 0, 0, 0]


async def test_purging_a_parent_leaves_its_child(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("parent")
        await hub.until(lambda: hub.hub.client.find("kid"))
        assert await hub.hub.client.purge(one)
        await hub.hub.client.raise_event("kid", "Go", "1")
        # It has nobody to answer any more, and ends all the same.
        assert await hub.output("kid") == 1
        assert await hub.hub.client.find(one) is None


async def test_suspending_a_parent_leaves_its_child(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("parent")
        await hub.until(lambda: hub.hub.client.find("kid"))
        await hub.hub.client.suspend(one, "hold")
        await hub.status_is(one, "Suspended")
        await hub.hub.client.raise_event("kid", "Go", "1")
        assert await hub.output("kid") == 1
        await hub.hub.client.resume(one, "go on")
        assert await hub.output(one) == 1


async def test_purge_by_filter_takes_only_what_has_ended(path, invoker):
    clock = ManualClock(START)
    async with running_hub(path, invoker, clock=clock) as hub:
        await hub.run("adds", 1, "old")
        clock.advance(timedelta(hours=1))
        await hub.run("adds", 1, "new")
        await hub.start("waits", instance_id="active")
        await hub.hub.client.terminate(await hub.start("waits", instance_id="gone"), "x")
        await hub.ended("gone")
        all_ended = {"Completed", "Terminated", "Failed", "Canceled"}
        hour = 3600 * 1_000_000
        start = int(START.timestamp() * 1_000_000)
        only_old = Filter(start, start + hour // 2, all_ended)
        assert await hub.hub.client.purge_many(only_old) == 1
        assert await hub.hub.client.purge_many(Filter(statuses={"Terminated"})) == 1
        left = await hub.hub.client.list_page(Filter(), 10)
    assert [each.id for each in left] == ["active", "new"]


async def test_versions_that_do_not_fit_wait_or_fail(path):
    def versioned(ctx):
        yield ctx.call_activity("Add", 1)
        return ctx.version

    def run(**options):
        invoker = InProcessInvoker({"versioned": versioned}, {"Add": lambda x: x})
        return running_hub(path, invoker, options=HubOptions(**options))

    async with run() as hub:
        assert await hub.run("versioned") == ""
    async with run(default_version="1.10") as hub:
        assert await hub.run("versioned") == "1.10"
        assert await hub.output(await hub.start("versioned", version="1.9")) == "1.9"
        newer = await hub.start("versioned", version="1.11")
        await hub.idle()
        assert (await hub.snapshot(newer)).status == "Pending"
    async with run(default_version="2.0") as hub:
        assert await hub.output(newer) == "1.11"
    async with run(default_version="2.0", version_match="strict", version_failure="fail") as hub:
        failed = await hub.ended(await hub.start("versioned", version="1.0"))
        assert failed.status == "Failed"
