"""What a function is given by each kind of trigger and input binding, through a real worker."""

import json
from typing import Any

import pytest
import pytest_asyncio

from emulator.host.worker_model import RetryFailure
from emulator.host.worker_process import InvocationContext, InvocationResult, WorkerProcess
from emulator.worker.protocol import UNSET, Datum
from tests.integration.worker.conftest import Start

pytestmark = pytest.mark.asyncio(loop_scope="module")


def text(value: str) -> Datum:
    return Datum("string", value)


def as_json(value: Any) -> Datum:
    return Datum("json", json.dumps(value))


def seen(result: InvocationResult) -> Any:
    assert result.ok, result.error_text + result.trace
    datum = result.outputs["seen"]
    assert datum.kind == "string"
    return json.loads(datum.value)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(start_shared: Start) -> WorkerProcess:
    return await start_shared("bindings")


def request(**members: Any) -> Datum:
    plain = {"method": "GET", "url": "http://localhost:7071/api/items", "headers": {}}
    return Datum("http", plain | {"params": {}, "query": {}, "body": b""} | members)


async def test_http(worker: WorkerProcess) -> None:
    context = InvocationContext(
        "id-1", "00-aa-bb-01", "state", {"k": "v"}, 2, 5, RetryFailure("ValueError: before")
    )
    trigger = request(
        method="post",
        url="http://localhost:7071/api/items/5?a=1%202",
        headers={"x-many": "1,2", "content-type": "application/json"},
        query={"a": "1 2"},
        params={"id": "5"},
        body=b'\x00{"a": 1}\xff',
    )
    result = await worker.invoke("http", {"req": trigger}, {}, context)
    told = seen(result)
    assert told.pop("directory").endswith("tests/apps/bindings")
    assert told == {
        "method": "POST",
        "url": "http://localhost:7071/api/items/5?a=1%202",
        "headers": {"x-many": "1,2", "content-type": "application/json"},
        "x_many": "1,2",
        "params": {"a": "1 2"},
        "route": {"id": "5"},
        "body": '\x00{"a": 1}\xff',
        "context": ["http", "id-1", "00-aa-bb-01", "state", {"k": "v"}, 2, 5, "ValueError: before"],
    }
    assert result.return_value.kind == "http"
    assert result.return_value.value["body"] == b"ok"


async def test_http_without_retry_has_an_empty_retry_context(worker: WorkerProcess) -> None:
    told = seen(await worker.invoke("http", {"req": request()}))
    assert told["context"][5:] == [0, 0, None]


MESSAGE = {
    "UserProperties": as_json({"k": 1}),
    "ApplicationProperties": as_json({"k": 1}),
    "DeliveryCount": as_json(1),
    "SequenceNumber": as_json(7),
    "EnqueuedTimeUtc": as_json("2026-01-02T03:04:05.1234567"),
    "ExpiresAtUtc": as_json("9999-12-31T23:59:59.9999999"),
    "LockToken": text("5c0f0d0e-0000-4000-8000-000000000001"),
    "MessageId": text("m1"),
    "ContentType": text("application/json"),
    "MessageReceiver": as_json({}),
}


async def test_one_service_bus_message(worker: WorkerProcess) -> None:
    told = seen(await worker.invoke("sb_single", {"msg": text('{"a": 1}')}, MESSAGE))
    metadata = told.pop("metadata")
    assert metadata == sorted(MESSAGE)
    assert {name: value for name, value in told.items() if value is not None} == {
        "body": '{"a": 1}',
        "user_properties": {"k": 1},
        "application_properties": {"k": 1},
        "delivery_count": 1,
        "sequence_number": 7,
        # Naive, and without the seventh digit.
        "enqueued_time_utc": "datetime.datetime(2026, 1, 2, 3, 4, 5, 123456)",
        "expires_at_utc": "datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)",
        "lock_token": "5c0f0d0e-0000-4000-8000-000000000001",
        "message_id": "m1",
        "content_type": "application/json",
    }


