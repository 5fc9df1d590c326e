"""Completions that come twice, too late or out of the blue, and many that come at once.

The library gives a completion to whatever task has its number, now or later; so none may reach it
that is not the one awaited. They are put in both as what is still in memory (an activity's result)
and as what is on disk (a child's answer).
"""

import asyncio

import azure.durable_functions as df
import pytest

from emulator.taskhub import events
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.store import add_message
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker

STALE = '"stale"'


def two_steps(ctx):
    first = yield ctx.call_activity("Echo", 1)
    yield ctx.wait_for_external_event("Go")
    second = yield ctx.call_activity("Echo", 2)
    child = yield ctx.call_sub_orchestrator("kid", 3)
    return [first, second, child]


def kid(ctx):
    return (yield ctx.call_activity("Echo", ctx.get_input()))


def renews(ctx):
    if ctx.get_input():
        yield ctx.wait_for_external_event("Renew")
        yield ctx.call_activity("Echo", "old")
        ctx.continue_as_new(False)
        return None
    yield ctx.wait_for_external_event("Go")
    return (yield ctx.call_activity("Echo", "fresh"))


def one_signal(ctx):
    ctx.signal_entity(df.EntityId("silent", "k"), "x")
    yield ctx.wait_for_external_event("Go")
    return (yield ctx.call_activity("Echo", "own"))


def three_at_once(ctx):
    retry = df.RetryOptions(1, 3)
    return (
        yield ctx.task_all(
            [
                ctx.call_activity_with_retry("Flaky", retry, "a"),
                ctx.call_activity("Flaky", "steady"),
                ctx.call_activity_with_retry("Flaky", retry, "b"),
            ]
        )
    )


class Flaky:
    """Waits to be told; then `steady` succeeds and the others fail their first time."""

    def __init__(self):
        self.told = asyncio.Event()
        self.waiting = 0
        self.failed = set()

    async def __call__(self, value):
        self.waiting += 1
        await self.told.wait()
        if value != "steady" and value not in self.failed:
            self.failed.add(value)
            raise ValueError(value)
        return value


@pytest.fixture
def flaky():
    return Flaky()


@pytest.fixture
def invoker(live, flaky):
    functions = [two_steps, kid, renews, one_signal, three_at_once]
    return InProcessInvoker(
        {each.__name__: each for each in functions},
        {"Echo": lambda x: x, "Flaky": flaky},
        {"silent": lambda context: None},
        live=live,
    )


@pytest.fixture(params=["in memory", "on disk"])
def inject(request):
    """Puts a completion of a task into an instance's inbox."""

    async def put(hub, instance_id, task_id, execution_id=None):
        at = hub.hub.engine.now()
        execution = execution_id or await execution_of(hub, instance_id)
        event = events.task_completed(at, task_id, STALE)
        message = Message(MessageKind.COMPLETION, at, event, execution)
        if request.param == "on disk":
            key = await hub.database.read(
                lambda db: db.execute(
                    "SELECT key FROM instance WHERE id = ?", (instance_id,)
                ).fetchone()[0]
            )
            message = await hub.database.write(lambda db: add_message(db, key, message))
        hub.hub.engine.deliver(instance_id, message)

    return put


async def execution_of(hub, instance_id):
    started = (await hub.history(instance_id))[1]
    return started["OrchestrationInstance"]["ExecutionId"]


async def raise_event(hub, instance_id, name):
    await hub.hub.client.raise_event(instance_id, name, "1")


async def test_completion_that_comes_again_or_before_its_task_reaches_no_task(
    path, invoker, inject
):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("two_steps")
        await hub.idle()
        for task_id in (0, 0, 1, 2, 7):
            await inject(hub, one, task_id)
        await raise_event(hub, one, "Go")
        assert await hub.output(one) == [1, 2, 3]
        completed = [event for event in await hub.history(one) if event["EventType"] == 5]
    assert [event["Result"] for event in completed] == ["1", "2"]
    assert invoker.mismatches == []


async def test_completion_of_an_earlier_generation_reaches_no_task_of_this_one(
    path, invoker, inject
):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("renews", True)
        await hub.idle()
        before = await execution_of(hub, one)
        await raise_event(hub, one, "Renew")
        await hub.until(lambda: renewed(hub, one, before))
        await hub.idle()
        for task_id in (0, 1):
            await inject(hub, one, task_id, before)
        await raise_event(hub, one, "Go")
        assert await hub.output(one) == "fresh"
    assert invoker.mismatches == []


async def renewed(hub, instance_id, before):
    history = await hub.history(instance_id)
    return len(history) > 1 and await execution_of(hub, instance_id) != before


async def test_signal_has_no_completion(path, invoker, inject):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("one_signal")
        await hub.idle()
        await inject(hub, one, 0)
        await raise_event(hub, one, "Go")
        assert await hub.output(one) == "own"
        kinds = [event["EventType"] for event in await hub.history(one)]
    assert kinds.count(5) == 1


async def test_two_retries_that_fail_in_one_batch_with_a_success(path, invoker, flaky):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("three_at_once")
        await hub.until(lambda: flaky.waiting == 3)
        # Suspended, the instance holds all three until it is resumed: they come in one episode.
        await hub.hub.client.suspend(one, "gather")
        await hub.status_is(one, "Suspended")
        flaky.told.set()
        await hub.idle()
        await hub.hub.client.resume(one, "all are there")
        assert await hub.output(one) == ["a", "steady", "b"]
        kinds = [event["EventType"] for event in await hub.history(one)]
    resumed = kinds.index(20)
    # What advances a retry comes first, whatever came first.
    assert kinds[resumed + 1 : resumed + 4] == [6, 6, 5]
    assert invoker.mismatches == []
