"""Pages: their sizes, their tokens, and what happens to them while items come and go."""

from typing import Any

import pytest
from aiohttp import ClientSession
from azure.cosmos import exceptions

from tests.integration.cosmos.conftest import Way
from tests.support.cosmos import Face, Server

BEARER = {"authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken"}
ALL = {"enable_cross_partition_query": True}
QUERIES = [
    "SELECT VALUE c.n FROM c",
    "SELECT VALUE c.n FROM c WHERE c.n >= 0",
    "SELECT VALUE c.n FROM c ORDER BY c.n",
    "SELECT TOP 10 VALUE c.n FROM c",
    "SELECT VALUE c.n FROM c OFFSET 0 LIMIT 10",
    "SELECT DISTINCT VALUE c.n FROM c",
    "SELECT VALUE c.n FROM c GROUP BY c.n",
]


async def fill(things: Face, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        await things.do("create_item", {"id": f"i{number:03}", "n": number, "list": [number]})


@pytest.mark.parametrize("size", [1, 3, 10, 100, -1, 0])
async def test_pages_of_every_size_hold_everything_once(things: Face, size: int) -> None:
    await fill(things, 10)
    for query in (*QUERIES, "SELECT VALUE x FROM c JOIN x IN c.list"):
        pages = await things.pages("query_items", query, max_item_count=size, **ALL)
        rows = [row for page, _ in pages for row in page]
        assert rows == list(range(10)), query
        largest = 10 if size < 1 else size
        assert all(len(page) <= largest for page, _ in pages), query
        assert len([page for page, _ in pages if page]) == -(-10 // largest), query
        assert pages[-1][1] is None, query


async def test_token_goes_on_in_a_new_client(things: Face, server: Server, way: Way) -> None:
    await fill(things, 9)
    for query in ("SELECT VALUE c.n FROM c", "SELECT VALUE c.n FROM c ORDER BY c.n DESC"):
        pages = await things.pages("query_items", query, max_item_count=4, **ALL)
        rest = [row for page, _ in pages[1:] for row in page]
        async with way.into(server) as other:
            again = await other.container("things").pages(
                "query_items", query, max_item_count=4, token=pages[0][1], **ALL
            )
        assert [row for page, _ in again for row in page] == rest


async def test_list_of_all_items_is_paged(things: Face) -> None:
    await fill(things, 7)
    pages = await things.pages("read_all_items", max_item_count=3)
    assert [len(page) for page, _ in pages] == [3, 3, 1]
    assert [item["n"] for page, _ in pages for item in page] == list(range(7))


async def test_changes_between_pages_neither_hide_nor_repeat_what_stays(things: Face) -> None:
    await fill(things, 10)
    query = "SELECT VALUE c.n FROM c"
    pages = await things.pages("query_items", query, max_item_count=4, **ALL)
    await things.do("delete_item", "i001", "i001")
    await things.do("upsert_item", {"id": "i002", "n": 2, "changed": True})
    await things.do("upsert_item", {"id": "i007", "n": 7, "changed": True})
    await things.do("delete_item", "i009", "i009")
    await fill(things, 2, start=10)
    rest = await things.pages("query_items", query, max_item_count=4, token=pages[0][1], **ALL)
    assert pages[0][0] == [0, 1, 2, 3]
    assert [row for page, _ in rest for row in page] == [4, 5, 6, 7, 8, 10, 11]


async def test_token_of_another_query_is_refused(things: Face) -> None:
    await fill(things, 3)
    pages = await things.pages("query_items", QUERIES[0], max_item_count=1, **ALL)
    for query, token in ((QUERIES[1], pages[0][1]), (QUERIES[0], "nonsense"), (QUERIES[0], "e30=")):
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await things.pages("query_items", query, token=token, **ALL)
        assert refused.value.status_code == 400
        assert "Invalid Continuation Token" in str(refused.value)


async def test_token_of_other_parameters_is_refused(things: Face) -> None:
    await fill(things, 3)

    async def page(value: int, token: str | None = None) -> Any:
        parameters = [{"name": "@n", "value": value}]
        query = "SELECT VALUE c.n FROM c WHERE c.n >= @n"
        return await things.pages(
            "query_items", query, parameters=parameters, max_item_count=1, token=token, **ALL
        )

    first = await page(0)
    assert [rows for rows, _ in await page(0, first[0][1])] == [[1], [2]]
    with pytest.raises(exceptions.CosmosHttpResponseError):
        await page(1, first[0][1])


async def test_tokens_fit_a_header_with_a_limit(things: Face) -> None:
    await fill(things, 3)
    pages = await things.pages("query_items", QUERIES[0], max_item_count=1, **ALL)
    assert 0 < len(pages[0][1]) < 1024


async def test_page_is_cut_where_its_bytes_are_too_many(things: Face) -> None:
    for number in range(6):
        await things.do("create_item", {"id": str(number), "text": "x" * 1_500_000})
    pages = await things.pages("query_items", "SELECT * FROM c", max_item_count=-1, **ALL)
    assert len(pages) > 1
    assert [item["id"] for page, _ in pages for item in page] == ["0", "1", "2", "3", "4", "5"]


async def test_groups_of_objects_are_paged_as_one_answer(things: Face) -> None:
    """The first page meets only scalars; the later ones objects that are equal in two orders."""
    keys = [1, 2, {"a": 1, "b": 2}, {"b": 2, "a": 1}, 3]
    for number, key in enumerate(keys):
        await things.do("create_item", {"id": str(number), "k": key})
    for query in ("SELECT DISTINCT VALUE c.k FROM c", "SELECT VALUE c.k FROM c GROUP BY c.k"):
        pages = await things.pages("query_items", query, max_item_count=1, **ALL)
        rows = [row for page, _ in pages for row in page]
        assert rows == [1, 2, {"a": 1, "b": 2}, 3]


async def test_size_that_is_no_number_is_refused(server: Server) -> None:
    url = f"{server.url}/dbs/shop/colls/things/docs"
    headers = {**BEARER, "x-ms-max-item-count": "many"}
    async with ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 400


async def test_query_over_partitions_must_be_allowed(server: Server) -> None:
    url = f"{server.url}/dbs/shop/colls/orders/docs"
    headers = {
        **BEARER,
        "x-ms-documentdb-isquery": "true",
        "Content-Type": "application/query+json",
    }

    async def status(query: str, **more: str) -> int:
        async with (
            ClientSession() as session,
            session.post(url, json={"query": query}, headers={**headers, **more}) as answer,
        ):
            return answer.status

    assert await status("SELECT * FROM c") == 400
    assert await status("SELECT * FROM c WHERE c.customer = 'c1'") == 200
    assert await status("SELECT * FROM c WHERE c.customer = 'c1' AND c.n > 1") == 200
    assert await status("SELECT * FROM c WHERE c.customer = 'c1' OR c.n > 1") == 400
    crossing = {"x-ms-documentdb-query-enablecrosspartition": "True"}
    assert await status("SELECT * FROM c", **crossing) == 200
    assert await status("SELECT * FROM c", **{"x-ms-documentdb-partitionkeyrangeid": "0"}) == 200
    assert await status("SELECT * FROM c", **{"x-ms-documentdb-partitionkey": '["c1"]'}) == 200
    plan = {"x-ms-cosmos-is-query-plan-request": "True"}
    assert await status("SELECT * FROM c", **crossing, **plan) == 400


async def test_feed_range_limits_a_query(orders: Face) -> None:
    for number in range(6):
        await orders.do("create_item", {"id": str(number), "customer": f"c{number % 3}"})
    of_key = await orders.do("feed_range_from_partition_key", "c1")
    found = await orders.all("query_items", "SELECT VALUE c.id FROM c", feed_range=of_key)
    assert found == ["1", "4"]


async def test_metrics_are_there_when_asked_for(things: Face) -> None:
    await fill(things, 2)
    headers: dict[str, str] = {}

    def note(given: Any, *_: Any) -> None:
        headers.update(given)

    await things.all(
        "query_items",
        "SELECT * FROM c",
        populate_query_metrics=True,
        populate_index_metrics=True,
        response_hook=note,
        **ALL,
    )
    assert "retrievedDocumentCount=2" in headers["x-ms-documentdb-query-metrics"]
    assert headers["x-ms-item-count"] == "2"
    assert headers["x-ms-cosmos-index-utilization"]
