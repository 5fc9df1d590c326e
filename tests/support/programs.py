"""Random orchestrations: programs as data, one orchestrator that runs any of them, and what each
must return.

A program is a list of steps; a step yields one expression. The value of every expression is known
beforehand, so a run that gives a value to the wrong task is seen. Expressions that fail stand only
where the library can bear it: alone, or in a flat `all` (its own defect with nested ones is left
out, see the protocol specification's quirk Q6).
"""

from datetime import timedelta
from random import Random
from typing import Any

import azure.durable_functions as df

Expression = dict[str, Any]


class Programs:
    """Makes programs.

    Args:
        heals: whether some activities fail until `healed` is set: for rewinds.
    """

    def __init__(self, seed: int, *, heals: bool = False) -> None:
        self._random = Random(seed)
        self._seed = seed
        self._heals = heals
        self._count = 0

    def program(self) -> list[Expression]:
        """A program of one to six steps."""
        return [self._step() for _ in range(self._random.randint(1, 6))]

    def _step(self) -> Expression:
        kind = self._random.choice(["one", "one", "all", "any", "failing", "signal", "status"])
        if kind == "one":
            return self._leaf()
        if kind == "all":
            return {"do": "all", "of": self._members(2)}
        if kind == "any":
            members = self._members(1)
            for member in members:  # the library hands a failed winner on as a value
                member.pop("sick", None)
            return {"do": "any", "of": members}
        if kind == "failing":
            members = [self._leaf() for _ in range(self._random.randint(0, 3))]
            members.insert(self._random.randint(0, len(members)), self._failing())
            return {"do": "try", "of": members}
        return {"do": kind, "n": self._next()}

    def _members(self, depth: int) -> list[Expression]:
        members = []
        for _ in range(self._random.randint(1, 5)):
            if depth > 1 and self._random.random() < 0.25:
                members.append({"do": "all", "of": self._members(depth - 1)})
            else:
                members.append(self._leaf())
        return members

    def _leaf(self) -> Expression:
        number = self._next()
        kinds = ["activity", "activity", "retry", "child", "child_retry", "timer", "entity", "long"]
        kind = self._random.choice(kinds)
        leaf: Expression = {"do": kind, "n": number}
        if kind in ("retry", "child_retry"):
            leaf["fails"] = self._random.randint(0, 2)
        if kind == "child":
            leaf["named"] = self._random.random() < 0.3
        if self._heals and kind in ("activity", "child") and self._random.random() < 0.3:
            leaf["sick"] = True
        return leaf

    def _failing(self) -> Expression:
        kind = self._random.choice(["activity", "retry", "child", "child_retry"])
        return {"do": kind, "n": self._next(), "fails": 99}

    def _next(self) -> int:
        self._count += 1
        return self._seed * 100_000 + self._count


def program(ctx: df.DurableOrchestrationContext) -> Any:
    """The orchestrator that runs a program given as its input."""
    results = []
    for step in ctx.get_input():
        if step["do"] == "signal":
            ctx.signal_entity(df.EntityId("echo", str(step["n"] % 7)), "echo", step["n"])
        elif step["do"] == "status":
            ctx.set_custom_status(step["n"])
        elif step["do"] == "any":
            winner = yield ctx.task_any([_task(ctx, member) for member in step["of"]])
            results.append(["any", winner.result])
        elif step["do"] == "try":
            try:
                yield ctx.task_all([_task(ctx, member) for member in step["of"]])
            except Exception:  # noqa: BLE001 - the library raises nothing narrower
                results.append("failed")
        else:
            results.append((yield _task(ctx, step)))
    return results


def _task(ctx: df.DurableOrchestrationContext, step: Expression) -> Any:  # noqa: PLR0911
    retry = df.RetryOptions(1, 3)
    match step["do"]:
        case "activity":
            return ctx.call_activity("work", step)
        case "retry":
            return ctx.call_activity_with_retry("work", retry, step)
        case "child":
            named = f"child-{step['n']}" if step.get("named") else None
            return ctx.call_sub_orchestrator("kid", step, named)
        case "child_retry":
            return ctx.call_sub_orchestrator_with_retry("kid", retry, step)
        case "timer":
            return ctx.create_timer(ctx.current_utc_datetime + timedelta(milliseconds=3))
        case "long":
            return ctx.create_timer(ctx.current_utc_datetime - timedelta(days=step["n"] % 9))
        case "entity":
            return ctx.call_entity(df.EntityId("echo", str(step["n"] % 7)), "echo", step["n"])
    return ctx.task_all([_task(ctx, member) for member in step["of"]])


def kid(ctx: df.DurableOrchestrationContext) -> Any:
    """A child that does one activity."""
    return (yield ctx.call_activity("work", ctx.get_input()))


def echo(context: df.DurableEntityContext) -> None:
    """An entity that answers with what it was given."""
    context.set_result(context.get_input())


class Worker:
    """The activity: fails as often as the expression says, then returns its number."""

    def __init__(self) -> None:
        self.calls: dict[int, int] = {}
        self.healed = False

    def __call__(self, step: Expression) -> int:
        number: int = step["n"]
        self.calls[number] = self.calls.get(number, 0) + 1
        if self.calls[number] <= step.get("fails", 0):
            raise ValueError(f"{number} fails")
        if step.get("sick") and not self.healed:
            raise ValueError(f"{number} is sick")
        return number


def fits(program: list[Expression], results: list[Any]) -> bool:
    """Whether these are results that the program may return."""
    yielding = [step for step in program if step["do"] not in ("signal", "status")]
    return len(results) == len(yielding) and all(
        _fits(step, result) for step, result in zip(yielding, results, strict=True)
    )


def _fits(step: Expression, result: Any) -> bool:
    if step["do"] == "try":
        return bool(result == "failed")
    if step["do"] == "any":
        return result[0] == "any" and any(_fits(member, result[1]) for member in step["of"])
    if step["do"] == "all":
        return len(result) == len(step["of"]) and all(
            _fits(member, each) for member, each in zip(step["of"], result, strict=True)
        )
    return bool(result == (None if step["do"] in ("timer", "long") else step["n"]))
