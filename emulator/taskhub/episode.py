"""Reads what the orchestrator says in an episode and completes the turn's plan with it. Pure.

The SDK numbers tasks silently, so this module numbers them the same way: in the order of the
reply's leaves, after the ids that `turns` gave to retry timers and attempts.

Source: protocol specification, 3.1, 3.6 (B), 3.8, 4, 10.9, 10.13. Called by the engine.
"""

import json
from dataclasses import dataclass

from emulator.taskhub import events
from emulator.taskhub.actions import (
    CONTINUE_AS_NEW,
    TIMER,
    Action,
    MalformedReply,
    Reply,
    leaf_key,
    parse_reply,
)
from emulator.taskhub.determinism import find_divergence
from emulator.taskhub.errors import (
    actions_exceeded,
    custom_status_too_large,
    orchestrator_failed,
    unhandled,
)
from emulator.taskhub.model import EpisodeFailed, EpisodeReply
from emulator.taskhub.plan import Plan, close, schedule
from emulator.taskhub.scheduling import scheduling_event, task_of_leaf
from emulator.taskhub.state import Instance, Status, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """What the host's options say about an episode."""

    max_actions: int = 100_000
    store_inputs: bool = False


def take_reply(
    instance: Instance, plan: Plan, reply: EpisodeReply | EpisodeFailed, limits: Limits
) -> None:
    """Complete an episode's plan with what came of running the orchestrator."""
    if isinstance(reply, EpisodeReply):
        text, trace = reply.text, ""
    elif reply.embedded is not None:
        text, trace = reply.embedded, reply.trace
    else:
        fail(instance, plan, unhandled(reply.message, reply.trace), limits, reply.trace)
        return
    try:
        finish(instance, plan, text, limits, trace)
    except MalformedReply as error:
        fail(instance, plan, str(error), limits)


def finish(instance: Instance, plan: Plan, text: str, limits: Limits, trace: str = "") -> None:
    """Complete an episode's plan with the orchestrator's reply.

    The reply's new actions are scheduled whatever its verdict is.

    Args:
        text: the reply as the SDK wrote it.
        trace: of the exception that the reply speaks of, if it does.
    Raises:
        MalformedReply: it is not what the protocol says.
    """
    verdict = None
    if text != instance.last_reply:
        reply = parse_reply(text)
        divergence = _take_leaves(instance, plan, reply)
        if divergence is not None:
            verdict = Verdict(Status.FAILED, divergence, _details(divergence, ""))
        else:
            verdict = _verdict(instance, reply, limits, trace)
        instance.last_reply = text
    _conclude(instance, plan, verdict, limits)


def fail(instance: Instance, plan: Plan, error: str, limits: Limits, trace: str = "") -> None:
    """Complete an episode's plan when the code raised and its actions are not known."""
    text = orchestrator_failed(instance.name, error)
    _conclude(instance, plan, Verdict(Status.FAILED, text, _details(error, trace)), limits)


def _conclude(instance: Instance, plan: Plan, verdict: Verdict | None, limits: Limits) -> None:
    plan.scheduled.sort(key=lambda task: task.id)
    plan.history = plan.new + [
        scheduling_event(instance, task, plan.at, limits.store_inputs) for task in plan.scheduled
    ]
    if verdict is not None:
        instance.set_verdict(verdict)
        if instance.blocking == 0:
            close(instance, plan)
    plan.history.append(events.orchestrator_completed(plan.at))


def _take_leaves(instance: Instance, plan: Plan, reply: Reply) -> str | None:
    """Give ids to the reply's new leaves and cancel its cancelled timers.

    Returns: what to say if the leaves do not begin with those of earlier replies.
    """
    known = len(instance.log)
    keys = [leaf_key(action) for action in reply.leaves]
    divergence = find_divergence(instance.log, instance.log_ids, keys[:known])
    if divergence is not None:
        return divergence
    for action, key in zip(reply.leaves[known:], keys[known:], strict=True):
        task = task_of_leaf(instance, action)
        if task is not None:
            schedule(instance, plan, task)
        task_id = -1 if task is None else task.id
        instance.note_leaf(key, task_id)
        plan.marks.leaves.append((*key, task_id))
    for index, action in enumerate(reply.leaves):
        if action["actionType"] == TIMER and action.get("isCanceled"):
            task_id = instance.log_ids[index]
            if instance.cancel_timer(task_id):
                plan.marks.cancelled.append(task_id)
    return None


def _verdict(instance: Instance, reply: Reply, limits: Limits, trace: str) -> Verdict | None:
    """How the execution ends, if the reply says that it does. Takes the custom status."""
    too_large = custom_status_too_large(reply.custom_status)
    if too_large is None:
        instance.custom_status = reply.custom_status
    error = reply.error or too_large
    if error is None and len(instance.log) > limits.max_actions:
        error = actions_exceeded(limits.max_actions)
    if error is not None:
        text = orchestrator_failed(instance.name, error)
        return Verdict(Status.FAILED, text, _details(error, trace))
    if not reply.is_done:
        return None
    successor = _continue_as_new(reply.leaves)
    if successor is not None:
        carried = json.dumps(successor.get("input"))
        return Verdict(Status.CONTINUED_AS_NEW, carried_input=carried)
    return Verdict(Status.COMPLETED, reply.output)


def _continue_as_new(leaves: list[Action]) -> Action | None:
    return next((leaf for leaf in leaves if leaf["actionType"] == CONTINUE_AS_NEW), None)


def _details(error: str, trace: str) -> str:
    return f"Message: {error}, StackTrace: {trace}"