async def test_a_service_bus_message_in_bytes_and_without_a_body(worker: WorkerProcess) -> None:
    for datum, body in ((Datum("bytes", b"raw"), "raw"), (UNSET, "")):
        assert seen(await worker.invoke("sb_single", {"msg": datum}, MESSAGE))["body"] == body


async def test_a_service_bus_message_as_text(worker: WorkerProcess) -> None:
    assert seen(await worker.invoke("sb_text", {"msg": text("plain")}, MESSAGE)) == "plain"


async def test_a_message_without_its_marker_cannot_be_decoded(worker: WorkerProcess) -> None:
    result = await worker.invoke("sb_single", {"msg": text("x")}, {"MessageId": text("m1")})
    assert result.error_type == "TypeError"
    assert result.error_message.startswith(
        "unable to decode incoming TypedData: unsupported combination of TypedData field 'string' "
        "and expected binding type <class 'azure.functions.servicebus.ServiceBusMessageInConverter"
    )


async def test_a_batch_of_service_bus_messages(worker: WorkerProcess) -> None:
    metadata = {
        "UserPropertiesArray": as_json([{"n": 1}, {"n": 2}]),
        "ApplicationPropertiesArray": as_json([{"n": 1}, {"n": 2}]),
        "DeliveryCountArray": as_json([1, 3]),
        "SequenceNumberArray": Datum("collection_sint64", [7, 8]),
        "EnqueuedTimeUtcArray": as_json(["2026-01-02T03:04:05", "2026-01-02T03:04:06.5"]),
        "MessageIdArray": Datum("collection_string", ["m1", "m2"]),
        # m1 has none: the host drops empty entries, so m2's moves up.
        "CorrelationIdArray": Datum("collection_string", ["c2"]),
    }
    for bodies in (
        as_json([{"a": 1}, {"a": 2}]),
        Datum("collection_string", ['{"a": 1}', '{"a": 2}']),
        Datum("collection_bytes", [b'{"a": 1}', b'{"a": 2}']),
    ):
        told = seen(await worker.invoke("sb_batch", {"msgs": bodies}, metadata))
        assert [message["body"] for message in told] == ['{"a": 1}', '{"a": 2}']
        assert [message["message_id"] for message in told] == ["m1", "m2"]
        assert [message["correlation_id"] for message in told] == ["c2", None]
        assert [message["sequence_number"] for message in told] == [7, 8]
        assert [message["delivery_count"] for message in told] == [1, 3]
        assert [message["user_properties"] for message in told] == [{"n": 1}, {"n": 2}]


async def test_fewer_bodies_than_messages_fail_the_batch(worker: WorkerProcess) -> None:
    metadata = {"UserPropertiesArray": as_json([{}, {}])}
    bodies = Datum("collection_string", ["only one"])
    result = await worker.invoke("sb_batch", {"msgs": bodies}, metadata)
    assert result.error_type == "IndexError"


async def test_cosmos_documents(worker: WorkerProcess) -> None:
    feed = '[{"id":"1","_etag":"\\"e\\"","_ts":5},{"id":"2"}]'
    told = seen(await worker.invoke("cosmos", {"docs": text(feed)}))
    assert told == json.loads(feed)
    assert seen(await worker.invoke("cosmos_text", {"docs": text(feed)})) == feed


async def test_inputs_beside_the_trigger_and_missing_ones(worker: WorkerProcess) -> None:
    found = {"req": request(), "doc": text('{"id":"1"}'), "blob": Datum("bytes", b"content")}
    assert seen(await worker.invoke("lookup", found)) == [[{"id": "1"}], "content"]
    missing = {"req": request(), "doc": UNSET, "blob": UNSET}
    assert seen(await worker.invoke("lookup", missing)) == [None, None]


async def test_an_input_that_is_not_given_is_a_missing_argument(worker: WorkerProcess) -> None:
    result = await worker.invoke("lookup", {"req": request()})
    assert result.error_type == "TypeError"
    assert "missing 2 required positional arguments: 'doc' and 'blob'" in result.error_message


