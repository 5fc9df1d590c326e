"""The queue's rules as a function meets them: deliveries, time to live, duplicates, batches."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import Emulator, until, write_app
from tests.support.reports import REPORT, Reports

HEAD = f"""
    import json, os
    from typing import List
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
{REPORT}"""
APP = (
    HEAD
    + """
    def queue(name, **more):
        return app.service_bus_queue_trigger(
            arg_name=more.pop("arg", "msg"), queue_name=name, connection="SB", **more)

    def output(name, arg="out"):
        return app.service_bus_queue_output(arg_name=arg, queue_name=name, connection="SB")

    @queue("fails")
    def fails(msg: func.ServiceBusMessage):
        report(fn="fails", count=msg.delivery_count, id=msg.message_id)
        raise ValueError("told to fail")

    @queue("plain")
    def plain(msg: func.ServiceBusMessage):
        report(fn="plain", body=msg.get_body().decode(), id=msg.message_id,
            enqueued=msg.enqueued_time_utc.isoformat(), count=msg.delivery_count)

    @queue("once")
    def once(msg: func.ServiceBusMessage):
        report(fn="once", body=msg.get_body().decode())

    @queue("short/$DeadLetterQueue")
    def expired(msg: func.ServiceBusMessage):
        properties = msg.application_properties
        report(fn="expired", body=msg.get_body().decode(), source=msg.dead_letter_source,
            reason=properties["DeadLetterReason"],
            description=properties["DeadLetterErrorDescription"], typed=msg.dead_letter_reason)

    @queue("binary", data_type="binary")
    def binary(msg: func.ServiceBusMessage):
        report(fn="binary", body=list(msg.get_body()), id=msg.message_id)

    @queue("text")
    def text(msg: str):
        report(fn="text", type=type(msg).__name__, body=msg)

    @queue("batch", arg="msgs", cardinality="many", data_type="string")
    def batch(msgs: List[func.ServiceBusMessage]):
        report(fn="batch", bodies=[m.get_body().decode() for m in msgs],
            counts=[m.delivery_count for m in msgs],
            correlations=[m.correlation_id for m in msgs], ids=[m.message_id for m in msgs])
        if any(m.get_body() == b"fail" for m in msgs):
            raise ValueError("told to fail")

    @queue("batchjson", arg="msgs", cardinality="many")
    def batchjson(msgs: List[func.ServiceBusMessage]):
        report(fn="batchjson", bodies=[m.get_body().decode() for m in msgs])

    @queue("batchbytes", arg="msgs", cardinality="many", data_type="binary")
    def batchbytes(msgs: List[func.ServiceBusMessage]):
        report(fn="batchbytes", bodies=[list(m.get_body()) for m in msgs])

    @queue("sessionbatch", arg="msgs", cardinality="many", data_type="string",
        is_sessions_enabled=True)
    def sessionbatch(msgs: List[func.ServiceBusMessage]):
        report(fn="sessionbatch", sessions=[m.session_id for m in msgs],
            bodies=[m.get_body().decode() for m in msgs])

    @app.route(route="described")
    @app.generic_output_binding(arg_name="out", type="serviceBus", queue_name="sent",
        connection="SB", include_metadata=True)
    def described(req: func.HttpRequest, out: func.Out[str]) -> str: ...

    @app.route(route="tosession", methods=["POST"])
    @output("sessions")
    def tosession(req: func.HttpRequest, out: func.Out[str]) -> str:
        out.set("hello")
        return "never said"

    @app.route(route="send/{kind}", methods=["POST"])
    @output("sent")
    def send(req: func.HttpRequest, out: func.Out[str]) -> str:
        kind = req.route_params["kind"]
        if kind != "unset":
            out.set({"list": ["a", {"b": 1}, "{}"], "dict": {"c": [1, None]}, "number": 7,
                "bytes": b"\\x00\\xff", "none": None, "empty": []}[kind])
        return kind

    @app.route(route="both", methods=["POST"])
    @output("sent", "first")
    @output("sessions", "second")
    def both(req: func.HttpRequest, first: func.Out[str], second: func.Out[str]) -> str:
        first.set("sent all the same")
        second.set("refused")
        return "never said"

    @queue("relay")
    @output("sent", "$return")
    def relay(msg: func.ServiceBusMessage) -> str:
        return "relayed " + msg.get_body().decode()
