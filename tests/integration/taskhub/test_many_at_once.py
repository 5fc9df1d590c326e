"""Many instances at once: what was started gets done before more is begun, and nobody starves."""

import asyncio
from itertools import pairwise

from emulator.taskhub import HubOptions, lineup
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker

# Two activities at a time, so that a handful of instances is a crowd.
FEW = HubOptions(max_activities=2)


def chains(ctx):
    for _ in range(3):
        yield ctx.call_activity("Slow", None)
    return "done"


def says(ctx):
    return ctx.get_input()


class Slow:
    """An activity that takes until it is let go."""

    def __init__(self):
        self.gate = asyncio.Event()

    async def __call__(self, value):
        await self.gate.wait()
        for _ in range(100):
            await asyncio.sleep(0)  # it gives way to the engine, which could begin many meanwhile


def an_invoker(slow):
    return InProcessInvoker({"chains": chains, "says": says}, {"Slow": slow})


async def test_nothing_more_is_begun_while_activities_queue_up(path, monkeypatch):
    # Without the few that begin as time goes by, since on a slow machine that is any number.
    monkeypatch.setattr(lineup, "PACE_S", 60.0)
    slow = Slow()
    invoker = an_invoker(slow)
    async with running_hub(path, invoker, options=FEW) as hub:
        engine = hub.hub.engine
        # Two activities run, and more than that wait.
        crowd = [await hub.start("chains") for _ in range(5)]
        await hub.until(lambda: engine.work.is_crowded and engine.is_idle)
        later = [await hub.start("chains") for _ in range(50)]
        assert sum(invoker.episodes[each] for each in later) == 0
        slow.gate.set()
        for each in crowd + later:
            assert await hub.output(each) == "done"


async def test_instances_that_need_no_activity_are_run_while_activities_hang(path):
    slow = Slow()
    async with running_hub(path, an_invoker(slow), options=FEW) as hub:
        hanging = [await hub.start("chains") for _ in range(20)]
        assert await hub.run("says", "at once") == "at once"
        slow.gate.set()
        for each in hanging:
            assert await hub.output(each) == "done"


def fans_out(ctx):
    yield ctx.task_all([ctx.call_activity("Slow", n) for n in range(ctx.get_input())])
    return "done"


async def test_a_large_fan_out_gathers_completions_for_as_long_as_an_episode_took(path):
    slow = Slow()
    slow.gate.set()
    invoker = InProcessInvoker({"fans_out": fans_out}, {"Slow": slow})
    async with running_hub(path, invoker) as hub:
        engine, clock_s = hub.hub.engine, asyncio.get_running_loop().time
        episodes = []
        run = engine._run

        async def noted(instance, plan):
            in_flight = len(engine.cache.get(instance.id).in_flight)
            began_s = clock_s()
            await run(instance, plan)
            episodes.append((in_flight, began_s, clock_s()))

        engine._run = noted
        assert await hub.run("fans_out", 400) == "done"
    assert len(episodes) > 2
    for (_, began_s, ended_s), (in_flight, next_s, _) in pairwise(episodes):
        if in_flight >= 100:
            # A callback may come early by the resolution of the loop's clock.
            assert next_s >= ended_s + (ended_s - began_s) - 0.001
