"""A continuation finds its place again, and anything else is refused."""

import base64
import json

import pytest

from domain.paging import InvalidContinuation, Place, place_after

AT = "2026-11-20T09:30:00.000000Z"
LATER = "2026-11-20T09:30:01.000000Z"


def token(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_a_place_survives_its_text() -> None:
    place = Place(AT, ("ORD-1", "ORD-2"))
    assert Place.from_text(place.to_text()) == place


@pytest.mark.parametrize(
    "text",
    [
        *("x", "%%%", "é", "a" * 30_000, token({}), token([]), token([5]), token(["not a time"])),
        *(token([AT, 5]), token([AT, "a b"]), base64.urlsafe_b64encode(b"\xff\xff").decode()),
        base64.urlsafe_b64encode(b"[" * 10_000).decode(),
    ],
)
def test_what_was_not_given_out_is_refused(text: str) -> None:
    with pytest.raises(InvalidContinuation):
        Place.from_text(text)


def test_ids_of_one_instant_add_up_over_pages() -> None:
    first = place_after([{"id": "A", "processedAt": LATER}, {"id": "B", "processedAt": AT}], None)
    assert first == Place(AT, ("B",))
    assert place_after([{"id": "C", "processedAt": AT}], first) == Place(AT, ("B", "C"))
    assert place_after([], first) is None
