"""What a dead letter says of itself, and which ones are sent back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.dead_letters import (
    PREVIEW_CHARACTERS,
    DeadLetter,
    InvalidSelection,
    LetterSelection,
    read_selection,
)
from tests.support.orders import an_order

LETTER = DeadLetter(
    sequence_number=7,
    message_id="m-1",
    delivery_count=10,
    enqueued_at="Fri, 20 Nov 2026 09:29:59 GMT",
    reason="MaxDeliveryCountExceeded",
    description="Delivered too often.",
    body=json.dumps(an_order()).encode(),
)


def letter(body: bytes | str | object) -> DeadLetter:
    if isinstance(body, bytes):
        return replace(LETTER, body=body)
    text = body if isinstance(body, str) else json.dumps(body)
    return replace(LETTER, body=text.encode())


def test_letter_as_the_api_tells_it() -> None:
    told = LETTER.to_dict()
    assert told["refusal"]["code"] == "not_started"
    assert {name: told[name] for name in told if name not in ("refusal", "bodyPreview")} == {
        "sequenceNumber": 7,
        "messageId": "m-1",
        "orderId": "ORD-1",
        "deliveryCount": 10,
        "enqueuedAt": "2026-11-20T09:29:59Z",
        "reason": "MaxDeliveryCountExceeded",
        "description": "Delivered too often.",
        "bodyBytes": len(LETTER.body),
    }
    assert LETTER.body.decode().startswith(told["bodyPreview"])


def test_letter_that_the_broker_says_little_of() -> None:
    bare = DeadLetter(1, None, 0, None, None, None, b"")
    told = bare.to_dict()
    assert (told["enqueuedAt"], told["orderId"], told["bodyPreview"]) == (None, None, "")
    assert told["refusal"]["code"] == "not_json"


@pytest.mark.parametrize(
    ("body", "preview"),
    [
        ("x" * 1000, "x" * PREVIEW_CHARACTERS),
        # Four bytes a character: none is cut in two.
        ("\U0001f600" * 300, "\U0001f600" * PREVIEW_CHARACTERS),
        (b"\xff\xfe{", "\ufffd\ufffd{"),
    ],
)
def test_preview_is_short_and_always_text(body: bytes | str, preview: str) -> None:
    assert letter(body).to_dict()["bodyPreview"] == preview


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("id;CLI", "not_json", "not JSON"),
        (b"\xff", "not_json", "not JSON"),
        ("7", "wrong_shape", "neither an object nor a list"),
        ({}, "no_id", "no id"),
        ({"id": "a/b"}, "invalid_id", "cannot be used"),
        ({"orders": 1}, "wrong_shape", "'orders'"),
        ({"orders": [], "batchId": "B"}, "empty_batch", "no order"),
        ({"orders": [{}], "batchId": "a/b"}, "invalid_batch_id", "batch's id"),
        (an_order(), "not_started", "a usable order"),
        ({"orders": [an_order()]}, "not_started", "a usable batch"),
        ([an_order()], "not_started", "a usable batch"),
    ],
)
def test_refusal_says_what_is_wrong_with_the_body(body: object, code: str, says: str) -> None:
    refusal = letter(body).refusal
    assert refusal["code"] == code
    assert says in refusal["message"]


def test_only_a_single_order_has_an_order_id() -> None:
    assert letter(an_order(id="A")).order_id == "A"
    assert letter([an_order(id="A")]).order_id is None
    assert letter("{").order_id is None


@pytest.mark.parametrize(
    ("selection", "takes"),
    [
        (LetterSelection(is_all=True), True),
        (LetterSelection(frozenset({7, 8})), True),
        (LetterSelection(frozenset({8})), False),
        (LetterSelection(order_ids=frozenset({"ORD-1"})), True),
        (LetterSelection(order_ids=frozenset({"ORD-2"})), False),
        (LetterSelection(code="not_started"), True),
        (LetterSelection(code="no_id"), False),
        (LetterSelection(frozenset({7}), frozenset({"ORD-2"})), False),
        (LetterSelection(frozenset({7}), code="no_id", is_all=True), False),
    ],
)
def test_selection_takes_what_every_filter_takes(selection: LetterSelection, takes: bool) -> None:
    assert selection.takes(LETTER) is takes


@pytest.mark.parametrize(
    ("body", "selection"),
    [
        ({"all": True}, LetterSelection(is_all=True)),
        ({"sequenceNumbers": [2, 1, 2]}, LetterSelection(frozenset({1, 2}))),
        ({"orderIds": ["A"]}, LetterSelection(order_ids=frozenset({"A"}))),
        ({"code": "no_id", "all": False}, LetterSelection(code="no_id")),
    ],
)
def test_selection_is_read(body: Any, selection: LetterSelection) -> None:
    assert read_selection(body) == selection


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        ({}, ""),
        ({"all": False}, ""),
        ({"sequenceNumbers": [], "orderIds": ["A"]}, "sequenceNumbers"),
        ({"sequenceNumbers": [2**63]}, "sequenceNumbers"),
        ({"orderIds": [], "all": True}, "orderIds"),
        ({"code": "", "all": True}, "code"),
        ({"code": None, "all": True}, "code"),
        ({"all": 1}, "all"),
        ({"sequenceNumbers": 7}, "sequenceNumbers"),
        ({"sequenceNumbers": [True]}, "sequenceNumbers"),
        ({"sequenceNumbers": ["7"]}, "sequenceNumbers"),
        ({"orderIds": [7]}, "orderIds"),
        ({"code": 7}, "code"),
        ({"everything": True}, "everything"),
    ],
)
def test_selection_that_cannot_be_understood(body: Any, field: str) -> None:
    with pytest.raises(InvalidSelection) as caught:
        read_selection(body)
    assert caught.value.field == field
