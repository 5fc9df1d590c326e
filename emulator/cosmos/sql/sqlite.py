"""The functions that SQLite calls back, registered on every connection.

They take and give JSON texts, with NULL for undefined. What one of them refuses (a division by
zero, say) cannot pass through SQLite, which knows only that a function failed; `refusal` hands it
to whoever ran the statement on the same thread.
"""

import json
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from emulator.cosmos.errors import CosmosError
from emulator.cosmos.model import item_rid, system_text
from emulator.cosmos.sql import operators
from emulator.cosmos.sql.aggregates import AGGREGATES
from emulator.cosmos.sql.functions import FUNCTIONS
from emulator.cosmos.sql.sqlite_names import OPERATOR_NAMES
from emulator.cosmos.values import UNDEFINED, dump_plain

_failed = threading.local()


def refusal() -> CosmosError | None:
    """What the last failed statement of this thread was refused for; asking forgets it."""
    error: CosmosError | None = getattr(_failed, "error", None)
    _failed.error = None
    return error


def decode(text: str | None) -> Any:
    """A value from its JSON text."""
    if text is None:
        return UNDEFINED
    if text[0] == '"' and "\\" not in text:
        return text[1:-1]
    return json.loads(text)


def encode(value: Any) -> str | None:
    """A value's JSON text, NULL for undefined."""
    return None if value is UNDEFINED else dump_plain(value)


def _encode_truth(value: Any) -> int | None:
    return int(value) if isinstance(value, bool) else None


def _wrapped(function: Callable[..., Any], out: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(*texts: str | None) -> Any:
        try:
            return out(function(*[decode(text) for text in texts]))
        except CosmosError as error:
            _failed.error = error
            raise

    return call


def canonical(text: str | None) -> str | None:
    """The text with the properties of every object in order, so that equal values are equal."""
    if text is None or text[0] not in "[{":
        return text
    return json.dumps(json.loads(text), sort_keys=True)


def _member(text: str | None, path: str) -> str | None:
    value = decode(text)
    for key in json.loads(path):
        value = operators.member(value, key)
    return encode(value)


def _object(names: str, *texts: str | None) -> str:
    pairs = zip(json.loads(names), texts, strict=True)
    return "{" + ",".join(f"{dump_plain(n)}:{text}" for n, text in pairs if text is not None) + "}"


def _array(*texts: str | None) -> str:
    return "[" + ",".join(text for text in texts if text is not None) + "]"


def _like(text: str | None, pattern: str | None, escape: str | None) -> int | None:
    return _encode_truth(operators.like(decode(text), decode(pattern), escape))


def _rid(place: str, seq: int) -> str:
    return item_rid(bytes.fromhex(place), seq)


def _document(place: str, body: str, seq: int, lsn: int, ts: int) -> str:
    return body[:-1] + system_text(bytes.fromhex(place), seq, lsn, ts)


def _rank(text: str | None) -> int:
    return operators.rank(decode(text))


def _native(text: str | None) -> Any:
    """The value as SQLite sorts it among its own type."""
    value = decode(text)
    if value is UNDEFINED:
        return None
    return value if isinstance(value, bool | int | float | str) else text


def configure(connection: sqlite3.Connection) -> None:
    """Register everything that a compiled query may call."""

    def add(name: str, function: Callable[..., Any], arguments: int = -1) -> None:
        connection.create_function(f"cosmos_{name}", arguments, function, deterministic=True)

    for operator, name in OPERATOR_NAMES.items():
        is_comparison = operator in operators.COMPARISONS
        out = _encode_truth if is_comparison else encode
        add(name, _wrapped(operators.BINARY[operator], out), 2)
    for name, (function, _, _) in FUNCTIONS.items():
        add(f"fn_{name.lower()}", _wrapped(function, encode))
    add("unary", _wrapped(operators.unary, encode), 2)
    add("index", _wrapped(operators.member, encode), 2)
    add("get", _member, 2)
    add("object", _object)
    add("array", _array)
    add("like", _like, 3)
    add("canon", canonical, 1)
    add("rank", _rank, 1)
    add("native", _native, 1)
    add("json", lambda value: None if value is None else dump_plain(value), 1)
    add("rid", _rid, 2)
    add("document", _document, 5)
    for name, aggregate in AGGREGATES.items():
        connection.create_aggregate(f"cosmos_{name}", 1, aggregate)
