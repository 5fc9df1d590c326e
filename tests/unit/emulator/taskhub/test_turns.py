"""Which messages an instance takes, in which order, and what it becomes: without code or disk."""

import json

import pytest

from emulator.taskhub import events
from emulator.taskhub.chunks import encode_events, fold
from emulator.taskhub.episode import Limits, finish
from emulator.taskhub.inbox import Inbox, Message, MessageKind
from emulator.taskhub.state import Instance, Status
from emulator.taskhub.turns import is_ready, prepare

NOW = 1_767_323_045_000_000
SECOND = 1_000_000


class Driver:
    """An instance that is told what its code says."""

    def __init__(self):
        self.instance = Instance(1, "i", "e1", "order", None, None)
        self.inbox = Inbox()
        self.now = NOW
        self.rows = []

    def turn(self, *actions, done=None, **more):
        """One turn; `actions` are all that the code has asked for."""
        plan = prepare(self.instance, self.inbox, self.now)
        if plan is None:
            return None
        if plan.invoke:
            reply = {"isDone": done is not None, "schemaVersion": 2, "actions": [list(actions)]}
            if done is not None:
                reply["output"] = done
            finish(self.instance, plan, json.dumps({**reply, **more}), Limits())
        if plan.history:
            self.instance.length += len(plan.history)
            self.rows.append((encode_events(plan.history), plan.marks.encode()))
        self.now += SECOND
        return plan

    def complete(self, task_id, *, failed=False, at=None, execution="e1"):
        at = self.now if at is None else at
        event = (
            events.task_failed(at, task_id, "no", None)
            if failed
            else events.task_completed(at, task_id, "1")
        )
        self.inbox.add(Message(MessageKind.COMPLETION, at, event, execution))

    def send(self, kind, event=None, at=None):
        at = self.now if at is None else at
        self.inbox.add(Message(kind, at, event))

    def raise_event(self, name, at=None):
        self.send(MessageKind.EXTERNAL, events.event_raised(self.now, name, "1"), at)

    def folded(self):
        """The same instance as its rows describe it."""
        made = Instance(1, "i", "e1", "order", None, None, verdict=self.instance.verdict)
        fold(made, self.rows)
        return made


def activity(name="A", retries=None):
    action = {"actionType": 0, "functionName": name, "input": "1"}
    if retries is not None:
        action["actionType"] = 1
        action["retryOptions"] = {
            "firstRetryIntervalInMilliseconds": 2000,
            "maxNumberOfAttempts": retries,
        }
    return action


def timer(seconds, cancelled=False):
    fire_at = f"2026-01-02T03:{4 + seconds // 60:02}:{5 + seconds % 60:02}.000000Z"
    return {"actionType": 5, "fireAt": fire_at, "isCanceled": cancelled}


def wait(name="Go"):
    return {"actionType": 6, "externalEventName": name, "reason": "ExternalEvent"}


def kinds(happened):
    return [event["EventType"] for event in happened]


@pytest.fixture
def driver():
    return Driver()


def test_first_turn_starts_the_execution_once(driver):
    assert kinds(driver.turn(activity()).history) == [12, 0, 4, 13]
    assert driver.turn() is None
    driver.complete(0)
    assert kinds(driver.turn(activity(), done="x").history) == [12, 5, 1, 13]
    assert driver.instance.status is Status.COMPLETED
    assert not is_ready(driver.instance, driver.inbox, driver.now)


def test_completions_that_nobody_waits_for_are_dropped(driver):
    driver.turn(activity(), activity("B"))
    driver.complete(0, execution="an earlier one")
    driver.complete(7)
    driver.complete(1)
    driver.complete(1)
    plan = driver.turn(activity(), activity("B"))
    assert kinds(plan.new) == [12, 5]
    assert len(plan.dropped) == 3
    driver.complete(1)
    plan = driver.turn()
    assert not plan.invoke
    assert not plan.history


def test_what_advances_a_retry_comes_before_everything_else(driver):
    code = [activity("A"), activity("B", retries=2), activity("C")]
    driver.turn(*code)
    driver.complete(0)
    driver.complete(1, failed=True)
    driver.complete(2)
    plan = driver.turn(*code, activity("D"))
    assert [event.get("TaskScheduledId") for event in plan.new] == [None, 1, 0, 2]
    assert [(task.id, task.kind) for task in plan.scheduled] == [(3, "retry"), (4, "activity")]


def test_retry_takes_its_ids_silently_to_the_final_timer(driver):
    code = [activity("B", retries=2)]
    driver.turn(*code)
    driver.complete(0, failed=True)
    (retry,) = driver.turn(*code).scheduled
    assert (retry.id, retry.last) == (1, False)
    assert driver.turn() is None
    driver.now = retry.due
    (attempt,) = driver.turn(*code).scheduled
    assert (attempt.id, attempt.attempt, attempt.name, attempt.input) == (2, 2, "B", "1")
    driver.complete(2, failed=True)
    (final,) = driver.turn(*code).scheduled
    assert (final.id, final.last) == (3, True)
    assert driver.folded().open == driver.instance.open
    driver.now = final.due
    assert driver.turn(*code).scheduled == []


