"""Cosmos DB, Event Grid and timer triggers of a real app."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient

from emulator.cosmos import EMULATOR_KEY
from tests.support.emulator import Emulator, running, until, write_app
from tests.support.reports import REPORT, Reports

APP = (
    f"""
    import json, os
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
{REPORT}"""
    + """
    @app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="plain", lease_container_name="leases", lease_container_prefix="plain")
    def plain(docs: func.DocumentList):
        report(fn="plain", ids=[d["id"] for d in docs], keys=sorted(docs[0].to_dict()))
        if any(d["id"].startswith("fail") for d in docs):
            raise ValueError("told to fail")

    @app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="plain", lease_container_name="leases", lease_container_prefix="retried",
        start_from_beginning=True)
    @app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
    def retried(docs: func.DocumentList, context: func.Context):
        report(fn="retried", ids=[d["id"] for d in docs], attempt=context.retry_context.retry_count,
            most=context.retry_context.max_retry_count, invocation=context.invocation_id)
        if any(d["id"].startswith("fail") for d in docs):
            raise ValueError("told to fail")

    @app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="nowhere", lease_container_name="leases")
    def missing(docs: func.DocumentList):
        report(fn="missing")

    @app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="plain", lease_container_name="plain")
    def same(docs: func.DocumentList):
        report(fn="same")

    @app.event_grid_trigger(arg_name="event")
    def granted(event: func.EventGridEvent):
        if event.get_json().get("fail"):
            raise ValueError("told to fail")
        report(fn="granted", id=event.id, topic=getattr(event, "topic", None),
            data=event.get_json())

    @app.timer_trigger(arg_name="timer", schedule="*/1 * * * * *")
    def ticking(timer: func.TimerRequest):
        report(fn="ticking", past_due=timer.past_due, status=timer.schedule_status)

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
    def yearly(timer: func.TimerRequest):
        report(fn="yearly", status=timer.schedule_status)

    @app.timer_trigger(arg_name="timer", schedule="whenever")
    def never(timer: func.TimerRequest):
        report(fn="never")

    @app.route(route="docs/{id}", methods=["GET"])
    @app.cosmos_db_input(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="plain", id="{id}", partition_key="{id}")
    def read(req: func.HttpRequest, docs: func.DocumentList) -> func.HttpResponse:
        return func.HttpResponse(str(docs[0]["n"]) if docs else "none")

    @app.route(route="query/{n}", methods=["GET"])
    @app.cosmos_db_input(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="plain", sql_query="SELECT * FROM c WHERE c.n = {n}")
    def query(req: func.HttpRequest, docs: func.DocumentList) -> func.HttpResponse:
        return func.HttpResponse(",".join(sorted(d["id"] for d in docs)))

    @app.route(route="docs", methods=["POST"])
    @app.cosmos_db_output(arg_name="out", connection="COSMOS", database_name="db",
        container_name="made", create_if_not_exists=True, partition_key="/kind")
    def write(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
        out.set(req.get_body().decode())
        return func.HttpResponse("written")

    @app.route(route="publish", methods=["POST"])
    @app.event_grid_output(arg_name="out", connection="EG")
    def publish(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
        out.set(req.get_body().decode())
        return func.HttpResponse("published")
"""
)
ENTITIES = {
    "cosmos": {
        "database": "db",
        "containers": [
            {"name": "plain", "partitionKey": "/id"},
            {"name": "leases", "partitionKey": "/id"},
        ],
    },
    "eventGrid": {"topics": ["things"]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("feeds")
    write_app(made / "app", APP, values={"REPORT": str(made / "report")}, entities=ENTITIES)
    return made


@pytest.fixture
async def plain(emulator: Emulator) -> AsyncIterator[ContainerProxy]:
    async with CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client:
        yield client.get_database_client("db").get_container_client("plain")


def ids_of(reports: list[dict[str, Any]]) -> list[str]:
    return [identity for report in reports for identity in report["ids"]]


async def test_changes_are_delivered_in_order_with_system_properties(
    plain: ContainerProxy, reports: Reports
) -> None:
    for number in range(5):
        await plain.upsert_item({"id": f"a{number}", "n": number})

    async def seen() -> bool:
        return "a4" in ids_of(reports.of("plain"))

    await until(seen, "the last change was delivered")
    found = [each for each in ids_of(reports.of("plain")) if each.startswith("a")]
    assert found == [f"a{number}" for number in range(5)]
    keys = set(reports.of("plain")[0]["keys"])
    assert {"id", "n", "_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"} <= keys


async def test_failed_batch_is_lost_without_a_retry_policy(
    plain: ContainerProxy, reports: Reports, emulator: Emulator
) -> None:
    await plain.upsert_item({"id": "fail-1"})

    async def warned() -> bool:
        return "not delivered again: fail-1" in emulator.log

    await until(warned, "the loss is logged")
    await plain.upsert_item({"id": "after-1"})

    async def went_on() -> bool:
        return "after-1" in ids_of(reports.of("plain"))

    await until(went_on, "the next change was delivered")
    assert ids_of(reports.of("plain")).count("fail-1") == 1


async def test_failed_batch_is_retried_in_place_until_the_attempts_run_out(
    plain: ContainerProxy, reports: Reports
) -> None:
    await plain.upsert_item({"id": "fail-2"})

    async def tried() -> list[dict[str, Any]] | None:
        found = [each for each in reports.of("retried") if each["ids"] == ["fail-2"]]
        return found if len(found) >= 3 else None

    attempts = await until(tried, "three attempts")
    assert [each["attempt"] for each in attempts] == [0, 1, 2]
    assert {each["most"] for each in attempts} == {2}
    assert len({each["invocation"] for each in attempts}) == 3
    await plain.upsert_item({"id": "after-2"})

    async def went_on() -> bool:
        return "after-2" in ids_of(reports.of("retried"))

    await until(went_on, "the feed moved on")
    assert ids_of(reports.of("retried")).count("fail-2") == 3


async def test_missing_container_and_shared_lease_container_are_said(emulator: Emulator) -> None:
    async def said() -> bool:
        return "The listener for function 'Functions.missing' was unable to start" in emulator.log

    await until(said, "the missing container is in the log")
    await emulator.logged("The 'same' function is in error: The monitored container cannot be")


async def test_documents_are_read_by_input_bindings(
    plain: ContainerProxy, emulator: Emulator
) -> None:
    await plain.upsert_item({"id": "in1", "n": 71})
    await plain.upsert_item({"id": "in2", "n": 71})
    assert (await emulator.get("/api/docs/in1")).text == "71"
    assert (await emulator.get("/api/docs/nope")).text == "none"
    assert (await emulator.get("/api/query/71")).text == "in1,in2"


async def test_documents_are_written_by_output_bindings(emulator: Emulator) -> None:
    documents = [{"id": "w1", "kind": "k"}, {"kind": "k"}]
    answer = await emulator.post("/api/docs", json=documents)
    assert answer.status == 200
    async with CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client:
        made = client.get_database_client("db").get_container_client("made")
        found = [item async for item in made.query_items("SELECT * FROM c")]
    assert len(found) == 2
    assert all(item["id"] for item in found)
    assert (await emulator.post("/api/docs", data=b"[1]")).status == 500


def event(identity: str, **data: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "topic": "/t",
        "subject": "s",
        "eventType": "T",
        "eventTime": "2024-01-01T00:00:00Z",
        "dataVersion": "1",
        "data": data,
    }


async def deliver(emulator: Emulator, body: Any, kind: str = "Notification") -> Any:
    return await emulator.post(
        "/runtime/webhooks/eventgrid?functionName=GRANTED",
        data=json.dumps(body),
        headers={"aeg-event-type": kind},
    )


async def test_every_event_is_an_invocation_of_its_own(
    emulator: Emulator, reports: Reports
) -> None:
    assert (await deliver(emulator, [event("e1", n=1), event("e2", n=2)])).status == 202
    found = {each["id"]: each for each in reports.of("granted")}
    assert found["e1"]["topic"] == "/t"
    assert found["e2"]["data"] == {"n": 2}


async def test_one_failed_event_fails_the_delivery(emulator: Emulator, reports: Reports) -> None:
    answer = await deliver(emulator, [event("ok"), event("bad", fail=True)])
    assert answer.status == 500
    assert "ok" in [each["id"] for each in reports.of("granted")]


async def test_cloud_event_reaches_the_function(emulator: Emulator, reports: Reports) -> None:
    cloud = {"specversion": "1.0", "id": "cloud", "source": "/s", "type": "T", "data": {"a": 1}}
    assert (await deliver(emulator, cloud)).status == 202
    [found] = [each for each in reports.of("granted") if each["id"] == "cloud"]
    assert found["topic"] is None


async def test_handshakes_of_the_webhook(emulator: Emulator) -> None:
    body = [{"data": {"validationCode": "abc"}}]
    validated = await deliver(emulator, body, "SubscriptionValidation")
    assert validated.json() == {"validationResponse": "abc"}
    assert (await deliver(emulator, [], "Unsubscribe")).status == 202
    assert (await deliver(emulator, [], "Nonsense")).status == 400
    unknown = await emulator.post("/runtime/webhooks/eventgrid?functionName=nope")
    assert (unknown.status, unknown.text) == (404, "cannot find function: 'nope'")
    options = await emulator.ask(
        "OPTIONS",
        "/runtime/webhooks/eventgrid?functionName=granted",
        headers={"WebHook-Request-Origin": "eventgrid.azure.net"},
    )
    assert options.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"


async def test_events_are_published_by_output_bindings(emulator: Emulator) -> None:
    cloud = {"specversion": "1.0", "id": "p1", "source": "/s", "type": "T", "data": 1}
    assert (await emulator.post("/api/publish", json=[cloud])).status == 200
    assert cloud in await emulator.events()
    # A required member is missing: the publication fails, and with it the function.
    assert (await emulator.post("/api/publish", json={"id": "p2"})).status == 500


async def test_timer_ticks_and_frequent_ones_are_not_monitored(reports: Reports) -> None:
    ticks = await reports.until("ticking", 2)
    assert not any(tick["past_due"] for tick in ticks)
    assert ticks[0]["status"] == {}


async def test_timer_runs_at_start_where_it_is_told_to(reports: Reports) -> None:
    [first] = await reports.until("yearly", 1)
    assert first["status"]["Last"].startswith("0001-01-01")


async def test_unreadable_schedule_is_an_error_of_its_function(emulator: Emulator) -> None:
    await emulator.logged("The 'never' function is in error: The schedule expression 'whenever'")


async def test_restart_continues_from_the_lease(tmp_path: Path) -> None:
    report = tmp_path / "report"
    app = write_app(tmp_path / "app", APP, values={"REPORT": str(report)}, entities=ENTITIES)
    only = ("--functions", "plain", "retried")
    reports = Reports(report)
    for count, identity in enumerate(("one", "two"), start=1):
        async with (
            running(app, tmp_path / "data", arguments=only) as emulator,
            CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client,
        ):
            container = client.get_database_client("db").get_container_client("plain")
            await container.upsert_item({"id": identity})
            await reports.until("plain", count)
            await reports.until("retried", count)
    assert ids_of(reports.of("plain")) == ["one", "two"]
    assert ids_of(reports.of("retried")) == ["one", "two"]
