"""Failed instances that are taken back to before their failure, through the real library."""

import asyncio
from contextlib import suppress

import azure.durable_functions as df
import pytest

from emulator.database import StorageError
from emulator.faults import FaultRule, Faults
from emulator.taskhub.errors import Refused
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker


class Sick:
    """An activity that fails until it is healed."""

    def __init__(self):
        self.healed = False
        self.calls = []

    def __call__(self, value):
        self.calls.append(value)
        if not self.healed:
            raise ValueError(f"{value} is sick")
        return f"{value} is well"


def retries(attempts):
    return df.RetryOptions(1, attempts)


def one_fails(ctx):
    before = yield ctx.call_activity("Well", "before")
    sick = yield ctx.call_activity("Sick", "it")
    after = yield ctx.call_activity("Well", "after")
    return [before, sick, after]


def retry_is_exhausted(ctx):
    before = yield ctx.call_activity("Well", "before")
    sick = yield ctx.call_activity_with_retry("Sick", retries(2), "it")
    after = yield ctx.call_activity("Well", "after")
    return [before, sick, after]


def handles_one_failure(ctx):
    try:
        yield ctx.call_activity("Dead", 1)
    except Exception:  # noqa: BLE001 - the library raises nothing narrower
        yield ctx.call_activity("Well", "cleaned")
    return (yield ctx.call_activity("Sick", "it"))


def has_a_sick_child(ctx):
    return (
        yield ctx.task_all(
            [ctx.call_sub_orchestrator("one_fails"), ctx.call_activity("Well", "beside")]
        )
    )


def retries_a_sick_child(ctx):
    return (yield ctx.call_sub_orchestrator_with_retry("one_fails", retries(2), None, "kid"))


def waits_for_child(ctx):
    return (yield ctx.call_sub_orchestrator("waits", None, "kid"))


def waits(ctx):
    return (yield ctx.wait_for_external_event("Go"))


def two_fail(ctx):
    return (
        yield ctx.task_all(
            [
                ctx.call_activity("Sick", "a"),
                ctx.call_activity_with_retry("Late", retries(3), "b"),
                ctx.call_activity("Well", "c"),
            ]
        )
    )


def dead(value):
    raise ValueError("dead")


@pytest.fixture
def sick():
    return Sick()


@pytest.fixture
def late(sick):
    async def slow(value):
        await asyncio.sleep(0.02)
        return sick(value)

    return slow


@pytest.fixture
def invoker(live, sick, late):
    functions = [
        one_fails, retry_is_exhausted, handles_one_failure, has_a_sick_child, retries_a_sick_child,
        waits_for_child, waits, two_fail,
    ]  # fmt: skip
    return InProcessInvoker(
        {each.__name__: each for each in functions},
        {"Well": lambda x: x, "Sick": sick, "Dead": dead, "Late": late},
        live=live,
    )


async def fail_heal_rewind(hub, sick, name):
    one = await hub.start(name)
    assert (await hub.ended(one)).status == "Failed"
    sick.healed = True
    await hub.hub.client.rewind(one, "healed")
    return await hub.output(one), one


