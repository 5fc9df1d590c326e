"""Continuation tokens: opaque to the client, small, and only good for the request they came from.

A token holds a digest of what was asked and a position: the last row's number where rows come in
that order (a page then neither skips nor repeats what did not change), else how many rows were
returned.

Source: specification, section 7.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from emulator.cosmos.errors import bad_request, invalid_continuation

DEFAULT_PAGE = 1000
PAGE_BYTES = 4 * 1024 * 1024
_UNBOUNDED = 2**31 - 1


@dataclass(frozen=True)
class Position:
    """Where the next page starts.

    Attributes:
        request: the digest of what was asked.
        seq: behind this row number.
        offset: behind so many rows.
        is_careful: the first page found values for which the careful form is needed.
    """

    request: str
    seq: int = -1
    offset: int = 0
    is_careful: bool = False


def digest(*parts: Any) -> str:
    """The digest of what was asked."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def write_token(position: Position) -> str:
    """The token for a position in a request's answer."""
    members = {
        "d": position.request,
        "s": position.seq,
        "o": position.offset,
        "c": position.is_careful,
    }
    return base64.b64encode(json.dumps(members, separators=(",", ":")).encode()).decode()


def read_token(token: str | None, request: str) -> Position:
    """The position in a token; the start without one.

    Raises:
        CosmosError: 400 where it is unreadable or of another request.
    """
    if token is None:
        return Position(request)
    try:
        members = json.loads(base64.b64decode(token, validate=True))
        position = Position(request, int(members["s"]), int(members["o"]), bool(members["c"]))
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise invalid_continuation() from None
    if members.get("d") != request:
        raise invalid_continuation()
    return position


def page_size(header: str | None) -> int:
    """The most rows of a page, from `x-ms-max-item-count`.

    Raises:
        CosmosError: 400 where it is not a whole number.
    """
    if header is None:
        return DEFAULT_PAGE
    try:
        size = int(header)
    except ValueError:
        raise bad_request(f"The value '{header}' of x-ms-max-item-count is invalid.") from None
    if size < 0:
        return _UNBOUNDED
    return min(size, _UNBOUNDED) or DEFAULT_PAGE
