"""A hub that dies at every commit in turn: the same ends as without, and nothing acknowledged lost.

One story uses everything that a commit may carry: activities, a retry, a child, an entity call, a
signal, a timer, external events, generations. It is stopped at its first commit, then its second,
and so on until a run meets none; then with a disk that refuses one commit after the other.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

import azure.durable_functions as df
import pytest

from emulator.database import StorageError
from emulator.faults import FaultRule, Faults
from emulator.taskhub.errors import Refused
from emulator.taskhub.model import WorkerLost
from tests.support.crashes import CrashFaults
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker


class Flaky:
    """Fails the first time ever."""

    def __init__(self):
        self.calls = 0

    def __call__(self, value):
        self.calls += 1
        if self.calls == 1:
            raise ValueError("first")
        return value


def kid(ctx):
    return (yield ctx.call_activity("Echo", ctx.get_input()))


def story(ctx):
    n = ctx.get_input()
    if n == 0:
        ctx.set_custom_status("second generation")
        event = yield ctx.wait_for_external_event("Go")
        total = yield ctx.call_entity(df.EntityId("sum", "s"), "get")
        return [event, total]
    both = yield ctx.task_all([ctx.call_activity("Echo", 1), ctx.call_sub_orchestrator("kid", 2)])
    ctx.signal_entity(df.EntityId("sum", "s"), "add", sum(both))
    flaky = yield ctx.call_activity_with_retry("Flaky", df.RetryOptions(1, 3), 4)
    yield ctx.create_timer(ctx.current_utc_datetime + timedelta(milliseconds=5))
    event = yield ctx.wait_for_external_event("Go")
    yield ctx.call_entity(df.EntityId("sum", "s"), "add", flaky)
    ctx.continue_as_new(0)


def sums(context):
    state = context.get_state(lambda: 0)
    if context.operation_name == "add":
        state += context.get_input()
        context.set_state(state)
    context.set_result(state)


EXPECTED = ["two", 7]


class Teller:
    """The client of the story: repeats what was not acknowledged, and nothing else."""

    def __init__(self):
        self.started = False
        self.sent = []

    async def tell(self, hub):
        if not self.started:
            # A refusal means that it was started, and only the answer was lost.
            with suppress(Refused):
                await hub.start("story", 1, "s")
            self.started = True
        for value in ("one", "two"):
            if value not in self.sent:
                await hub.hub.client.raise_event("s", "Go", f'"{value}"')
                self.sent.append(value)
        return await hub.output("s")


def an_invoker(flaky=None, kind=InProcessInvoker):
    activities = {"Echo": lambda x: x, "Flaky": flaky or Flaky()}
    return kind({"story": story, "kid": kid}, activities, {"sum": sums})


async def die_at(path, teller, when, number, flaky=None):
    """Run the story until that commit; False if it met none."""
    faults = CrashFaults(when, number)
    async with running_hub(path, an_invoker(flaky), faults=faults) as hub:
        telling = asyncio.ensure_future(teller.tell(hub))
        reached = asyncio.ensure_future(faults.reached.wait())
        await asyncio.wait((telling, reached), return_when=asyncio.FIRST_COMPLETED)
        died = faults.reached.is_set()
        telling.cancel()
        reached.cancel()
        await hub.hub.stop()
        faults.bury()
        await asyncio.gather(telling, reached, return_exceptions=True)
    return died


@pytest.mark.parametrize("when", ["middle", "before", "after"])
async def test_death_at_every_commit_in_turn(tmp_path, when):
    number, died = 0, True
    while died:
        path, teller = tmp_path / f"{number}.db", Teller()
        died = await die_at(path, teller, when, number)
        async with running_hub(path, an_invoker()) as hub:
            # An event whose acknowledgement was lost may have been stored: it comes twice then,
            # as it would from any client that repeats itself.
            result = await teller.tell(hub)
            assert result[0] in (EXPECTED[0], "one")
            assert result[1] == EXPECTED[1]
            assert (await hub.snapshot("s")).custom_status == '"second generation"'
        number += 1
    assert number > 12


async def test_death_at_every_second_commit_of_one_run(tmp_path):
    path, teller, flaky, deaths = tmp_path / "hub.db", Teller(), Flaky(), 0
    while await die_at(path, teller, "after", 1, flaky):
        deaths += 1
    async with running_hub(path, an_invoker(flaky)) as hub:
        assert (await teller.tell(hub))[1] == EXPECTED[1]
    assert deaths > 5


async def test_disk_that_refuses_every_commit_in_turn(tmp_path):
    number = 0
    while True:
        faults = Faults()
        faults.add(FaultRule("taskhub.commit.before", "fail", after=number, message="disk is full"))
        invoker = an_invoker()
        async with running_hub(tmp_path / f"{number}.db", invoker, faults=faults) as hub:
            teller, refused = Teller(), 0
            while True:
                try:
                    assert await teller.tell(hub) == EXPECTED
                    break
                except StorageError:
                    refused += 1
            passed = faults.passed["taskhub.commit.before"]
        assert refused <= 1
        # What an activity had returned was kept over the refusal: none ran again.
        assert invoker.calls["Echo"] == 2
        number += 1
        if passed <= number:
            break
    assert number > 12


async def test_worker_that_dies_in_every_call_in_turn(tmp_path):
    class Mortal(InProcessInvoker):
        left = 0

        def count(self):
            self.left -= 1
            if self.left == -1:
                raise WorkerLost

        async def run_orchestrator(self, episode):
            self.count()
            reply = await super().run_orchestrator(episode)
            self.count()
            return reply

        async def run_activity(self, call):
            self.count()
            outcome = await super().run_activity(call)
            self.count()
            return outcome

        async def run_entity(self, call):
            self.count()
            outcome = await super().run_entity(call)
            self.count()
            return outcome

    number = 0
    while True:
        invoker = an_invoker(kind=Mortal)
        invoker.left = number
        async with running_hub(tmp_path / f"{number}.db", invoker) as hub:
            assert await Teller().tell(hub) == EXPECTED
        if invoker.left >= 0:
            break
        number += 1
    assert number > 12
