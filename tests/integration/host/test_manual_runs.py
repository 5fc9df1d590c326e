"""`POST /admin/functions/{name}`: each trigger reads the input as its own; nothing is settled."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import Emulator, write_app
from tests.support.reports import REPORT, Reports

APP = (
    f"""
    import asyncio, json, os
    from typing import List
    import azure.durable_functions as df
    import azure.functions as func

    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
{REPORT}"""
    + """
    @app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="SB")
    def message(msg: func.ServiceBusMessage):
        report(fn="message", body=msg.get_body().decode(), count=msg.delivery_count,
            id=bool(msg.message_id))

    @app.service_bus_queue_trigger(arg_name="msgs", queue_name="many", connection="SB",
        cardinality="many", data_type="string")
    def messages(msgs: List[func.ServiceBusMessage]):
        report(fn="messages", bodies=[m.get_body().decode() for m in msgs])

    @app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="items", create_lease_container_if_not_exists=True)
    def documents(docs: func.DocumentList):
        report(fn="documents", ids=[d["id"] for d in docs])

    @app.event_grid_trigger(arg_name="event")
    def granted(event: func.EventGridEvent):
        report(fn="granted", id=event.id, data=event.get_json())

    @app.route(route="web")
    def web(req: func.HttpRequest) -> str:
        report(fn="web", method=req.method, body=req.get_body().decode(), query=dict(req.params),
            header=req.headers.get("x-a"))
        return "ok"

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    def failing(timer: func.TimerRequest):
        report(fn="failing")
        raise ValueError("told to fail")

    @app.orchestration_trigger(context_name="context")
    def orchestrator(context):
        return 1

    @app.route(route="slow")
    async def slow(req: func.HttpRequest) -> str:
        print("slow one")
        await asyncio.sleep(1)
        return "ok"
"""
)
ENTITIES = {"cosmos": {"database": "db", "containers": [{"name": "items", "partitionKey": "/id"}]}}
EVENT = {
    **{"id": "e1", "topic": "t", "subject": "s", "eventType": "T", "dataVersion": "1"},
    **{"eventTime": "2024-01-01T00:00:00Z", "data": {"a": 1}},
}
REQUEST = {
    "method": "put",
    "queryStringParams": [{"name": "q", "value": "1"}],
    "headers": [{"name": "X-A", "value": "b"}],
    "body": "hello",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("manual")
    values = {"REPORT": str(made / "report")}
    host = {"extensions": {"http": {"maxOutstandingRequests": 2, "maxConcurrentRequests": 1}}}
    write_app(made / "app", APP, values=values, entities=ENTITIES, host=host)
    return made


@pytest.mark.parametrize(
    ("function", "given", "seen"),
    [
        ("message", "by hand", {"body": "by hand", "count": 1, "id": True}),
        ("messages", "by hand", {"bodies": ["by hand"]}),
        ("documents", json.dumps([{"id": "a"}, {"id": "b"}]), {"ids": ["a", "b"]}),
        ("granted", json.dumps(EVENT), {"id": "e1", "data": {"a": 1}}),
        (
            "web",
            json.dumps(REQUEST),
            {"method": "PUT", "body": "hello", "query": {"q": "1"}, "header": "b"},
        ),
        ("failing", "whatever", {}),
    ],
)
async def test_input_becomes_what_the_trigger_gives(
    emulator: Emulator, folder: Path, function: str, given: str, seen: dict[str, Any]
) -> None:
    answer = await emulator.post(f"/admin/functions/{function}", json={"input": given})
    assert (answer.status, answer.body) == (202, b"")
    assert await Reports(folder / "report").until(function) == [{"fn": function, **seen}]
    reason = "This function was programmatically called via the host APIs."
    await emulator.logged(f"Executing 'Functions.{function}' (Reason='{reason}', Id=")


async def test_failure_is_logged_and_nothing_is_tried_again(
    emulator: Emulator, folder: Path
) -> None:
    await emulator.logged("Executed 'Functions.failing' (Failed, Id=")
    assert len(Reports(folder / "report").of("failing")) == 1


@pytest.mark.parametrize(
    ("function", "body", "kind", "status"),
    [
        ("documents", '{"input": "no array"}', "application/json", 400),
        ("granted", '{"input": "[]"}', "application/json", 400),
        ("orchestrator", '{"input": ""}', "application/json", 400),
        ("message", "", "application/json", 400),
        ("message", "{nonsense", "application/json", 400),
        ("message", "text", "text/plain", 415),
        ("nowhere", '{"input": ""}', "application/json", 404),
    ],
)
async def test_input_that_makes_no_sense_is_refused(
    emulator: Emulator, function: str, body: str, kind: str, status: int
) -> None:
    answer = await emulator.post(
        f"/admin/functions/{function}", data=body, headers={"Content-Type": kind}
    )
    assert answer.status == status


async def test_requests_beyond_the_limit_are_429(emulator: Emulator) -> None:
    first = asyncio.create_task(emulator.get("/api/slow"))
    await emulator.logged("slow one")
    # One at a time may run, one more may wait: of these two, the one that comes second is too much.
    answers = await asyncio.gather(emulator.get("/api/web"), emulator.get("/api/web"))
    assert sorted(answer.status for answer in answers) == [200, 429]
    assert {answer.status: answer.body for answer in answers}[429] == b""
    assert (await first).status == 200
    assert (await emulator.get("/api/web")).status == 200
