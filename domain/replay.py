"""Replays: a new attempt at an order that failed, and which orders a bulk replay takes.

A replay goes in under the same instance id with the stored input, the next attempt's number, and
the results of the steps that had succeeded. A corrected order carries nothing over, since every
step depends on the body. Pure; the triggers fetch the runs and the kept results.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from domain.order import digest, is_usable_id, parse_instant
from domain.payloads import STEPS, ProcessOrderInput
from domain.status import DONE, InstanceView, order_status, state_of

MAX_REASON = 500
DEFAULT_PER_SECOND = 20
MAX_PER_SECOND = 100
_REPLAYABLE = frozenset({"failed", "terminated"})
# Steps whose result is worth carrying: after the last one there is nothing left to replay.
_CARRIED = tuple(STEPS)[:-1]


class InvalidReplay(ValueError):
    """The request cannot be understood; `field` names the member."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name


@dataclass(frozen=True)
class ReplayRequest:
    """What is asked of one order: why, by whom, and with which body instead of the stored one."""

    reason: str
    requested_by: str
    corrected: dict[str, Any] | None = None


@dataclass(frozen=True)
class Selection:
    """Which failed orders a bulk replay takes; what is None or empty does not restrict."""

    reason: str
    ids: frozenset[str] = frozenset()
    failed_after: datetime | None = None
    failed_before: datetime | None = None
    stage: str | None = None
    code: str | None = None
    is_dry_run: bool = False
    per_second: int = DEFAULT_PER_SECOND
    state: frozenset[str] = field(default=frozenset({"failed"}))

    def takes(self, run: InstanceView) -> bool:
        """Whether the run is one of those."""
        if state_of(run) not in self.state:
            return False
        if self.ids and order_id_of(run) not in self.ids:
            return False
        failed_at = parse_instant(run.updated_at)
        if self.failed_after and (failed_at is None or failed_at < self.failed_after):
            return False
        if self.failed_before and (failed_at is None or failed_at > self.failed_before):
            return False
        error = error_of(run)
        return (self.stage in (None, error.get("stage"))) and (
            self.code in (None, error.get("code"))
        )


def order_id_of(run: InstanceView) -> str:
    """The order that a run of `process_order` is about."""
    order = run.input.get("order")
    order_id = order.get("id") if isinstance(order, Mapping) else None
    return order_id if isinstance(order_id, str) else run.instance_id


def attempt_of(run: InstanceView) -> int:
    """The number of the attempt that the run is."""
    attempt = run.input.get("attempt", 1)
    return attempt if isinstance(attempt, int) else 1


def error_of(run: InstanceView) -> dict[str, Any]:
    """Stage, code and message of a run that ended badly; empty for any other."""
    return dict(order_status(order_id_of(run), run)["error"] or {})


def refusal(run: InstanceView, *, is_corrected: bool) -> str | None:
    """Why the run cannot be replayed, in a sentence; None when it can."""
    state = state_of(run)
    if state in _REPLAYABLE or (state == "rejected" and is_corrected):
        return None
    if state == "rejected":
        return "The order was rejected; replay it with a corrected order."
    if state == "processed":
        return "The order is processed; there is nothing to replay."
    return f"An attempt is under way ({state})."


