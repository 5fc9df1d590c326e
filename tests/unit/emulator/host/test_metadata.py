"""What a trigger hands over: kept quirks, and what the library makes of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.host.metadata import (
    UnfitBody,
    binding_data,
    cosmos_documents,
    event_grid,
    has_gaps,
    merge_body,
    service_bus_batch,
    service_bus_message,
    timer,
)
from emulator.servicebus import ReceivedMessage
from emulator.worker.protocol import UNSET, Datum

NOW = datetime(2024, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
MESSAGE = ReceivedMessage(
    queue="q",
    sequence_number=7,
    message_id="m1",
    body=b"text",
    delivery_count=1,
    enqueued_time=NOW,
    expires_at=None,
    lock_token="0f0e0d0c-0b0a-0908-0706-050403020100",
    locked_until=NOW + timedelta(minutes=1),
)


def values(metadata: dict[str, Datum]) -> dict[str, Any]:
    return {name: (datum.kind, datum.value) for name, datum in metadata.items()}


def test_message_becomes_text_and_zoneless_dates() -> None:
    datum, metadata = service_bus_message(MESSAGE, "msg", None)
    assert datum == Datum("string", "text")
    found = values(metadata)
    assert found["EnqueuedTimeUtc"] == ("json", '"2024-01-02T03:04:05.600000"')
    assert found["ExpiresAtUtc"] == ("json", '"9999-12-31T23:59:59.9999999"')
    assert found["SequenceNumber"] == ("json", "7")
    assert found["UserProperties"] == ("json", "{}")
    assert found["msg"] == ("string", "text")


@pytest.mark.parametrize(
    "name", ["TimeToLive", "LockedUntil", "DeadLetterReason", "CorrelationId", "State"]
)
def test_what_the_real_host_does_not_send_is_not_sent(name: str) -> None:
    _, metadata = service_bus_message(MESSAGE, "msg", None)
    assert name not in metadata


def test_binary_body_is_bytes_and_overrides_nothing() -> None:
    message = replace(MESSAGE, body=b'{"MessageId": "other"}')
    datum, metadata = service_bus_message(message, "msg", "binary")
    assert datum == Datum("bytes", message.body)
    assert metadata["MessageId"].value == "m1"


def test_empty_body_is_unset() -> None:
    assert service_bus_message(replace(MESSAGE, body=b""), "msg", None)[0] == UNSET


def test_body_overrides_metadata_ignoring_case() -> None:
    metadata = {"MessageId": Datum("string", "m1")}
    merge_body(metadata, ' {"messageid": "zzz", "a": 1, "b": [1], "c": null, "d": {"e": 2}} ')
    assert values(metadata) == {
        "MessageId": ("string", "zzz"),
        "a": ("string", "1"),
        "d": ("string", '{"e":2}'),
    }


@pytest.mark.parametrize("body", ["[1]", "{nonsense}", "text", ""])
def test_other_bodies_override_nothing(body: str) -> None:
    metadata = {"MessageId": Datum("string", "m1")}
    merge_body(metadata, body)
    assert values(metadata) == {"MessageId": ("string", "m1")}


def test_missing_values_of_a_batch_shift_the_others() -> None:
    second = replace(MESSAGE, correlation_id="c2", body=b"2")
    batch = [replace(MESSAGE, body=b"1"), second]
    _, metadata = service_bus_batch(batch, None)
    assert metadata["CorrelationIdArray"].value == ["c2"]
    assert has_gaps(batch)
    assert not has_gaps([second, second])


def test_bodies_of_a_batch_by_data_type() -> None:
    batch = [replace(MESSAGE, body=b'{"a": 1}'), replace(MESSAGE, body=b"[2]")]
    assert service_bus_batch(batch, None)[0] == Datum("json", '[{"a":1},[2]]')
    assert service_bus_batch(batch, "string")[0] == Datum("collection_string", ['{"a": 1}', "[2]"])
    assert service_bus_batch(batch, "binary")[0] == Datum("collection_bytes", [b'{"a": 1}', b"[2]"])


def test_batch_without_data_type_refuses_what_is_not_json() -> None:
    with pytest.raises(UnfitBody, match="Message 1 of the batch is not JSON"):
        service_bus_batch([replace(MESSAGE, body=b"1"), MESSAGE], None)


def test_documents_are_compact() -> None:
    assert cosmos_documents([{"id": "é", "n": 1}]).value == '[{"id":"é","n":1}]'


def test_event_and_its_data() -> None:
    datum, metadata = event_grid({"id": "1", "data": {"a": 1}})
    assert json.loads(datum.value) == {"id": "1", "data": {"a": 1}}
    assert binding_data(metadata) == {"data": {"a": 1}}


def test_timer_is_json() -> None:
    datum = timer(is_past_due=True, status=None, adjust=True)
    assert datum.kind == "json"
    assert json.loads(datum.value) == {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": None,
        "IsPastDue": True,
    }
