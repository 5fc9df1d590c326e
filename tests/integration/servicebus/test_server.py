"""The HTTPS door, as an HTTP client sees it."""

import asyncio
import json
from datetime import timedelta
from xml.etree import ElementTree as ET

import httpx
import pytest

from emulator.clock import ManualClock
from emulator.servicebus import QueueSettings
from tests.support.servicebus import START, routes, running_broker, serve, until_waiting

BATCH = {"Content-Type": "application/vnd.microsoft.servicebus.json"}


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
async def broker(tmp_path, clock):
    settings = [
        QueueSettings("orders", requires_duplicate_detection=True, max_message_bytes=4096),
        QueueSettings("a/b", max_delivery_count=1),
    ]
    async with running_broker(tmp_path, settings, clock=clock) as broker:
        yield broker


@pytest.fixture
async def client(broker):
    async with serve(routes(broker)) as origin, httpx.AsyncClient(base_url=origin) as client:
        yield client


def detail(response: httpx.Response) -> str:
    assert response.headers["Content-Type"].startswith("application/xml")
    error = ET.fromstring(response.text)  # the server under test wrote it
    assert error.findtext("Code") == str(response.status_code)
    return error.findtext("Detail") or ""


async def send(client, body="{}", path="orders", **properties):
    headers = {"BrokerProperties": json.dumps(properties), "Content-Type": "application/json"}
    return await client.post(f"/{path}/messages", content=body, headers=headers)


async def head(client, path="orders", wait_s=0):
    return await client.post(f"/{path}/messages/head", params={"timeout": wait_s})


async def test_a_message_is_sent_locked_and_completed(client, broker):
    assert (await send(client, '{"a":1}', MessageId="m 1/ü", Label="x")).status_code == 201
    locked = await head(client)
    assert (locked.status_code, locked.text) == (201, '{"a":1}')
    assert locked.headers["Content-Type"] == "application/json"
    properties = json.loads(locked.headers["BrokerProperties"])
    assert (properties["MessageId"], properties["Label"]) == ("m 1/ü", "x")
    assert locked.headers["Location"].endswith(properties["LockToken"])
    assert (await client.delete(locked.headers["Location"])).status_code == 200
    assert "lock supplied is invalid" in detail(await client.delete(locked.headers["Location"]))
    assert broker.counts("orders")["locked"] == 0


async def test_application_properties_travel_as_headers(client):
    headers = {"rush": "true", "priority": "3", "note": '"caf\\u00e9"'}
    await client.post("/orders/messages", content=b"x", headers=headers)
    locked = await head(client)
    assert {name: locked.headers[name] for name in headers} == headers
    assert locked.headers["Content-Type"] == "application/octet-stream"


async def test_an_abandoned_message_is_there_again_and_counts(client):
    await send(client)
    for expected in (1, 2):
        locked = await head(client, wait_s=5)
        assert json.loads(locked.headers["BrokerProperties"])["DeliveryCount"] == expected
        assert (await client.put(locked.headers["Location"])).status_code == 200


async def test_a_renewed_lock_holds_and_an_expired_one_is_not_found(client, clock):
    await send(client)
    location = (await head(client)).headers["Location"]
    clock.advance(timedelta(seconds=59))
    assert (await client.post(location)).status_code == 200
    clock.advance(timedelta(seconds=59))
    assert (await client.post(location)).status_code == 200
    clock.advance(timedelta(seconds=60))
    for method in ("POST", "PUT", "DELETE"):
        assert (await client.request(method, location)).status_code == 404


async def test_a_waiting_peek_lock_is_answered_by_the_next_send(client, broker):
    waiting = asyncio.create_task(head(client, wait_s=30))
    await until_waiting(broker)
    await send(client, "now")
    assert (await waiting).text == "now"


async def test_an_empty_queue_has_no_content(client):
    assert (await head(client)).status_code == 204
    assert (await client.delete("/orders/messages/head?timeout=0")).status_code == 204


async def test_receive_and_delete_needs_no_second_request(client, broker):
    await send(client, "x")
    gone = await client.delete("/orders/messages/head?timeout=0")
    assert (gone.status_code, gone.text) == (200, "x")
    assert "LockToken" not in json.loads(gone.headers["BrokerProperties"])
    assert set(broker.counts("orders").values()) == {0}


