"""Codes survive the text that an activity's failure travels in."""

import json

import pytest

from domain.errors import (
    BATCH_FAILED,
    MAX_MESSAGE,
    OrderFailure,
    StepError,
    read_failure,
    read_order_failed,
)


def as_told(message: str, name: str = "persist_order") -> str:
    """The text an orchestrator gets: reason, blank, new line, blank, details on one line."""
    details = json.dumps({"ClassName": "System.Exception", "Message": " " + message})
    return f"Activity function '{name}' failed:  {message} \n {details}"


@pytest.mark.parametrize(
    ("code", "is_retryable"),
    [("STORE_UNAVAILABLE", True), ("STORE_REFUSED", False), ("SOMETHING_NEW", True)],
)
def test_the_code_of_a_step_error_comes_back(code: str, is_retryable: bool) -> None:
    error = StepError(code, "It says: {no}.")
    failure = read_failure(as_told(f"StepError: {error}"))
    assert (failure.code, failure.message) == (code, "It says: {no}.")
    assert failure.is_retryable is is_retryable


@pytest.mark.parametrize(
    ("text", "code", "is_retryable"),
    [
        (as_told("TypeError: 'int' object is not iterable"), "PAYLOAD_INVALID", False),
        (as_told("KeyError: 'order'"), "PAYLOAD_INVALID", False),
        (as_told("InjectedFault: Injected fault."), "UNEXPECTED", True),
        (
            as_told("Timeout value of 00:10:00 was exceeded"),
            "ACTIVITY_TIMEOUT",
            True,
        ),
        (
            "Activity function 'x' failed: The function 'x' doesn't exist, is disabled, or is not "
            "an activity function.",
            "ACTIVITY_MISSING",
            False,
        ),
        (
            "Activity function 'x' failed: Result: Failure\nException: StepError: [STORE_BUSY] Hm.",
            "STORE_BUSY",
            True,
        ),
        ("It failed. \n Result: Failure\nException: [STORE_BUSY] Hm.", "STORE_BUSY", True),
        ("", "UNEXPECTED", True),
        ("text \n {not json", "UNEXPECTED", True),
        ("text \n [1]", "UNEXPECTED", True),
    ],
)
def test_a_failure_without_a_code_gets_one(text: str, code: str, is_retryable: bool) -> None:
    failure = read_failure(text)
    assert (failure.code, failure.is_retryable) == (code, is_retryable)


def test_a_long_message_is_cut() -> None:
    assert len(read_failure(as_told("X: " + "long " * 500)).message) == MAX_MESSAGE


def test_the_end_of_an_order_is_read_out_of_its_parents_failure() -> None:
    failure = OrderFailure("persist", "STORE_BUSY", 6, "The order store is busy (429).")
    text = f"Orchestrator function 'process_order' failed: {failure.to_text()}"
    assert read_order_failed(text) == failure
    assert read_order_failed(f"{text} \n {json.dumps({'Message': 'x'})}") is not None


def test_the_end_of_a_batch_is_read_alike() -> None:
    failure = OrderFailure("admit", "STORE_BUSY", 8, "The order store is busy (429).")
    assert read_order_failed(failure.to_text(BATCH_FAILED)) == failure


def test_a_child_without_details_has_no_more_to_say() -> None:
    failure = OrderFailure("persist", "STORE_BUSY", 6, "No answer.")
    text = f"Orchestrator function 'process_order' failed: {failure.to_text()} \n None"
    assert read_order_failed(text) == failure
    assert read_failure("by ops \n None").message == "by ops"


def test_other_texts_are_not_the_end_of_an_order() -> None:
    assert read_order_failed("Non-Deterministic workflow detected: ...") is None
