"""What the library does oddly, left as it is on Azure: an app that stumbles there stumbles here.

Where Azure waits for ever, so does this hub, but it says so in its log.
"""

from datetime import UTC, datetime, timedelta, timezone

import azure.durable_functions as df
import pytest

from emulator.clock import ManualClock
from tests.support.hub_harness import running_hub
from tests.support.hub_server import serving
from tests.support.inprocess_invoker import InProcessInvoker

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Thing:
    """A custom object."""

    @staticmethod
    def to_json(thing):
        return {}

    @staticmethod
    def from_json(data):
        return Thing()


def boom(value):
    raise ValueError("boom")


def counter(context):
    total = context.get_state(lambda: 0)
    if context.operation_name == "add":
        total += context.get_input()
        context.set_state(total)
        context.set_result(total)
    if context.operation_name == "fail after writing":
        context.set_state(100)
        raise ValueError("too late")
    return "nobody reads this"


def the_counter():
    return df.EntityId("counter", "k")


def takes_input(ctx):
    return ctx.get_input()


def awaits_a_signal(ctx):
    yield ctx.signal_entity(the_counter(), "add", 1)


def nothing_to_any(ctx):
    nothing = yield ctx.task_any([])
    return [nothing, (yield ctx.call_activity("Echo", 1))]


def failed_winner(ctx):
    winner = yield ctx.task_any([ctx.call_activity("Boom", 1), ctx.wait_for_external_event("Go")])
    return str(winner.result)[:48]


def failed_in_nested_all(ctx):
    inner = ctx.task_all([ctx.call_activity("Boom", 1), ctx.wait_for_external_event("Late")])
    try:
        yield ctx.task_all([inner, ctx.wait_for_external_event("Never")])
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        yield ctx.wait_for_external_event("Go")
        return str(error)


def falsy_status(ctx):
    ctx.set_custom_status({"step": 1})
    yield ctx.wait_for_external_event("Go")
    ctx.set_custom_status(0)
    yield ctx.wait_for_external_event("Go")


def local_time(ctx):
    there = timezone(timedelta(hours=2))
    yield ctx.create_timer((ctx.current_utc_datetime + timedelta(hours=1)).astimezone(there))
    return "fired"


def cancels_what_fired(ctx):
    timer = ctx.create_timer(ctx.current_utc_datetime)
    yield timer
    timer.cancel()


def cancels_a_long_timer(ctx):
    timer = ctx.create_timer(ctx.current_utc_datetime + timedelta(days=9))
    yield ctx.task_any([timer, ctx.wait_for_external_event("Go")])
    timer.cancel()
    return "gone on"


def returns_a_thing(ctx):
    yield ctx.call_activity("Echo", 1)
    return Thing()


def renews_without_yielding(ctx):
    left = ctx.get_input()
    if left:
        ctx.continue_as_new(left - 1)
        return None
    return "none left"


def reads_leaked_results(ctx):
    first = ctx.call_entity(the_counter(), "add", 5)
    second = ctx.call_entity(the_counter(), "look")
    return (yield ctx.task_all([first, second]))


FUNCTIONS = [
    takes_input, awaits_a_signal, nothing_to_any, failed_winner, failed_in_nested_all, falsy_status,
    local_time, cancels_what_fired, cancels_a_long_timer, returns_a_thing, renews_without_yielding,
    reads_leaked_results,
]  # fmt: skip


@pytest.fixture
def invoker(live):
    return InProcessInvoker(
        {each.__name__: each for each in FUNCTIONS},
        {"Echo": lambda x: x, "Boom": boom},
        {"counter": counter},
        live=live,
    )


async def test_task_that_is_yielded_before_its_compound_is_scheduled_twice_and_said_so(
    path, caplog
):
    """Azure goes wrong here without a word; this hub goes as wrong, and names the instance."""

    def twice(ctx):
        one, two = ctx.call_activity("Echo", 1), ctx.call_activity("Echo", 2)
        both = ctx.task_all([one, two])
        yield one
        return (yield both)

    invoker = InProcessInvoker({"twice": twice}, {"Echo": lambda x: x}, live=True, check=False)
    async with running_hub(path, invoker) as hub:
        await hub.start("twice", instance_id="astray")
        await hub.idle()
        assert invoker.calls["Echo"] == 3
    assert "Instance 'astray' has scheduled 3 tasks, and its replay makes 2." in caplog.text


