"""Malformed requests at the doors that the app's own clients use: the queue's, the topic's, the
storage account's, the task hub's, the host's. Each is refused as one's own fault, never as theirs.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.hostile import Sent, Target, exchange, target
from tests.support.orders import an_order

_SAS = {"Authorization": "SharedAccessSignature sr=x&sig=x&se=1&skn=x"}
_BATCH = {"Content-Type": "application/vnd.microsoft.servicebus.json"}
_JSON = {"Content-Type": "application/json"}
_BLOB = {"x-ms-blob-type": "BlockBlob"}
_DEEP = b"[" * 10_000
_MANY = "9" * 4400
# Bytes that are no JSON, or none that can be kept.
_ODD = [b"", b"{", b"null", b"[1]", _DEEP, b"NaN", b"\xff", b'"\\ud800"', b'{"a": "\\ud800"}']

BROKER_PROPERTIES = [
    "{",
    "null",
    "[" * 3000,
    '{"TimeToLive": NaN}',
    '{"TimeToLive": -1}',
    '{"TimeToLive": "x"}',
    '{"MessageId": 7}',
    '{"MessageId": "' + "x" * 129 + '"}',
    '{"Label": "\\ud800"}',
    '{"ScheduledEnqueueTimeUtc": "x"}',
    '{"DeliveryCount": ' + _MANY + "}",
]
BLOB_NAMES = ["..%2F..%2Fetc", "%2e%2e/x", "a%00b", "a" * 1025, "%FF", "%0D%0AX:1", "a//b/"]
INSTANCES = [
    *(f"?top={text}" for text in ("x", "-1", "0", "%C2%B2", "99999999999", _MANY)),
    "?createdTimeFrom=x",
    "?runtimeStatus=x",
    "?instanceIdPrefix=%00",
    "/%00",
    "/a%0Ab",
    "/" + "x" * 3000,
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("doors")) as found:
        yield found


def requests(running: Target) -> Iterator[tuple[str, Sent]]:
    """Base URL and request of each."""
    doors = running.doors
    for text in BROKER_PROPERTIES:
        headers = {**_SAS, "BrokerProperties": text}
        yield doors.servicebus, Sent("POST", "/orders/messages", headers, b'{"id": "DOOR"}')
    for body in [*_ODD, b'[{"Body": 1}]', b'[{"Body": "\\ud800"}]']:
        yield doors.servicebus, Sent("POST", "/orders/messages", {**_SAS, **_BATCH}, body)
        yield doors.servicebus, Sent("POST", "/topics/orders/api/events", _JSON, body)
        for path in (
            "/runtime/webhooks/durabletask/instances/NONE/raiseEvent/x",
            "/emulator/faults",
            "/admin/functions/QueueOrders",
            "/runtime/webhooks/eventgrid?functionName=x",
        ):
            yield doors.host, Sent("POST", path, _JSON, body)
    for path in ("/%00/messages", f"/{'q' * 3000}/messages", "/orders%0A/messages"):
        yield doors.servicebus, Sent("POST", path, _SAS, b"x")
    for name in BLOB_NAMES:
        path = f"/devstoreaccount1/inputfiles/{name}"
        yield doors.blob, Sent("PUT", path, _BLOB, b"x")
        yield doors.blob, Sent("GET", path)
    for headers in ({"x-ms-blob-type": "x"}, {**_BLOB, "Content-MD5": "x"}):
        yield doors.blob, Sent("PUT", "/devstoreaccount1/inputfiles/x", headers, b"x")
    for body in (b"<a>" * 10_000, b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'):
        path = "/devstoreaccount1/inputfiles/x?comp=blocklist"
        yield doors.blob, Sent("PUT", path, {}, body)
    for rest in INSTANCES:
        yield doors.host, Sent("GET", f"/runtime/webhooks/durabletask/instances{rest}")


def test_no_request_is_a_fault_of_the_server(running: Target) -> None:
    wrong = []
    for base, sent in requests(running):
        status, headers, _ = exchange(base, sent)
        if status >= 500 or "x" in headers:
            wrong.append((status, sent.method, sent.path[:60], str(sent.headers)[:60]))
    assert wrong == []


def test_a_header_in_another_encoding_is_kept_as_text(running: Target) -> None:
    sent = Sent("POST", "/orders/messages", {**_SAS, "Shop": "caf\xe9"}, b'{"id": "ENCODED"}')
    assert exchange(running.doors.servicebus, sent)[0] == 201
    running.taken.add("/orders/ENCODED/status")


def test_orders_are_taken_as_before(running: Target) -> None:
    answer = httpx.post(f"{running.base('host')}/orders", json=an_order(id="LAST"))
    running.remember(answer.status_code, answer.json())
    assert "/orders/LAST/status" in running.taken
    assert running.lost() == {}
