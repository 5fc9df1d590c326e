"""What an order's custom status tells while it runs, and what it carries when it fails.

Read by `domain/status.py`. The task hub refuses a custom status above 16 KB, so texts are short and
the results of a failed run go in only where they fit. Times are the orchestrator's own clock.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.errors import Failure, OrderFailure
from domain.payloads import STEPS
from orchestrators._context import OrchestrationContext

# The hub's limit is 16 KB of UTF-16; the JSON text here is ASCII, two bytes a character.
MAX_STATUS_BYTES = 16_000
_MAX_STEP_MESSAGE = 200


def instant(moment: datetime) -> str:
    """A time as every payload tells it; texts sort as the times do."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def status_bytes(status: Mapping[str, Any]) -> int:
    """The size that the hub's limit is about, or a little more."""
    return 2 * len(json.dumps(status))


class Progress:
    """The steps of one attempt at an order, shown as custom status at every change."""

    def __init__(self, context: OrchestrationContext, attempt: int) -> None:
        self._context = context
        self._attempt = attempt
        self._steps = {name: _step(name) for name in STEPS}
        self._waiting: dict[str, Any] | None = None
        self._stage = next(iter(STEPS))

    def observe(self, name: str) -> "StepProgress":
        """What shows the attempts of a step."""
        return StepProgress(self, name)

    def skip(self, name: str, state: str = "skipped") -> None:
        """The step is not run: it is not needed, or its result was `carried` from before."""
        self._steps[name]["state"] = state
        self._show()

    def begin(self, name: str, attempt: int) -> None:
        """An attempt at the step begins."""
        now = self._now()
        step = self._steps[name]
        step.update(state="running", attempts=attempt, started=step["started"] or now)
        self._stage = name
        self._waiting = {"what": f"activity {STEPS[name]}", "since": now, "until": None}
        self._show()

    def wait(self, name: str, attempt: int, failure: Failure, until: datetime) -> None:
        """An attempt failed and another will be made."""
        self._steps[name].update(state="waiting", error=_short(failure))
        self._waiting = {
            "what": f"retry {attempt + 1} of {STEPS[name]} after {failure.code}",
            "since": self._now(),
            "until": instant(until),
        }
        self._show()

    def complete(self, name: str) -> None:
        """The step has its result."""
        self._steps[name].update(state="completed", completed=self._now(), error=None)
        self._waiting = None
        self._show()

    def fail(self, failure: OrderFailure, results: Mapping[str, Any]) -> bool:
        """The order cannot go on. Returns whether the results fitted into the status."""
        self._steps[failure.stage].update(
            state="failed",
            completed=self._now(),
            error=_short(Failure(failure.code, failure.message, False)),
        )
        self._waiting = None
        status = {**self._status(), "error": failure.to_dict()}
        full = {**status, "results": dict(results)}
        fits = status_bytes(full) <= MAX_STATUS_BYTES
        self._context.set_custom_status(full if fits else status)
        return fits

    def _now(self) -> str:
        return instant(self._context.current_utc_datetime)

    def _status(self) -> dict[str, Any]:
        return {
            "stage": self._stage,
            "attempt": self._attempt,
            "steps": [dict(step) for step in self._steps.values()],
            "waitingFor": self._waiting,
        }

    def _show(self) -> None:
        self._context.set_custom_status(self._status())


class StepProgress:
    """Tells the progress of one step, in the words of `_retry.Observer`."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name

    def attempt_begins(self, attempt: int) -> None:
        """An attempt begins."""
        self._progress.begin(self._name, attempt)

    def waits(self, attempt: int, failure: Failure, until: datetime) -> None:
        """An attempt failed and another will be made at `until`."""
        self._progress.wait(self._name, attempt, failure, until)


def _step(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "state": "pending",
        "started": None,
        "completed": None,
        "attempts": 0,
        "error": None,
    }


def _short(failure: Failure) -> dict[str, str]:
    return {"code": failure.code, "message": failure.message[:_MAX_STEP_MESSAGE]}
