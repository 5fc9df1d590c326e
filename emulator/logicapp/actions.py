"""What each action that holds no other action does.

Evaluating is CPU work that may be large (a file of thousands of orders), so outside of loops it is
done on a thread. Called by `run`.

Source: Logic Apps documentation, "Schema reference guide to trigger and action types".
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from emulator.faults import Faults, InjectedFault
from emulator.logicapp.connectors import Doors, Reply, Request, call
from emulator.logicapp.errors import ActionFailed, ExpressionFailed
from emulator.logicapp.expressions.values import is_number, to_json, to_text, type_name
from emulator.logicapp.frame import Frame, RunState
from emulator.logicapp.model import (
    ChangeVariable,
    Compose,
    Connector,
    InitializeVariable,
    Join,
    Query,
    Select,
    Status,
)
from emulator.logicapp.retries import delay_s, is_transient

T = TypeVar("T")
_EMPTY: dict[str, Any] = {"Array": [], "Boolean": False, "Float": 0.0, "Integer": 0, "String": ""}


@dataclass
class Done:
    """What an action came to."""

    inputs: Any = None
    outputs: Any = None
    status: Status = Status.SUCCEEDED
    code: str = "OK"
    error: dict[str, Any] | None = None
    retries: int = 0


async def evaluate(frame: Frame, work: Callable[[], T]) -> T:
    """Do CPU work: on a thread, or at once inside a loop, where it is small and there is a lot."""
    try:
        return work() if frame.loop is not None else await asyncio.to_thread(work)
    except RecursionError:
        raise ExpressionFailed("The value is nested too deeply.") from None


async def compose(spec: Compose, frame: Frame) -> Done:
    """A value."""
    value = await evaluate(frame, lambda: spec.inputs.value(frame))
    return Done(value, value)


def _source(template_value: Any, kind: str) -> list[Any]:
    if not isinstance(template_value, list):
        raise ExpressionFailed(
            f"The 'from' property value in the '{kind}' action inputs is of type "
            f"'{type_name(template_value)}'. The value must be an array."
        )
    return template_value


async def query(spec: Query, frame: Frame) -> Done:
    """The items for which a condition is true."""

    def work() -> tuple[int, list[Any]]:
        items = _source(spec.source.value(frame), "query")
        kept = []
        for item in items:
            is_wanted = spec.where.value(frame.child("", item, 0))
            if not isinstance(is_wanted, bool):
                raise ExpressionFailed("The 'where' of the 'query' action must be a boolean.")
            if is_wanted:
                kept.append(item)
        return len(items), kept

    count, kept = await evaluate(frame, work)
    return Done({"fromItemsCount": count}, {"body": kept})


async def select(spec: Select, frame: Frame) -> Done:
    """Each item made into another value."""

    def work() -> list[Any]:
        items = _source(spec.source.value(frame), "select")
        return [spec.select.value(frame.child("", item, 0)) for item in items]

    made = await evaluate(frame, work)
    return Done({"fromItemsCount": len(made)}, {"body": made})


async def join(spec: Join, frame: Frame) -> Done:
    """The items as one text."""

    def work() -> str:
        items = _source(spec.source.value(frame), "join")
        return to_text(spec.mark.value(frame)).join(to_text(item) for item in items)

    return Done(None, {"body": await evaluate(frame, work)})


def _fits(value: Any, kind: str) -> bool:
    return type_name(value) == kind or (kind == "Float" and is_number(value)) or (kind == "Object")


def _check_type(name: str, kind: str, value: Any) -> None:
    if not _fits(value, kind):
        raise ActionFailed(
            "InvalidVariableOperation",
            f"The variable '{name}' of type '{kind}' cannot be given a value of type "
            f"'{type_name(value)}'.",
        )


async def initialize(spec: InitializeVariable, frame: Frame) -> Done:
    """A variable comes to be."""
    value = _EMPTY.get(spec.type) if spec.value is None else spec.value.value(frame)
    if spec.value is not None:
        _check_type(spec.name, spec.type, value)
    state = frame.state
    state.variables[spec.name.lower()] = value
    state.variable_types[spec.name.lower()] = spec.type
    return Done({"variables": [{"name": spec.name, "type": spec.type, "value": value}]})


async def change(spec: ChangeVariable, frame: Frame) -> Done:
    """A variable is changed; nothing comes between reading and writing it."""
    given = spec.value.value(frame)
    old = frame.variable(spec.name)
    kind = frame.state.variable_types[spec.name.lower()]
    new = _changed(spec, kind, old, given)
    _check_type(spec.name, kind, new)
    frame.state.variables[spec.name.lower()] = new
    return Done({"name": spec.name, "value": given}, {"body": {"name": spec.name, "value": given}})


def _changed(spec: ChangeVariable, kind: str, old: Any, given: Any) -> Any:
    if spec.kind == "SetVariable":
        return given
    if spec.kind == "AppendToArrayVariable" and kind == "Array":
        return [*old, given]
    if spec.kind == "AppendToStringVariable" and kind == "String":
        return old + to_text(given)
    if spec.kind in ("IncrementVariable", "DecrementVariable") and is_number(old):
        if not is_number(given):
            raise ActionFailed("InvalidVariableOperation", "The value must be a number.")
        return old + given if spec.kind == "IncrementVariable" else old - given
    raise ActionFailed(
        "InvalidVariableOperation",
        f"The action type '{spec.kind}' does not apply to the variable '{spec.name}' of type "
        f"'{kind}'.",
    )


# The actions of this module, by what the workflow says of them.
LEAVES: dict[type, Callable[[Any, Frame], Awaitable[Done]]] = {
    Compose: compose,
    Query: query,
    Select: select,
    Join: join,
    InitializeVariable: initialize,
    ChangeVariable: change,
}


@dataclass
class Caller:
    """Calls connectors, with retries.

    Args:
        pause: waits so many seconds before a retry.
    """

    doors: Doors
    faults: Faults
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def connector(self, name: str, spec: Connector, frame: Frame) -> Done:
        """One action: calls until the answer is not transient or the retries are used up."""
        request = Request(
            api=spec.api,
            operation=spec.operation,
            method=spec.method,
            path=to_text(spec.path.value(frame)),
            queries=_mapping(spec.queries.value(frame), "queries"),
            headers=_mapping(spec.headers.value(frame), "headers"),
            body=None if spec.body is None else spec.body.value(frame),
        )
        try:
            async with asyncio.timeout(spec.timeout_s):
                reply, retries = await self._until_final(name, spec, request, frame.state)
        except TimeoutError:
            text = f"The action '{name}' did not end within its limit."
            error = {"code": "ActionTimedOut", "message": text}
            return Done(request.to_dict(), None, Status.TIMED_OUT, "ActionTimedOut", error)
        is_good = reply.status < 400
        return Done(
            inputs=request.to_dict(),
            outputs=reply.to_dict(),
            status=Status.SUCCEEDED if is_good else Status.FAILED,
            code=reply.code,
            error=None if is_good else {"code": reply.code, "message": to_json(reply.body)},
            retries=retries,
        )

    async def _until_final(
        self, name: str, spec: Connector, request: Request, state: RunState
    ) -> tuple[Reply, int]:
        retries = 0
        while True:
            reply = await self._call(name, request, state)
            if not is_transient(reply) or retries >= spec.retry.count:
                return reply, retries
            retries += 1
            # Not for secrets: the delays of many runs should not coincide.
            await self.pause(delay_s(spec.retry, retries, random.random()))  # noqa: S311

    async def _call(self, name: str, request: Request, state: RunState) -> Reply:
        labels = {"workflow": state.workflow.name, "action": name, "run": state.run_id}
        try:
            is_doubled = await self.faults.at("logicapp.action", **labels)
        except InjectedFault as fault:
            return Reply(500, {"status": 500, "message": str(fault)})
        reply = await call(self.doors, request)
        return await call(self.doors, request) if is_doubled else reply


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ExpressionFailed(f"The '{what}' of the action must be an object.")
    return {name: each for name, each in value.items() if each is not None}
