"""Frames survive any cut of the stream; datums come back as they were sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.worker.protocol import (
    UNSET,
    Datum,
    FrameBuffer,
    ProtocolError,
    encode_frame,
    from_wire,
    from_wire_all,
    to_wire,
    to_wire_all,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), VALUES), max_size=5), st.data())
def test_frames_are_found_however_the_stream_is_cut(
    frames: list[dict[str, object]], data: st.DataObject
) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    buffer, found = FrameBuffer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += buffer.feed(stream[start:end])
    assert found == frames


def test_a_lone_surrogate_survives() -> None:
    assert FrameBuffer().feed(encode_frame({"text": "\ud83d"})) == [{"text": "\ud83d"}]


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameBuffer().feed(len(body).to_bytes(4, "big") + body)


def test_a_length_that_no_frame_has_is_refused() -> None:
    with pytest.raises(ProtocolError, match="4294967295 bytes"):
        FrameBuffer().feed(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    "datum",
    [
        UNSET,
        Datum("string", "text \u00e9 \ud83d"),
        Datum("json", '{"a": 1}'),
        Datum("bytes", bytes(range(256))),
        Datum("int", 3),
        Datum("double", 2.5),
        Datum("collection_string", ["a", "b"]),
        Datum("collection_bytes", [b"\x00", b"\xff"]),
        Datum("collection_sint64", [1, 2**62]),
        Datum("http", {"method": "GET", "headers": {"a": "b"}, "body": b"\x00\xff"}),
        Datum("http", {"status_code": 200, "headers": {}, "cookies": ["a=1"], "body": b""}),
    ],
    ids=lambda datum: str(datum.kind),
)
def test_a_datum_comes_back_as_it_was_sent(datum: Datum) -> None:
    assert from_wire(json.loads(json.dumps(to_wire(datum)))) == datum
    assert from_wire_all(to_wire_all({"x": datum})) == {"x": datum}