async def test_timer(worker: WorkerProcess) -> None:
    schedule = {"AdjustForDST": True}
    status = {"Last": "2024-01-01T00:00:00+00:00", "Next": "2024-01-01T00:05:00+00:00"}
    value = {"Schedule": schedule, "ScheduleStatus": status, "IsPastDue": True}
    told = seen(await worker.invoke("timer", {"timer": as_json(value)}))
    assert told == [True, schedule, status]
    value = {"Schedule": schedule, "ScheduleStatus": None, "IsPastDue": False}
    assert seen(await worker.invoke("timer", {"timer": as_json(value)})) == [False, schedule, {}]
    refused = await worker.invoke("timer", {"timer": text(json.dumps(value))})
    assert refused.error_type == "TypeError"


async def test_event_grid_events_of_both_schemas(worker: WorkerProcess) -> None:
    event = {
        "id": "e1",
        "topic": "t",
        "subject": "s",
        "eventType": "T",
        "eventTime": "2026-01-02T03:04:05Z",
        "dataVersion": "1",
        "data": {"a": 1},
    }
    told = seen(await worker.invoke("grid", {"event": as_json(event)}, {"data": as_json({"a": 1})}))
    assert told == ["EventGridEvent", "e1", "t", "s", {"a": 1}]
    cloud = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/x",
        "type": "T",
        "subject": "s",
        "data": {"a": 1},
    }
    told = seen(await worker.invoke("grid", {"event": as_json(cloud)}))
    assert told == ["CloudEvent", "e1", "no topic", "s", {"a": 1}]


async def test_blob(worker: WorkerProcess) -> None:
    metadata = {
        "BlobTrigger": text("in/a.txt"),
        "Uri": as_json("http://localhost/in/a.txt"),
        "Properties": as_json({"ContentLength": 3}),
        "Metadata": as_json({"k": "v"}),
        "name": text("a.txt"),
    }
    told = seen(await worker.invoke("blob", {"blob": Datum("bytes", b"\x00\xffa")}, metadata))
    properties, uri = {"ContentLength": 3}, "http://localhost/in/a.txt"
    assert told == ["in/a.txt", 3, uri, properties, {"k": "v"}, "\x00\xffa"]


async def test_storage_queue(worker: WorkerProcess) -> None:
    metadata = {
        "Id": text("q1"),
        "DequeueCount": as_json(2),
        "PopReceipt": text("p"),
        "InsertionTime": as_json("2026-01-02T03:04:05+00:00"),
    }
    told = seen(await worker.invoke("queue", {"item": text("hello")}, metadata))
    inserted = "datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)"
    assert told == ["q1", 2, "p", inserted, "hello"]


@pytest.mark.parametrize(
    ("datum", "given"),
    [
        (text("t"), ["str", "'t'"]),
        (as_json({"a": 1}), ["str", "'{\"a\": 1}'"]),
        (Datum("bytes", b"b"), ["bytes", "b'b'"]),
        (UNSET, ["NoneType", "None"]),
    ],
    ids=["text", "json", "bytes", "unset"],
)
async def test_generic_triggers_take_values_as_they_are_and_return_one(
    worker: WorkerProcess, datum: Datum, given: list[str]
) -> None:
    result = await worker.invoke("generic", {"thing": datum})
    assert seen(result) == given
    assert result.return_value == Datum("json", '{"back": 1}')


async def test_a_generic_trigger_takes_no_collection(worker: WorkerProcess) -> None:
    result = await worker.invoke("generic", {"thing": Datum("collection_string", ["a"])})
    assert result.error_type == "ValueError"


async def test_a_large_payload_goes_both_ways(worker: WorkerProcess) -> None:
    body = "x" * 5_000_000
    results = [
        await worker.invoke("sb_text", {"msg": text(body + str(number))}, {}) for number in range(3)
    ]
    assert [seen(result) for result in results] == [body + str(number) for number in range(3)]
