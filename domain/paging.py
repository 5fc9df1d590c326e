"""Where a list of orders goes on: the continuation that `FetchOrders` gives and takes.

A place in the order of `processedAt`, not an offset and not a token of the store: orders that come
in meanwhile neither shift a page nor repeat an order, and the store's own tokens are not available
for an ordered query across partitions. Orders of the very same instant are told apart by the ids
that were given out already.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.order import is_usable_id, parse_instant

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
# A line of a request holds 8 KB at the Functions host, with the rest of the address.
MAX_TOKEN = 6_000


class InvalidContinuation(ValueError):
    """The text is not a continuation that was given out here."""


@dataclass(frozen=True)
class Place:
    """The last order given out: its instant, and the ids of that instant that were given out."""

    at: str
    ids: tuple[str, ...]

    def to_text(self) -> str:
        """The continuation, safe in a URL."""
        text = json.dumps([self.at, *self.ids], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "Place":
        """The place a continuation stands for.

        Raises:
            InvalidContinuation: it was not given out here.
        """
        if len(text) > MAX_TOKEN:
            raise InvalidContinuation("It is too long.")
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            value = json.loads(raw)
        except (binascii.Error, ValueError, RecursionError):
            raise InvalidContinuation("It is not one that was given out here.") from None
        if (
            not isinstance(value, list)
            or not value
            or parse_instant(value[0]) is None
            or not all(is_usable_id(order_id) for order_id in value[1:])
        ):
            raise InvalidContinuation("It is not one that was given out here.")
        return cls(value[0], tuple(value[1:]))


def place_after(items: Sequence[Mapping[str, Any]], before: Place | None) -> Place | None:
    """Where the list goes on after this page; None when the page is empty."""
    if not items:
        return None
    at = items[-1]["processedAt"]
    ids = tuple(item["id"] for item in items if item["processedAt"] == at)
    if before is not None and before.at == at:
        ids = before.ids + ids
    return Place(at, ids)
