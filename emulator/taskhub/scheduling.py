"""Makes tasks of an orchestrator's actions, and scheduling events of tasks. Pure.

Source: protocol specification, 3.2, 3.6, 3.9, 3.11 and 6.4.
"""

import json
from uuid import uuid4

from emulator.taskhub import actions, events
from emulator.taskhub.actions import Action, MalformedReply
from emulator.taskhub.model import Event
from emulator.taskhub.state import Instance, Kind, Retry, Task
from emulator.taskhub.times import parse

_HTTP_ACTIVITY = "BuiltIn::HttpActivity"
_dumps = json.JSONEncoder(separators=(",", ":")).encode


def task_of_leaf(instance: Instance, action: Action) -> Task | None:
    """The task of a new leaf, with the next id; None for a leaf that takes no id."""
    task_id, kind = instance.next_id, action["actionType"]
    try:
        if kind in (actions.ACTIVITY, actions.ACTIVITY_WITH_RETRY):
            return _retried(
                Task(task_id, Kind.ACTIVITY, action["functionName"], action.get("input")), action
            )
        if kind in (actions.CHILD, actions.CHILD_WITH_RETRY):
            return _retried(_child(instance, action), action)
        if kind == actions.TIMER:
            due = parse(action["fireAt"])
            return Task(task_id, Kind.TIMER, due=due, cancelled=bool(action["isCanceled"]))
        if kind == actions.HTTP_CALL:
            return Task(task_id, Kind.HTTP, input=_dumps(action["httpRequest"]))
        if kind in (actions.CALL_ENTITY, actions.SIGNAL_ENTITY):
            return _entity(task_id, kind, action)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedReply(f"{actions.KIND_NAMES[kind]}: {error!r}") from error
    return None


def _retried(task: Task, action: Action) -> Task:
    options = action.get("retryOptions")
    if options is not None:
        cap = options.get("maxRetryIntervalInMilliseconds")
        task.root, task.attempt = task.id, 1
        task.retry = Retry(
            int(options["firstRetryIntervalInMilliseconds"]),
            int(options["maxNumberOfAttempts"]),
            float(options.get("backoffCoefficient") or 1.0),
            None if cap is None else int(cap),
        )
    return task


def _child(instance: Instance, action: Action) -> Task:
    explicit = action.get("instanceId")
    return Task(
        instance.next_id,
        Kind.CHILD,
        action["functionName"],
        action.get("input"),
        child_id=explicit or instance.auto_child_id(),
        explicit=bool(explicit),
        version=action.get("version"),
    )


def _entity(task_id: int, kind: int, action: Action) -> Task:
    is_call = kind == actions.CALL_ENTITY
    return Task(
        task_id,
        Kind.ENTITY if is_call else Kind.SIGNAL,
        action["instanceId"],
        action.get("input"),
        operation=action["operation"],
        request=str(uuid4()),
    )


def scheduling_event(instance: Instance, task: Task, at: int, store_inputs: bool) -> Event:
    """The history event that says that a task was scheduled."""
    text = task.input if store_inputs else None
    if task.kind is Kind.ACTIVITY:
        return events.task_scheduled(at, task.id, task.name, text)
    if task.kind is Kind.HTTP:
        return events.task_scheduled(at, task.id, _HTTP_ACTIVITY, text)
    if task.kind is Kind.CHILD:
        assert task.child_id is not None
        return events.child_created(
            at,
            task.id,
            name=task.name,
            instance_id=task.child_id,
            version=task.version or "",
            input_text=text,
        )
    if task.kind in (Kind.TIMER, Kind.RETRY_TIMER):
        return events.timer_created(at, task.id, task.due)
    assert task.request is not None
    return events.event_sent(at, task.id, task.name, _request(instance, task))


def _request(instance: Instance, task: Task) -> str:
    request: dict[str, object] = {
        "op": task.operation,
        "input": json.dumps(task.input),
        "id": task.request,
        "parent": instance.id,
        "parentExecution": instance.execution_id,
    }
    if task.kind is Kind.SIGNAL:
        request["signal"] = True
    return _dumps(request)
