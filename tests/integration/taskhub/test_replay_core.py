"""Orchestrations through the real library and a real file: tasks, compounds, retries, children.

Each case is an orchestrator, with what it must return. All run both ways (full replay; generators
kept alive), and each episode is checked with the library's own task counter.
"""

from datetime import timedelta

import azure.durable_functions as df
import pytest

from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker


class Flaky:
    """Fails as often as it is told, for each key."""

    def __init__(self):
        self.calls = {}

    def __call__(self, value):
        key, failures = value
        self.calls[key] = self.calls.get(key, 0) + 1
        if self.calls[key] <= failures:
            raise ValueError(f"{key} {self.calls[key]}")
        return f"{key} ok"


def retries(attempts):
    return df.RetryOptions(1, attempts)


def soon(ctx, ms=5):
    return ctx.current_utc_datetime + timedelta(milliseconds=ms)


def chain(ctx):
    first = yield ctx.call_activity("Add", 1)
    second = yield ctx.call_activity("Add", first)
    return [first, second]


def fan_out(ctx):
    return sum((yield ctx.task_all([ctx.call_activity("Add", n) for n in range(200)])))


def fail_fast(ctx):
    try:
        yield ctx.task_all([ctx.call_activity("Flaky", ["f", 9]), ctx.call_activity("Add", 1)])
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        cleaned = yield ctx.call_activity("Add", 40)
        return [cleaned, "ValueError: f 1" in str(error)]


def shrinking(ctx):
    tasks = [ctx.call_activity("Add", n) for n in range(5)]
    seen = []
    while tasks:
        winner = yield ctx.task_any(tasks)
        tasks.remove(winner)
        seen.append(winner.result)
    return sorted(seen)


def nested(ctx):
    add = ctx.call_activity
    return (
        yield ctx.task_all(
            [
                ctx.task_all([add("Add", 1), add("Add", 2)]),
                ctx.task_all([add("Add", 3), ctx.create_timer(soon(ctx))]),
                add("Add", 4),
            ]
        )
    )


def any_in_all(ctx):
    add = ctx.call_activity
    first = ctx.task_any([add("Add", 1), ctx.wait_for_external_event("Never")])
    second = ctx.task_any([ctx.create_timer(soon(ctx)), ctx.wait_for_external_event("Never")])
    winners = yield ctx.task_all([first, second, add("Add", 2)])
    return [winners[0].result, winners[1].result, winners[2]]


def all_in_any(ctx):
    both = ctx.task_all([ctx.call_activity("Add", 1), ctx.call_activity("Add", 2)])
    winner = yield ctx.task_any([both, ctx.wait_for_external_event("Never")])
    return winner.result


def unique_ids(ctx):
    made = [str(ctx.new_uuid()), str(ctx.new_guid())]
    kept = yield ctx.call_activity("Keep", made)
    made.append(str(ctx.new_uuid()))
    yield ctx.call_activity("Add", 1)
    return [made[:2] == kept, len(set(made))]


def alone_then_together(ctx):
    one = ctx.call_activity("Add", 1)
    yield one
    return (yield ctx.task_all([one, ctx.call_activity("Add", 2)]))


def other_order(ctx):
    one, two = ctx.call_activity("Add", 1), ctx.call_activity("Add", 2)
    second = yield two
    first = yield one
    return [first, second]


def unyielded(ctx):
    ctx.call_activity("Never", 1)
    return (yield ctx.call_activity("Add", 1))


def retry_once(ctx):
    return (yield ctx.call_activity_with_retry("Flaky", retries(3), ["r", 1]))


def retry_exhausted(ctx):
    try:
        yield ctx.call_activity_with_retry("Flaky", retries(2), ["x", 9])
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        after = yield ctx.call_activity("Add", 1)
        return [after, "x 2" in str(error)]


def retry_of_one(ctx):
    try:
        yield ctx.call_activity_with_retry("Flaky", retries(1), ["o", 9])
    except Exception:  # noqa: BLE001 - the library raises nothing narrower
        return (yield ctx.call_activity("Add", 7))


def retries_together(ctx):
    results = yield ctx.task_all(
        [
            ctx.call_activity_with_retry("Flaky", retries(3), ["a", 1]),
            ctx.call_activity("Add", 1),
            ctx.call_activity_with_retry("Flaky", retries(3), ["b", 2]),
        ]
    )
    more = yield ctx.call_activity("Add", 10)
    return [*results, more]


def retry_loses(ctx):
    slow = ctx.call_activity_with_retry("Flaky", df.RetryOptions(30, 3), ["l", 1])
    fast = ctx.call_activity("Add", 1)
    winner = yield ctx.task_any([slow, fast])
    return [winner is fast, (yield ctx.call_activity("Add", 2))]


def child(ctx):
    value = ctx.get_input()
    return (yield ctx.call_activity("Add", value))


def flaky_child(ctx):
    return (yield ctx.call_activity("Flaky", ctx.get_input()))


