"""Storage queue triggers and outputs of a real app: hiding, counts, poison, what is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import Emulator, running, until, write_app
from tests.support.reports import REPORT, Reports

APP = (
    f"""
    import json, os
    from typing import List
    import azure.durable_functions as df
    import azure.functions as func

    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
{REPORT}"""
    + """
    ACCOUNT = "AzureWebJobsStorage"

    @app.queue_trigger(arg_name="msg", queue_name="Items", connection=ACCOUNT)
    def item(msg: func.QueueMessage):
        report(fn="item", id=msg.id, body=msg.get_body().decode(), count=msg.dequeue_count,
            receipt=msg.pop_receipt, inserted=str(msg.insertion_time),
            expires=str(msg.expiration_time), hidden=str(msg.time_next_visible))

    @app.queue_trigger(arg_name="msg", queue_name="bad", connection=ACCOUNT)
    def bad(msg: func.QueueMessage):
        report(fn="bad", count=msg.dequeue_count)
        raise ValueError("told to fail")

    @app.queue_trigger(arg_name="msg", queue_name="bad-poison", connection=ACCOUNT)
    @app.queue_output(arg_name="out", queue_name="sent", connection=ACCOUNT)
    def poisoned(msg: str, out: func.Out[str]):
        out.set("buried: " + msg)

    @app.queue_trigger(arg_name="msg", queue_name="raw", connection=ACCOUNT, data_type="binary")
    def raw(msg: bytes):
        report(fn="raw", body=list(msg))

    @app.queue_trigger(arg_name="msg", queue_name="relay", connection=ACCOUNT)
    @app.queue_output(arg_name="$return", queue_name="sent", connection=ACCOUNT)
    def relay(msg: func.QueueMessage) -> str:
        return "relayed " + msg.get_json()["name"]

    @app.queue_trigger(arg_name="msg", queue_name="begin", connection=ACCOUNT)
    @app.durable_client_input(client_name="client")
    async def begin(msg: func.QueueMessage, client: df.DurableOrchestrationClient):
        await client.start_new("greet", None, msg.get_body().decode())

    @app.orchestration_trigger(context_name="context")
    def greet(context):
        yield context.call_activity("tell", context.get_input())

    @app.activity_trigger(input_name="name")
    @app.queue_output(arg_name="out", queue_name="sent", connection=ACCOUNT)
    def tell(name: str, out: func.Out[str]) -> None:
        out.set("Hello " + name)

    @app.queue_trigger(arg_name="msg", queue_name="Not_A_Queue", connection=ACCOUNT)
    def misnamed(msg: func.QueueMessage): ...

    @app.queue_trigger(arg_name="msg", queue_name="q", connection="NOWHERE")
    def lost(msg: func.QueueMessage): ...

    @app.route(route="send/{kind}", methods=["POST"])
    @app.queue_output(arg_name="out", queue_name="sent", connection=ACCOUNT)
    def send(req: func.HttpRequest, out: func.Out[List[str]]) -> str:
        out.set({"text": "plain", "list": ["a", "b"], "messages": [func.QueueMessage(body="c")],
            "large": "x" * 50_000}[req.route_params["kind"]])
        return "sent"

    @app.route(route="to/{queue}", methods=["POST"])
    @app.queue_output(arg_name="out", queue_name="{queue}", connection=ACCOUNT)
    def to(req: func.HttpRequest, out: func.Out[bytes]) -> str:
        out.set(req.get_body())
        return "sent"
