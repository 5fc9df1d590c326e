"""The functions that look at the run: parameters, the trigger, other actions, variables, items.

What they look at is a `Context`, which `run` provides; nothing here is changed. Called by
`evaluate`.

Source: Logic Apps documentation, "Reference guide to workflow expression functions", section
"Workflow functions".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.functions.dates import instant_text
from emulator.logicapp.expressions.values import to_json


class Context(Protocol):
    """What an expression can see of a run; names are looked up without regard to case."""

    def parameter(self, name: str) -> Any:
        """A parameter's value."""

    def variable(self, name: str) -> Any:
        """A variable's value; raises ExpressionFailed if it is not initialized."""

    def action(self, name: str) -> dict[str, Any]:
        """An action's result so far: name, status, inputs, outputs, code and so on.

        Raises:
            ExpressionFailed: the action is not to be seen from here.
        """

    def results(self, name: str) -> list[dict[str, Any]]:
        """The results of the actions directly inside a scope or loop."""

    def item(self, loop: str | None) -> Any:
        """The current item of a loop, or of the innermost one."""

    def trigger(self) -> dict[str, Any]:
        """The trigger's result."""

    def workflow(self) -> dict[str, Any]:
        """The workflow and the run: ids, names."""

    def now(self) -> Any:
        """The present instant."""


@dataclass(frozen=True)
class ContextFunction:
    """A function of the language that is handed the context first."""

    name: str
    least: int
    most: int
    call: Callable[..., Any]


def _body(context: Context, name: Any) -> Any:
    return _member(context.action(_name("body", name)).get("outputs"), "body")


def _member(outputs: Any, name: str) -> Any:
    # A Compose's outputs are its value, so that `body` of it is its value too.
    if isinstance(outputs, dict) and name in outputs:
        return outputs[name]
    return None


def _outputs(context: Context, name: Any) -> Any:
    return context.action(_name("outputs", name)).get("outputs")


def _trigger_body(context: Context) -> Any:
    return _member(context.trigger().get("outputs"), "body")


def _name(function: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ExpressionFailed(
            f"The template function '{function}' expects a name, not '{to_json(value)}'."
        )
    return value


_ALL = [
    ContextFunction("parameters", 1, 1, lambda c, n: c.parameter(_name("parameters", n))),
    ContextFunction("variables", 1, 1, lambda c, n: c.variable(_name("variables", n))),
    ContextFunction("actions", 1, 1, lambda c, n: c.action(_name("actions", n))),
    ContextFunction("outputs", 1, 1, _outputs),
    ContextFunction("body", 1, 1, _body),
    ContextFunction("result", 1, 1, lambda c, n: c.results(_name("result", n))),
    ContextFunction("item", 0, 0, lambda c: c.item(None)),
    ContextFunction("items", 1, 1, lambda c, n: c.item(_name("items", n))),
    ContextFunction("trigger", 0, 0, lambda c: c.trigger()),
    ContextFunction("triggerOutputs", 0, 0, lambda c: c.trigger().get("outputs")),
    ContextFunction("triggerBody", 0, 0, _trigger_body),
    ContextFunction("workflow", 0, 0, lambda c: c.workflow()),
    ContextFunction("utcNow", 0, 0, lambda c: instant_text(c.now())),
]
CONTEXT_FUNCTIONS = {function.name.lower(): function for function in _ALL}
