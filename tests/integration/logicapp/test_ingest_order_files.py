"""The deployed workflow, executed: what becomes of a file."""

import json

import httpx
import pytest

from emulator.faults import FaultRule, Faults
from emulator.logicapp import routes
from tests.support.ingestion import NAME, Ingestion, event_message, running_ingestion
from tests.support.logicapp import Documents
from tests.support.servicebus import serve

DOOR = f"/emulator/workflows/{NAME}"


async def no_pause(_: float) -> None:
    """Retries do not wait."""


@pytest.fixture
def documents():
    return Documents()


@pytest.fixture
async def ingestion(tmp_path, documents):
    async with running_ingestion(tmp_path, documents, pause=no_pause) as running:
        yield running


def order(order_id: str, **members) -> dict:
    return {"id": order_id, "lines": [{"sku": "S", "quantity": 1, "unitPrice": 19.90}]} | members


async def refusal(ingestion: Ingestion) -> tuple[str | None, str]:
    (dead,) = await ingestion.dead_letters()
    return dead.dead_letter_reason, dead.dead_letter_error_description or ""


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(order("A")),
        json.dumps([order("A")]),
        json.dumps({"orders": [order("A")]}),
        json.dumps({"orders": [order("A")], "batchId": "B"}),
        "\ufeff" + json.dumps([order("A")], indent=2),
    ],
)
async def test_one_order_an_array_and_an_object_of_orders_are_taken(ingestion, text):
    await ingestion.drop("day 1/ö & co.json", text)
    await ingestion.settled(1)
    item = ingestion.documents.items["A"]
    source = item.pop("_source")
    assert source["blob"] == "/inputfiles/day 1/ö & co.json"
    assert source["eventId"]
    assert item == order("A")
    assert await ingestion.dead_letters() == []


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (b'{"id":"A"}\n{"id":"B"}\n', "NotJson", "NDJSON"),
        (b"id,customer\nA,1\n", "NotJson", "CSV"),
        (b"", "NotJson", "not one JSON text"),
        ('{"id":"é"}'.encode("latin-1"), "NotJson", "UTF-8"),
        (b'{"id":"A"', "NotJson", "not one JSON text"),
        (b'{"orders":5}', "NotOrders", "not an array"),
        (b"[]", "OrdersRefused", "holds no order"),
        (b'"text"', "OrdersRefused", "without an id that is a text: number 1 of 1"),
        (b"null", "OrdersRefused", "without an id that is a text: number 1 of 1"),
        (b'{"customerId":"C"}', "OrdersRefused", "number 1 of 1"),
    ],
)
async def test_what_is_no_file_of_orders_is_refused_at_once_with_a_reason(
    ingestion, content, reason, words
):
    await ingestion.drop("x.json", content)
    await ingestion.settled(1)
    found, description = await refusal(ingestion)
    assert found == reason
    assert words in description
    assert ingestion.documents.items == {}
    (run,) = await ingestion.app.runs()
    assert run.status == "Succeeded"


async def test_a_bad_order_loses_no_good_one_and_is_named(ingestion):
    file = [order("A"), 5, {"lines": []}, "{", order("B"), order(""), order("C"), {"id": 7}, None]
    ingestion.documents.refusals["B"] = [400]
    await ingestion.drop("mixed.json", json.dumps(file))
    await ingestion.settled(1)
    assert set(ingestion.documents.items) == {"A", "C"}
    reason, description = await refusal(ingestion)
    assert reason == "OrdersRefused"
    assert "The other orders of the file were taken." in description
    assert "number 2, 3, 4, 6, 8, 9 of 9" in description
    assert "not written: B (status 400)" in description


async def test_an_id_that_is_there_twice_is_named(ingestion):
    file = [order("A", n=1), order("B"), order("A", n=2), order("a"), order("B")]
    await ingestion.drop("twice.json", json.dumps(file))
    await ingestion.settled(1)
    assert set(ingestion.documents.items) == {"A", "B", "a"}
    reason, description = await refusal(ingestion)
    assert reason == "OrdersRefused"
    assert "more than once in the file: A, B" in description


async def test_the_same_file_dropped_twice_comes_to_the_same_items(ingestion):
    for _ in range(2):
        await ingestion.drop("same.json", json.dumps([order("A"), order("B")]))
    await ingestion.settled(2)
    assert sorted(ingestion.documents.calls) == ["A", "A", "B", "B"]
    assert set(ingestion.documents.items) == {"A", "B"}
    assert await ingestion.dead_letters() == []


async def test_ten_thousand_orders_are_taken_and_no_more_than_ten_at_once(ingestion):
    file = [order(f"ORD-{n}") for n in range(10_000)]
    await ingestion.drop("big.json", json.dumps(file))
    await ingestion.settled(1)
    assert len(ingestion.documents.items) == 10_000
    assert ingestion.documents.most_at_once <= 10
    assert await ingestion.dead_letters() == []
    (run,) = await ingestion.app.runs()
    outside = {a.name: a.result for a in await ingestion.app.run_actions(run)}
    assert outside["Orders"]["outputs"] == {"$omitted": "10000 items"}
    writes = await ingestion.app.run_actions(run, name="Create_or_update", limit=20_000)
    assert len(writes) == 10_000
    renewals = await ingestion.app.run_actions(run, name="Renew_lock")
    assert len(renewals) == 20


