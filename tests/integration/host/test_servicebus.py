"""Service Bus triggers and outputs of a real app: settlement, metadata, batches, what is sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, connected, started, until, write_app

APP = """
    import json, os, time
    from typing import List
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="%ONE_QUEUE%", connection="SB")
    @app.service_bus_queue_output(arg_name="out", queue_name="seen", connection="SB")
    def one(msg: func.ServiceBusMessage, out: func.Out[str], context: func.Context):
        body = msg.get_body().decode()
        out.set(json.dumps([json.dumps({
            "body": body, "count": msg.delivery_count, "id": msg.message_id,
            "sequence": msg.sequence_number, "naive": msg.enqueued_time_utc.tzinfo is None,
            "expires": msg.expires_at_utc.year, "type": msg.content_type,
            "user": msg.user_properties, "correlation": msg.correlation_id,
            "trace": context.trace_context.trace_parent,
        })]))
        if "fail" in body:
            raise ValueError("told to fail")

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="lazy", connection="SB")
    def returns(msg: func.ServiceBusMessage) -> str:
        return "a value that nobody takes"

    @app.service_bus_queue_trigger(
        arg_name="msg", queue_name="manual", connection="SB", auto_complete_messages=False)
    def manual(msg: func.ServiceBusMessage):
        return None

    @app.service_bus_queue_trigger(arg_name="msgs", queue_name="many", connection="SB",
        cardinality="many", data_type="string")
    @app.service_bus_queue_output(arg_name="out", queue_name="seen", connection="SB")
    def many(msgs: List[func.ServiceBusMessage], out: func.Out[str]):
        bodies = [m.get_body().decode() for m in msgs]
        if any("fail" in body for body in bodies):
            raise ValueError("told to fail")
        out.set(json.dumps([json.dumps({"batch": bodies})]))

    @app.service_bus_queue_trigger(arg_name="msgs", queue_name="manyjson", connection="SB",
        cardinality="many")
    def manyjson(msgs: List[func.ServiceBusMessage]):
        return None

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="graveyard/$DeadLetterQueue",
        connection="SB")
    @app.service_bus_queue_output(arg_name="out", queue_name="seen", connection="SB")
    def gravedigger(msg: func.ServiceBusMessage, out: func.Out[str]):
        out.set(json.dumps([json.dumps({"dug": msg.get_body().decode(),
            "why": msg.application_properties.get("DeadLetterReason")})]))

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="graveyard", connection="SB")
    def buries(msg: func.ServiceBusMessage):
        raise RuntimeError("never")

    @app.route(route="send/{kind}", methods=["POST"])
    @app.service_bus_queue_output(arg_name="out", queue_name="sent", connection="SB")
    def send(req: func.HttpRequest, out: func.Out[bytes]) -> func.HttpResponse:
        kind, body = req.route_params["kind"], req.get_body()
        out.set({"text": body.decode(), "bytes": body}[kind])
        return func.HttpResponse("sent")

    @app.route(route="sendto", methods=["POST"])
    @app.service_bus_queue_output(arg_name="out", queue_name="to-{Query.queue}", connection="SB")
    def sendto(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
        out.set("hello")
        return func.HttpResponse("sent")

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="sessions", connection="SB",
        is_sessions_enabled=True)
    @app.service_bus_queue_output(arg_name="out", queue_name="seen", connection="SB")
    def insession(msg: func.ServiceBusMessage, out: func.Out[str]):
        if msg.get_body() == b"a2" and msg.delivery_count < 3:
            raise ValueError("told to fail")
        out.set(json.dumps([json.dumps({"session": msg.session_id,
            "body": msg.get_body().decode()})]))

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="one", connection="SB",
        is_sessions_enabled=True)
    def wrongsession(msg: func.ServiceBusMessage):
        return None

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="NOT_THERE")
    def lost(msg: func.ServiceBusMessage):
        return None

    @app.service_bus_topic_trigger(arg_name="msg", topic_name="t", subscription_name="s",
        connection="SB")
    def topical(msg: func.ServiceBusMessage):
        return None
