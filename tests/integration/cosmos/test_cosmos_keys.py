"""Partition keys of every kind, and what happens where header and item disagree."""

from typing import Any

import pytest
from aiohttp import ClientSession
from azure.cosmos import exceptions
from azure.cosmos.partition_key import NonePartitionKeyValue, NullPartitionKeyValue

from tests.support.cosmos import Face, Sdk, Server, new_container

BEARER = {"authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken"}


@pytest.mark.parametrize("key", ["c1", "", "é", "x" * 2000, 1, 1.5, -0.0, 2**53, True, False])
async def test_keys_of_scalar_types(orders: Face, key: Any) -> None:
    await orders.do("create_item", {"id": "a", "customer": key})
    assert (await orders.do("read_item", "a", key))["customer"] == key
    found = await orders.all("query_items", "SELECT VALUE c.id FROM c", partition_key=key)
    assert found == ["a"]
    await orders.do("delete_item", "a", key)


async def test_one_and_one_point_zero_are_the_same_key(orders: Face) -> None:
    await orders.do("create_item", {"id": "a", "customer": 1})
    assert (await orders.do("read_item", "a", 1.0))["id"] == "a"


async def test_null_and_missing_are_different_keys(orders: Face) -> None:
    await orders.do("create_item", {"id": "null", "customer": None})
    await orders.do("create_item", {"id": "none"})
    await orders.do("create_item", {"id": "object", "customer": {"a": 1}})
    assert (await orders.do("read_item", "null", NullPartitionKeyValue))["id"] == "null"
    assert (await orders.do("read_item", "none", NonePartitionKeyValue))["id"] == "none"
    assert (await orders.do("read_item", "object", NonePartitionKeyValue))["id"] == "object"
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await orders.do("read_item", "null", NonePartitionKeyValue)


@pytest.mark.parametrize(
    ("path", "item", "key"),
    [
        ("/customer/id", {"customer": {"id": "c1"}}, "c1"),
        ('/"level\' 1*()"/"le/vel2"', {"level' 1*()": {"le/vel2": "v"}}, "v"),
        ("/a/b/c", {"a": {"b": {"c": 7}}}, 7),
        ("/ünï", {"ünï": "x"}, "x"),
    ],
)
async def test_nested_and_quoted_paths(sdk: Sdk, path: str, item: Any, key: Any) -> None:
    container = await new_container(sdk, "nested", path)
    created = await container.do("create_item", {"id": "a", **item})
    assert await container.do("read_item", "a", key) == created
    await container.do("replace_item", created, {"id": "a", **item, "n": 1})
    found = await container.all("query_items", "SELECT VALUE c.n FROM c", partition_key=key)
    assert found == [1]
    await container.do("delete_item", "a", key)


async def test_hierarchical_keys(sdk: Sdk) -> None:
    visits = sdk.container("visits")
    for tenant, user in (("t1", "u1"), ("t1", "u2"), ("t2", "u1")):
        await visits.do("create_item", {"id": "v", "tenant": tenant, "user": user})
    assert (await visits.do("read_item", "v", ["t1", "u2"]))["user"] == "u2"
    query = "SELECT VALUE c.user FROM c"
    assert await visits.all("query_items", query, partition_key=["t1"]) == ["u1", "u2"]
    assert await visits.all("query_items", query, partition_key=["t1", "u2"]) == ["u2"]
    assert len(await visits.query("SELECT * FROM c")) == 3
    assert len(await visits.query("SELECT * FROM c WHERE c.tenant = 't1' AND c.user = 'u1'")) == 1
    with pytest.raises(exceptions.CosmosHttpResponseError):
        await visits.do("read_item", "v", ["t1"])


async def test_three_levels(sdk: Sdk) -> None:
    deep = await new_container(sdk, "deep", "/a", "/b", "/c")
    await deep.do("create_item", {"id": "x", "a": 1, "b": 2, "c": 3})
    assert (await deep.do("read_item", "x", [1, 2, 3]))["c"] == 3
    for prefix in ([1], [1, 2], [1, 2, 3]):
        found = await deep.all("query_items", "SELECT * FROM c", partition_key=prefix)
        assert len(found) == 1


async def test_level_that_is_missing_is_refused_and_null_allowed(sdk: Sdk) -> None:
    visits = sdk.container("visits")
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await visits.do("create_item", {"id": "v", "tenant": "t1"})
    assert refused.value.status_code == 400
    await visits.do("create_item", {"id": "v", "tenant": "t1", "user": None})
    assert (await visits.do("read_item", "v", ["t1", None]))["id"] == "v"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ('["other"]', {"id": "a", "customer": "c1"}),
        ('["c1","c2"]', {"id": "a", "customer": "c1"}),
        ("[]", {"id": "a", "customer": "c1"}),
        (None, {"id": "a", "customer": "c1"}),
        ("[null]", {"id": "a"}),
        ("[{}]", {"id": "a", "customer": None}),
        ('["1"]', {"id": "a", "customer": 1}),
    ],
)
async def test_header_that_differs_from_the_item_is_refused(
    server: Server, header: str | None, body: Any
) -> None:
    headers = dict(BEARER)
    if header is not None:
        headers["x-ms-documentdb-partitionkey"] = header
    url = f"{server.url}/dbs/shop/colls/orders/docs"
    async with (
        ClientSession() as session,
        session.post(url, json=body, headers=headers) as answer,
    ):
        assert answer.status == 400
        assert answer.headers["x-ms-substatus"] == "1001"


async def test_point_read_without_a_key_is_refused(server: Server) -> None:
    url = f"{server.url}/dbs/shop/colls/orders/docs/a"
    async with ClientSession() as session, session.get(url, headers=BEARER) as answer:
        assert answer.status == 400
        assert answer.headers["x-ms-substatus"] == "1001"


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"1",
        b"{}",
        b'{"id": 1}',
        b'{"id": ""}',
        b'{"id": "a", "n": NaN}',
        b'{"id": "a", "n": Infinity}',
        b'{"id": "a", "n": 1e400}',
        b'{"id": "a", "n": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"id": "a", "n": "\xff"}',
    ],
)
async def test_bodies_that_are_no_items_are_refused(server: Server, body: bytes) -> None:
    headers = {**BEARER, "x-ms-documentdb-partitionkey": "[{}]"}
    url = f"{server.url}/dbs/shop/colls/orders/docs"
    async with (
        ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["code"] == "BadRequest"


async def test_unpaired_surrogate_is_stored_as_a_replacement(server: Server) -> None:
    headers = {**BEARER, "x-ms-documentdb-partitionkey": '["x\\ud800"]'}
    url = f"{server.url}/dbs/shop/colls/orders/docs"
    body = rb'{"id": "a", "customer": "x\ud800", "pair": "\ud83d\ude00"}'
    async with (
        ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 201
        stored = await answer.json()
    assert stored["customer"] == "x\ufffd"
    assert stored["pair"] == "😀"


async def test_all_items_of_a_key_are_deleted_at_once(sdk: Sdk) -> None:
    orders = sdk.container("orders")
    for number in range(5):
        await orders.do("create_item", {"id": str(number), "customer": "c1"})
    await orders.do("create_item", {"id": "other", "customer": "c2"})
    await orders.do("delete_all_items_by_partition_key", "c1")
    assert await orders.query("SELECT VALUE c.id FROM c") == ["other"]
