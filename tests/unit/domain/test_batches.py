"""Which entries of a batch run, and what is told of the others."""

from domain.batches import (
    CHUNK_SIZE,
    Admitted,
    Outcome,
    admit,
    chunks,
    content_digest,
    counts,
    summary,
)
from domain.order import digest
from tests.support.orders import a_line, an_order


def test_every_entry_is_admitted_or_settled() -> None:
    one, two, done = an_order(id="A"), an_order(id="B"), an_order(id="C")
    other_one = an_order(id="A", lines=[a_line(quantity=9)])
    other_done = an_order(id="D")
    entries = [one, two, dict(reversed(one.items())), other_one, done, other_done, 5, {"id": "/"}]
    admission = admit(entries, {"C": digest(done), "D": "something else"})
    assert admission.admitted == (Admitted(0, digest(one)), Admitted(1, digest(two)))
    assert [(o.order_id, o.status) for o in admission.settled] == [
        ("A", "duplicate"),
        ("A", "conflict"),
        ("C", "duplicate"),
        ("D", "conflict"),
        (None, "invalid"),
        ("/", "invalid"),
    ]
    assert all(o.error is not None and o.error["message"] for o in admission.settled)


def test_chunks_hold_fifty_at_most_and_all_in_order() -> None:
    parts = chunks(range(120))
    assert [len(part) for part in parts] == [CHUNK_SIZE, CHUNK_SIZE, 20]
    assert [n for part in parts for n in part] == list(range(120))
    assert chunks([]) == []


def test_counts_add_up_to_the_total() -> None:
    outcomes = [Outcome("A", "processed"), Outcome("B", "duplicate"), Outcome("C", "failed")]
    told = counts(5, outcomes)
    assert told == {
        "total": 5,
        "processed": 1,
        "rejected": 0,
        "failed": 1,
        "duplicates": 1,
        "conflicts": 0,
        "invalid": 0,
        "running": 2,
    }


def test_the_summary_names_every_order_that_is_not_processed() -> None:
    failed = Outcome("C", "failed", {"stage": "persist", "code": "STORE_BUSY", "message": "m"})
    told = summary("day-1", 2, [Outcome("A", "processed"), failed])
    assert told["notProcessed"] == [failed.to_dict()]
    assert Outcome.from_dict(failed.to_dict()) == failed


def test_a_batchs_digest_is_of_its_content_in_its_order() -> None:
    one, two = an_order(id="A"), an_order(id="B")
    assert content_digest([one, two]) == content_digest([dict(reversed(one.items())), two])
    assert content_digest([one, two]) != content_digest([two, one])
    assert content_digest([one, 5]) != content_digest([one, "5"])
