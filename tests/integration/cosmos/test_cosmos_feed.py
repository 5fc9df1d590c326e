"""The change feed, over the wire and in process."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from azure.cosmos import exceptions

from emulator.clock import ManualClock
from tests.integration.cosmos.conftest import Serve, Way
from tests.support.cosmos import Face, Sdk, Server
from tests.support.cosmos_process import BEARER

FEED = "query_items_change_feed"


def item(name: str, customer: str = "c1", **more: Any) -> dict[str, Any]:
    return {"id": name, "customer": customer, **more}


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in found]


async def fill(orders: Face, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        await orders.do("create_item", item(f"o{number}", f"c{number % 3}"))


async def token_at_end(orders: Face, **kwargs: Any) -> str:
    """The client's own token, which it gives in its headers also where there is no page."""
    await orders.all(FEED, **kwargs)
    return str(orders.raw.client_connection.last_response_headers["etag"])


@pytest.mark.filterwarnings("ignore:'is_start_from_beginning' is deprecated")
async def test_from_the_beginning_in_order_with_lsn(orders: Face) -> None:
    await fill(orders, 5)
    found = await orders.all(FEED, start_time="Beginning")
    assert ids(found) == ["o0", "o1", "o2", "o3", "o4"]
    assert [entry["_lsn"] for entry in found] == [1, 2, 3, 4, 5]
    assert ids(await orders.all(FEED, is_start_from_beginning=True)) == ids(found)


async def test_changed_item_is_seen_once_at_its_latest(orders: Face) -> None:
    await fill(orders, 3)
    await orders.do("upsert_item", item("o0", "c0", n=1))
    await orders.do("upsert_item", item("o0", "c0", n=2))
    found = await orders.all(FEED, start_time="Beginning")
    assert ids(found) == ["o1", "o2", "o0"]
    assert found[-1]["n"] == 2


async def test_deleted_items_are_not_seen(orders: Face) -> None:
    await fill(orders, 2)
    await orders.do("delete_item", "o0", "c0")
    assert ids(await orders.all(FEED, start_time="Beginning")) == ["o1"]


async def test_from_now_sees_what_comes(orders: Face) -> None:
    await fill(orders, 2)
    token = await token_at_end(orders, start_time="Now")
    await fill(orders, 2, start=2)
    assert ids(await orders.all(FEED, continuation=token)) == ["o2", "o3"]


async def test_token_goes_on_in_another_client(server: Server, orders: Face, way: Way) -> None:
    await fill(orders, 3)
    token = await token_at_end(orders, start_time="Beginning")
    await fill(orders, 1, start=3)
    async with way.into(server) as other:
        found = await other.container("orders").all(FEED, continuation=token)
    assert ids(found) == ["o3"]


async def test_pages_hold_what_was_asked_for(orders: Face) -> None:
    await fill(orders, 7)
    pages = await orders.pages(FEED, start_time="Beginning", max_item_count=3)
    assert [len(page) for page, _ in pages if page] == [3, 3, 1]


async def test_page_never_ends_within_a_batch(orders: Face) -> None:
    await orders.do("create_item", item("first"))
    batch = [("create", (item(f"b{number}"),)) for number in range(5)]
    await orders.do("execute_item_batch", batch, "c1")
    await orders.do("create_item", item("last"))
    pages = await orders.pages(FEED, start_time="Beginning", max_item_count=2)
    found = [ids(page) for page, _ in pages if page]
    assert found == [["first", "b0", "b1", "b2", "b3", "b4"], ["last"]]


async def test_item_updated_between_pages_comes_again(orders: Face) -> None:
    await fill(orders, 4)
    pages = await orders.pages(FEED, start_time="Beginning", max_item_count=2)
    await orders.do("upsert_item", item("o0", "c0", n=1))
    found = await orders.all(FEED, continuation=pages[0][1])
    assert ids(found) == ["o2", "o3", "o0"]


async def test_one_key_and_one_range(orders: Face) -> None:
    await fill(orders, 6)
    found = await orders.all(FEED, start_time="Beginning", partition_key="c1")
    assert ids(found) == ["o1", "o4"]
    ranges = await orders.all("read_feed_ranges")
    assert len(ranges) == 1
    whole = await orders.all(FEED, start_time="Beginning", feed_range=ranges[0])
    assert len(whole) == 6
    of_key = await orders.do("feed_range_from_partition_key", "c2")
    found = await orders.all(FEED, start_time="Beginning", feed_range=of_key)
    assert ids(found) == ["o2", "o5"]


async def test_filtered_feed_moves_on_past_what_it_does_not_show(orders: Face) -> None:
    await fill(orders, 6)
    token = await token_at_end(orders, start_time="Beginning", partition_key="none")
    await orders.do("create_item", item("mine", "none"))
    assert ids(await orders.all(FEED, continuation=token)) == ["mine"]


