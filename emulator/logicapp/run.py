"""Executes one run: which action when, and what its end means for the others.

Actions of a block run side by side, each when those it waits for have ended; one whose wish is not
met is skipped. An error stays in its action: a later one may run after it and so handle it.

Source: Logic Apps documentation, "Handle errors and exceptions", "Create loops", "Limits".
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emulator.logicapp import actions
from emulator.logicapp.actions import LEAVES, Caller, Done
from emulator.logicapp.errors import ActionFailed, ExpressionFailed
from emulator.logicapp.expressions.values import equal, to_text, type_name
from emulator.logicapp.frame import Frame, RunState
from emulator.logicapp.model import (
    Action,
    ActionResult,
    Block,
    Connector,
    Foreach,
    If,
    Scope,
    Spec,
    Status,
    Switch,
    Terminate,
    block_status,
    may_run,
)

_NOTHING_SUCCEEDED = {
    "code": "ActionFailed",
    "message": "An action failed. No dependent actions succeeded.",
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: Status
    error: dict[str, Any] | None = None


class _Terminated(Exception):
    """An action ended the run."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Execution:
    """One run.

    Args:
        record: is told every action's result, in the order of their ends.
    """

    def __init__(
        self, state: RunState, caller: Caller, record: Callable[[ActionResult], None]
    ) -> None:
        self._state = state
        self._caller = caller
        self._record = record

    async def execute(self) -> Outcome:
        """Run the workflow from its first action to its last."""
        try:
            status = await self._block(self._state.workflow.block, Frame(self._state))
        except _Terminated as end:
            return end.outcome
        return Outcome(status, None if status is Status.SUCCEEDED else _NOTHING_SUCCEEDED)

    # -- blocks --

    async def _block(
        self, block: Block, frame: Frame, observed: list[dict[str, Any]] | None = None
    ) -> Status:
        statuses: dict[str, Status] = {}
        if block.is_chain():
            for action in block.actions.values():
                statuses[action.name] = await self._step(action, statuses, frame)
        else:
            await self._side_by_side(block, statuses, frame)
        if observed is not None:
            observed += [frame.actions[name.lower()].to_dict() for name in block.actions]
        return block_status(block, statuses)

    async def _side_by_side(self, block: Block, statuses: dict[str, Status], frame: Frame) -> None:
        tasks: dict[str, asyncio.Task[None]] = {}

        async def one(action: Action) -> None:
            for name in action.run_after:
                await asyncio.shield(tasks[name])
            statuses[action.name] = await self._step(action, statuses, frame)

        for name, action in block.actions.items():
            tasks[name] = asyncio.create_task(one(action))
        await _all_or_cancel(list(tasks.values()))

    async def _step(self, action: Action, statuses: dict[str, Status], frame: Frame) -> Status:
        started = self._state.clock.now()
        if may_run(action, statuses):
            done = await self._perform(action, frame)
        else:
            error = {
                "code": "ActionConditionFailed",
                "message": f"The execution of template action '{action.name}' is skipped: the "
                "'runAfter' condition is not satisfied.",
            }
            done = Done(status=Status.SKIPPED, code="ActionSkipped", error=error)
        result = ActionResult(
            name=action.name,
            type=action.type,
            status=done.status,
            code=done.code,
            started=started,
            ended=self._state.clock.now(),
            inputs=done.inputs,
            outputs=done.outputs,
            error=done.error,
            retries=done.retries,
            repetition=frame.repetition,
        )
        frame.actions[action.name.lower()] = result
        self._record(result)
        if done.status is Status.SKIPPED:
            for inner in _inside(action):
                self._skip(inner, frame)
        return done.status

    async def _perform(self, action: Action, frame: Frame) -> Done:
        try:
            return await self._do(action, frame)
        except ExpressionFailed as error:
            text = (
                f"Unable to process template language expressions in action '{action.name}' inputs "
                f"at line '0' and column '0': '{error}'."
            )
            code = "InvalidTemplate"
            return Done(status=Status.FAILED, code=code, error={"code": code, "message": text})
        except ActionFailed as error:
            failed = {"code": error.code, "message": str(error)}
            return Done(status=Status.FAILED, code=error.code, error=failed)

    async def _do(self, action: Action, frame: Frame) -> Done:
        """The action's own work: leaves are `actions`', what holds other actions is here."""
        spec = action.spec
        if isinstance(spec, Connector):
            return await self._caller.connector(action.name, spec, frame)
        if isinstance(spec, Terminate):
            raise _Terminated(_terminated(spec, frame))
        leaf = LEAVES.get(type(spec))
        if leaf is not None:
            return await leaf(spec, frame)
        if isinstance(spec, Scope):
            return await self._scope(action.name, spec, frame)
        return await self._branching(action.name, spec, frame)

    async def _branching(self, name: str, spec: Spec, frame: Frame) -> Done:
        if isinstance(spec, Foreach):
            return await self._foreach(name, spec, frame)
        if isinstance(spec, If):
            return await self._if(spec, frame)
        assert isinstance(spec, Switch)
        return await self._switch(spec, frame)

    # -- what holds other actions --

    async def _scope(self, name: str, spec: Scope, frame: Frame) -> Done:
        observed: list[dict[str, Any]] = []
        is_observed = name.lower() in self._state.workflow.observed
        status = await self._block(spec.block, frame, observed if is_observed else None)
        frame.observed[name.lower()] = observed
        return _holding(status)

    async def _if(self, spec: If, frame: Frame) -> Done:
        is_true = await actions.evaluate(
            frame, lambda: spec.condition(spec.expression.value(frame))
        )
        chosen, other = (spec.yes, spec.no) if is_true else (spec.no, spec.yes)
        status = await self._block(chosen, frame)
        self._skip(other, frame)
        return _holding(status, {"expressionResult": is_true})

    async def _switch(self, spec: Switch, frame: Frame) -> Done:
        value = await actions.evaluate(frame, lambda: spec.expression.value(frame))
        blocks = [block for case, block in spec.cases if equal(case, value)] or [spec.default]
        status = await self._block(blocks[0], frame)
        for block in (*(block for _, block in spec.cases), spec.default):
            if block is not blocks[0]:
                self._skip(block, frame)
        return _holding(status, {"value": value})

    def _skip(self, block: Block, frame: Frame) -> None:
        """Actions of a branch that is not taken are skipped, for whoever asks about them."""
        now = self._state.clock.now()
        for action in block.actions.values():
            result = ActionResult(
                action.name,
                action.type,
                Status.SKIPPED,
                "ActionSkipped",
                now,
                now,
                repetition=frame.repetition,
            )
            frame.actions[action.name.lower()] = result
            self._record(result)
            for inner in _inside(action):
                self._skip(inner, frame)

    async def _foreach(self, name: str, spec: Foreach, frame: Frame) -> Done:
        items = await actions.evaluate(frame, lambda: spec.source.value(frame))
        if not isinstance(items, list):
            raise ActionFailed(
                "ExpressionEvaluationFailed",
                f"The execution of template action '{name}' failed: the result of the evaluation "
                f"of 'foreach' expression is of type '{type_name(items)}'. The result must be a "
                "valid array.",
            )
        observed: list[dict[str, Any]] = []
        is_observed = name.lower() in self._state.workflow.observed
        statuses: set[Status] = set()
        numbered = iter(enumerate(items))

        async def work(pending: Iterator[tuple[int, Any]]) -> None:
            for number, item in pending:
                inner = frame.child(name, item, number)
                seen = observed if is_observed else None
                statuses.add(await self._block(spec.block, inner, seen))

        workers = min(spec.concurrency, len(items))
        await _all_or_cancel([asyncio.create_task(work(numbered)) for _ in range(workers)])
        frame.observed[name.lower()] = observed
        status = Status.FAILED if Status.FAILED in statuses else Status.SUCCEEDED
        return _holding(status, {"iterationCount": len(items)})


async def _all_or_cancel(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for all; the first exception, or a cancellation, ends the others first."""
    if not tasks:
        return
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


def _holding(status: Status, inputs: dict[str, Any] | None = None) -> Done:
    if status is Status.SUCCEEDED:
        return Done(inputs)
    return Done(inputs, None, status, "ActionFailed", _NOTHING_SUCCEEDED)


def _terminated(spec: Terminate, frame: Frame) -> Outcome:
    error = {
        "code": to_text(spec.code.value(frame)) or "Terminated",
        "message": to_text(spec.message.value(frame)),
    }
    return Outcome(spec.status, error if spec.status is Status.FAILED else None)


def _inside(action: Action) -> list[Block]:
    match action.spec:
        case Scope() | Foreach():
            return [action.spec.block]
        case If():
            return [action.spec.yes, action.spec.no]
        case Switch():
            return [*(block for _, block in action.spec.cases), action.spec.default]
        case _:
            return []
