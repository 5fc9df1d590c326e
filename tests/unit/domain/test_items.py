"""What an item holds, and which of two writers wins."""

from dataclasses import replace
from typing import Any

import pytest

from domain.items import Write, as_told, build_item, decide
from domain.payloads import PersistInput, Source
from tests.support.orders import an_order

WANTED = PersistInput(
    order=an_order(),
    digest="d1",
    attempt=2,
    instance_id="ORD-1",
    status="processed",
    processed_at="2026-11-20T09:30:00.000000Z",
    source=Source("m", None, None),
)


def existing(digest: str = "d1", attempt: int = 2, instance_id: str = "ORD-1") -> dict[str, Any]:
    return {"digest": digest, "attempt": attempt, "instanceId": instance_id}


@pytest.mark.parametrize(
    ("item", "write"),
    [
        (None, Write.CREATED),
        (existing(attempt=1), Write.REPLACED),
        (existing(attempt=1, digest="other"), Write.REPLACED),
        (existing(attempt=1, instance_id="ORD-1:batch:x"), Write.REPLACED),
        (existing(), Write.UNCHANGED),
        (existing(instance_id="ORD-1:batch:x"), Write.DUPLICATE),
        (existing(digest="other"), Write.CONFLICT),
        (existing(attempt=3), Write.SUPERSEDED),
        (existing(attempt=3, digest="corrected"), Write.SUPERSEDED),
        (existing(attempt=3, instance_id="ORD-1:batch:x"), Write.SUPERSEDED),
        (existing(attempt=3, digest="other", instance_id="x"), Write.CONFLICT),
    ],
)
def test_who_wins(item: dict[str, Any] | None, write: Write) -> None:
    assert decide(item, WANTED) is write


def test_the_orders_fields_stand_at_the_top_level() -> None:
    item = build_item(WANTED)
    assert item["id"] == "ORD-1"
    assert item["lines"] == an_order()["lines"]
    assert (item["status"], item["attempt"], item["digest"]) == ("processed", 2, "d1")
    assert item["source"] == {"messageId": "m", "enqueuedAt": None, "batchId": None}
    assert not {"totals", "errors", "replay", "original"} & item.keys()


def test_fields_that_the_item_needs_itself_are_kept_aside() -> None:
    order = an_order(status="new", ttl=5, _etag="x", note="n")
    item = build_item(replace(WANTED, order=order))
    assert item["status"] == "processed"
    assert item["note"] == "n"
    assert item["original"] == {"status": "new", "ttl": 5, "_etag": "x"}
    assert "ttl" not in item


def test_a_document_of_the_feed_loses_only_what_the_store_added() -> None:
    system = {"_rid": "r", "_self": "s", "_etag": "e", "_attachments": "a/", "_ts": 1, "_lsn": 2}
    assert as_told({**an_order(), "_note": "mine", **system}) == {**an_order(), "_note": "mine"}


def test_an_order_that_came_in_two_files_is_told_the_same_both_times() -> None:
    files = ({"blob": "/inputfiles/a.json", "eventId": "1"}, {"blob": "/b.json", "eventId": "2"})
    told = [as_told({**an_order(), "_source": file}) for file in files]
    assert told == [an_order(), an_order()]
