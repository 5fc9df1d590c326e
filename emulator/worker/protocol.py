"""What host and worker say to each other: frames, and the datums inside them.

A frame is four bytes of length (big-endian) and that many bytes of JSON. Both sides use this
module; it knows the standard library only and does no I/O.

    host -> worker   load, invoke, orchestrate, history, entity, cancel, stop
    worker -> host   loaded, load_failed, result, need_history, log

A datum is a typed value as it crosses between the Functions host and a worker process. Its kinds
and the shape of each value are those of the Functions protocol: `string`, `json` (a text), `bytes`,
`int`, `double`, `collection_string`, `collection_bytes`, `collection_sint64`, `http`. A request's
`http` value is a dict of method, url, headers, params, query (texts) and body (bytes); a response's
is a dict of status_code (int), headers, cookies (`Set-Cookie` texts) and body.
"""

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Frame = dict[str, Any]

_LENGTH = struct.Struct(">I")
# One frame carries at most this; a larger one means that the two sides have lost each other.
MAX_FRAME_BYTES = 1 << 30

# ASCII output keeps lone surrogates, which some apps do produce, out of the UTF-8 codec's way.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)


class ProtocolError(Exception):
    """What arrived is no frame."""


@dataclass(frozen=True, slots=True)
class Datum:
    """A typed value; `kind` None is the unset datum."""

    kind: str | None
    value: Any = None


UNSET = Datum(None)


def encode_frame(frame: Frame) -> bytes:
    """The bytes of one frame, its length first."""
    body = _ENCODER.encode(frame).encode("ascii")
    return _LENGTH.pack(len(body)) + body


class FrameBuffer:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived; return the frames that are complete now.

        Raises:
            ProtocolError: a length that no frame has, or a body that is not a JSON object.
        """
        buffer = self._bytes
        buffer += data
        frames: list[Frame] = []
        start, end = 0, len(buffer)
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"A frame of {length} bytes is announced.")
            stop = start + _LENGTH.size + length
            if stop > end:
                break
            frames.append(_parse(bytes(buffer[start + _LENGTH.size : stop])))
            start = stop
        if start:
            del buffer[:start]
        return frames


def _parse(body: bytes) -> Frame:
    try:
        frame = json.loads(body)
    except ValueError as error:
        raise ProtocolError(f"A frame is not JSON: {error}") from error
    if not isinstance(frame, dict):
        raise ProtocolError("A frame is not a JSON object.")
    return frame


def to_wire(datum: Datum) -> Any:
    """The JSON form of a datum; None for the unset one."""
    kind, value = datum.kind, datum.value
    if kind is None:
        return None
    if kind == "bytes":
        return {"k": kind, "b": _to_base64(value)}
    if kind == "collection_bytes":
        return {"k": kind, "b": [_to_base64(item) for item in value]}
    if kind == "http":
        rest = {name: part for name, part in value.items() if name != "body"}
        return {"k": kind, "v": rest, "b": _to_base64(value.get("body") or b"")}
    return {"k": kind, "v": value}


def from_wire(value: Any) -> Datum:
    """The datum of its JSON form."""
    if value is None:
        return UNSET
    kind = value["k"]
    if kind == "bytes":
        return Datum(kind, base64.b64decode(value["b"]))
    if kind == "collection_bytes":
        return Datum(kind, [base64.b64decode(item) for item in value["b"]])
    if kind == "http":
        return Datum(kind, {**value["v"], "body": base64.b64decode(value["b"])})
    return Datum(kind, value["v"])


def to_wire_all(data: Mapping[str, Datum]) -> dict[str, Any]:
    """The JSON form of named datums."""
    return {name: to_wire(datum) for name, datum in data.items()}


def from_wire_all(data: Mapping[str, Any]) -> dict[str, Datum]:
    """The named datums of their JSON form."""
    return {name: from_wire(value) for name, value in data.items()}


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
