"""Lists, items and statuses as the API tells them."""

import json
from typing import Any

import pytest

from domain.order import digest
from domain.paging import Place
from tests.support.fakes import Context, FakeContainer, FakeHub, fake_store, request, status
from tests.support.orders import an_order
from triggers import fetch_orders as fetching
from triggers.fetch_orders import fetch_orders, get_order
from triggers.get_status import get_batch_status, get_order_status
from triggers.health import health


def told(response: Any) -> Any:
    return json.loads(response.get_body())


def item(number: int) -> dict[str, Any]:
    at = f"2026-11-20T09:30:00.{999 - number:06d}Z"
    return {"id": f"ORD-{number}", "status": "processed", "processedAt": at, "_ts": 1, "_etag": "e"}


class Listing:
    """Stands in for the query: keeps what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        self.asked: list[Any] = []
        self.items = [item(n) for n in range(count)]
        monkeypatch.setattr(fetching, "latest_orders", self)

    async def __call__(self, limit: int, statuses: Any, after: Place | None) -> list[Any]:
        self.asked.append((limit, list(statuses), after))
        rest = [i for i in self.items if after is None or i["processedAt"] < after.at]
        return rest[:limit]


async def fetch(headers: dict[str, str] | None = None, **query: str) -> Any:
    return await fetch_orders(request(headers=headers, query=query), Context())


async def test_the_list_is_an_array_of_fifty_without_the_stores_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing = Listing(monkeypatch, 50)
    response = await fetch()
    assert response.status_code == 200
    assert len(told(response)) == 50
    assert told(response)[0].keys() == {"id", "status", "processedAt"}
    assert "Link" not in response.headers
    assert listing.asked == [(51, [], None)]


async def test_pages_follow_one_another_by_their_link(monkeypatch: pytest.MonkeyPatch) -> None:
    Listing(monkeypatch, 5)
    seen: list[str] = []
    query = {"limit": "2", "status": "processed,rejected"}
    for _ in range(3):
        response = await fetch(**query)
        seen += [order["id"] for order in told(response)]
        link = response.headers.get("Link", "")
        if link:
            assert link.startswith("</api/orders?limit=2&status=processed%2Crejected&continuation=")
            assert link.endswith('>; rel="next"')
            query["continuation"] = link.partition("continuation=")[2].partition(">")[0]
    assert seen == [f"ORD-{n}" for n in range(5)]
    assert not link


async def test_a_list_that_has_not_changed_is_a_304(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Listing(monkeypatch, 2)
    tag = (await fetch()).headers["ETag"]
    response = await fetch({"If-None-Match": f'"x", W/{tag}'})
    assert (response.status_code, response.get_body()) == (304, b"")
    assert response.headers["ETag"] == tag
    listing.items.pop()
    assert (await fetch({"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": "²"},
        {"limit": "9" * 40},
        {"status": "failed"},
        {"status": "processed,lost"},
        {"continuation": "x"},
    ],
)
async def test_a_wrong_parameter_is_a_400(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    Listing(monkeypatch, 1)
    response = await fetch(**query)
    assert response.status_code == 400
    assert next(iter(query)) in told(response)["detail"]


async def get(order_id: str, headers: dict[str, str] | None = None) -> Any:
    container = FakeContainer({**an_order(), "status": "processed"})
    wanted = request("GET", f"/api/orders/{order_id}", headers=headers, id=order_id)
    with fake_store(processed=container):
        return await get_order(wanted, Context())


async def test_an_order_is_its_item() -> None:
    response = await get("ORD-1")
    assert told(response) == {**an_order(), "status": "processed"}
    assert (await get("ORD-1", {"If-None-Match": response.headers["ETag"]})).status_code == 304


@pytest.mark.parametrize("order_id", ["ORD-2", "a b", "../x", "x" * 300])
async def test_an_unknown_order_is_a_404(order_id: str) -> None:
    response = await get(order_id)
    assert response.status_code == 404
    assert told(response)["type"] == "urn:durable-orders:problem:not-found"


class World:
    def __init__(self, *statuses: Any, items: Any = (), receipts: Any = ()) -> None:
        self.hub = FakeHub(*statuses)
        self.processed = FakeContainer(*items)
        self.submissions = FakeContainer(*receipts)

    async def order(self, order_id: str = "ORD-1", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = request("GET", f"/api/orders/{order_id}/status", headers=named, id=order_id)
        with fake_store(processed=self.processed, submissions=self.submissions):
            return await get_order_status(wanted, self.hub, Context())

    async def batch(self, batch_id: str = "day-1") -> Any:
        wanted = request("GET", f"/api/batches/{batch_id}/status", id=batch_id)
        with fake_store(processed=self.processed, submissions=self.submissions):
            return await get_batch_status(wanted, self.hub, Context())


GIVEN = {"digest": digest(an_order()), "attempt": 1, "source": {"enqueuedAt": "t"}}


async def test_an_order_under_way_is_a_202_with_retry_after() -> None:
    response = await World(status("ORD-1", "Running", given=GIVEN)).order()
    assert (response.status_code, response.headers["Retry-After"]) == (202, "1")
    body = told(response)
    assert body["state"] == "running"
    assert body["links"] == {"self": "/api/orders/ORD-1/status", "order": "/api/orders/ORD-1"}
    forwarded = await World(status("ORD-1", "Running")).order(X_Forwarded_Host="h")
    assert told(forwarded)["links"]["order"] == "/orders/ORD-1"


async def test_a_wait_that_is_known_is_told_but_never_a_long_one() -> None:
    waiting = {"waitingFor": {"what": "w", "since": "t", "until": "2999-01-01T00:00:00Z"}}
    response = await World(status("ORD-1", "Running", customStatus=waiting)).order()
    assert response.headers["Retry-After"] == "30"


@pytest.mark.parametrize(
    ("runtime_status", "output", "state"),
    [
        ("Completed", {"status": "processed"}, "processed"),
        ("Failed", "ORDER_FAILED stage=persist code=X attempts=1: m", "failed"),
        ("Terminated", "by ops", "terminated"),
    ],
)
async def test_a_final_state_is_a_200(runtime_status: str, output: Any, state: str) -> None:
    response = await World(status("ORD-1", runtime_status, output=output)).order()
    assert (response.status_code, told(response)["state"]) == (200, state)
    assert "Retry-After" not in response.headers


async def test_an_order_of_a_batch_is_found_by_its_own_id() -> None:
    child = status("ORD-1:batch:abc", "Running", given=GIVEN)
    assert told(await World(child).order())["state"] == "running"


async def test_an_order_between_queue_and_run_is_queued_not_unknown() -> None:
    receipt = {"id": "ORD-1", "submittedAt": "2026-11-20T09:30:00.000Z"}
    response = await World(receipts=[receipt]).order()
    assert (response.status_code, told(response)["state"]) == (202, "queued")


async def test_an_order_whose_run_is_forgotten_is_told_by_its_item() -> None:
    response = await World(items=[{**an_order(), "status": "rejected"}]).order()
    assert (response.status_code, told(response)["state"]) == (200, "rejected")


@pytest.mark.parametrize("order_id", ["ORD-1", "a b", "@x"])
async def test_an_order_that_was_never_taken_is_a_404(order_id: str) -> None:
    assert (await World().order(order_id)).status_code == 404


async def test_a_batch_under_way_counts_its_chunks() -> None:
    counts = {"stage": "run", "total": 60, "processed": 0, "running": 60, "chunks": ["c0", "gone"]}
    world = World(
        status("batch:day-1", "Running", name="process_batch", customStatus=counts),
        status("c0", "Running", name="process_chunk", customStatus={"processed": 7}),
    )
    response = await world.batch()
    assert response.status_code == 202
    assert (told(response)["processed"], told(response)["running"]) == (7, 53)
    assert told(response)["links"] == {"self": "/api/batches/day-1/status"}


async def test_a_batch_that_ended_tells_its_summary() -> None:
    summary = {"batchId": "day-1", "total": 1, "processed": 1, "running": 0, "notProcessed": []}
    world = World(status("batch:day-1", "Completed", name="process_batch", output=summary))
    response = await world.batch()
    assert (response.status_code, told(response)["summary"]) == (200, summary)


async def test_a_batch_that_failed_is_a_200_with_its_error() -> None:
    output = "BATCH_FAILED stage=admit code=STORE_REFUSED attempts=1: m"
    response = await World(status("batch:day-1", "Failed", output=output)).batch()
    assert response.status_code == 200
    assert told(response)["error"] == {"stage": "admit", "code": "STORE_REFUSED", "message": "m"}


async def test_a_queued_and_an_unknown_batch() -> None:
    receipt = {"id": "batch:day-1", "submittedAt": "2026-11-20T09:30:00.000Z"}
    response = await World(receipts=[receipt]).batch()
    assert (response.status_code, told(response)["state"]) == (202, "queued")
    assert (await World().batch()).status_code == 404
    assert (await World().batch("a?b")).status_code == 404


async def test_health_tells_each_dependency() -> None:
    hub = FakeHub()
    with fake_store(processed=FakeContainer()):
        body = told(await health(request("GET", "/api/health"), hub))
    assert body["status"] == "ok"
    assert {name: d["state"] for name, d in body["dependencies"].items()} == {
        "orderStore": "ok",
        "taskHub": "ok",
        "queue": "not checked",
        "events": "not checked",
    }
    assert body["dependencies"]["queue"]["detail"].endswith("see the queue's metrics.")
    assert body["dependencies"]["events"]["detail"].endswith("see the topic's metrics.")


async def test_health_is_degraded_when_one_does_not_answer() -> None:
    hub = FakeHub()
    hub.failures.append(TimeoutError())
    with fake_store(processed=FakeContainer()):
        response = await health(request("GET", "/api/health"), hub)
    assert response.status_code == 200
    assert told(response)["status"] == "degraded"
    assert told(response)["dependencies"]["taskHub"]["code"] == "HUB_UNAVAILABLE"
