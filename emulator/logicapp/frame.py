"""What an expression sees: the run, and the items and results of the loops around it.

A frame is the run's outermost level, or one iteration of a loop. Results of actions inside an
iteration are seen from inside only, those of scopes from everywhere after.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulator.clock import Clock
from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.model import ActionResult, Workflow


@dataclass
class RunState:
    """What all frames of a run share."""

    workflow: Workflow
    run_id: str
    trigger: Mapping[str, Any]
    clock: Clock
    variables: dict[str, Any] = field(default_factory=dict)
    variable_types: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parameters = {name.lower(): value for name, value in self.workflow.parameters.items()}


@dataclass
class Frame:
    """One level; the context of its expressions.

    Attributes:
        loop: the loop's name in lower case; None for the outermost level.
        repetition: which iteration, as the run history names it.
        observed: results of scopes and loops that an expression asks for, by name in lower case.
    """

    state: RunState
    parent: "Frame | None" = None
    loop: str | None = None
    current: Any = None
    repetition: str | None = None
    actions: dict[str, ActionResult] = field(default_factory=dict)
    observed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def parameter(self, name: str) -> Any:
        """A parameter's value."""
        return self.state.parameters[name.lower()]

    def variable(self, name: str) -> Any:
        """A variable's value."""
        try:
            return self.state.variables[name.lower()]
        except KeyError:
            raise ExpressionFailed(
                f"The variable '{name}' must be initialized before it can be used."
            ) from None

    def action(self, name: str) -> dict[str, Any]:
        """An action's result."""
        frame: Frame | None = self
        while frame is not None:
            found = frame.actions.get(name.lower())
            if found is not None:
                return found.to_dict()
            frame = frame.parent
        raise ExpressionFailed(
            f"The template action '{name}' is not defined in the template, or has not run yet "
            "where it can be seen."
        )

    def results(self, name: str) -> list[dict[str, Any]]:
        """The results of the actions directly inside a scope or loop."""
        frame: Frame | None = self
        while frame is not None:
            if name.lower() in frame.observed:
                return frame.observed[name.lower()]
            frame = frame.parent
        raise ExpressionFailed(f"The scoped action '{name}' has not run yet.")

    def item(self, loop: str | None) -> Any:
        """The current item of a loop, or of the innermost one."""
        wanted = None if loop is None else loop.lower()
        frame: Frame | None = self
        while frame is not None:
            if frame.loop is not None and wanted in (None, frame.loop):
                return frame.current
            frame = frame.parent
        raise ExpressionFailed("The function 'item' is used outside of a loop.")

    def trigger(self) -> dict[str, Any]:
        """The trigger's result."""
        return dict(self.state.trigger)

    def workflow(self) -> dict[str, Any]:
        """The workflow and the run."""
        name = self.state.workflow.name
        return {
            "id": f"/workflows/{name}",
            "name": name,
            "run": {"id": f"/workflows/{name}/runs/{self.state.run_id}", "name": self.state.run_id},
        }

    def now(self) -> datetime:
        """The present instant."""
        return self.state.clock.now()

    def child(self, loop: str, item: Any, number: int) -> "Frame":
        """The frame of one iteration of a loop inside this one."""
        own = f"{number:06d}"
        outer = f"{self.repetition}-{own}" if self.repetition else own
        return Frame(self.state, self, loop.lower(), item, outer)
