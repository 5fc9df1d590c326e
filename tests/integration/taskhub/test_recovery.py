"""What a hub takes up again at start, what it keeps in memory, and what it leaves there."""

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import azure.durable_functions as df
from aiohttp import web

from emulator.clock import ManualClock
from emulator.faults import FaultRule, Faults
from emulator.taskhub import HubOptions, http_call
from emulator.taskhub.store import load
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker

START = datetime(2026, 1, 2, tzinfo=UTC)


def adds(ctx):
    return (yield ctx.call_activity("Add", ctx.get_input()))


def waits(ctx):
    return (yield ctx.wait_for_external_event("Go"))


def adds_on_and_on(ctx):
    total = 0
    for _ in range(ctx.get_input()):
        total = yield ctx.call_activity("Add", total)
    yield ctx.wait_for_external_event("Go")
    for _ in range(ctx.get_input()):
        total = yield ctx.call_activity("Add", total)
    return total


def sleeps(ctx):
    yield ctx.create_timer(ctx.current_utc_datetime + timedelta(hours=1))
    return "woken"


def fans_out(ctx):
    return sum((yield ctx.task_all([ctx.call_activity("Add", n) for n in range(ctx.get_input())])))


def has_children(ctx):
    children = [ctx.call_sub_orchestrator("adds", n) for n in range(ctx.get_input())]
    return sum((yield ctx.task_all(children)))


def an_invoker(add=lambda x: x + 1, **more):
    functions = [adds, waits, adds_on_and_on, sleeps, fans_out, has_children]
    return InProcessInvoker({each.__name__: each for each in functions}, {"Add": add}, **more)


async def test_activity_that_was_running_runs_again_after_a_restart(path):
    entered = asyncio.Event()

    async def never(value):
        entered.set()
        await asyncio.Event().wait()

    async with running_hub(path, an_invoker(never)) as hub:
        one = await hub.start("adds", 1)
        await entered.wait()
    async with running_hub(path, an_invoker()) as hub:
        assert await hub.output(one) == 2


async def test_result_that_waits_for_a_suspended_instance_may_be_lost_but_not_its_activity(path):
    async with running_hub(path, an_invoker()) as hub:
        one = await hub.start("adds", 1)
        await hub.hub.client.suspend(one, "x")
        await hub.idle()
    async with running_hub(path, an_invoker()) as hub:
        await hub.hub.client.resume(one, "y")
        assert await hub.output(one) == 2


async def test_thousand_instances_of_every_kind_go_on(path):
    clock = ManualClock(START)
    async with running_hub(path, InProcessInvoker(), clock=clock) as hub:
        hub.hub.client._invoker = an_invoker()
        started = await asyncio.gather(*[hub.start("adds", n) for n in range(400)])
        waiting = await asyncio.gather(*[hub.start("waits") for n in range(300)])
        sleeping = await asyncio.gather(*[hub.start("sleeps") for n in range(300)])
    async with running_hub(path, an_invoker(), clock=clock) as hub:
        for one in started:
            await hub.ended(one)
        await hub.idle()
    clock.advance(timedelta(hours=2))
    async with running_hub(path, an_invoker(), clock=clock) as hub:
        for one in sleeping:
            assert await hub.output(one) == "woken"
        # Those that wait for an event were not even read.
        assert len(hub.hub.engine.cache) == 0
        await asyncio.gather(*[hub.hub.client.raise_event(one, "Go", "1") for one in waiting])
        for one in waiting:
            assert await hub.output(one) == 1


async def test_ended_instances_leave_memory_and_resting_ones_are_bounded(path):
    async with running_hub(path, an_invoker()) as hub:
        cache = hub.hub.engine.cache
        cache._limit = 5
        waiting = [await hub.start("waits") for _ in range(20)]
        for n in range(20):
            await hub.run("adds", n)
        await hub.idle()
        assert len(cache) == 5
        for one in waiting:
            await hub.hub.client.raise_event(one, "Go", "1")
            assert await hub.output(one) == 1
        assert len(cache) == 0
        assert not hub.hub.engine._turns
        assert not hub.hub._work._running


async def test_fan_out_of_a_thousand(path):
    invoker = an_invoker(live=True)
    async with running_hub(path, invoker) as hub:
        assert await hub.run("fans_out", 1000) == sum(range(1, 1001))
        assert invoker.calls["Add"] == 1000


async def test_history_of_a_thousand_events_is_taken_up_again(path):
    invoker = an_invoker(live=True)
    async with running_hub(path, invoker) as hub:
        one = await hub.start("adds_on_and_on", 150)
        await hub.until(lambda: invoker.calls["Add"] == 150)
        await hub.idle()
    # Nothing is left of the generator: all of its history is replayed.
    invoker = an_invoker(live=True)
    async with running_hub(path, invoker) as hub:
        await hub.hub.client.raise_event(one, "Go", "1")
        assert await hub.output(one) == 300
        assert len(await hub.history(one)) > 900
    assert invoker.calls["Add"] == 150


async def test_fifty_children(path):
    invoker = an_invoker()
    async with running_hub(path, invoker) as hub:
        assert await hub.run("has_children", 50) == sum(range(1, 51))
    assert invoker.mismatches == []


async def test_concurrency_is_bounded(path):
    running, most = 0, 0

    async def counted(value):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return value

    options = HubOptions(max_activities=7, max_orchestrators=3)
    async with running_hub(path, an_invoker(counted), options=options) as hub:
        for one in await asyncio.gather(*[hub.start("fans_out", 20) for _ in range(10)]):
            await hub.ended(one)
    assert most == 7


