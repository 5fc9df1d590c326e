"""One order through the real library: what is asked for, what is shown, how it ends."""

import logging
from typing import Any

import pytest

from orchestrators._progress import MAX_STATUS_BYTES, status_bytes
from orchestrators.process_order import process_order
from tests.support.orders import order_input
from tests.support.recording import Driver, Failed
from tests.support.stories import ENRICHED, FAULT, WRITTEN, steps

BUSY = Failed("StepError: [STORE_BUSY] The order store is busy (429).")
REFUSED = Failed("StepError: [STORE_REFUSED] The order store refuses the request (403).")


def driven(value: dict[str, Any] | None = None, **answers: Any) -> Driver:
    return Driver(process_order, value or order_input(), steps(**answers))


def names(driver: Driver) -> list[str]:
    return [task.name for task in driver.asked]


def shown(status: Any) -> list[tuple[str, str, int]]:
    return [(step["name"], step["state"], step["attempts"]) for step in status["steps"]]


def test_an_order_is_validated_enriched_persisted_and_told() -> None:
    driver = driven()
    reply = driver.run()
    assert names(driver) == ["validate_order", "enrich_order", "persist_order", "notify_order"]
    assert reply.output == {
        "orderId": "ORD-1",
        "status": "processed",
        "attempt": 1,
        "digest": "d" * 64,
        "write": "created",
        "errors": [],
    }
    persist, notify = driver.asked[2].input, driver.asked[3].input
    assert persist["totals"] == ENRICHED["totals"]
    assert (persist["status"], persist["instanceId"], persist["attempt"]) == (
        "processed",
        "ORD-1",
        1,
    )
    assert notify["processedAt"] == WRITTEN["processedAt"]
    assert notify["customerId"] == "C-1042"


def test_a_refused_order_is_persisted_and_told_as_rejected() -> None:
    driver = driven(
        validate_order={"errors": [FAULT]}, persist_order={**WRITTEN, "status": "rejected"}
    )
    reply = driver.run()
    assert names(driver) == ["validate_order", "persist_order", "notify_order"]
    assert (reply.output["status"], reply.output["errors"]) == ("rejected", [FAULT])
    assert driver.asked[1].input["status"] == "rejected"
    assert driver.asked[2].input["errors"] == [FAULT]
    assert ("enrich", "skipped", 0) in shown(driver.statuses[-1])


def test_progress_is_shown_at_every_step() -> None:
    driver = driven(persist_order=[BUSY, WRITTEN])
    driver.run()
    assert [status["stage"] for status in driver.statuses] == [
        *("validate", "enrich", "persist", "persist", "persist", "notify", "notify")
    ]
    waiting = driver.statuses[3]
    assert ("persist", "waiting", 1) in shown(waiting)
    assert waiting["waitingFor"]["what"] == "retry 2 of persist_order after STORE_BUSY"
    assert waiting["waitingFor"]["until"] > waiting["waitingFor"]["since"]
    assert waiting["steps"][2]["error"]["code"] == "STORE_BUSY"
    assert shown(driver.statuses[-1]) == [
        ("validate", "completed", 1),
        ("enrich", "completed", 1),
        ("persist", "completed", 2),
        ("notify", "completed", 1),
    ]
    assert driver.statuses[-1]["waitingFor"] is None


def test_a_step_is_tried_again_with_growing_waits_and_no_timer_after_the_last() -> None:
    driver = driven(persist_order=BUSY)
    reply = driver.run()
    tail = names(driver)[2:]
    assert tail == ["persist_order", "timer"] * 5 + ["persist_order"]
    assert reply.error is not None
    assert reply.error.startswith("ORDER_FAILED stage=persist code=STORE_BUSY attempts=6: ")


def test_what_no_retry_can_help_ends_at_once() -> None:
    driver = driven(persist_order=REFUSED)
    reply = driver.run()
    assert names(driver)[2:] == ["persist_order"]
    assert reply.error == (
        "ORDER_FAILED stage=persist code=STORE_REFUSED attempts=1: "
        "The order store refuses the request (403)."
    )