async def test_a_batch_is_taken_whole_or_not_at_all(client, broker):
    batch = [{"Body": "a", "BrokerProperties": {"MessageId": "1"}}, {"Body": "b"}]
    response = await client.post("/orders/messages", json=batch, headers=BATCH)
    assert response.status_code == 201
    assert broker.counts("orders")["active"] == 2
    batch[1] = {"Body": "c", "BrokerProperties": {"MessageId": "x" * 200}}
    response = await client.post("/orders/messages", json=batch, headers=BATCH)
    assert response.status_code == 400
    assert broker.counts("orders")["active"] == 2


async def test_a_repeated_message_id_is_created_and_dropped(client, broker):
    for _ in range(2):
        assert (await send(client, MessageId="1")).status_code == 201
    assert broker.counts("orders")["active"] == 1


async def test_the_dead_letter_queue_has_a_door_in_any_case(client):
    await send(client, "bad", path="a/b")
    locked = await head(client, "a/b")
    await client.put(locked.headers["Location"])
    dead = await head(client, "A/B/$DeadLetterQueue", wait_s=5)
    assert dead.text == "bad"
    assert dead.headers["DeadLetterReason"] == '"MaxDeliveryCountExceeded"'
    assert json.loads(dead.headers["BrokerProperties"])["DeadLetterSource"] == "a/b"
    assert (await client.delete(dead.headers["Location"])).status_code == 200


async def test_an_unknown_entity_is_gone(client):
    for response in (await send(client, path="nowhere"), await head(client, "nowhere")):
        assert response.status_code == 410
        assert "'nowhere' could not be found" in detail(response)


async def test_a_message_over_the_limit_is_forbidden(client):
    response = await send(client, "x" * 5000)
    assert response.status_code == 403
    assert "exceeds the limit (4096 bytes)" in detail(response)


async def test_broker_properties_that_are_no_json_are_a_bad_request(client):
    headers = {"BrokerProperties": "{"}
    response = await client.post("/orders/messages", content=b"", headers=headers)
    assert response.status_code == 400
    assert "BrokerProperties" in detail(response)


async def test_a_timeout_that_is_no_number_is_a_bad_request(client):
    assert (await head(client, wait_s="soon")).status_code == 400


async def test_a_lock_token_that_is_no_token_is_not_found(client):
    assert (await client.delete("/orders/messages/1/nonsense")).status_code == 404


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 401), ("Basic eA==", 401), ("Bearer x", 201), ("SharedAccessSignature sr=x", 201)],
)
async def test_authorization_is_asked_for_where_the_switch_is_on(broker, authorization, status):
    headers = {} if authorization is None else {"Authorization": authorization}
    table = routes(broker, require_authorization=True)
    async with serve(table) as origin, httpx.AsyncClient(base_url=origin) as client:
        response = await client.post("/orders/messages", content=b"", headers=headers)
        assert response.status_code == status


async def test_the_emulators_own_doors_count_and_show(client):
    await send(client, "a", MessageId="1")
    await send(client, "b")
    listed = (await client.get("/$emulator/queues")).json()["queues"]
    assert [entry["name"] for entry in listed] == ["orders", "a/b"]
    assert listed[0]["counts"]["active"] == 2
    page = (await client.get("/$emulator/queues/orders/messages?count=1")).json()
    assert [m["body"] for m in page["messages"]] == ["a"]
    page = (await client.get(f"/$emulator/queues/orders/messages?from={page['next']}")).json()
    assert ([m["body"] for m in page["messages"]], page["next"]) == (["b"], None)
    assert (await client.get("/$emulator/queues/orders/messages?count=0")).status_code == 400


async def test_a_locked_message_can_be_dead_lettered_at_the_emulators_own_door(client):
    await send(client, "a")
    token = (await head(client)).headers["Location"].rsplit("/", 1)[1]
    door = f"/$emulator/queues/orders/messages/{token}/deadletter"
    assert (await client.post(door, json={"reason": "r", "description": "d"})).status_code == 200
    assert (await client.post(door)).status_code == 404
    dead = await head(client, "orders/$deadletterqueue")
    assert dead.headers["DeadLetterErrorDescription"] == '"d"'
