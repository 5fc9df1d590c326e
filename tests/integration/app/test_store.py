"""The app's own questions to its store, asked of a Cosmos DB endpoint through the vendor's SDK."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities import _clients, _reference, _settings, _store
from activities._reference import ReferenceCache
from activities.admit_batch import admit_batch
from activities.enrich_order import enrich_with
from activities.keep_results import keep_results, kept_results
from activities.orders import find_order, find_receipt, latest_orders, leave_receipt, probe
from activities.persist_order import persist_order
from domain.batches import CHUNK_SIZE
from domain.errors import StepError
from domain.items import shown
from domain.order import digest
from domain.paging import Place, place_after
from domain.payloads import PersistInput, Source
from emulator.cosmos import EMULATOR_KEY
from tests.support.cosmos import Server, running_server
from tests.support.orders import an_order

ROOT = Path(__file__).parents[3]
ENTITIES: dict[str, Any] = json.loads((ROOT / "infra" / "entities.json").read_text())
SAMPLE: dict[str, str] = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
AT = "2026-11-20T09:30:00.{:06d}Z"


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """The endpoint, and the app's settings and clients made for it alone."""
    with running_server(tmp_path, ENTITIES) as running:
        for name, value in SAMPLE.items():
            monkeypatch.setenv(name, value)
        connection = f"AccountEndpoint={running.url};AccountKey={EMULATOR_KEY};"
        monkeypatch.setenv("COSMOS_DB", connection)
        caches = (_settings.settings, _clients.container, _clients._client)
        for cached in caches:
            cached.cache_clear()
        yield running
        await _clients._client().close()
        for cached in caches:
            cached.cache_clear()


def wanted(order_id: str, second: int = 0, **changes: Any) -> PersistInput:
    order = an_order(id=order_id)
    value = PersistInput(
        order=order,
        digest=digest(order),
        attempt=1,
        instance_id=order_id,
        status="processed",
        processed_at=AT.format(second),
        source=Source("m", None, None),
    )
    return replace(value, **changes)


async def persist(value: PersistInput) -> str:
    return str((await persist_order(value.to_dict()))["write"])


async def test_an_item_is_written_once_and_replaced_by_a_later_attempt(server: Server) -> None:
    assert await find_order("ORD-1") is None
    assert await persist(wanted("ORD-1")) == "created"
    assert await persist(wanted("ORD-1")) == "unchanged"
    assert await persist(wanted("ORD-1", attempt=2)) == "replaced"
    assert await persist(wanted("ORD-1")) == "superseded"
    item = await find_order("ORD-1")
    assert item is not None
    assert item["attempt"] == 2
    assert shown(item)["lines"] == an_order()["lines"]
    with pytest.raises(StepError, match="ORDER_CONFLICT"):
        await persist(wanted("ORD-1", attempt=2, digest="other"))


async def test_of_many_writers_at_once_one_creates(server: Server) -> None:
    writes = await asyncio.gather(
        *(persist(wanted("ORD-1", instance_id=f"run-{n}")) for n in range(8))
    )
    assert sorted(writes) == ["created", *["duplicate"] * 7]


async def test_of_two_attempts_at_once_the_later_stays(server: Server) -> None:
    await asyncio.gather(*(persist(wanted("ORD-1", attempt=n)) for n in (3, 1, 2, 3, 1)))
    item = await find_order("ORD-1")
    assert item is not None
    assert item["attempt"] == 3


async def test_pages_give_every_order_once_latest_first(server: Server) -> None:
    # Instants are shared by three orders each, so that pages end in the middle of one.
    for n in range(20):
        status = "rejected" if n % 4 == 0 else "processed"
        await persist(wanted(f"ORD-{n}", n // 3, status=status))
    for statuses, expected in (([], 20), (["rejected"], 5), (["processed", "rejected"], 20)):
        seen: list[dict[str, Any]] = []
        place: Place | None = None
        while page := await latest_orders(4, statuses, place):
            seen += page
            place = place_after(page, place)
        assert len({item["id"] for item in seen}) == len(seen) == expected
        times = [item["processedAt"] for item in seen]
        assert times == sorted(times, reverse=True)
        assert {item["status"] for item in seen} <= set(statuses or ["processed", "rejected"])


async def test_orders_that_come_in_between_pages_shift_nothing(server: Server) -> None:
    for n in range(4):
        await persist(wanted(f"ORD-{n}", n))
    first = await latest_orders(2, [], None)
    await persist(wanted("ORD-9", 9))
    second = await latest_orders(2, [], place_after(first, None))
    assert [item["id"] for item in (*first, *second)] == ["ORD-3", "ORD-2", "ORD-1", "ORD-0"]


async def test_admission_finds_what_is_done_however_large_the_batch(server: Server) -> None:
    await asyncio.gather(*(persist(wanted(f"ORD-{n}")) for n in range(0, 5 * CHUNK_SIZE, 25)))
    orders = [an_order(id=f"ORD-{n}") for n in range(5 * CHUNK_SIZE)]
    result = await admit_batch({"orders": orders})
    assert [o["id"] for o in result["settled"]] == [f"ORD-{n}" for n in range(0, 250, 25)]
    assert {o["status"] for o in result["settled"]} == {"duplicate"}
    assert len(result["admitted"]) == 240


async def test_reference_data_is_found_by_kind(server: Server) -> None:
    for item in json.loads((ROOT / "samples" / "reference.json").read_text()):
        await _store.upsert("reference", item)
    order = an_order(customerId="C-1001", currency="GBP", country="GB")
    result = await enrich_with(ReferenceCache(_reference._fetch), order)
    assert result["enrichment"]["fallbacks"] == []
    assert result["totals"]["subtotal"] == "39.80"
    assert result["totals"]["discount"] == "3.98"
    assert result["totals"]["tax"] == "7.16"
    assert result["totals"]["base"] == {"currency": "EUR", "total": "49.13"}


async def test_the_first_receipt_stays(server: Server) -> None:
    assert await find_receipt("ORD-1") is None
    assert await leave_receipt("ORD-1", "d1", "t1") is None
    earlier = await leave_receipt("ORD-1", "d2", "t2")
    assert earlier is not None
    assert (earlier["digest"], earlier["submittedAt"]) == ("d1", "t1")


async def test_results_are_kept_past_the_containers_own_time(server: Server) -> None:
    results = {"enrich": {"totals": {"total": "1.00"}}}
    await keep_results({"instanceId": "ORD-1:batch:abc", "results": results})
    assert await kept_results("ORD-1:batch:abc") == results


async def test_a_missing_container_is_not_a_missing_item(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StepError, match="STORE_MISSING"):
        await _store.read("nowhere", "ORD-1")
    await probe()


async def test_a_store_that_is_gone_says_so(server: Server) -> None:
    await probe()
    server.run(server.listener.close())
    with pytest.raises(StepError, match="STORE_UNAVAILABLE"):
        await probe()
