"""Ended instances are kept as long as the policies say, and others are never touched."""

from datetime import UTC, datetime, timedelta

import pytest

from emulator.clock import ManualClock
from emulator.taskhub import HubOptions, InvalidOptions, read_retention
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker

START = datetime(2026, 1, 2, tzinfo=UTC)
DAYS = HubOptions(retention_days={"Completed": 7, "Failed": 30})


def says(ctx):
    return ctx.get_input()


def fails(ctx):
    raise ValueError("no")


def waits(ctx):
    return (yield ctx.wait_for_external_event("Go"))


def an_invoker():
    return InProcessInvoker({each.__name__: each for each in (says, fails, waits)}, {})


async def test_each_state_is_kept_for_its_own_time(path):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(), options=DAYS, clock=clock) as hub:
        # More than one transaction removes.
        completed = [await hub.start("says", n) for n in range(250)]
        failed, waiting = await hub.start("fails"), await hub.start("waits")
        for each in (*completed, failed):
            await hub.ended(each)
        await hub.idle()
        assert await hub.hub.retention.purge() == 0
        clock.advance(timedelta(days=7, seconds=1))
        young = await hub.start("says", "young")
        await hub.ended(young)
        assert await hub.hub.retention.purge() == len(completed)
        assert await hub.hub.client.find(completed[0]) is None
        clock.advance(timedelta(days=23))
        assert await hub.hub.retention.purge() == 2
        assert await hub.hub.client.find(failed) is None
        assert (await hub.snapshot(waiting)).status == "Running"


async def test_what_is_old_at_the_start_is_removed_then_and_its_id_is_free_again(path):
    async with running_hub(path, an_invoker(), options=DAYS, clock=ManualClock(START)) as hub:
        await hub.start("says", "before", "one")
        await hub.ended("one")
    later = ManualClock(START + timedelta(days=8))
    async with running_hub(path, an_invoker(), options=DAYS, clock=later) as hub:

        async def gone() -> bool:
            return await hub.hub.client.find("one") is None

        await hub.until(gone)
        assert await hub.run("says", "after", "one") == "after"


async def test_without_policies_everything_is_kept(path):
    clock = ManualClock(START)
    async with running_hub(path, an_invoker(), clock=clock) as hub:
        one = await hub.start("says", 1)
        await hub.ended(one)
        clock.advance(timedelta(days=9999))
        assert await hub.hub.retention.purge() == 0
        assert (await hub.snapshot(one)).status == "Completed"


@pytest.mark.parametrize(
    "section",
    [
        {"retentionPolicies": {}},
        [],
        {"retentionPolicies": ["Completed"]},
        {"retentionPolicies": [{"orchestrationState": "Running", "retentionPeriodInDays": 1}]},
        {"retentionPolicies": [{"orchestrationState": "Failed", "retentionPeriodInDays": "7"}]},
        {"retentionPolicies": [{"orchestrationState": "Failed"}]},
    ],
)
def test_policies_that_make_no_sense_are_refused(section):
    with pytest.raises(InvalidOptions, match=r"durableTask\.retentionPolicies"):
        read_retention(section)


def test_policies_are_read_by_state():
    policy = {"orchestrationState": "Completed", "retentionPeriodInDays": 0.5}
    assert read_retention({"retentionPolicies": [policy]}) == {"Completed": 0.5}
    assert read_retention({}) == {}
