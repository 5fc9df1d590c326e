"""Entities through the real library: batches, state, calls from orchestrators."""

import json

import azure.durable_functions as df
import pytest

from emulator.taskhub import HubOptions
from emulator.taskhub.errors import Refused
from emulator.taskhub.model import EntityOutcome
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker


def counter(context):
    state = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            context.set_state(state + context.get_input())
            context.set_result(state + context.get_input())
        case "get":
            context.set_result(state)
        case "look":
            pass
        case "fail":
            raise ValueError("no such thing")
        case "delete":
            context.destruct_on_exit()
        case "spoil":
            context.set_state({1, 2})


def silent(context):
    """An entity that neither reads nor writes its state."""


def the(key="k1"):
    return df.EntityId("counter", key)


def calls(ctx):
    results = []
    for operation, value in ctx.get_input():
        try:
            results.append((yield ctx.call_entity(the(), operation, value)))
        except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
            results.append(f"raised {error}")
    return results


def signals_then_calls(ctx):
    for value in (1, 2, 3):
        ctx.signal_entity(the(), "add", value)
    return (yield ctx.call_entity(the(), "get"))


def signals_one_that_fails(ctx):
    ctx.signal_entity(the(), "add", 1)
    ctx.signal_entity(the(), "fail")
    ctx.signal_entity(the(), "add", 2)
    return (yield ctx.call_entity(the(), "get"))


def calls_silent(ctx):
    return (yield ctx.call_entity(df.EntityId("silent", "k"), "x"))


def both(ctx):
    task = ctx.call_entity(the("a"), "add", 1)
    other = ctx.call_entity(the("b"), "add", 2)
    activity = ctx.call_activity("Echo", 3)
    return (yield ctx.task_all([task, other, activity]))


def calls_unknown(ctx):
    ctx.signal_entity(df.EntityId("nobody", "k"), "x")
    return (yield ctx.call_entity(df.EntityId("nobody", "k"), "x"))


@pytest.fixture
def invoker(live):
    functions = [
        calls, signals_then_calls, signals_one_that_fails, calls_silent, both, calls_unknown,
    ]  # fmt: skip
    return InProcessInvoker(
        {each.__name__: each for each in functions},
        {"Echo": lambda x: x},
        {"Counter": counter, "silent": silent},
        live=live,
    )


async def test_calls_see_the_state_that_earlier_ones_left(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("calls", [["add", 3], ["add", 4], ["get", None]]) == [3, 7, 7]
        found = await hub.hub.client.read_entity("COUNTER", "k1")
    assert found.state == "7"
    assert invoker.mismatches == []


async def test_signals_of_one_sender_keep_their_order_before_its_call(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("signals_then_calls") == 6
    assert invoker.mismatches == []


async def test_calls_to_two_entities_beside_an_activity(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("both") == [1, 2, 3]
    assert invoker.mismatches == []


async def test_failed_operation_raises_in_its_caller_and_not_in_others(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("calls", [["add", 1], ["fail", None], ["get", None]]) == [
            1, "raised no such thing", 1,
        ]  # fmt: skip


async def test_failed_operation_amid_a_batch_stops_none_of_the_others(path, invoker):
    batches = []
    run_entity = invoker.run_entity

    async def noted(call):
        batches.append(len(json.loads(call.payload_text)["batch"]))
        return await run_entity(call)

    invoker.run_entity = noted
    async with running_hub(path, invoker) as hub:
        assert await hub.run("signals_one_that_fails") == 3
    assert batches == [4]


async def test_operation_without_a_result_gives_none(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("calls", [["look", None]]) == [None]


async def test_deleted_entity_does_not_exist_until_it_is_used_again(path, invoker):
    async with running_hub(path, invoker) as hub:
        await hub.run("calls", [["add", 5], ["delete", None]])
        assert await hub.hub.client.read_entity("counter", "k1") is None
        assert await hub.run("calls", [["get", None]]) == [0]


async def test_state_that_was_not_touched_stays_as_it_was_written(path, invoker):
    text = '{"b": 1.0,   "a": 1e2}'
    store = "UPDATE entity SET state = ?, present = 1"
    async with running_hub(path, invoker) as hub:
        await hub.run("calls_silent")
        await hub.database.write(lambda db: db.execute(store, (text,)))
        await hub.run("calls_silent")
        assert (await hub.hub.client.read_entity("silent", "k")).state == text


async def test_state_that_cannot_be_written_fails_its_callers_and_keeps_the_old(path, invoker):
    runs = 0
    run_entity = invoker.run_entity

    async def counted(call):
        nonlocal runs
        runs += 1
        return await run_entity(call)

    invoker.run_entity = counted
    async with running_hub(path, invoker) as hub:
        results = await hub.run("calls", [["add", 5], ["spoil", None], ["get", None]])
        # Once for each that can be run, three times for the one that cannot.
        assert runs == 5
        assert results[0] == 5
        assert results[1].startswith("raised TypeError")
        assert results[2] == 5


async def test_timed_out_batch_has_the_hosts_own_text(path):
    class Slow(InProcessInvoker):
        async def run_entity(self, call):
            text = "Timeout value of 00:05:00 was exceeded by function: Functions.counter"
            return EntityOutcome(ok=False, error_message=text, timed_out=True)

    async with running_hub(path, Slow({"calls": calls}, {}, {"counter": counter})) as hub:
        assert await hub.run("calls", [["get", None]]) == [
            "raised Timeout value of 00:05:00 was exceeded by function: Functions.counter"
        ]


async def test_unknown_entity_is_said_so_instead_of_waiting_for_ever(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.failure("calls_unknown")
        with pytest.raises(Refused) as refusal:
            await hub.hub.client.signal_entity("nobody", "k", "x", None)
    assert "'nobody' doesn't exist, is disabled, or is not an entity function." in text
    assert refusal.value.status == 400


async def test_signals_of_clients_make_the_entity_and_survive_a_restart(path, invoker):
    async with running_hub(path, InProcessInvoker(entities={"counter": None})) as hub:
        hub.hub.entities._options = HubOptions(max_entities=0)
        for _ in range(50):
            await hub.hub.client.signal_entity("Counter", "with@sign", "add", '"2"')
    async with running_hub(path, invoker, options=HubOptions(max_entity_batch=7)) as hub:
        await hub.idle()
        found = await hub.hub.client.read_entity("counter", "with@sign")
        listed = await hub.hub.client.list_entities("@", "", 10, (0, 1 << 60))
    assert found.state == "100"
    assert [each[0] for each in listed] == ["@counter@with@sign"]