def test_external_event_is_delivered_once_for_each_wait(driver):
    driver.raise_event("Go")
    driver.raise_event("Go")
    driver.raise_event("go")
    assert kinds(driver.turn(wait()).new) == [12, 0]
    assert kinds(driver.turn(wait()).new) == [12, 15]
    assert driver.turn() is None
    driver.raise_event("Go")
    assert driver.turn() is None
    driver.instance.waits["Go"] += 1
    assert kinds(driver.turn(wait(), wait()).new) == [12, 15]
    assert len(driver.inbox.external["Go"]) == 1
    assert len(driver.inbox.external["go"]) == 1


def test_arrivals_and_due_timers_are_delivered_in_order_of_time(driver):
    code = [timer(10), wait("One"), wait("Two")]
    driver.turn(*code)
    driver.raise_event("Two", at=NOW + 12 * SECOND)
    driver.raise_event("One", at=NOW + 8 * SECOND)
    driver.now = NOW + 20 * SECOND
    delivered = driver.turn(*code).new
    assert [event.get("Name", event.get("TimerId")) for event in delivered] == [
        None, "One", 0, "Two",
    ]  # fmt: skip


def test_cancelled_timer_blocks_nothing_and_never_fires(driver):
    driver.turn(timer(10), timer(20, cancelled=True))
    assert driver.instance.blocking == 1
    driver.raise_event("x")
    driver.instance.waits["x"] = 1
    driver.turn(timer(10, cancelled=True), timer(20, cancelled=True))
    assert driver.instance.blocking == 0
    assert driver.instance.next_due() is None
    assert driver.folded().blocking == 0
    driver.now += 100 * SECOND
    assert driver.turn() is None


def test_verdict_waits_for_what_blocks_and_runs_nothing_meanwhile(driver):
    code = [activity("A"), activity("B"), timer(3), wait("x")]
    driver.turn(*code)
    driver.complete(0)
    assert driver.turn(*code, done=7).ended is None
    assert driver.instance.status is Status.RUNNING
    driver.raise_event("x")
    assert driver.turn() is None
    driver.complete(1)
    plan = driver.turn()
    assert (kinds(plan.history), plan.ended) == ([5], None)
    driver.now = NOW + 3 * SECOND
    plan = driver.turn()
    assert kinds(plan.history) == [11, 1]
    assert driver.instance.status is Status.COMPLETED
    assert driver.instance.output == "7"


def test_attempt_that_fails_after_the_verdict_is_held_and_blocks_no_more(driver):
    code = [activity("A"), activity("B", retries=3)]
    driver.turn(*code)
    driver.complete(0)
    driver.turn(*code, done=1)
    assert driver.instance.blocking == 1
    driver.complete(1, failed=True)
    plan = driver.turn()
    assert kinds(plan.history) == [1]
    assert len(driver.inbox.held) == 1
    assert driver.instance.is_terminal


def test_pending_retry_timer_does_not_block_after_the_verdict(driver):
    code = [activity("A"), activity("B", retries=3)]
    driver.turn(*code)
    driver.complete(1, failed=True)
    driver.turn(*code)
    driver.complete(0)
    assert driver.turn(*code, done=1).ended is not None


def test_suspended_instance_takes_control_messages_only(driver):
    driver.turn(activity())
    driver.complete(0)
    driver.send(MessageKind.SUSPEND, events.execution_suspended(driver.now, "why"))
    plan = driver.turn()
    assert kinds(plan.history) == [12, 19, 13]
    assert (driver.instance.status, driver.instance.output) == (Status.SUSPENDED, "why")
    assert driver.turn() is None
    driver.send(MessageKind.RESUME, events.execution_resumed(driver.now, "go"))
    assert kinds(driver.turn(activity()).new) == [12, 20, 5]


def test_episodes_of_a_suspended_instance_do_not_turn_the_clock_back(driver):
    driver.turn(wait())
    driver.send(MessageKind.SUSPEND, events.execution_suspended(driver.now, "why"))
    first = driver.turn().at
    driver.now -= 3600 * SECOND
    driver.send(MessageKind.RESUME, events.execution_resumed(driver.now, "go"))
    assert driver.turn(wait()).at == first + 1


def test_termination_comes_first_and_alone(driver):
    driver.turn(activity())
    driver.complete(0)
    driver.send(MessageKind.TERMINATE, events.execution_terminated(driver.now, "stop"))
    plan = driver.turn()
    assert kinds(plan.history) == [12, 3, 1, 13]
    assert (driver.instance.status, driver.instance.output) == (Status.TERMINATED, "stop")


def test_same_reply_again_schedules_nothing(driver):
    code = [activity("A"), activity("B")]
    driver.turn(*code)
    driver.complete(0)
    plan = driver.turn(*code)
    assert kinds(plan.history) == [12, 5, 13]
    assert plan.marks.encode() is None


def test_every_state_can_be_folded_from_its_rows(driver):
    code = [activity("A"), activity("B", retries=2), timer(5), wait()]
    driver.turn(*code)
    driver.complete(1, failed=True)
    driver.raise_event("Go")
    driver.turn(*code, wait("More"))
    made = driver.folded()
    for name in ("open", "log", "log_ids", "next_id", "waits", "delivered", "blocking", "working",
                 "length", "clock", "requests"):  # fmt: skip
        assert getattr(made, name) == getattr(driver.instance, name), name