"""
)
VALUES = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("queues")
    values = {**VALUES, "REPORT": str(made / "report")}
    host = {"extensions": {"queues": {"maxDequeueCount": 3}}}
    write_app(made / "app", APP, values=values, host=host)
    return made


async def messages(emulator: Emulator, queue: str) -> list[dict[str, Any]]:
    url = f"{emulator.doors.servicebus}/$emulator/storage-queues/{queue}/messages"
    async with emulator.http.get(url) as response:
        found: list[dict[str, Any]] = (await response.json())["messages"]
        return found


async def bodies_until(emulator: Emulator, queue: str, *bodies: str) -> None:
    async def there() -> bool:
        found = [message["body"] for message in await messages(emulator, queue)]
        return set(bodies) <= set(found)

    await until(there, f"{bodies} are in {queue}")


async def test_message_and_its_metadata_reach_the_function(
    emulator: Emulator, reports: Reports
) -> None:
    assert (await emulator.post("/api/to/items", data=b"hello")).text == "sent"
    [seen] = await reports.until("item")
    assert (seen["body"], seen["count"]) == ("hello", 1)
    assert seen["id"] != seen["receipt"]
    assert seen["inserted"] < seen["hidden"] < seen["expires"]
    assert seen["inserted"].endswith("+00:00")
    await emulator.logged("(Reason='New queue message detected on 'items'.', Id=")

    async def deleted() -> bool:
        return await messages(emulator, "items") == []

    await until(deleted, "the message is deleted")


async def test_failing_message_is_tried_again_and_ends_in_the_poison_queue(
    emulator: Emulator, reports: Reports
) -> None:
    await emulator.post("/api/to/bad", data=b"evil")
    await bodies_until(emulator, "sent", "buried: evil")
    assert [seen["count"] for seen in reports.of("bad")] == [1, 2, 3]
    moved = "Message has reached MaxDequeueCount of 3. Moving message to queue 'bad-poison'."
    await emulator.logged(moved)
    assert await messages(emulator, "bad") == []


async def test_failing_message_is_hidden_for_as_long_as_host_json_says(tmp_path: Path) -> None:
    report = tmp_path / "report"
    host = {"extensions": {"queues": {"visibilityTimeout": "00:10:00", "batchSize": 1}}}
    values = {**VALUES, "REPORT": str(report)}
    app = write_app(tmp_path / "app", APP, values=values, host=host)
    async with running(app, tmp_path / "data", arguments=["--functions", "bad", "to"]) as emulator:
        await emulator.post("/api/to/bad", data=b"evil")
        await emulator.logged("Executed 'Functions.bad' (Failed, Id=")
        await emulator.post("/api/to/bad", data=b"behind it")
        await Reports(report).until("bad", 2)
        assert [seen["count"] for seen in Reports(report).of("bad")] == [1, 1]
        await emulator.post("/emulator/clock", json={"advanceSeconds": 600})
        await Reports(report).until("bad", 4)
        assert [seen["count"] for seen in Reports(report).of("bad")] == [1, 1, 2, 2]


async def test_bytes_go_through_as_they_are(emulator: Emulator, reports: Reports) -> None:
    await emulator.post("/api/to/raw", data=b"\x00\xff")
    [seen] = await reports.until("raw")
    assert seen["body"] == [0, 255]


async def test_returned_text_and_lists_become_messages(emulator: Emulator) -> None:
    await emulator.post("/api/to/relay", data=b'{"name": "x"}')
    await bodies_until(emulator, "sent", "relayed x")
    for kind in ("text", "list", "messages"):
        assert (await emulator.post(f"/api/send/{kind}")).status == 200
    found = [message["body"] for message in await messages(emulator, "sent")]
    assert found[-4:-1] == ["plain", "a", "b"]
    # The library makes an object of a message, and the object is what is sent.
    assert json.loads(found[-1])["body"] == "c"


async def test_message_starts_an_orchestration_whose_activity_sends_another(
    emulator: Emulator,
) -> None:
    await emulator.post("/api/to/begin", data=b"world")
    await bodies_until(emulator, "sent", "Hello world")


async def test_message_over_the_limit_fails_the_function(emulator: Emulator) -> None:
    assert (await emulator.post("/api/send/large")).status == 500
    await emulator.logged("exceeds the maximum permissible limit")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("misnamed", "'not_a_queue' cannot be the name of a storage queue"),
        ("lost", "Storage account connection string 'NOWHERE' does not exist."),
    ],
)
async def test_queue_that_cannot_be_is_an_error_of_its_function(
    emulator: Emulator, function: str, reason: str
) -> None:
    assert f"The '{function}' function is in error: {reason}" in emulator.log


async def test_function_is_run_by_hand_and_a_message_is_put_in_from_outside(
    emulator: Emulator, reports: Reports
) -> None:
    before = len(reports.of("item"))
    answer = await emulator.post("/admin/functions/item", json={"input": "by hand"})
    assert answer.status == 202
    url = f"{emulator.doors.servicebus}/$emulator/storage-queues/items/messages"
    async with emulator.http.post(url, data=b"from outside") as response:
        assert response.status == 201
    found = (await reports.until("item", before + 2))[before:]
    assert {seen["body"] for seen in found} == {"by hand", "from outside"}
    async with emulator.http.post(url.replace("items", "nowhere"), data=b"x") as response:
        assert response.status == 404


async def test_message_of_a_host_that_was_killed_is_there_at_the_next_start(
    tmp_path: Path,
) -> None:
    source = """
    import os, threading
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.queue_trigger(arg_name="msg", queue_name="work", connection="AzureWebJobsStorage")
    def work(msg: func.QueueMessage):
        print("dequeued", msg.dequeue_count)
        if msg.dequeue_count == 1:
            threading.Event().wait()

    @app.route(route="send", methods=["POST"])
    @app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
    def send(req: func.HttpRequest, out: func.Out[str]) -> str:
        out.set("x")
        return "sent"
    """
    app = write_app(tmp_path / "app", source, values=VALUES)
    async with running(app, tmp_path / "data") as emulator:
        assert (await emulator.post("/api/send")).status == 200
        await emulator.logged("dequeued 1")
        emulator.process.kill()
    async with running(app, tmp_path / "data") as emulator:
        await emulator.logged("dequeued 2")

        async def deleted() -> bool:
            return await messages(emulator, "work") == []

        await until(deleted, "the second time it was deleted")