async def test_duplicate_and_late_results_are_dropped(path):
    """What the library would give to a later task must never reach it."""
    invoker = an_invoker()
    async with running_hub(path, invoker) as hub:
        engine = hub.hub.engine
        original = engine.deliver

        def twice(instance_id, message):
            original(instance_id, message)
            original(instance_id, message)

        engine.deliver = twice
        hub.hub.entities._deliver = twice
        assert await hub.run("has_children", 10) == sum(range(1, 11))
    assert invoker.mismatches == []


async def test_state_in_memory_is_the_state_on_disk_after_every_turn(path):
    def busy(ctx):
        retry = df.RetryOptions(1, 3)
        timer = ctx.create_timer(ctx.current_utc_datetime + timedelta(days=1))
        yield ctx.task_any([ctx.call_activity("Add", 1), timer])
        timer.cancel()
        yield ctx.task_all(
            [ctx.call_activity_with_retry("Flaky", retry, n) for n in range(3)]
            + [ctx.call_sub_orchestrator("adds", 1)]
        )
        ctx.continue_as_new(1) if ctx.get_input() != 1 else None
        return "done"

    calls = {}

    def flaky(n):
        calls[n] = calls.get(n, 0) + 1
        if calls[n] <= n:
            raise ValueError("not yet")
        return n

    invoker = InProcessInvoker(
        {"busy": busy, "adds": adds}, {"Add": lambda x: x + 1, "Flaky": flaky}
    )
    compared = 0
    async with running_hub(path, invoker) as hub:
        engine = hub.hub.engine
        original = engine._commit

        async def compare(active, instance, plan):
            nonlocal compared
            await original(active, instance, plan)
            here = active.instance
            if here is None or here.is_terminal:
                return
            found = await hub.database.read(lambda db: load(db, active.id))
            there, _ = found
            for name in there.__slots__:
                if name not in ("last_reply", "timers", "roots", "clock"):
                    assert getattr(here, name) == getattr(there, name), name
            assert there.clock <= here.clock
            assert here.next_due() == there.next_due()
            compared += 1

        engine._commit = compare
        assert await hub.run("busy", 0) == "done"
    assert compared > 8
    assert invoker.mismatches == []


async def test_faults_at_activities(path):
    faults = Faults()
    invoker = an_invoker()
    async with running_hub(path, invoker, faults=faults) as hub:
        labels = {"function": "Add", "instance": "failing*"}
        faults.add(FaultRule("activity.before", "fail", match=labels, message="an outage"))
        one = await hub.start("adds", 1, "failing-1")
        assert "InjectedFault: an outage" in (await hub.ended(one)).output
        assert invoker.calls["Add"] == 0
        faults.add(FaultRule("activity.before", "duplicate"))
        assert await hub.run("adds", 1) == 2
        assert invoker.calls["Add"] == 2
        faults.add(FaultRule("activity.after", "fail", message="its answer was lost"))
        one = await hub.start("adds", 1)
        assert "its answer was lost" in (await hub.ended(one)).output
        assert invoker.calls["Add"] == 3


def calls_http(ctx):
    response = yield ctx.call_http(**ctx.get_input())
    return response


async def test_http_calls(path, monkeypatch):
    seen, over = [], asyncio.Event()

    async def odd(request):
        return web.Response(body=b"\xff\xfe odd", content_type="text/plain", charset="utf-8")

    async def never(request):
        await over.wait()
        return web.Response()

    async def answer(request):
        seen.append((request.method, await request.text(), request.headers.get("Content-Type"),
                     request.headers.get("X-H")))  # fmt: skip
        response = web.Response(status=202, text="later", headers={"X-Trace": "a"})
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        return response

    app = web.Application()
    app.add_routes([web.route("*", "/x", answer), web.get("/odd", odd), web.get("/never", never)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    uri = f"http://127.0.0.1:{runner.addresses[0][1]}/x"
    try:
        async with running_hub(path, InProcessInvoker({"calls_http": calls_http})) as hub:
            got = await hub.run("calls_http", {"method": "GET", "uri": uri})
            assert got["statusCode"] == 202
            assert got["content"] == "later"
            assert got["headers"]["X-Trace"] == "a"
            assert got["headers"]["Set-Cookie"] == ["a=1", "b=2"]
            assert "Content-Type" not in got["headers"]
            body = {"method": "POST", "uri": uri, "content": {"a": 1}, "headers": {"X-H": "v"}}
            await hub.run("calls_http", body)
            got = await hub.run("calls_http", {"method": "GET", "uri": uri[:-1] + "odd"})
            assert got["content"] == "\ufffd\ufffd odd"
            refused = await hub.start("calls_http", {"method": "GET", "uri": "http://127.0.0.1:1"})
            assert "Cannot connect to host 127.0.0.1:1" in (await hub.ended(refused)).output
        monkeypatch.setattr(http_call, "_TIMEOUT", aiohttp.ClientTimeout(total=0.05))
        async with running_hub(path, InProcessInvoker({"calls_http": calls_http})) as hub:
            late = await hub.start("calls_http", {"method": "GET", "uri": uri[:-1] + "never"})
            assert "TimeoutError" in (await hub.ended(late)).output
    finally:
        over.set()
        await runner.cleanup()
    assert seen[0] == ("GET", "", None, None)
    assert seen[1] == ("POST", '{"a": 1}', "text/plain; charset=utf-8", "v")


async def test_http_call_with_a_token_source_needs_a_token(path):
    def asks(ctx):
        token = df.ManagedIdentityTokenSource("https://management.core.windows.net/")
        yield ctx.call_http("GET", "http://127.0.0.1:1", token_source=token)

    async with running_hub(path, InProcessInvoker({"asks": asks})) as hub:
        assert "EMULATOR_HTTP_TOKEN" in await hub.failure("asks")