def test_a_failed_order_shows_its_error_and_carries_its_results() -> None:
    driver = driven(notify_order=REFUSED)
    driver.run()
    status = driver.statuses[-1]
    assert status["error"] == {
        "stage": "notify",
        "code": "STORE_REFUSED",
        "message": "The order store refuses the request (403).",
    }
    assert status["results"] == {
        "validate": {"errors": []},
        "enrich": ENRICHED,
        "persist": WRITTEN,
    }
    assert ("notify", "failed", 1) in shown(status)


def test_results_that_the_status_cannot_hold_are_kept_by_an_activity() -> None:
    large = {**ENRICHED, "enrichment": {"products": ["é" * 50] * 100}}
    driver = driven(enrich_order=large, persist_order=REFUSED)
    driver.run()
    status = driver.statuses[-1]
    assert "results" not in status
    assert status["error"]["code"] == "STORE_REFUSED"
    assert status_bytes(status) <= MAX_STATUS_BYTES
    assert driver.asked[-1].name == "keep_results"
    assert driver.asked[-1].input == {
        "instanceId": "ORD-1",
        "results": {"validate": {"errors": []}, "enrich": large},
    }


def test_an_order_fails_with_its_own_reason_when_results_cannot_be_kept() -> None:
    large = {**ENRICHED, "enrichment": {"products": ["é" * 50] * 100}}
    driver = driven(enrich_order=large, persist_order=REFUSED, keep_results=REFUSED)
    reply = driver.run()
    assert reply.error is not None
    assert "stage=persist code=STORE_REFUSED" in reply.error


def test_the_status_of_a_failure_with_long_texts_stays_below_the_limit() -> None:
    driver = driven(
        validate_order=Failed("StepError: [STORE_REFUSED] " + "é" * 5000),
    )
    driver.run()
    assert all(status_bytes(status) <= MAX_STATUS_BYTES for status in driver.statuses)


def test_a_final_failure_is_logged_once_over_all_episodes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        driver = driven(persist_order=BUSY)
        driver.run()
    told = [record for record in caplog.records if record.message.startswith("ORDER_FAILED")]
    assert len(told) == 1
    assert told[0].exc_info is not None


def test_steps_that_were_carried_are_not_run_again() -> None:
    carried = {"validate": {"errors": []}, "enrich": ENRICHED, "persist": WRITTEN}
    value = {**order_input(attempt=2), "carried": carried, "replay": {"reason": "r"}}
    driver = driven(value)
    reply = driver.run()
    assert names(driver) == ["notify_order"]
    assert driver.asked[0].input["processedAt"] == WRITTEN["processedAt"]
    assert driver.asked[0].input["totals"] == ENRICHED["totals"]
    assert reply.output["attempt"] == 2
    assert [state for _, state, _ in shown(driver.statuses[-1])][:3] == ["carried"] * 3


def test_who_asked_for_a_replay_ends_up_in_the_item() -> None:
    value = {**order_input(attempt=2), "replay": {"requestedBy": "ops", "reason": "r"}}
    driver = driven(value)
    driver.run()
    assert driver.asked[2].input["replay"] == {"requestedBy": "ops", "reason": "r"}


@pytest.mark.parametrize("write", ["duplicate", "superseded"])
def test_a_run_that_came_second_does_not_notify(write: str) -> None:
    driver = driven(persist_order={**WRITTEN, "write": write, "status": "rejected"})
    reply = driver.run()
    assert "notify_order" not in names(driver)
    assert (reply.output["status"], reply.output["write"]) == ("rejected", write)


@pytest.mark.parametrize("write", ["unchanged", "replaced"])
def test_a_run_that_finds_its_own_item_does_notify(write: str) -> None:
    driver = driven(persist_order={**WRITTEN, "write": write})
    driver.run()
    assert names(driver)[-1] == "notify_order"
