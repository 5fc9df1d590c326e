"""Every document of the feed becomes one message, as it was told."""

import json

import azure.functions as func

from domain.messages import MAX_BODY_BYTES, SingleOrder, StoredOrder, interpret
from domain.order import digest
from tests.support.fakes import Out
from tests.support.orders import an_order
from triggers.queue_orders import bodies, queue_orders

SYSTEM = {"_rid": "r", "_self": "s", "_etag": '"e"', "_attachments": "a/", "_ts": 1, "_lsn": 7}


def test_an_order_goes_out_as_it_was_told() -> None:
    out = Out()
    documents = func.DocumentList([func.Document.from_dict({**an_order(name="Café"), **SYSTEM})])
    queue_orders(documents, out)
    (body,) = out.value
    assert json.loads(body) == an_order(name="Café")
    assert digest(json.loads(body)) == digest(an_order(name="Café"))


def test_a_document_too_large_for_a_message_goes_as_a_claim_check() -> None:
    large = an_order(id="BIG", note="é" * MAX_BODY_BYTES)
    first, second = bodies([large, an_order()])
    assert interpret(first) == StoredOrder("BIG")
    assert isinstance(interpret(second), SingleOrder)


def test_a_document_that_is_no_order_does_not_stop_the_others() -> None:
    assert len(bodies([{"id": "a b"}, {"id": "x", "orders": 5}, an_order()])) == 3
