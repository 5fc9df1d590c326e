"""What a function returned or set, as messages, documents and events."""

import pytest

from emulator.host.errors import OutputFailed
from emulator.host.rendering import documents, events, message_bodies, response_of_text
from emulator.worker.protocol import UNSET, Datum


@pytest.mark.parametrize(
    ("datum", "bodies"),
    [
        (UNSET, []),
        (Datum("string", "plain"), ["plain"]),
        (Datum("string", ""), [""]),
        (Datum("bytes", b"\xc3\xa9"), ["é"]),
        (Datum("int", 5), ["5"]),
        (Datum("string", '{"a":1}'), ['{\n  "a": 1\n}']),
        (Datum("string", "[]"), []),
        (Datum("json", '["a", "b"]'), ["a", "b"]),
        (Datum("string", '[{"a":[]}, 1, null]'), ['{\n  "a": []\n}', "1", "null"]),
        (Datum("string", '{"a":"é"}'), ['{\n  "a": "é"\n}']),
    ],
)
def test_message_bodies(datum: Datum, bodies: list[str]) -> None:
    assert [body.decode() for body in message_bodies(datum)] == bodies


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("2024-01-01T00:00:00.100Z", "2024-01-01T00:00:00.1Z"),
        ("2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00Z"),
        ("2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00+00:00"),
        ("2024-01-01T00:00:00", "2024-01-01T00:00:00"),
        ("2024-01-01", "2024-01-01"),
        ("2024-13-01T00:00:00+02:00", "2024-13-01T00:00:00+02:00"),
    ],
)
def test_dates_inside_of_objects_are_normalised(given: str, written: str) -> None:
    [body] = message_bodies(Datum("string", f'{{"at":"{given}"}}'))
    assert body.decode() == f'{{\n  "at": "{written}"\n}}'


@pytest.mark.parametrize("text", ["{not json}", "[1,]"])
def test_text_that_looks_like_json_must_be_json(text: str) -> None:
    with pytest.raises(OutputFailed, match="cannot be parsed"):
        message_bodies(Datum("string", text))


def test_documents_are_an_object_or_an_array_of_them() -> None:
    assert documents(Datum("string", '{"id": "1"}')) == [{"id": "1"}]
    assert documents(Datum("json", '[{"id": "1"}, {"id": "2"}]')) == [{"id": "1"}, {"id": "2"}]
    assert documents(UNSET) == []


@pytest.mark.parametrize("text", ["5", '"text"', "[1]", "nonsense"])
def test_other_values_are_no_documents_or_events(text: str) -> None:
    for read in (documents, events):
        with pytest.raises(OutputFailed):
            read(Datum("string", text))


@pytest.mark.parametrize(
    ("text", "is_response"),
    [('{"body": 1}', True), ('{"a": 1}', False), ("[1]", False), ("{nonsense}", False)],
)
def test_returned_text_that_describes_a_response(text: str, is_response: bool) -> None:
    assert (response_of_text(text) is not None) == is_response