def carried_steps(run: InstanceView, kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """Results of the steps that a replay does not run again, in the steps' order.

    Args:
        kept: results that the run's status had no room for.
    """
    results = run.custom_status.get("results")
    found = results if isinstance(results, Mapping) else (kept or {})
    return {name: found[name] for name in _CARRIED if name in found}


def next_input(
    run: InstanceView, kept: Mapping[str, Any] | None, request: ReplayRequest, started_at: str
) -> ProcessOrderInput:
    """The input of the next attempt, which starts at that time (RFC 3339)."""
    former = ProcessOrderInput.from_dict(run.input)
    told = {
        "reason": request.reason,
        "requestedBy": request.requested_by,
        "startedAt": started_at,
    }
    attempt = former.attempt + 1
    if request.corrected is not None:
        return ProcessOrderInput(
            order=request.corrected,
            digest=digest(request.corrected),
            attempt=attempt,
            source=former.source,
            replay=told,
        )
    return replace(former, attempt=attempt, carried=carried_steps(run, kept), replay=told)


def plan_entry(run: InstanceView, kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a replay of the run would reuse and what it would run again."""
    carried = carried_steps(run, kept)
    return {
        "orderId": order_id_of(run),
        "instanceId": run.instance_id,
        "attempt": attempt_of(run),
        "state": state_of(run),
        "failedAt": run.updated_at,
        "error": error_of(run),
        "reuse": list(carried),
        "run": [name for name in STEPS if name not in carried],
    }


def bulk_status(batch_id: str, run: InstanceView) -> dict[str, Any]:
    """The status of a bulk replay without its links."""
    states = {"Completed": "completed", "Failed": "failed", "Terminated": "terminated"}
    told = run.output if isinstance(run.output, Mapping) else run.custom_status
    total, queued = told.get("total", 0), told.get("queued", 0)
    state = states.get(run.runtime_status, "running")
    return {
        "batchId": batch_id,
        "state": state,
        "stage": DONE if state == "completed" else "queue",
        "total": total,
        "queued": queued,
        "running": total - queued,
        "submittedAt": run.created_at,
        "updatedAt": run.updated_at,
        "summary": dict(run.output) if isinstance(run.output, Mapping) else None,
    }


def read_request(body: Any, order_id: str, requested_by: str) -> ReplayRequest:
    """The body of a replay of one order.

    Raises:
        InvalidReplay: a member is missing, unknown or wrong.
    """
    given = _object(body, {"reason", "order"})
    corrected = given.get("order")
    if corrected is not None and (
        not isinstance(corrected, dict) or corrected.get("id") != order_id
    ):
        raise InvalidReplay("order", f"It is an order with the id '{order_id}'.")
    return ReplayRequest(_reason(given), requested_by, corrected)


def read_selection(body: Any) -> Selection:
    """The body of a bulk replay.

    Raises:
        InvalidReplay: a member is missing, unknown or wrong.
    """
    names = {"reason", "ids", "failedAfter", "failedBefore", "stage", "code", "dryRun"}
    given = _object(body, names | {"perSecond", "terminated"})
    ids = given.get("ids")
    # An empty list is more likely a search that found nothing than a wish for every failed order.
    if "ids" in given and not (ids and isinstance(ids, list) and all(map(is_usable_id, ids))):
        raise InvalidReplay("ids", "It is a list of order ids; leave it out to mean every order.")
    stage = _text(given, "stage")
    if stage is not None and stage not in STEPS:
        raise InvalidReplay("stage", f"It is one of {', '.join(STEPS)}.")
    per_second = given.get("perSecond", DEFAULT_PER_SECOND)
    if type(per_second) is not int or not 1 <= per_second <= MAX_PER_SECOND:
        raise InvalidReplay("perSecond", f"It is a whole number from 1 to {MAX_PER_SECOND}.")
    states = {"failed", "terminated"} if _flag(given, "terminated") else {"failed"}
    return Selection(
        reason=_reason(given),
        ids=frozenset(ids or ()),
        failed_after=_instant(given, "failedAfter"),
        failed_before=_instant(given, "failedBefore"),
        stage=stage,
        code=_text(given, "code"),
        is_dry_run=_flag(given, "dryRun"),
        per_second=per_second,
        state=frozenset(states),
    )


def _object(body: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidReplay("", 'The body is a JSON object such as {"reason": "..."}.')
    unknown = sorted(set(body) - known)
    if unknown:
        raise InvalidReplay(unknown[0], f"There is no such member; there are {sorted(known)}.")
    if nothing := [name for name, value in body.items() if value is None]:
        raise InvalidReplay(nothing[0], "It is null; leave it out instead.")
    return body


def _reason(given: Mapping[str, Any]) -> str:
    reason = given.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MAX_REASON:
        raise InvalidReplay("reason", f"It says why, in 1 to {MAX_REASON} characters.")
    return reason.strip()


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidReplay(name, "It is a string.")
    return value


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise InvalidReplay(name, "It is true or false.")
    return value


def _instant(given: Mapping[str, Any], name: str) -> datetime | None:
    value = given.get(name)
    if value is None:
        return None
    instant = parse_instant(value) if isinstance(value, str) else None
    if instant is None:
        raise InvalidReplay(name, "It is a time of RFC 3339 with its offset.")
    return instant