@pytest.mark.parametrize("body", ["[1]", "7", "true", '"no JSON in it"'])
async def test_input_of_the_webhook_that_is_no_object_cannot_be_read(path, invoker, body):
    async with running_hub(path, invoker) as hub, serving(hub) as served:
        kind = {"Content-Type": "application/json"}
        answer = await served.ask("POST", "orchestrators/takes_input/one", data=body, headers=kind)
        assert answer.status == 202
        ended = await hub.ended("one")
        # What was sent is shown all the same.
        assert f'"input": {body}' in (await served.ask("GET", "instances/one")).text
    assert ended.status == "Failed"
    assert "One or more errors occurred. (Result: Failure" in ended.output


async def test_signal_that_is_yielded_is_sent_twice_and_waited_for_in_vain(path, invoker, caplog):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("awaits_a_signal")
        await hub.idle()
        assert (await hub.snapshot(one)).status == "Running"
        assert (await hub.hub.client.read_entity("counter", "k")).state == "2"
    assert f"'{one}' is waiting for nothing" in caplog.text


async def test_any_of_nothing_is_none_at_once(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("nothing_to_any") == [None, 1]


async def test_any_does_not_raise_what_its_winner_failed_with(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.run("failed_winner")
    assert text == "Activity function 'Boom' failed:  ValueError: bo"


async def test_all_inside_another_fails_the_outer_one_and_bears_no_success_after_that(
    path, invoker
):
    async with running_hub(path, invoker) as hub:
        one, two = [await hub.start("failed_in_nested_all") for _ in range(2)]
        await hub.idle()
        await hub.hub.client.raise_event(one, "Go", "1")
        assert "ValueError: boom" in await hub.output(one)
        await hub.hub.client.raise_event(two, "Late", "1")
        ended = await hub.ended(two)
    assert ended.status == "Failed"
    assert "completed twice" in ended.output


async def test_custom_status_that_is_falsy_clears_it(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("falsy_status")
        await hub.idle()
        assert (await hub.snapshot(one)).custom_status == '{"step": 1}'
        await hub.hub.client.raise_event(one, "Go", "1")
        await hub.idle()
        assert (await hub.snapshot(one)).custom_status is None


async def test_time_of_another_zone_loses_its_offset(path, invoker):
    clock = ManualClock(START)
    async with running_hub(path, invoker, clock=clock) as hub:
        one = await hub.start("local_time")
        await hub.idle()
        clock.advance(timedelta(hours=2, minutes=59))
        await hub.idle()
        assert (await hub.snapshot(one)).status == "Running"
        clock.advance(timedelta(minutes=1))
        hub.hub.clock_moved()
        assert await hub.output(one) == "fired"


async def test_timer_that_fired_cannot_be_cancelled(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert "cancel" in await hub.failure("cancels_what_fired")


async def test_long_timer_that_is_cancelled_holds_its_instance_to_the_end_of_a_segment(
    path, invoker
):
    clock = ManualClock(START)
    async with running_hub(path, invoker, clock=clock) as hub:
        one = await hub.start("cancels_a_long_timer")
        await hub.idle()
        await hub.hub.client.raise_event(one, "Go", "1")
        clock.advance(timedelta(days=2))
        await hub.idle()
        assert (await hub.snapshot(one)).status == "Running"
        clock.advance(timedelta(days=1))
        hub.hub.clock_moved()
        assert await hub.output(one) == "gone on"


async def test_custom_object_cannot_be_an_output(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.failure("returns_a_thing")
    assert "Object of type Thing is not JSON serializable" in text


async def test_function_that_is_no_generator_can_start_anew(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("renews_without_yielding", 3)
        assert await hub.output(one) == "none left"
        assert (await hub.snapshot(one)).input == '"0"'


async def test_result_of_an_operation_leaks_into_those_of_its_batch_that_set_none(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("reads_leaked_results") == [5, 5]


async def test_operation_that_fails_keeps_what_it_has_written(path, invoker):
    async with running_hub(path, invoker) as hub:
        await hub.hub.client.signal_entity("counter", "k", "add", '"1"')
        await hub.hub.client.signal_entity("counter", "k", "fail after writing", None)
        await hub.idle()
        assert (await hub.hub.client.read_entity("counter", "k")).state == "100"


async def test_falsy_input_of_a_clients_signal_cannot_be_read(path, invoker):
    async with running_hub(path, invoker) as hub, serving(hub) as served:
        await served.client.signal_entity(the_counter(), "add", 0)
        await hub.idle()
        # The operation raised in get_input; the entity goes on with the next.
        await served.client.signal_entity(the_counter(), "add", 4)
        await hub.idle()
        assert (await hub.hub.client.read_entity("counter", "k")).state == "4"