"""
)
QUEUES: list[dict[str, Any]] = [
    {"name": "fails"},
    {"name": "plain"},
    {"name": "once", "requiresDuplicateDetection": True},
    {"name": "short", "deadLetteringOnMessageExpiration": True},
    {"name": "dropped"},
    {"name": "batch", "maxDeliveryCount": 2},
    {"name": "batchjson", "maxDeliveryCount": 2},
    {"name": "sessions", "requiresSession": True},
    {"name": "sessionbatch", "requiresSession": True},
    {"name": "sent"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("rules")
    write_app(
        made / "app",
        APP,
        values={"REPORT": str(made / "report")},
        entities={"serviceBus": {"queues": QUEUES}},
        # Batches are gathered until they are whole, so that a test knows what is in them.
        host={"extensions": {"serviceBus": {"minMessageBatchSize": 2}}},
    )
    return made


async def dead(emulator: Emulator, queue: str, count: int) -> list[dict[str, Any]]:
    async def buried() -> list[dict[str, Any]] | None:
        found = await emulator.peek(f"{queue}/$DeadLetterQueue")
        return found if len(found) >= count else None

    return await until(buried, f"{count} dead letters of {queue}")


async def sent(emulator: Emulator) -> list[bytes]:
    bodies = []
    while (message := await emulator.receive("sent")) is not None:
        bodies.append(message[0])
    return bodies


async def test_ten_deliveries_are_counted_and_the_dead_letter_says_why(
    emulator: Emulator, reports: Reports
) -> None:
    await emulator.send("fails", "x", {"MessageId": "m1"})
    [letter] = await dead(emulator, "fails", 1)
    assert letter["applicationProperties"] == {
        "DeadLetterReason": "MaxDeliveryCountExceeded",
        "DeadLetterErrorDescription": "Message could not be consumed after 10 delivery attempts.",
    }
    assert letter["brokerProperties"]["MessageId"] == "m1"
    found = await reports.until("fails", 10)
    assert [each["count"] for each in found] == list(range(1, 11))


async def test_scheduled_message_comes_when_it_is_due_and_counts_from_then(
    emulator: Emulator, reports: Reports
) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    at = {"ScheduledEnqueueTimeUtc": format_datetime(due, usegmt=True), "MessageId": "later"}
    await emulator.send("plain", "later", at)
    await emulator.send("plain", "now")
    first, second = await reports.until("plain", 2)
    assert (first["body"], second["body"]) == ("now", "later")
    assert datetime.fromisoformat(second["enqueued"]) >= due.replace(tzinfo=None)
    assert second["count"] == 1


async def test_repeated_message_id_is_accepted_and_runs_nothing(
    emulator: Emulator, reports: Reports
) -> None:
    for body in ("first", "again"):
        await emulator.send("once", body, {"MessageId": "same"})
    await emulator.send("once", "other", {"MessageId": "other"})
    found = await reports.until("once", 2)
    assert [each["body"] for each in found] == ["first", "other"]


async def test_expired_message_goes_to_the_dead_letter_queue_or_is_dropped(
    emulator: Emulator, reports: Reports
) -> None:
    for queue in ("short", "dropped"):
        await emulator.send(queue, f"of {queue}", {"TimeToLive": 0.05})
    [found] = await reports.until("expired")
    assert found == {
        "fn": "expired",
        "body": "of short",
        "source": "short",
        "reason": "TTLExpiredException",
        "description": "The message expired and was dead lettered.",
        # The real host does not send these two as metadata.
        "typed": None,
    }

    async def gone() -> bool:
        return not any((await emulator.counts("dropped")).values())

    await until(gone, "the expired message is dropped")


async def test_binary_and_text_parameters(emulator: Emulator, reports: Reports) -> None:
    await emulator.send("binary", b'{"MessageId": "zzz"}', {"MessageId": "mine"})
    [binary] = await reports.until("binary")
    assert (bytes(binary["body"]), binary["id"]) == (b'{"MessageId": "zzz"}', "mine")
    await emulator.send("text", '{"a":  1}')
    [text] = await reports.until("text")
    assert (text["type"], text["body"]) == ("str", '{"a":  1}')


async def test_failed_batch_is_abandoned_whole(emulator: Emulator, reports: Reports) -> None:
    await asyncio.gather(*(emulator.send("batch", body) for body in ("good", "fail")))
    letters = await dead(emulator, "batch", 2)
    assert sorted(letter["body"] for letter in letters) == ["fail", "good"]
    first, second = await reports.until("batch", 2)
    assert (first["counts"], second["counts"]) == ([1, 1], [2, 2])


async def test_missing_values_of_a_batch_shift_and_are_warned_of(
    emulator: Emulator, reports: Reports
) -> None:
    await emulator.send("batch", "m1", {"MessageId": "m1"})
    await emulator.send("batch", "m2", {"MessageId": "m2", "CorrelationId": "c2"})
    found = (await reports.until("batch", 3))[2]
    assert found["ids"] == ["m1", "m2"]
    assert found["correlations"] == ["c2", None]
    await emulator.logged("messages of a batch differ in which properties they have")


async def test_empty_body_in_a_batch_of_text_fails_the_batch(emulator: Emulator) -> None:
    before = len(await emulator.peek("batch/$DeadLetterQueue"))
    await emulator.send("batch", "")
    await emulator.send("batch", "not empty")
    await dead(emulator, "batch", before + 2)
    await emulator.logged("Exception: IndexError: list index out of range")


async def test_batch_of_json_is_dumped_anew_and_one_body_that_is_none_fails_all(
    emulator: Emulator, reports: Reports
) -> None:
    for body in ('{"a":1}', "[2]"):
        await emulator.send("batchjson", body)
    [found] = await reports.until("batchjson")
    assert found["bodies"] == ['{"a": 1}', "[2]"]
    for body in ("{}", "plain"):
        await emulator.send("batchjson", body)
    assert len(await dead(emulator, "batchjson", 2)) == 2


async def test_batch_of_bytes(emulator: Emulator, reports: Reports) -> None:
    for body in (b"\x00\xff", b""):
        await emulator.send("batchbytes", body)
    [found] = await reports.until("batchbytes")
    assert found["bodies"] == [[0, 255], []]


async def test_batch_of_a_queue_with_sessions_holds_one_session_in_order(
    emulator: Emulator, reports: Reports
) -> None:
    for session, body in ("a1", "b1", "a2", "b2"):
        await emulator.send("sessionbatch", session + body, {"SessionId": session})
    found = sorted(await reports.until("sessionbatch", 2), key=lambda each: each["bodies"])
    assert [each["bodies"] for each in found] == [["a1", "a2"], ["b1", "b2"]]
    assert [each["sessions"] for each in found] == [["a", "a"], ["b", "b"]]


async def test_output_with_metadata_is_refused(emulator: Emulator) -> None:
    assert "The 'described' function is in error: 'includeMetadata' of the Service" in emulator.log


@pytest.mark.parametrize(
    ("kind", "bodies"),
    [
        ("list", [b"a", b'{\n  "b": 1\n}', b"{}"]),
        ("dict", [b'{\n  "c": [\n    1,\n    null\n  ]\n}']),
        ("number", [b"7"]),
        ("bytes", [b"\x00\xff"]),
        ("empty", []),
        ("none", []),
        ("unset", []),
    ],
)
async def test_value_of_an_output_becomes_messages(
    emulator: Emulator, kind: str, bodies: list[bytes]
) -> None:
    answer = await emulator.post(f"/api/send/{kind}")
    assert (answer.status, answer.text) == (200, kind)
    assert await sent(emulator) == bodies


async def test_bytes_are_sent_and_warned_of(emulator: Emulator) -> None:
    await emulator.post("/api/send/bytes")
    assert await sent(emulator) == [b"\x00\xff"]
    await emulator.logged("On Azure the message's body would be the text 'System.Byte[]'")


async def test_returned_text_is_a_message_that_names_its_invocation(emulator: Emulator) -> None:
    await emulator.send("relay", "x")
    [message] = await until(lambda: emulator.peek("sent"), "the relayed message")
    assert message["body"] == "relayed x"
    assert message["contentType"] == "text/plain"
    invocation = message["applicationProperties"]["$AzureWebJobsParentId"]
    await emulator.logged(f"Executing 'Functions.relay' (Reason='(null)', Id={invocation})")
    await sent(emulator)


async def test_queue_with_sessions_refuses_what_an_output_sends(emulator: Emulator) -> None:
    answer = await emulator.post("/api/tosession")
    assert (answer.status, answer.body) == (500, b"")
    await emulator.logged("The SessionId was not set on a message")


async def test_failed_output_fails_the_function_and_leaves_the_other_sent(
    emulator: Emulator,
) -> None:
    assert (await emulator.post("/api/both")).status == 500
    assert await sent(emulator) == [b"sent all the same"]
