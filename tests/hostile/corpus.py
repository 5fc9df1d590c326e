"""What nobody should send: bodies, ids, queries and headers, each with a name and what it is due.

Data alone; `test_http.py`, `test_queue_and_files.py` and `tests/property/test_orders.py` send it.
"""

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from domain.messages import MAX_BODY_BYTES
from tests.support.orders import a_line, an_order

# Longer than a number may be that Python itself reads.
_MANY_DIGITS = "9" * 5000
_DEEP = 10_000


@dataclass(frozen=True)
class Body:
    """A body for `POST /orders`, and the status it is answered with."""

    name: str
    data: bytes
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)


def _with(member: str) -> bytes:
    """An order with one more member, told as a text."""
    return json.dumps(an_order(id="HOSTILE"))[:-1].encode() + b"," + member.encode() + b"}"


def _priced(price: str) -> bytes:
    return json.dumps(an_order(id="HOSTILE")).replace('"19.90"', price).encode()


NOT_JSON = [
    Body("empty", b""),
    Body("blanks", b" \r\n\t "),
    Body("a brace", b"{"),
    Body("cut off", json.dumps(an_order()).encode()[:-1]),
    Body("two values", b'{"id": "A"} {"id": "B"}'),
    Body("a comment", b'{"id": "A" /* why */}'),
    Body("single quotes", b"{'id': 'A'}"),
    Body("a trailing comma", b'{"id": "A",}'),
    Body("a NUL", b'{"id": "A\x00"}'),
    Body("a raw newline in a text", b'{"id": "A\n"}'),
    Body("lists too deep", b"[" * _DEEP + b"]" * _DEEP),
    Body("lists never closed", b"[" * _DEEP),
    Body("objects too deep", b'{"x":' * _DEEP + b"1" + b"}" * _DEEP),
    Body("a member too deep", _with('"x":' + "[" * _DEEP + "]" * _DEEP)),
    Body("NaN", _priced("NaN")),
    Body("Infinity", _priced("Infinity")),
    Body("minus Infinity", _priced("-Infinity")),
    Body("beyond a double", _priced("1e999")),
    Body("too many digits", _with(f'"x": {_MANY_DIGITS}')),
    Body("a hundred thousand digits", _with('"x": ' + "9" * 100_000)),
    Body("a fraction of too many digits", _with(f'"x": 1e{_MANY_DIGITS}')),
    Body("not UTF-8", b'{"id": "\xff\xfe"}'),
    Body("an overlong slash", b'{"id": "\xc0\xaf"}'),
    Body("an encoded surrogate", b'{"id": "\xed\xa0\x80"}'),
    Body("half a surrogate pair", b'{"id": "A", "x": "\\ud800"}'),
    Body("half a surrogate pair as a name", b'{"id": "A", "\\udfff": 1}'),
    Body("a byte order mark", b'\xef\xbb\xbf{"id": "A"}'),
    Body("UTF-16", '{"id": "A"}'.encode("utf-16")),
    Body("UTF-32", '{"id": "A"}'.encode("utf-32-le")),
    Body("a member told twice", b'{"id": "A", "id": "B"}'),
    Body("a member told twice within", _with('"x": {"y": 1, "y": 2}')),
    Body("XML", b'<?xml version="1.0"?><order id="A"/>'),
    Body("an entity bomb", b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;&b;&b;</a>'),
]

NO_ORDER = [
    *(
        Body(f"JSON that is {text}", text.encode())
        for text in ("null", "true", "0", '"A"', "[]", "{}", '{"orders": []}', '{"orders": {}}')
    ),
    Body("a batch of numbers", b"[1, 2]"),
    Body("a batch of many numbers", b"[" + b",".join([b"1"] * 100_000) + b"]"),
    Body("a batch of batches", b'[[{"id": "A"}]]'),
    Body("a batch with an id of its own kind", b'{"batchId": ["A"], "orders": [{"id": "A"}]}'),
]

IDS: list[Any] = [
    "",
    " ",
    ".",
    "..",
    "-A",
    "../../etc/passwd",
    "A/B",
    "A\\B",
    "A%2FB",
    "A?B",
    "A#B",
    "A\x00",
    "A\r\nX-Evil: 1",
    "A\u2028B",
    "\u202eDRO",
    "A\u200bB",
    "\uff21",
    "\u0663",
    "É",
    "<script>alert(1)</script>",
    "A" * 101,
    "A" * 100_000,
    "batch:A",
    7,
    1.5,
    True,
    [],
    {},
]


def id_name(value: Any) -> str:
    """What the body with this id is called."""
    text = str(value)
    return f"the id {text[:20]!r}" + (f" and on to {len(text)}" if len(text) > 20 else "")


WRONG_IDS = [
    *(Body(id_name(i), json.dumps(an_order(id=i)).encode()) for i in IDS),
    *(
        Body(f"of a batch {id_name(i)}", json.dumps({"batchId": i, "orders": [{}]}).encode())
        for i in IDS
    ),
]

TOO_LARGE = [
    Body("a byte too many", _with(f'"x": "{"x" * MAX_BODY_BYTES}"'), 413),
    Body(
        "ten thousand orders",
        json.dumps([an_order(id=f"MANY-{n}") for n in range(10_000)]).encode(),
        413,
    ),
]

_ORDER = json.dumps(an_order(id="HOSTILE")).encode()
MISLABELLED = [
    Body("a form", b"id=A", 415, {"Content-Type": "application/x-www-form-urlencoded"}),
    Body("plain text", _ORDER, 415, {"Content-Type": "text/plain"}),
    Body("XML's type", _ORDER, 415, {"Content-Type": "application/xml"}),
    Body("a type that is none", _ORDER, 415, {"Content-Type": "json"}),
    Body("a type with a quote", _ORDER, 415, {"Content-Type": 'text/"html"; a="'}),
    Body("packed", gzip.compress(_ORDER), 415, {"Content-Encoding": "gzip"}),
    Body("packed twice", gzip.compress(_ORDER), 415, {"Content-Encoding": "gzip, gzip"}),
    Body("packed by brotli's name", _ORDER, 415, {"Content-Encoding": "br"}),
    # 100 MB of blanks in 100 KB.
    Body("a bomb", gzip.compress(b" " * 100_000_000, 9), 415, {"Content-Encoding": "gzip"}),
    Body(
        "another charset",
        '{"id": "É"}'.encode("latin-1"),
        400,
        {"Content-Type": "application/json; charset=latin-1"},
    ),
]

REFUSED = [*NOT_JSON, *NO_ORDER, *WRONG_IDS, *TOO_LARGE, *MISLABELLED]

# Orders that are taken, and end as rejected, or as processed with what they carry unharmed.
TAKEN: dict[str, dict[str, Any]] = {
    "TAKEN-LINES": an_order(lines=[a_line() for _ in range(500)]),
    "TAKEN-MORE-LINES": an_order(lines=[a_line() for _ in range(501)]),
    "TAKEN-DIRECTION": an_order(note="\u202egnp.exe\u2066\u200f", customerId="\u202eC"),
    "TAKEN-CONTROLS": an_order(note="\x00\x01\x1b[31m\x7f\r\nSet-Cookie: a=b"),
    "TAKEN-MARKUP": an_order(customerId="<script>alert(1)</script>", note="]]>&amp;{{7*7}}${x}"),
    "TAKEN-SQL": an_order(customerId="'; DROP TABLE items; --", note='" OR 1=1'),
    "TAKEN-EMOJI": an_order(note="👩‍👩‍👧‍👦" * 1000),
    "TAKEN-PROTOTYPE": an_order(__proto__={"a": 1}, constructor={"prototype": {}}),
    "TAKEN-SYSTEM-NAMES": an_order(
        _etag="x", _ts=1, _rid="y", _self="z", ttl=1, status="processed", totals={}, digest="d",
        processedAt="2099-01-01T00:00:00Z", attempt=99, source={"messageId": "m"}, errors=[],
    ),
    "TAKEN-NAMES": an_order(**{"": 1, "a.b": 2, "$type": "x", "/id": 3, "x" * 1000: 4}),
    "TAKEN-DEEP": an_order(x=json.loads("[" * 60 + "]" * 60)),
    "TAKEN-LARGE-NUMBERS": an_order(x=[2**63] * 10_000),
    "TAKEN-FAULTY-LINES": an_order(lines=[{}] * 500),
    "TAKEN-PRICES": an_order(
        lines=[a_line(unitPrice=p) for p in ("1e5", "٣", "1" * 30, "0" * 30, "-0", "1_000", " 1")]
    ),
    "TAKEN-QUANTITIES": an_order(
        lines=[a_line(quantity=q) for q in (1e300, 5e-324, 2**53, -(2**53), 0.5, "1", True)]
    ),
    "TAKEN-TIMES": an_order(orderedAt="9999-12-31T23:59:59.999999999-23:59"),
    "TAKEN-EARLY": an_order(orderedAt="0001-01-01T00:00:00+23:59"),
    "TAKEN-LEAP": an_order(orderedAt="2016-12-31T23:59:60Z"),
    "TAKEN-LONG": an_order(customerId="C" * 100_000),
}  # fmt: skip

# Segments of a path, as they are sent.
SEGMENTS = [
    "..%2F..%2Fadmin%2Ffunctions",
    "%2e%2e",
    "%2F",
    "A%2FB",
    "A%5CB",
    "A%00B",
    "%0D%0AX-Evil:%201",
    "%FF%FE",
    "%ED%A0%80",
    "%E2%80%AEABC",
    "%EF%BB%BFA",
    "%",
    "%zz",
    "%25%32%66",
    "A;B=C",
    "A:B",
    "'%20OR%20'1'='1",
    "%3Cscript%3E",
    "*",
    "A" * 128,
    "A" * 3000,
    "batch:A",
]

LIMITS = ["-1", "0", "101", "1e3", "0x10", "1.0", "%2B5", "%D9%A3", "%20", "5%00", "9" * 5000, "x"]


def _place(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


CONTINUATIONS = [
    "x",
    "====",
    "%00",
    "A" * 5000,
    "A" * 7000,
    _place("{}"),
    _place("[]"),
    _place("[null]"),
    _place("[" * 2000),
    _place('["2026-11-20T09:30:00Z", "a b"]'),
    _place('["2026-11-20T09:30:00Z", 7]'),
    _place('["2026-11-20"]'),
    _place("[NaN]"),
    _place(f"[{'9' * 4500}]"),
    _place('["\\ud800"]'),
]

QUERIES = [
    *(f"limit={limit}" for limit in LIMITS),
    *(f"continuation={text}" for text in CONTINUATIONS),
    "limit=1&limit=2",
    "status=pending",
    "status=processed%00",
    "status=processed'%20OR%201=1",
]
# A query with nothing to refuse in it, however odd.
HARMLESS_QUERIES = ["", "&&&", "=", "a=b&a=c&__proto__=1", "limit=", "%00=%00", "a" * 3000]

READ_HEADERS = [
    {"Prefer": value}
    for value in (
        "wait=-1", "wait=1e3", "wait=", "wait=٣".encode().decode("latin-1"), 'wait="1', "wait",
        "return=minimal, return=representation", ",,;;==", "x" * 7000,
    )
] + [
    {"If-None-Match": value}
    for value in ('"', "W/", ",", '""', 'W/"x", "y', "x" * 7000, "\xe9")
] + [
    {"traceparent": "00-" + "\xe9" * 32 + "-x-y"},
    {"traceparent": "-" * 500},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "javascript", "Forwarded": "host=evil.example"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Accept": "text/html, */*;q=x"},
    {"Range": "bytes=0-1,0-1,0-1"},
    {"Cookie": "=;" * 1000},
]  # fmt: skip
