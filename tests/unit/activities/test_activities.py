"""Each activity: its result, its one effect, and that asking twice changes nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from activities._reference import ReferenceCache
from activities.admit_batch import admit_batch
from activities.enrich_order import enrich_with
from activities.keep_results import keep_results, kept_results
from activities.notify_order import notify_order
from activities.persist_order import persist_order
from activities.validate_order import validate_order
from domain.errors import StepError
from domain.payloads import NotifyInput, PersistInput, Source
from tests.support.fakes import FakeContainer, Out, fake_store, store_error
from tests.support.orders import an_order

WANTED = PersistInput(
    order=an_order(),
    digest="d1",
    attempt=1,
    instance_id="ORD-1",
    status="processed",
    processed_at="2026-11-20T09:30:00.000000Z",
    source=Source("m", None, None),
)


async def persist(container: FakeContainer, wanted: PersistInput = WANTED) -> dict[str, Any]:
    with fake_store(processed=container):
        result = await persist_order(wanted.to_dict())
    json.dumps(result)
    return result


async def test_validation_tells_every_fault() -> None:
    assert await validate_order({"order": an_order()}) == {"errors": []}
    errors = (await validate_order({"order": an_order(currency="EURO", lines=[])}))["errors"]
    assert [error["field"] for error in errors] == ["currency", "lines"]


async def test_enrichment_prices_an_order_and_marks_what_is_unknown() -> None:
    async def nothing(kind: str, ids: Any) -> list[Any]:
        return []

    result = await enrich_with(ReferenceCache(nothing), an_order(country=...))
    assert result["totals"]["total"] == "39.80"
    assert result["enrichment"]["fallbacks"] == ["product:SKU-1001", "customer:C-1042", "taxRate:"]


async def test_enrichment_refuses_an_order_with_faults() -> None:
    async def nothing(kind: str, ids: Any) -> list[Any]:
        return []

    with pytest.raises(StepError, match="PAYLOAD_INVALID"):
        await enrich_with(ReferenceCache(nothing), an_order(lines=[]))


async def test_a_new_order_costs_one_request() -> None:
    container = FakeContainer()
    assert await persist(container) == {
        "write": "created",
        "status": "processed",
        "processedAt": "2026-11-20T09:30:00.000000Z",
    }
    assert container.requests == ["create ORD-1"]


async def test_two_calls_have_one_effect() -> None:
    container = FakeContainer()
    await persist(container)
    before = dict(container.items["ORD-1"])
    again = await persist(container, replace(WANTED, processed_at="later"))
    assert (again["write"], again["processedAt"]) == ("unchanged", WANTED.processed_at)
    assert container.items["ORD-1"] == before


async def test_a_later_attempt_replaces_and_an_earlier_one_does_not() -> None:
    container = FakeContainer()
    await persist(container)
    assert (await persist(container, replace(WANTED, attempt=2)))["write"] == "replaced"
    assert (await persist(container))["write"] == "superseded"
    assert container.items["ORD-1"]["attempt"] == 2


async def test_another_run_of_the_same_order_is_a_duplicate() -> None:
    container = FakeContainer()
    await persist(container)
    other = await persist(container, replace(WANTED, instance_id="ORD-1:batch:x"))
    assert other["write"] == "duplicate"
    assert container.items["ORD-1"]["instanceId"] == "ORD-1"


async def test_another_order_with_the_id_is_a_conflict() -> None:
    container = FakeContainer()
    await persist(container)
    with pytest.raises(StepError) as caught:
        await persist(container, replace(WANTED, digest="other"))
    assert caught.value.code == "ORDER_CONFLICT"
    assert container.items["ORD-1"]["digest"] == "d1"


async def test_an_item_that_changes_in_between_is_looked_at_again() -> None:
    container = FakeContainer()
    await persist(container)

    class Racing(FakeContainer):
        races = 2

        async def read_item(self, item: str, partition_key: str) -> dict[str, Any]:
            found = await super().read_item(item, partition_key)
            if self.races:
                self.races -= 1
                self._keep({**found, "note": "changed"})
            return found

    racing = Racing(container.items["ORD-1"])
    assert (await persist(racing, replace(WANTED, attempt=2)))["write"] == "replaced"
    racing.races = 100
    with pytest.raises(StepError, match="STORE_CONTENDED"):
        await persist(racing, replace(WANTED, attempt=3))


async def test_an_item_that_vanishes_in_between_is_created() -> None:
    class Vanishing(FakeContainer):
        async def read_item(self, item: str, partition_key: str) -> dict[str, Any]:
            self.items.pop(item, None)
            return await super().read_item(item, partition_key)

    container = Vanishing({"id": "ORD-1", "attempt": 1})
    assert (await persist(container))["write"] == "created"


async def test_a_write_whose_answer_was_lost_is_recognised() -> None:
    class Lossy(FakeContainer):
        is_lost = True

        async def create_item(self, body: Any, **options: Any) -> None:
            await super().create_item(body)
            if self.is_lost:
                self.is_lost = False
                raise store_error(503)

    container = Lossy()
    with pytest.raises(StepError, match="STORE_UNAVAILABLE"):
        await persist(container)
    assert (await persist(container))["write"] == "unchanged"


async def test_the_event_is_a_cloud_event_text() -> None:
    out = Out()
    notice = NotifyInput("ORD-1", "d", "processed", 1, "2026-11-20T09:30:00.000000Z", "C-1")
    assert await notify_order(notice.to_dict(), out) == {"eventId": "ORD-1:d:processed"}
    event = json.loads(out.value)
    assert (event["specversion"], event["type"]) == ("1.0", "DurableOrders.OrderProcessed")
    again = Out()
    await notify_order(notice.to_dict(), again)
    assert again.value == out.value


async def test_admission_looks_up_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def read_many(name: str, ids: list[str], fields: str) -> list[dict[str, Any]]:
        asked.append((name, ids, fields))
        return [{"id": "B", "digest": "other"}]

    monkeypatch.setattr("activities._store.read_many", read_many)
    orders = [an_order(id="A"), an_order(id="B"), an_order(id="A"), "rubbish", {"id": "/"}]
    with fake_store():
        result = await admit_batch({"orders": orders})
    assert asked == [("processed", ["A", "B"], "c.id, c.digest")]
    assert [entry["index"] for entry in result["admitted"]] == [0]
    assert [outcome["status"] for outcome in result["settled"]] == [
        *("conflict", "duplicate", "invalid", "invalid")
    ]


async def test_results_are_kept_and_found_again() -> None:
    container = FakeContainer()
    with fake_store(submissions=container):
        assert await kept_results("ORD-1") is None
        for _ in range(2):
            await keep_results({"instanceId": "ORD-1", "results": {"validate": {}}})
        assert await kept_results("ORD-1") == {"validate": {}}
    assert container.items["results:ORD-1"]["ttl"] > 86_400
