"""Messages over HTTPS: headers in, headers out."""

import json
from datetime import UTC, datetime

import pytest

from emulator.servicebus import InvalidMessage, ReceivedMessage
from emulator.servicebus.wire import browse_entry, read_batch, read_message, response_headers

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def received(**members) -> ReceivedMessage:
    return ReceivedMessage(
        **{
            "queue": "orders",
            "sequence_number": 7,
            "message_id": "m-1",
            "body": b"{}",
            "delivery_count": 1,
            "enqueued_time": NOW,
            "expires_at": None,
            "lock_token": "t",
            "locked_until": NOW,
        }
        | members
    )


def test_broker_properties_become_the_members_of_the_message():
    properties = {
        "MessageId": "m-1",
        "Label": "order",
        "CorrelationId": "c",
        "SessionId": "s",
        "TimeToLive": 90,
        "ScheduledEnqueueTimeUtc": "Fri, 20 Nov 2026 09:30:00 GMT",
        "Unknown": 1,
    }
    headers = {"BrokerProperties": json.dumps(properties), "Content-Type": "application/json"}
    message = read_message(b"{}", headers)
    assert (message.message_id, message.subject, message.session_id) == ("m-1", "order", "s")
    assert (message.time_to_live_s, message.content_type) == (90, "application/json")
    assert message.scheduled_enqueue_time == NOW


def test_other_headers_are_application_properties_with_their_types():
    headers = {"priority": "3", "rush": "true", "note": '"caf\\u00e9"', "bare": "text"}
    headers |= {"User-Agent": "x", "Host": "y", "Authorization": "z"}
    assert read_message(b"", headers).application_properties == {
        "priority": 3,
        "rush": True,
        "note": "café",
        "bare": "text",
    }


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"MessageId": 1}', '{"TimeToLive": "x"}', '{"ScheduledEnqueueTimeUtc": "soon"}'],
)
def test_broker_properties_that_cannot_be_read_are_refused(text):
    with pytest.raises(InvalidMessage):
        read_message(b"", {"BrokerProperties": text})


def test_a_batch_gives_each_message_its_properties():
    body = [
        {"Body": "a", "BrokerProperties": {"MessageId": "1"}, "UserProperties": {"n": 1}},
        {"Body": "é"},
    ]
    first, second = read_batch(json.dumps(body).encode())
    assert (first.body, first.message_id, first.application_properties) == (b"a", "1", {"n": 1})
    assert second.body == "é".encode()


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[1]", b'[{"Body": 1}]'])
def test_what_is_no_batch_is_refused(body):
    with pytest.raises(InvalidMessage):
        read_batch(body)


def test_a_received_message_says_who_and_when_and_until_when():
    headers = response_headers(received(subject="order"), is_locked=True)
    properties = json.loads(headers["BrokerProperties"])
    assert properties["LockToken"] == "t"
    assert properties["EnqueuedTimeUtc"] == "Fri, 20 Nov 2026 09:30:00 GMT"
    assert (properties["SequenceNumber"], properties["DeliveryCount"]) == (7, 1)
    assert properties["Label"] == "order"
    assert properties["TimeToLive"] > 9e11


def test_no_application_property_can_forge_a_header():
    hostile = {"Content-Length": "0", "bad name": 1, "a\r\nX": 1, "note": "x\r\nSet-Cookie: y"}
    headers = response_headers(received(application_properties=hostile), is_locked=True)
    assert set(headers) == {"BrokerProperties", "note"}
    assert "\n" not in headers["note"]


def test_a_body_that_is_no_text_is_shown_as_base64():
    assert browse_entry(received(body=b"\xff"))["bodyBase64"] == "/w=="
    assert browse_entry(received(body=b"ok"))["body"] == "ok"
