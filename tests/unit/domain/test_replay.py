"""Which orders are replayed, with what, and what a request for it may say."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.order import digest
from domain.replay import (
    DEFAULT_PER_SECOND,
    MAX_REASON,
    InvalidReplay,
    ReplayRequest,
    Selection,
    attempt_of,
    bulk_status,
    carried_steps,
    error_of,
    next_input,
    order_id_of,
    plan_entry,
    read_request,
    read_selection,
    refusal,
)
from domain.status import InstanceView
from tests.support.orders import an_order, order_input

VALID: dict[str, Any] = {"errors": []}
ENRICHED: dict[str, Any] = {"totals": {"total": "47.76"}}
ERROR = {"stage": "persist", "code": "STORE_REFUSED", "message": "No."}
FAILED = InstanceView(
    instance_id="ORD-1:batch:0123456789ab",
    name="process_order",
    runtime_status="Failed",
    created_at="2026-11-20T09:30:00Z",
    updated_at="2026-11-20T09:30:05Z",
    input=order_input(),
    custom_status={
        "stage": "persist",
        "error": ERROR,
        "results": {"enrich": ENRICHED, "validate": VALID, "notify": {"eventId": "e"}},
    },
    output="ORDER_FAILED",
)
ASKED = ReplayRequest("the store is back", "op-7")
AT = "2026-11-20T10:00:00.123Z"


def ended(runtime_status: str, output: Any = None) -> InstanceView:
    return replace(FAILED, runtime_status=runtime_status, output=output)


@pytest.mark.parametrize(
    ("run", "plain", "corrected"),
    [
        (ended("Failed", "text"), None, None),
        (ended("Terminated", "by hand"), None, None),
        (ended("Canceled"), None, None),
        (ended("Completed", {"status": "rejected"}), "corrected order", None),
        (ended("Completed", {"status": "processed"}), "nothing to", "nothing to"),
        (ended("Pending"), "under way (queued)", "under way"),
        (ended("Running"), "under way (running)", "under way"),
        (ended("Suspended"), "under way (running)", "under way"),
    ],
)
def test_refusal(run: InstanceView, plain: str | None, corrected: str | None) -> None:
    for is_corrected, expected in ((False, plain), (True, corrected)):
        reason = refusal(run, is_corrected=is_corrected)
        if expected is None:
            assert reason is None
        else:
            assert reason is not None
            assert expected in reason


def test_steps_are_carried_in_their_order_and_the_last_never() -> None:
    assert list(carried_steps(FAILED, None).items()) == [
        ("validate", VALID),
        ("enrich", ENRICHED),
    ]


def test_kept_results_stand_in_for_those_the_status_had_no_room_for() -> None:
    bare = replace(FAILED, custom_status={"stage": "persist"})
    assert carried_steps(bare, {"validate": VALID}) == {"validate": VALID}
    assert carried_steps(bare, None) == {}
    # What the status says is what the run did; what was kept may be of a former attempt.
    assert carried_steps(FAILED, {"persist": {}}).keys() == {"validate", "enrich"}


def test_next_attempt_has_the_stored_order_and_who_asked() -> None:
    value = next_input(FAILED, None, ASKED, AT)
    assert (value.attempt, value.order, value.digest) == (2, an_order(), "d" * 64)
    assert value.source.message_id == "m-1"
    assert value.carried == {"validate": VALID, "enrich": ENRICHED}
    assert value.replay == {
        "reason": "the store is back",
        "requestedBy": "op-7",
        "startedAt": AT,
    }


def test_next_attempt_with_a_corrected_order_carries_nothing() -> None:
    right = an_order(currency="USD")
    value = next_input(FAILED, None, replace(ASKED, corrected=right), AT)
    assert (value.attempt, value.order, value.digest) == (2, right, digest(right))
    assert value.carried == {}
    assert value.source.message_id == "m-1"


def test_each_attempt_counts_on() -> None:
    again = replace(FAILED, input=next_input(FAILED, None, ASKED, AT).to_dict())
    assert next_input(again, None, ASKED, AT).attempt == 3


def test_what_a_run_says_of_itself() -> None:
    assert (order_id_of(FAILED), attempt_of(FAILED), error_of(FAILED)) == ("ORD-1", 1, ERROR)
    bare = replace(FAILED, input={}, custom_status={}, runtime_status="Running")
    assert (order_id_of(bare), attempt_of(bare)) == (FAILED.instance_id, 1)
    assert error_of(bare) == {}
    assert attempt_of(replace(FAILED, input={"attempt": "two"})) == 1


def test_plan_tells_what_is_reused_and_what_is_run() -> None:
    assert plan_entry(FAILED, None) == {
        "orderId": "ORD-1",
        "instanceId": FAILED.instance_id,
        "attempt": 1,
        "state": "failed",
        "failedAt": "2026-11-20T09:30:05Z",
        "error": ERROR,
        "reuse": ["validate", "enrich"],
        "run": ["persist", "notify"],
    }


FAILED_AT = datetime(2026, 11, 20, 9, 30, 5, tzinfo=UTC)
BEFORE, AFTER = FAILED_AT.replace(second=4), FAILED_AT.replace(second=6)


@pytest.mark.parametrize(
    ("filters", "takes"),
    [
        ({}, True),
        ({"ids": frozenset({"ORD-1", "ORD-2"})}, True),
        ({"ids": frozenset({"ORD-2"})}, False),
        ({"failed_after": FAILED_AT, "failed_before": FAILED_AT}, True),
        ({"failed_after": AFTER}, False),
        ({"failed_before": BEFORE}, False),
        ({"failed_after": BEFORE, "failed_before": AFTER}, True),
        ({"stage": "persist"}, True),
        ({"stage": "notify"}, False),
        ({"code": "STORE_REFUSED"}, True),
        ({"code": "STORE_BUSY"}, False),
        ({"stage": "persist", "code": "STORE_BUSY"}, False),
        ({"state": frozenset({"terminated"})}, False),
    ],
)
def test_selection_takes_what_every_filter_takes(filters: dict[str, Any], takes: bool) -> None:
    assert Selection("x", **filters).takes(FAILED) is takes


def test_selection_takes_terminated_orders_only_when_asked_to() -> None:
    stopped = ended("Terminated", "by hand")
    assert not Selection("x").takes(stopped)
    assert Selection("x", state=frozenset({"failed", "terminated"})).takes(stopped)


def test_run_without_a_time_is_in_no_span() -> None:
    timeless = replace(FAILED, updated_at=None)
    assert not Selection("x", failed_after=BEFORE).takes(timeless)
    assert not Selection("x", failed_before=AFTER).takes(timeless)
    assert Selection("x").takes(timeless)


def test_request_is_read() -> None:
    order = an_order()
    assert read_request({"reason": " why "}, "ORD-1", "op") == ReplayRequest("why", "op")
    assert read_request({"reason": "x", "order": order}, "ORD-1", "op").corrected == order


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        (None, ""),
        ({}, "reason"),
        ({"reason": "\t"}, "reason"),
        ({"reason": 7}, "reason"),
        ({"reason": "x" * (MAX_REASON + 1)}, "reason"),
        ({"reason": "x", "orders": []}, "orders"),
        ({"reason": "x", "order": []}, "order"),
        ({"reason": "x", "order": {"id": "ORD-2"}}, "order"),
    ],
)
def test_request_that_cannot_be_understood(body: Any, field: str) -> None:
    with pytest.raises(InvalidReplay) as caught:
        read_request(body, "ORD-1", "op")
    assert caught.value.field == field


def test_selection_is_read() -> None:
    assert read_selection({"reason": "x"}) == Selection("x", per_second=DEFAULT_PER_SECOND)
    told = {
        "reason": "x" * MAX_REASON,
        "ids": ["A", "B", "A"],
        "failedAfter": "2026-11-20T10:30:04+01:00",
        "failedBefore": "2026-11-20T09:30:06Z",
        "stage": "persist",
        "code": "STORE_REFUSED",
        "dryRun": True,
        "perSecond": 100,
        "terminated": True,
    }
    assert read_selection(told) == Selection(
        reason="x" * MAX_REASON,
        ids=frozenset({"A", "B"}),
        failed_after=BEFORE,
        failed_before=AFTER,
        stage="persist",
        code="STORE_REFUSED",
        is_dry_run=True,
        per_second=100,
        state=frozenset({"failed", "terminated"}),
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": None}, "reason"),
        ({"id": "A"}, "id"),
        ({"ids": "A"}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": None}, "ids"),
        ({"ids": 0}, "ids"),
        ({"stage": None}, "stage"),
        ({"ids": ["A", "b/c"]}, "ids"),
        ({"ids": [7]}, "ids"),
        ({"failedAfter": "2026-11-20T09:30:05"}, "failedAfter"),
        ({"failedBefore": 5}, "failedBefore"),
        ({"stage": "pay"}, "stage"),
        ({"stage": 1}, "stage"),
        ({"code": 1}, "code"),
        ({"dryRun": "yes"}, "dryRun"),
        ({"terminated": 1}, "terminated"),
        ({"perSecond": 0}, "perSecond"),
        ({"perSecond": 101}, "perSecond"),
        ({"perSecond": True}, "perSecond"),
        ({"perSecond": 1.5}, "perSecond"),
    ],
)
def test_selection_that_cannot_be_understood(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidReplay) as caught:
        read_selection({"reason": "x", **changes})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("runtime_status", "custom_status", "output", "state", "queued", "stage"),
    [
        ("Running", {"total": 5, "queued": 2}, None, "running", 2, "queue"),
        ("Pending", {}, None, "running", 0, "queue"),
        ("Completed", {}, {"total": 5, "queued": 5}, "completed", 5, "done"),
        ("Failed", {"total": 5, "queued": 2}, "text", "failed", 2, "queue"),
    ],
)
def test_status_of_a_bulk_replay(  # noqa: PLR0917 - columns of a table
    runtime_status: str,
    custom_status: dict[str, Any],
    output: Any,
    state: str,
    queued: int,
    stage: str,
) -> None:
    run = replace(ended(runtime_status, output), custom_status=custom_status)
    told = bulk_status("replay-1", run)
    assert (told["state"], told["queued"], told["stage"]) == (state, queued, stage)
    assert told["running"] == told["total"] - queued
    assert told["summary"] == (output if isinstance(output, dict) else None)
