"""Between the datums of the wire and those of `azure.functions`.

The library's converters want its own `Datum` with nested datums for HTTP and protobuf-like lists
for collections; they give back the same. The wire has plain values (`protocol`).
"""

import json
from types import SimpleNamespace
from typing import Any

from azure.functions import meta

from .protocol import UNSET, Datum

_COLLECTION_MEMBER = {
    "collection_string": "string",
    "collection_bytes": "bytes",
    "collection_sint64": "sint64",
    "collection_double": "double",
}
_PLAIN = ("string", "json", "bytes", "double")


def to_library(datum: Datum) -> meta.Datum | None:
    """What a converter's `decode` is given; None stands for the unset datum."""
    kind, value = datum.kind, datum.value
    if kind is None:
        return None
    if kind == "http":
        return meta.Datum(_http_request(value), "http")
    member = _COLLECTION_MEMBER.get(kind)
    if member is not None:
        return meta.Datum(SimpleNamespace(**{member: list(value)}), kind)
    return meta.Datum(value, kind)


def _http_request(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "method": meta.Datum(value["method"], "string"),
        "url": meta.Datum(value["url"], "string"),
        "headers": _texts(value.get("headers") or {}),
        "params": _texts(value.get("params") or {}),
        "query": _texts(value.get("query") or {}),
        "body": meta.Datum(value.get("body") or b"", "bytes"),
    }


def _texts(values: dict[str, str]) -> dict[str, meta.Datum]:
    return {name: meta.Datum(value, "string") for name, value in values.items()}


def from_library(datum: meta.Datum | None) -> Datum:
    """What a converter's `encode` gave, for the wire.

    Raises:
        NotImplementedError: the datum is of a kind that cannot leave a worker.
    """
    if datum is None or datum.type is None:
        return UNSET
    kind, value = datum.type, datum.value
    if kind in _PLAIN:
        return Datum(kind, value)
    if kind in ("int", "bool"):
        return Datum("int", int(value))
    if kind in ("dict", "list"):
        return Datum("json", json.dumps(value))
    if kind == "http":
        return Datum("http", _http_response(value))
    raise NotImplementedError(f"unexpected Datum type: {kind}")


def _http_response(value: dict[str, Any]) -> dict[str, Any]:
    cookies = [
        morsel.OutputString() for jar in value.get("cookies") or () for morsel in jar.values()
    ]
    body = value["body"]
    return {
        "status_code": int(value["status_code"].value),
        "headers": {name: header.value for name, header in value["headers"].items()},
        "cookies": cookies,
        "body": body.value if isinstance(body.value, bytes) else str(body.value).encode(),
    }
