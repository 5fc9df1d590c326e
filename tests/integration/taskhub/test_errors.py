"""What goes wrong, and the texts by which applications and operators know it."""

import json

import pytest

from emulator.taskhub import HubOptions
from emulator.taskhub.errors import Refused
from emulator.taskhub.model import ActivityOutcome, EpisodeReply, WorkerLost
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker


def raises(ctx):
    yield ctx.call_activity("Echo", 1)
    raise ValueError(ctx.get_input())


def raises_nothing_said(ctx):
    yield ctx.call_activity("Echo", 1)
    raise KeyError


def raises_at_once(ctx):
    raise ValueError("ng")


def yields_a_list(ctx):
    yield [ctx.call_activity("Echo", 1)]


def returns_a_set(ctx):
    yield ctx.call_activity("Echo", 1)
    return {1}


def status_of_a_set(ctx):
    ctx.set_custom_status({1})
    yield ctx.call_activity("Echo", 1)


def status_too_large(ctx):
    ctx.set_custom_status("x" * 1024 * ctx.get_input())
    yield ctx.call_activity("Echo", 1)
    return "fits"


def calls(ctx):
    yield ctx.call_activity(ctx.get_input(), 1)


def calls_child(ctx):
    name, instance_id = ctx.get_input()
    yield ctx.call_sub_orchestrator(name, None, instance_id)


def many(ctx):
    yield ctx.task_all([ctx.call_activity("Echo", n) for n in range(ctx.get_input())])
    return "all"


def fails_with_open_sibling(ctx):
    yield ctx.task_all([ctx.call_activity("Boom", 1), ctx.call_activity("Echo", 2)])


def waits_for_nothing(ctx):
    yield None


def boom(value):
    raise ValueError("boom")


FUNCTIONS = [
    raises, raises_nothing_said, raises_at_once, yields_a_list, returns_a_set, status_of_a_set,
    status_too_large, calls, calls_child, many, fails_with_open_sibling, waits_for_nothing,
]  # fmt: skip


@pytest.fixture
def invoker(live):
    return InProcessInvoker(
        {each.__name__: each for each in FUNCTIONS},
        {"Echo": lambda x: x, "Boom": boom, "Set": lambda x: {x}},
        live=live,
    )


@pytest.mark.parametrize(
    "message",
    [
        "bad thing",
        "two\nlines",
        'with \n\n$OutOfProcData$:{"isDone": true} in it',
        'quoted " and \\ and é',
    ],
)
async def test_exception_text_is_the_output(path, invoker, message):
    async with running_hub(path, invoker) as hub:
        assert await hub.failure("raises", message) == (
            f"Orchestrator function 'raises' failed: {message}"
        )


async def test_exception_without_a_text_is_named(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.failure("raises_nothing_said") == (
            "Orchestrator function 'raises_nothing_said' failed: <class 'KeyError'>"
        )


async def test_exception_outside_a_generator_has_azures_text(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.failure("raises_at_once")
    assert text.startswith(
        "Orchestrator function 'raises_at_once' failed: One or more errors occurred. "
        "(Result: Failure\nException: ValueError: ng\nStack: Traceback"
    )
    assert text.endswith("ng)")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("yields_a_list", "'list' object has no attribute '_is_scheduled'"),
        ("returns_a_set", "Object of type set is not JSON serializable"),
        ("status_of_a_set", "set"),
    ],
)
async def test_what_cannot_be_yielded_or_serialized_fails_the_instance(path, invoker, name, words):
    async with running_hub(path, invoker) as hub:
        assert words in await hub.failure(name)


