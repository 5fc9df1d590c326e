"""The topics as a publisher and as a reader of the list see them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from emulator.clock import ManualClock
from emulator.database import Database
from emulator.eventgrid import SCHEMA, SCHEMA_VERSION, InvalidEvents, Query, Sink, routes
from emulator.faults import FaultRule, Faults
from tests.support.servicebus import serve

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
DOOR = "/topics/orders/api/events"


def cloud(number: int, **members) -> dict:
    event = {"id": str(number), "source": "/orders", "specversion": "1.0"}
    return event | {"type": "Order.Processed", "subject": f"orders/{number}"} | members


def open_database(folder: Path) -> Database:
    path = folder / "eventgrid.db"
    database = Database(path, schema=SCHEMA, version=SCHEMA_VERSION, name="eventgrid")
    database.open()
    return database


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def sink(tmp_path, clock, faults):
    database = open_database(tmp_path)
    yield Sink(database, clock, faults, topics=["orders"])
    database.close()


@pytest.fixture
async def client(sink):
    async with serve(routes(sink)) as origin, httpx.AsyncClient(base_url=origin) as client:
        yield client


async def test_a_published_batch_is_listed_in_order(client):
    body = [cloud(n, data={"total": "1.20"}) for n in range(3)]
    published = await client.post(DOOR, json=body, headers=BATCH)
    assert (published.status_code, published.content) == (200, b"")
    listed = (await client.get("/emulator/events")).json()
    assert [entry["event"] for entry in listed["events"]] == body
    assert (listed["count"], listed["next"]) == (3, None)
    first = listed["events"][0]
    assert (first["topic"], first["schema"]) == ("orders", "CloudEventSchemaV1_0")
    assert first["receivedAt"] == "2026-11-20T09:30:00.000000Z"


async def test_a_listing_is_filtered_and_paged(client, clock):
    for n in range(4):
        kind = "Order.Rejected" if n == 2 else "Order.Processed"
        await client.post(DOOR, json=[cloud(n, type=kind)], headers=BATCH)
        clock.advance(timedelta(seconds=1))

    async def ids(**query):
        page = (await client.get("/emulator/events", params=query)).json()
        return [entry["event"]["id"] for entry in page["events"]], page["next"], page["count"]

    assert await ids(type="Order.Rejected") == (["2"], None, 1)
    assert await ids(subject="orders/1") == (["1"], None, 1)
    assert await ids(since="2026-11-20T09:30:02Z") == (["2", "3"], None, 2)
    assert await ids(topic="orders", limit=3) == (["0", "1", "2"], 3, 4)
    assert await ids(limit=3, after=3) == (["3"], None, 4)
    assert await ids(order="latest", limit=2) == (["3", "2"], 3, 4)
    assert await ids(order="latest", limit=2, after=3) == (["1", "0"], 1, 4)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "after=x", "order=up", "since=soon", "kind=x"]
)
async def test_a_query_that_makes_no_sense_is_refused(client, query):
    assert (await client.get(f"/emulator/events?{query}")).status_code == 400


async def test_what_was_published_is_there_after_a_restart(tmp_path, clock):
    for expected in (0, 1):
        database = open_database(tmp_path)
        sink = Sink(database, clock)
        assert await sink.count() == expected
        await sink.publish("orders", [cloud(1)])
        database.close()


async def test_one_bad_event_keeps_all_of_its_request_out(client, sink):
    response = await client.post(DOOR, json=[cloud(1), {"id": "2"}], headers=BATCH)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "BadRequest"
    assert "Required property 'source' not found in JSON" in error["message"]
    assert error["details"][0]["code"] == "InputJsonInvalid"
    assert await sink.count() == 0


async def test_in_process_publishing_is_held_to_the_same(sink):
    with pytest.raises(InvalidEvents):
        await sink.publish("orders", [{"id": "1"}])
    assert await sink.publish("ORDERS", [cloud(1)]) == [1]
    (published,) = await sink.list(Query(topic="orders"))
    assert published.event["id"] == "1"


async def test_an_unknown_topic_is_not_found(client):
    response = await client.post("/topics/other/api/events", json=[cloud(1)], headers=BATCH)
    assert response.status_code == 404


async def test_a_request_over_a_megabyte_is_too_large(client):
    response = await client.post(DOOR, json=[cloud(1, data="x" * 1_100_000)], headers=BATCH)
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Basic x"}, 401),
        ({"aeg-sas-key": "k"}, 200),
        ({"aeg-sas-token": "t"}, 200),
        ({"Authorization": "Bearer x"}, 200),
        ({"Authorization": "SharedAccessSignature r=x"}, 200),
    ],
)
async def test_a_key_is_asked_for_where_the_switch_is_on(sink, headers, status):
    table = routes(sink, require_authorization=True)
    async with serve(table) as origin, httpx.AsyncClient(base_url=origin) as client:
        response = await client.post(DOOR, json=[cloud(1)], headers=BATCH | headers)
        assert response.status_code == status
        assert (await client.get("/emulator/events")).status_code == 200


async def test_injected_faults_fail_or_double_a_publish(client, sink, faults):
    faults.add(FaultRule("eventgrid.publish", "fail", {"topic": "orders"}))
    assert (await client.post(DOOR, json=[cloud(1)], headers=BATCH)).status_code == 500
    assert await sink.count() == 0
    faults.add(FaultRule("eventgrid.publish", "duplicate"))
    assert (await client.post(DOOR, json=[cloud(1)], headers=BATCH)).status_code == 200
    assert await sink.count() == 2


async def test_the_page_shows_events_and_lets_none_of_them_be_markup(client):
    hostile = "<script>alert('$count')</script>"
    event = cloud(1, subject=hostile, data={"x": hostile})
    await client.post(DOOR, json=[event], headers=BATCH)
    page = await client.get("/emulator/events/page")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert page.text.count("&lt;script&gt;") == 3  # the cell, and twice in the event
    assert "src=" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