"""
ENTITIES = {
    "serviceBus": {
        "queues": [
            {"name": "one"},
            {"name": "sent"},
            {"name": "to-x"},
            {"name": "sessions", "requiresSession": True},
            {"name": "graveyard", "maxDeliveryCount": 2},
            {"name": "manual", "lockDuration": "PT5S", "maxDeliveryCount": 1},
        ]
    }
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Doors]]:
    folder: Path = tmp_path_factory.mktemp("servicebus")
    app = write_app(folder / "app", APP, values={"ONE_QUEUE": "one"}, entities=ENTITIES)
    with started(app, folder / "data") as running:
        yield running


@pytest.fixture
async def emulator(process: tuple[EmulatorProcess, Doors]) -> AsyncIterator[Emulator]:
    async with connected(*process) as client:
        while await client.receive("seen"):
            continue
        yield client


async def next_seen(emulator: Emulator) -> dict[str, Any]:
    body, _ = await until(lambda: emulator.receive("seen"), "the function reported")
    found: dict[str, Any] = json.loads(body)
    return found


async def settled(emulator: Emulator, queue: str) -> dict[str, int]:
    async def empty() -> dict[str, int] | None:
        counts = await emulator.counts(queue)
        busy = counts["active"] + counts["locked"] + counts["in_transit"]
        return None if busy else counts

    return await until(empty, f"nothing is left in {queue}")


async def test_message_and_its_metadata_reach_the_function(emulator: Emulator) -> None:
    properties = {"MessageId": "m1", "CorrelationId": "c1"}
    await emulator.send("one", "plain text", properties)
    seen = await next_seen(emulator)
    assert seen["body"] == "plain text"
    assert (seen["id"], seen["correlation"], seen["count"]) == ("m1", "c1", 1)
    assert seen["naive"]
    assert seen["expires"] == 9999
    assert seen["user"] == {}
    assert (await settled(emulator, "one"))["dead_letter"] == 0


async def test_json_body_overrides_metadata_as_on_the_real_host(emulator: Emulator) -> None:
    await emulator.send("one", '{"MessageId": "zzz", "CorrelationId": null}', {"MessageId": "m2"})
    seen = await next_seen(emulator)
    assert seen["id"] == "zzz"


async def test_failure_is_redelivered_at_once_and_dead_lettered_after_ten(
    emulator: Emulator,
) -> None:
    before = (await emulator.counts("one"))["dead_letter"]
    await emulator.send("one", "fail", {"MessageId": "bad"})

    async def dead() -> bool:
        return (await emulator.counts("one"))["dead_letter"] == before + 1

    await until(dead, "the message is dead-lettered")
    [message] = [m for m in await emulator.peek("one/$DeadLetterQueue") if m["body"] == "fail"]
    assert message["brokerProperties"]["DeliveryCount"] == 10
    reason = message["applicationProperties"]["DeadLetterReason"]
    assert reason == "MaxDeliveryCountExceeded"
    # No output of a failed function is sent.
    assert await emulator.receive("seen") is None


async def test_returned_value_without_a_binding_is_a_failure(emulator: Emulator) -> None:
    await emulator.send("lazy", "x")

    async def dead() -> bool:
        return (await emulator.counts("lazy"))["dead_letter"] == 1

    await until(dead, "the message is dead-lettered")
    await emulator.logged("without a $return binding returned a non-None value")


async def test_without_auto_complete_the_lock_runs_out(emulator: Emulator) -> None:
    await emulator.send("manual", "x")

    async def dead() -> bool:
        return (await emulator.counts("manual"))["dead_letter"] == 1

    await until(dead, "the lock ran out, and with it the one delivery")


async def test_batch_is_one_invocation_and_completed_as_one(emulator: Emulator) -> None:
    await asyncio.gather(*(emulator.send("many", f"m{index}") for index in range(20)))
    seen: list[str] = []
    while len(seen) < 20:
        seen += (await next_seen(emulator))["batch"]
    assert sorted(seen) == sorted(f"m{index}" for index in range(20))
    assert (await settled(emulator, "many"))["dead_letter"] == 0


async def test_batch_without_a_data_type_takes_json_only(emulator: Emulator) -> None:
    await emulator.send("manyjson", "not json")

    async def dead() -> bool:
        return (await emulator.counts("manyjson"))["dead_letter"] == 1

    await until(dead, "the message is dead-lettered")
    await emulator.logged("of the batch is not JSON")


async def test_dead_letter_queue_can_be_listened_to(emulator: Emulator) -> None:
    await emulator.send("graveyard", "rest in peace")
    seen = await next_seen(emulator)
    assert seen == {"dug": "rest in peace", "why": "MaxDeliveryCountExceeded"}


async def test_session_is_in_order_even_where_a_message_fails(emulator: Emulator) -> None:
    for body in ("a1", "b1", "a2", "a3"):
        await emulator.send("sessions", body, {"SessionId": body[0]})
    seen = [await next_seen(emulator) for _ in range(4)]
    assert [each["body"] for each in seen if each["session"] == "a"] == ["a1", "a2", "a3"]
    assert [each["body"] for each in seen if each["session"] == "b"] == ["b1"]
    assert (await settled(emulator, "sessions"))["dead_letter"] == 0


async def test_sessions_of_trigger_and_queue_must_agree(emulator: Emulator) -> None:
    await emulator.logged("The 'wrongsession' function is in error: The queue 'one' does not have")


@pytest.mark.parametrize(
    ("kind", "given", "sent"),
    [
        ("text", "hello", ["hello"]),
        (
            "text",
            '{"a":1,"at":"2024-01-01T00:00:00.100Z"}',
            ['{\n  "a": 1,\n  "at": "2024-01-01T00:00:00.1Z"\n}'],
        ),
        ("text", '["one", {"b": 2}]', ["one", '{\n  "b": 2\n}']),
        ("bytes", "\u00e9", ["\u00e9"]),
    ],
)
async def test_output_becomes_messages(
    emulator: Emulator, kind: str, given: str, sent: list[str]
) -> None:
    answer = await emulator.post(f"/api/send/{kind}", data=given.encode())
    assert (answer.status, answer.text) == (200, "sent")
    for expected in sent:
        received = await emulator.receive("sent")
        assert received is not None
        assert received[0].decode() == expected
    assert await emulator.receive("sent") is None


async def test_output_that_looks_like_json_and_is_none_fails_the_function(
    emulator: Emulator,
) -> None:
    answer = await emulator.post("/api/send/text", data=b"{not json}")
    assert answer.status == 500
    assert await emulator.receive("sent") is None


async def test_oversized_output_fails_the_function(emulator: Emulator) -> None:
    answer = await emulator.post("/api/send/text", data=b"x" * 300_000)
    assert answer.status == 500


async def test_queue_of_an_expression(emulator: Emulator) -> None:
    assert (await emulator.post("/api/sendto?queue=x")).status == 200
    assert await emulator.receive("to-x") is not None
    assert (await emulator.post("/api/sendto")).status == 500
    await emulator.logged("No value for named parameter 'Query.queue'.")


async def test_missing_connection_and_topics_are_errors_of_their_function(
    emulator: Emulator,
) -> None:
    assert (
        "The 'lost' function is in error: Service Bus connection 'NOT_THERE' does not exist."
        in emulator.log
    )
    await emulator.logged("The 'topical' function is in error: Service Bus topics")