async def test_from_a_point_in_time(serve: Serve, way: Way) -> None:
    clock = ManualClock(datetime(2026, 11, 20, 9, 0, tzinfo=UTC))
    with serve(clock=clock) as server:
        async with way.into(server) as sdk:
            orders = sdk.container("orders")
            await fill(orders, 2)
            clock.advance(timedelta(minutes=1))
            await fill(orders, 2, start=2)
            since = clock.now() - timedelta(seconds=30)
            assert ids(await orders.all(FEED, start_time=since)) == ["o2", "o3"]


async def test_all_versions_and_deletes_is_refused(orders: Face) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await orders.all(FEED, mode="AllVersionsAndDeletes")
    assert refused.value.status_code == 400


async def test_deleting_the_newest_item_does_not_turn_the_log_back(serve: Serve, way: Way) -> None:
    with serve() as server:
        async with way.into(server) as sdk:
            orders = sdk.container("orders")
            await fill(orders, 3)
            token = await token_at_end(orders, start_time="Beginning")
            await orders.do("delete_item", "o2", "c2")
    with serve() as server:
        async with way.into(server) as sdk:
            orders = sdk.container("orders")
            await orders.do("create_item", item("after"))
            assert ids(await orders.all(FEED, continuation=token)) == ["after"]
            assert server.run(server.service.current_lsn("shop", "orders")) == 5


async def test_feed_without_news_keeps_its_etag(server: Server, aio: Sdk) -> None:
    await fill(aio.container("orders"), 2)
    headers = {**BEARER, "A-IM": "Incremental Feed"}
    url = f"{server.url}/dbs/shop/colls/orders/docs"
    async with ClientSession() as session:
        async with session.get(url, headers=headers) as answer:
            assert answer.status == 200
            etag = answer.headers["etag"]
        for _ in range(2):
            async with session.get(url, headers={**headers, "If-None-Match": etag}) as answer:
                assert answer.status == 304
                assert answer.headers["etag"] == etag
                assert await answer.read() == b""


async def test_feed_in_process(server: Server, aio: Sdk) -> None:
    service = server.service
    await fill(aio.container("orders"), 5)
    page = server.run(service.read_feed("shop", "orders", 0, 2))
    assert ids(page.items) == ["o0", "o1"]
    assert page.items[0]["_lsn"] == 1
    assert page.items[0]["_etag"].startswith('"')
    assert page.last_lsn == 2
    page = server.run(service.read_feed("shop", "orders", page.last_lsn, 100))
    assert ids(page.items) == ["o2", "o3", "o4"]
    page = server.run(service.read_feed("shop", "orders", page.last_lsn, 100))
    assert (page.items, page.last_lsn) == ([], 5)
    await aio.container("orders").do("delete_item", "o4", "c1")
    page = server.run(service.read_feed("shop", "orders", 5, 100))
    assert (page.items, page.last_lsn) == ([], 6)


async def test_waiting_ends_with_the_change_or_with_the_time(server: Server, aio: Sdk) -> None:
    service = server.service

    async def wait_while_writing() -> tuple[bool, bool, bool]:
        late = await service.wait_for_change("shop", "orders", 0, 0.01)
        waiting = asyncio.create_task(service.wait_for_change("shop", "orders", 0, 30))
        abandoned = asyncio.create_task(service.wait_for_change("shop", "orders", 0, 30))
        await asyncio.sleep(0)
        abandoned.cancel()
        await service.upsert("shop", "orders", item("a"))
        already = await service.wait_for_change("shop", "orders", 0, 0)
        return late, await waiting, already

    assert server.run(wait_while_writing()) == (False, True, True)


async def test_two_consumers_do_not_disturb_one_another(orders: Face) -> None:
    await fill(orders, 4)
    first = await orders.pages(FEED, start_time="Beginning", max_item_count=2)
    second = await orders.pages(FEED, start_time="Beginning", max_item_count=2)
    assert first == second


async def test_documents_are_replaced_and_deleted_in_process_under_their_etag(
    server: Server,
) -> None:
    service = server.service

    async def leases() -> None:
        lease = await service.create_item("shop", "things", {"id": "lease", "lsn": 0})
        taken = await service.replace_item(
            "shop", "things", {**lease, "owner": "a"}, etag=lease["_etag"]
        )
        with pytest.raises(Exception, match="precondition"):
            await service.replace_item("shop", "things", lease, etag=lease["_etag"])
        assert (await service.read_item("shop", "things", "lease", "lease")) == taken
        await service.delete_item("shop", "things", "lease", "lease", etag=taken["_etag"])
        assert await service.query_items("shop", "things", "SELECT * FROM c") == []

    server.run(leases())


async def test_containers_are_made_in_process(server: Server) -> None:
    service = server.service
    server.run(service.ensure_container("made", "leases"))
    server.run(service.ensure_container("made", "leases"))
    assert service.container_exists("made", "leases")
    assert not service.container_exists("made", "other")
    stored = server.run(service.upsert("made", "leases", {"id": "a", "n": 1}))
    found = server.run(
        service.query_items("made", "leases", "SELECT * FROM c WHERE c.n = @n", {"@n": 1})
    )
    assert found == [stored]
