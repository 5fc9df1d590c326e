"""From what the task hub knows to what the API tells."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import OrderFailure
from domain.status import (
    FINAL_STATES,
    FOLLOWS,
    InstanceView,
    batch_status,
    carried_results,
    item_status,
    leading,
    may_follow,
    order_status,
    queued_status,
    state_of,
)

VIEW = InstanceView(
    instance_id="ORD-1",
    name="process_order",
    runtime_status="Running",
    created_at="2026-11-20T09:30:00Z",
    updated_at="2026-11-20T09:30:05Z",
    input={"attempt": 2, "source": {"enqueuedAt": "2026-11-20T09:29:59.000Z"}},
    custom_status={
        "stage": "persist",
        "attempt": 2,
        "steps": [{"name": "validate", "state": "completed"}],
        "waitingFor": {"what": "activity persist_order", "since": "t", "until": None},
    },
    output=None,
)


@pytest.mark.parametrize(
    ("runtime_status", "output", "state"),
    [
        ("Pending", None, "queued"),
        ("Running", None, "running"),
        ("Suspended", None, "running"),
        ("ContinuedAsNew", None, "running"),
        ("Completed", {"status": "processed"}, "processed"),
        ("Completed", {"status": "rejected"}, "rejected"),
        ("Failed", "text", "failed"),
        ("Terminated", "reason", "terminated"),
        ("Canceled", None, "terminated"),
    ],
)
def test_states(runtime_status: str, output: Any, state: str) -> None:
    view = replace(VIEW, runtime_status=runtime_status, output=output)
    assert state_of(view) == state
    assert state in FOLLOWS


def test_a_running_order_tells_its_stage_and_what_it_waits_for() -> None:
    told = order_status("ORD-1", VIEW)
    assert told == {
        "orderId": "ORD-1",
        "state": "running",
        "stage": "persist",
        "attempt": 2,
        "submittedAt": "2026-11-20T09:29:59.000Z",
        "updatedAt": "2026-11-20T09:30:05Z",
        "steps": [{"name": "validate", "state": "completed"}],
        "error": None,
        "waitingFor": {"what": "activity persist_order", "since": "t", "until": None},
    }


@pytest.mark.parametrize(
    ("changes", "latest"),
    [
        ({}, "2026-11-20T09:30:05Z"),
        ({"updated_at": "2026-11-20T09:29:59Z"}, "2026-11-20T09:29:59.500Z"),
        (
            {"custom_status": {"steps": [{"started": "2026-11-20T09:30:05.250000Z"}]}},
            "2026-11-20T09:30:05.250000Z",
        ),
        (
            {"input": {"replay": {"startedAt": "2026-11-20T09:30:05.100Z"}}},
            "2026-11-20T09:30:05.100Z",
        ),
        ({"updated_at": None, "created_at": None, "input": {}, "custom_status": {}}, None),
    ],
)
def test_the_time_of_the_latest_change_does_not_lie_before_what_is_told(
    changes: dict[str, Any], latest: str | None
) -> None:
    source = {"source": {"enqueuedAt": "2026-11-20T09:29:59.500Z"}}
    view = replace(VIEW, **{"input": source, "custom_status": {}} | changes)
    assert order_status("ORD-1", view)["updatedAt"] == latest


def test_a_failed_order_tells_where_and_why() -> None:
    error = {"stage": "persist", "code": "STORE_BUSY", "message": "m"}
    view = replace(VIEW, runtime_status="Failed", custom_status={"error": error})
    told = order_status("ORD-1", view)
    assert (told["state"], told["error"], told["waitingFor"]) == ("failed", error, None)


def test_a_failure_is_read_from_the_output_when_the_custom_status_lacks_it() -> None:
    text = OrderFailure("notify", "UNEXPECTED", 6, "m").to_text()
    output = f"Orchestrator function 'process_order' failed: {text}"
    view = replace(VIEW, runtime_status="Failed", custom_status={}, output=output)
    assert order_status("ORD-1", view)["error"] == {
        "stage": "notify",
        "code": "UNEXPECTED",
        "message": "m",
    }


def test_a_crash_of_the_orchestrator_itself_is_told_too() -> None:
    view = replace(VIEW, runtime_status="Failed", custom_status={"stage": "enrich"}, output="boom")
    assert order_status("ORD-1", view)["error"] == {
        "stage": "enrich",
        "code": "UNEXPECTED",
        "message": "boom",
    }


def test_a_terminated_order_tells_the_reason() -> None:
    view = replace(VIEW, runtime_status="Terminated", output="by ops")
    told = order_status("ORD-1", view)
    assert told["error"] == {"stage": "persist", "code": "TERMINATED", "message": "by ops"}


def test_pending_and_suspended_orders_say_what_they_wait_for() -> None:
    pending = order_status("ORD-1", replace(VIEW, runtime_status="Pending", custom_status={}))
    assert pending["waitingFor"] == {"what": "a worker", "since": VIEW.created_at, "until": None}
    assert [step["state"] for step in pending["steps"]] == ["pending"] * 4
    suspended = order_status("ORD-1", replace(VIEW, runtime_status="Suspended"))
    assert "operator" in suspended["waitingFor"]["what"]


def test_a_final_state_is_followed_by_nothing_in_its_attempt() -> None:
    for state in FINAL_STATES:
        for other in FOLLOWS:
            assert may_follow((state, 1), (other, 1)) is (other == state)
            assert may_follow((state, 1), (other, 2))
            assert not may_follow((state, 2), (other, 1))


def test_an_order_that_is_only_queued_or_only_an_item_has_a_status_of_the_same_shape() -> None:
    names = order_status("ORD-1", VIEW).keys()
    assert queued_status("ORD-1", "t").keys() == names
    item = {"id": "ORD-1", "status": "rejected", "attempt": 3, "processedAt": "p"}
    told = item_status(item)
    assert told.keys() == names
    assert (told["state"], told["attempt"]) == ("rejected", 3)


def view(status: str, created: str, instance_id: str = "x") -> InstanceView:
    return replace(VIEW, runtime_status=status, created_at=created, instance_id=instance_id)


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ([], None),
        ([view("Failed", "1", "a"), view("Completed", "0", "b")], "b"),
        ([view("Completed", "0", "a"), view("Running", "1", "b")], "a"),
        ([view("Failed", "1", "a"), view("Terminated", "2", "b")], "b"),
        ([view("Failed", "1", "a"), view("Running", "0", "b")], "b"),
    ],
)
def test_of_several_runs_one_says_how_the_order_stands(views: Any, expected: str | None) -> None:
    found = leading(views)
    assert (found.instance_id if found else None) == expected


def test_results_of_a_failed_run_come_back_for_a_replay() -> None:
    assert carried_results(replace(VIEW, custom_status={"results": {"a": 1}})) == {"a": 1}
    assert carried_results(VIEW) is None


def test_a_running_batch_counts_what_its_running_chunks_have_done() -> None:
    batch = replace(
        VIEW,
        custom_status={"stage": "run", "total": 120, "processed": 50, "running": 69, "invalid": 1},
    )
    chunk = replace(VIEW, custom_status={"processed": 10, "failed": 2, "rejected": 1})
    told = batch_status("day-1", batch, [chunk, replace(VIEW, custom_status={})])
    assert (told["processed"], told["failed"], told["rejected"], told["running"]) == (60, 2, 1, 56)
    assert told["state"] == "running"
    assert told["summary"] is None


def test_a_completed_batch_tells_its_summary() -> None:
    summary = {"batchId": "day-1", "total": 1, "processed": 1, "running": 0, "notProcessed": []}
    told = batch_status("day-1", replace(VIEW, runtime_status="Completed", output=summary), [])
    assert (told["state"], told["processed"], told["summary"]) == ("completed", 1, summary)