async def test_custom_status_has_a_limit(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("status_too_large", 8) == "fits"
        assert await hub.failure("status_too_large", 10) == (
            "Orchestrator function 'status_too_large' failed: The UTF-16 size of the "
            "JSON-serialized payload must not exceed 16 KB. The current payload size is 20 KB."
        )


async def test_failed_activity_has_reason_and_details_that_applications_parse(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.failure("calls", "Boom")
    reason, details = text.split(" \n ")
    assert reason == (
        "Orchestrator function 'calls' failed: Activity function 'Boom' failed:  ValueError: boom"
    )
    assert json.loads(details)["Message"] == " ValueError: boom"


async def test_unserializable_result_is_a_failure(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.failure("calls", "Set")
    assert "ValueError: activity trigger output must be json serializable ({1})" in text


async def test_unknown_activity_fails_its_task_and_says_what_is_known(path, invoker):
    async with running_hub(path, invoker) as hub:
        text = await hub.failure("calls", "Nope")
    assert text.startswith(
        "Orchestrator function 'calls' failed: Activity function 'Nope' failed: The function "
        "'Nope' doesn't exist, is disabled, or is not an activity function. Additional info: The "
        "following are the known activity functions: 'Boom', 'Echo', 'Set'."
    )


@pytest.mark.parametrize(
    ("child", "words"),
    [
        (["Nope", None], "'Nope' doesn't exist, is disabled, or is not an orchestrator function"),
        (["many", "self"], "cannot have the instance ID of its parent"),
        (["many", "@x@y"], "must not start with '@'"),
        (["many", "busy"], "An Orchestration instance with the status Running already exists."),
    ],
)
async def test_child_that_cannot_be_started_fails_its_task(path, invoker, child, words):
    async with running_hub(path, invoker) as hub:
        await hub.start("waits_for_nothing", instance_id="busy")
        await hub.status_is("busy", "Running")
        ended = await hub.ended(await hub.start("calls_child", child, "self"))
    assert ended.status == "Failed"
    assert words in ended.output


async def test_unknown_orchestrator_and_impossible_ids_are_refused(path, invoker):
    async with running_hub(path, invoker) as hub:
        for name, instance_id in [
            ("Nope", None), ("many", "@x"), ("many", "a/b"), ("many", "a#b"), ("many", "a\n"),
            ("many", "x" * 257),
        ]:  # fmt: skip
            with pytest.raises(Refused) as refusal:
                await hub.start(name, 1, instance_id)
            assert refusal.value.status == 400
            assert refusal.value.body["ExceptionType"] == "System.ArgumentException"


async def test_failure_is_reported_only_after_the_siblings_ended(path, invoker):
    async with running_hub(path, invoker) as hub:
        one = await hub.start("fails_with_open_sibling")
        await hub.ended(one)
        kinds = [event["EventType"] for event in await hub.history(one)]
    assert kinds.count(5) == 1


async def test_actions_are_limited(path, invoker):
    async with running_hub(path, invoker, options=HubOptions(max_actions=20)) as hub:
        assert await hub.run("many", 20) == "all"
        text = await hub.failure("many", 21)
    assert "Maximum amount of orchestration actions (20) has been reached." in text


async def test_names_match_without_case(path, invoker):
    async with running_hub(path, invoker) as hub:
        assert await hub.run("MANY", 1) == "all"
        assert "doesn't exist" in await hub.failure("Calls", "noPe")


async def test_activity_that_takes_too_long_has_azures_text(path):
    class Slow(InProcessInvoker):
        async def run_activity(self, call):
            text = f"Timeout value of 00:05:00 was exceeded by function: Functions.{call.name}"
            return ActivityOutcome(ok=False, error_message=text, timed_out=True)

    async with running_hub(path, Slow({"calls": calls}, {"Echo": None})) as hub:
        text = await hub.failure("calls", "Echo")
    assert text.startswith(
        "Orchestrator function 'calls' failed: Activity function 'Echo' failed: Timeout value of "
        "00:05:00 was exceeded by function: Functions.Echo \n {"
    )


async def test_lost_worker_is_no_failure(path):
    class Dying(InProcessInvoker):
        def __init__(self, *args):
            super().__init__(*args)
            self.deaths = 4

        def maybe_die(self):
            self.deaths -= 1
            if self.deaths > 0 and self.deaths % 2:
                raise WorkerLost

        async def run_activity(self, call):
            self.maybe_die()
            return await super().run_activity(call)

        async def run_orchestrator(self, episode):
            self.maybe_die()
            return await super().run_orchestrator(episode)

    invoker = Dying({"many": many}, {"Echo": lambda x: x})
    async with running_hub(path, invoker) as hub:
        assert await hub.run("many", 3) == "all"
    assert invoker.deaths <= 0


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"isDone": true}', '{"isDone": false, "actions": [[{}]]}',
        '{"isDone": true, "actions": [[]]}',
        '{"isDone": false, "schemaVersion": 2, "actions": [[{"actionType": 5, "fireAt": "soon"}]]}',
        '{"isDone": false, "schemaVersion": 2, "actions": [[{"actionType": 10}]]}',
    ],
)  # fmt: skip
async def test_reply_that_is_none_fails_the_instance(path, text):
    class Odd(InProcessInvoker):
        async def run_orchestrator(self, episode):
            return EpisodeReply(text)

    async with running_hub(path, Odd({"many": many})) as hub:
        assert "Orchestrator function 'many' failed: " in await hub.failure("many", 1)


async def test_orchestrator_that_waits_for_nothing_is_said_so(path, invoker, caplog):
    async with running_hub(path, invoker) as hub:
        await hub.start("waits_for_nothing", instance_id="stuck")
        await hub.idle()
    assert "'stuck' is waiting for nothing" in caplog.text


async def test_changed_code_is_noticed_and_named(path):
    def before(ctx):
        yield ctx.call_activity("A", 1)
        yield ctx.wait_for_external_event("Go")

    def renamed(ctx):
        yield ctx.call_activity("B", 1)
        yield ctx.wait_for_external_event("Go")

    def fewer(ctx):
        return "nothing"
        yield

    def same_in_other_case(ctx):
        yield ctx.call_activity("a", 1)
        yield ctx.wait_for_external_event("Go")

    activities = {"A": lambda x: x, "B": lambda x: x}
    expected = {
        renamed: "but the current replay execution has scheduled an activity task named 'B' in its "
        "place.",
        fewer: "but the current replay execution hasn't scheduled this task.",
    }
    for changed in (renamed, fewer, same_in_other_case):
        async with running_hub(path, InProcessInvoker({"order": before}, activities)) as hub:
            one = await hub.start("order")
            await hub.idle()
        async with running_hub(path, InProcessInvoker({"order": changed}, activities)) as hub:
            await hub.hub.client.raise_event(one, "Go", "1")
            ended = await hub.ended(one)
        if changed in expected:
            assert ended.output.startswith(
                "Non-Deterministic workflow detected: A previous execution of this orchestration "
                "scheduled an activity task with sequence number 0 named 'A', " + expected[changed]
            )
        else:
            assert ended.status == "Completed"