async def test_failed_activity_runs_again_and_nothing_else_does(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        output, one = await fail_heal_rewind(hub, sick, "one_fails")
        kinds = [event["EventType"] for event in await hub.history(one)]
    assert output == ["before", "it is well", "after"]
    assert invoker.calls["Well"] == 2
    assert kinds.count(17) == 3  # its TaskScheduled, its TaskFailed, ExecutionCompleted
    assert kinds.count(0) == 1


async def test_exhausted_retry_starts_from_its_last_attempt(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        output, _ = await fail_heal_rewind(hub, sick, "retry_is_exhausted")
    assert output == ["before", "it is well", "after"]
    assert sick.calls == ["it", "it", "it"]


async def test_rewound_retry_that_fails_again_can_be_rewound_again(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("retry_is_exhausted")
        for _ in range(3):
            assert (await hub.ended(one)).status == "Failed"
            await hub.hub.client.rewind(one, "hope")
        assert (await hub.ended(one)).status == "Failed"
        sick.healed = True
        await hub.hub.client.rewind(one, "healed")
        assert await hub.output(one) == ["before", "it is well", "after"]
    assert len(sick.calls) == 6


async def test_failure_that_was_handled_stays(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        output, _ = await fail_heal_rewind(hub, sick, "handles_one_failure")
    assert output == "it is well"
    assert invoker.calls["Dead"] == 1


async def test_failed_child_is_rewound_and_wakes_its_parent(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        output, _ = await fail_heal_rewind(hub, sick, "has_a_sick_child")
    assert output == [["before", "it is well", "after"], "beside"]
    assert invoker.calls["Well"] == 3


async def test_child_of_an_exhausted_retry_is_rewound_under_its_new_number(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        output, _ = await fail_heal_rewind(hub, sick, "retries_a_sick_child")
    assert output == ["before", "it is well", "after"]


async def test_child_that_was_terminated_starts_afresh(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("waits_for_child")
        await hub.until(lambda: hub.hub.client.find("kid"))
        await hub.hub.client.terminate("kid", "a mistake")
        assert (await hub.ended(one)).status == "Failed"
        await hub.hub.client.rewind(one, "again")
        await hub.status_is("kid", "Running")
        await hub.hub.client.raise_event("kid", "Go", '"x"')
        assert await hub.output(one) == "x"


async def test_attempt_that_failed_after_the_verdict_goes_on_with_its_retry(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        output, _ = await fail_heal_rewind(hub, sick, "two_fail")
    assert output == ["a is well", "b is well", "c"]
    assert sick.calls.count("b") == 2


async def test_attempt_that_failed_after_the_verdict_is_kept_over_a_restart(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("two_fail")
        assert (await hub.ended(one)).status == "Failed"
        sick.healed = True
    async with running_hub(path, invoker) as hub:
        await hub.hub.client.rewind(one, "healed")
        assert await hub.output(one) == ["a is well", "b is well", "c"]
    assert sick.calls.count("b") == 2


async def test_attempt_that_is_kept_bears_a_disk_that_refuses(tmp_path, invoker, sick):
    for number in range(8):
        faults = Faults()
        faults.add(FaultRule("taskhub.commit.before", "fail", after=number + 1, message="full"))
        sick.healed = False
        sick.calls.clear()
        async with running_hub(tmp_path / f"{number}.db", invoker, faults=faults) as hub:
            one = await hub.start("two_fail")
            assert (await hub.ended(one)).status == "Failed"
            sick.healed = True
            with suppress(StorageError):
                await hub.hub.client.rewind(one, "healed")
            if (await hub.snapshot(one)).status == "Failed":
                await hub.hub.client.rewind(one, "healed")
            assert await hub.output(one) == ["a is well", "b is well", "c"]
        assert sick.calls.count("b") == 2


async def test_bug_in_the_code_is_run_again_with_the_code_mended(path):
    def broken(ctx):
        yield ctx.call_activity("Well", 1)
        raise RuntimeError("a bug")

    def mended(ctx):
        first = yield ctx.call_activity("Well", 1)
        return [first, (yield ctx.call_activity("Well", 2))]

    activities = {"Well": lambda x: x}
    async with running_hub(path, InProcessInvoker({"order": broken}, activities)) as hub:
        one = await hub.start("order")
        assert (await hub.ended(one)).status == "Failed"
    invoker = InProcessInvoker({"order": mended}, activities)
    async with running_hub(path, invoker) as hub:
        await hub.hub.client.rewind(one, "mended")
        assert await hub.output(one) == [1, 2]
    assert invoker.calls["Well"] == 1


async def test_rewound_instance_is_pending_with_no_output_until_it_runs(path, invoker, sick):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("one_fails")
        await hub.ended(one)
    async with running_hub(path, InProcessInvoker()) as hub:  # nobody runs it
        await hub.hub.client.rewind(one, "again")
        found = await hub.snapshot(one)
        assert (found.status, found.output) == ("Pending", None)
        with pytest.raises(Refused):
            await hub.hub.client.rewind(one, "twice")
    sick.healed = True
    async with running_hub(path, invoker) as hub:
        assert await hub.output(one) == ["before", "it is well", "after"]