def children(ctx):
    return (
        yield ctx.task_all(
            [
                ctx.call_sub_orchestrator("child", 1),
                ctx.call_sub_orchestrator("child", 2, instance_id="my-child"),
                ctx.call_sub_orchestrator_with_retry("flaky_child", retries(3), ["c", 1]),
                ctx.call_sub_orchestrator_with_retry(
                    "flaky_child", retries(3), ["d", 2], instance_id="my-flaky"
                ),
            ]
        )
    )


def child_fails(ctx):
    try:
        yield ctx.call_sub_orchestrator("flaky_child", ["e", 9], instance_id="failing")
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        return str(error)


def no_generator(ctx):
    return {"in": ctx.get_input()}


def empty_all(ctx):
    nothing = yield ctx.task_all([])
    return [nothing, (yield ctx.call_activity("Add", 1))]


def status_setter(ctx):
    ctx.set_custom_status({"step": 1})
    yield ctx.call_activity("Add", 1)
    ctx.set_custom_status({"step": 2, "text": "é\n"})


ORCHESTRATORS = {
    name: value
    for name, value in list(globals().items())
    if callable(value)
    and getattr(value, "__code__", None)
    and value.__code__.co_varnames[:1] == ("ctx",)
}
CASES = [
    (chain, None, [2, 3]),
    (fan_out, None, sum(range(1, 201))),
    (fail_fast, None, [41, True]),
    (shrinking, None, [1, 2, 3, 4, 5]),
    (nested, None, [[2, 3], [4, None], 5]),
    (any_in_all, None, [2, None, 3]),
    (all_in_any, None, [2, 3]),
    (unique_ids, None, [True, 3]),
    (alone_then_together, None, [2, 3]),
    (other_order, None, [2, 3]),
    (unyielded, None, 2),
    (retry_once, None, "r ok"),
    (retry_exhausted, None, [2, True]),
    (retry_of_one, None, 8),
    (retries_together, None, ["a ok", 2, "b ok", 11]),
    (retry_loses, None, [True, 3]),
    (children, None, [2, 3, "c ok", "d ok"]),
    (no_generator, {"a": 1}, {"in": {"a": 1}}),
    (empty_all, None, [None, 2]),
    (status_setter, None, None),
]


def an_invoker(**options):
    activities = {"Add": lambda x: x + 1, "Keep": lambda x: x, "Flaky": Flaky()}
    return InProcessInvoker(ORCHESTRATORS, activities, **options)


@pytest.mark.parametrize(
    ("orchestrator", "value", "expected"), CASES, ids=lambda case: getattr(case, "__name__", "")
)
async def test_orchestrator_returns(path, live, orchestrator, value, expected):
    invoker = an_invoker(live=live)
    async with running_hub(path, invoker) as hub:
        assert await hub.run(orchestrator.__name__, value) == expected
    assert invoker.mismatches == []


async def test_failed_child_raises_in_its_parent_with_its_output(path, live):
    async with running_hub(path, an_invoker(live=live)) as hub:
        text = await hub.run("child_fails")
        failed = await hub.snapshot("failing")
    assert failed.status == "Failed"
    assert text.startswith(
        "Orchestrator function 'flaky_child' failed: Activity function 'Flaky' failed:  "
        "ValueError: e 1"
    )
    assert " \n Message: Activity function" in text


async def test_every_case_at_once_on_one_hub(path, live):
    invoker = an_invoker(live=live)
    async with running_hub(path, invoker) as hub:
        started = [await hub.start(case.__name__, value) for case, value, _ in CASES]
        assert [await hub.output(each) for each in started] == [case[2] for case in CASES]
    assert invoker.mismatches == []


async def test_custom_status_is_kept_as_the_app_wrote_it(path):
    async with running_hub(path, an_invoker()) as hub:
        instance_id = await hub.start("status_setter")
        assert (await hub.ended(instance_id)).custom_status == '{"step": 2, "text": "\\u00e9\\n"}'


async def test_children_without_an_id_are_named_by_parent_and_task(path):
    async with running_hub(path, an_invoker()) as hub:
        await hub.run("children", instance_id="parent")
        history = await hub.history("parent")
    started = next(event for event in history if event["EventType"] == 0)
    execution = started["OrchestrationInstance"]["ExecutionId"]
    created = [event["InstanceId"] for event in history if event["EventType"] == 7]
    assert created[:4] == [f"{execution}:0", "my-child", f"{execution}:2", "my-flaky"]
    assert created.count("my-flaky") == 3
    assert len([each for each in created if each.startswith(execution)]) == 3


async def test_history_is_laid_out_as_the_framework_does(path):
    async with running_hub(path, an_invoker()) as hub:
        await hub.run("chain", instance_id="i")
        history = await hub.history("i")
    kinds = [event["EventType"] for event in history]
    assert kinds == [12, 0, 4, 13, 12, 5, 4, 13, 12, 5, 1, 13]
    starts = [event["Timestamp"] for event in history if event["EventType"] == 12]
    assert starts == sorted(set(starts))
    assert all(
        event["Timestamp"].endswith("Z") and len(event["Timestamp"]) == 28 for event in history
    )