async def test_a_store_that_fails_for_a_while_is_asked_again(ingestion):
    ingestion.documents.refusals["A"] = [503, 429, 500]
    await ingestion.drop("x.json", json.dumps(order("A")))
    await ingestion.settled(1)
    assert set(ingestion.documents.items) == {"A"}
    assert await ingestion.dead_letters() == []


async def test_a_store_that_does_not_come_back_is_told_with_the_orders_it_did_not_take(ingestion):
    ingestion.documents.refusals["A"] = [503] * 5
    await ingestion.drop("x.json", json.dumps([order("A"), order("B")]))
    await ingestion.settled(1)
    assert set(ingestion.documents.items) == {"B"}
    assert "not written: A (status 503)" in (await refusal(ingestion))[1]


async def test_a_file_that_is_gone_before_it_is_read_is_told(ingestion):
    event = {"id": "e", "subject": "/blobServices/default/containers/inputfiles/blobs/gone.json"}
    await ingestion.broker.send("order-files", [event_message(event)])
    await ingestion.settled(1)
    assert await refusal(ingestion) == (
        "FileNotRead",
        "The file could not be read (status 404). ",
    )


@pytest.mark.parametrize("event", [{}, {"subject": 5}, {"id": "e", "subject": "/x"}, []])
async def test_a_message_that_is_no_event_is_refused(ingestion, event):
    await ingestion.broker.send("order-files", [event_message(event)])
    await ingestion.settled(1)
    assert (await refusal(ingestion))[0] == "NotAnEvent"


async def test_a_message_whose_lock_was_lost_is_run_again(tmp_path, documents):
    faults = Faults([FaultRule("servicebus.deliver", "duplicate", {"queue": "order-files"})])
    async with running_ingestion(tmp_path, documents, faults=faults, pause=no_pause) as ingestion:
        await ingestion.drop("x.json", json.dumps(order("A")))
        await ingestion.settled(2)
        assert set(documents.items) == {"A"}
        assert await ingestion.dead_letters() == []
        statuses = sorted(run.status for run in await ingestion.app.runs())
        assert statuses == ["Failed", "Succeeded"]


async def test_a_run_that_was_cut_off_is_aborted_and_its_file_run_again(tmp_path, documents):
    faults = Faults([FaultRule("logicapp.action", "delay", {"action": "Read_file"}, seconds=600)])
    async with running_ingestion(tmp_path, documents, faults=faults) as ingestion:
        await ingestion.drop("x.json", json.dumps(order("A")))
        while not faults.passed["logicapp.action"]:
            await ingestion.app.runs()
    async with running_ingestion(tmp_path, documents) as ingestion:
        await ingestion.settled(2)
        assert set(documents.items) == {"A"}
        assert [run.status for run in await ingestion.app.runs()] == ["Succeeded", "Cancelled"]


async def test_the_run_history_can_be_read(ingestion):
    await ingestion.drop("good.json", json.dumps([order("A")]))
    await ingestion.settled(1)
    await ingestion.drop("bad.json", b"id,x")
    await ingestion.settled(2)
    async with (
        serve(routes([ingestion.app])) as origin,
        httpx.AsyncClient(base_url=origin) as client,
    ):
        (listed,) = (await client.get("/emulator/workflows")).json()["value"]
        assert listed["name"] == NAME
        first = (await client.get(f"{DOOR}/runs?top=1")).json()
        second = (await client.get(f"{DOOR}/runs?before={first['next']}")).json()
        bad, good = first["value"][0], second["value"][0]
        assert (await client.get(f"{DOOR}/runs/{good['name']}")).json() == good
        assert good["properties"]["status"] == "Succeeded"
        assert good["properties"]["startTime"] <= good["properties"]["endTime"]
        body = good["properties"]["trigger"]["outputs"]["body"]
        assert body["ContentType"].startswith("application/cloudevents+json")
        actions = (await client.get(f"{DOOR}/runs/{good['name']}/actions")).json()["value"]
        by_name = {action["name"]: action["properties"] for action in actions}
        assert by_name["Complete"]["inputs"]["method"] == "delete"
        assert by_name["Complete"]["outputs"]["statusCode"] == 200
        assert by_name["Dead_letter"]["status"] == "Skipped"
        assert "Create_or_update" not in by_name
        one = (await client.get(f"{DOOR}/runs/{good['name']}/actions/Create_or_update")).json()
        assert [entry["repetition"] for entry in one["value"]] == ["000000-000000"]
        failed = await client.get(f"{DOOR}/runs/{bad['name']}/actions?status=Failed")
        assert [entry["name"] for entry in failed.json()["value"]] == ["File", "Ingest"]
        assert (await client.get("/emulator/workflows/other/runs")).status_code == 404
        assert (await client.get(f"{DOOR}/runs/nothing")).status_code == 404
        assert (await client.get(f"{DOOR}/runs?top=x")).status_code == 400


async def test_the_history_outlives_the_process(tmp_path, documents):
    async with running_ingestion(tmp_path, documents) as ingestion:
        await ingestion.drop("x.json", json.dumps(order("A")))
        await ingestion.settled(1)
        (before,) = await ingestion.app.runs()
    async with running_ingestion(tmp_path, documents) as ingestion:
        assert await ingestion.app.runs() == [before]
