"""Databases, containers, partition key ranges and offers."""

from typing import Any

import pytest
from aiohttp import ClientSession
from azure.cosmos import PartitionKey, ThroughputProperties, exceptions

from emulator.database import StorageError
from tests.support.cosmos import Face, Sdk, Server, new_container

KEY = PartitionKey(path="/id")
NAMES = ["plain", "with space", "ünïcödé", "plus+percent%25", "'quotes\""]


async def test_database_is_created_listed_read_and_deleted(sdk: Sdk) -> None:
    database = Face(await sdk.do("create_database", "new"))
    properties = await database.do("read")
    assert properties["id"] == "new"
    assert properties["_self"] == f"dbs/{properties['_rid']}/"
    assert [entry["id"] for entry in await sdk.all("list_databases")] == ["shop", "new"]
    found = await sdk.all(
        "query_databases",
        "SELECT * FROM r WHERE r.id = @id",
        parameters=[{"name": "@id", "value": "new"}],
    )
    assert [entry["id"] for entry in found] == ["new"]
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await sdk.do("create_database", "new")
    await sdk.do("create_database_if_not_exists", "new")
    await sdk.do("delete_database", "new")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await database.do("read")


async def test_container_is_created_listed_read_and_deleted(sdk: Sdk) -> None:
    shop = sdk.database()
    container = Face(await shop.do("create_container", "new", KEY, default_ttl=30))
    properties = await container.do("read")
    assert properties["partitionKey"] == {"paths": ["/id"], "kind": "Hash", "version": 2}
    assert properties["defaultTtl"] == 30
    assert {"path": '/"_etag"/?'} in properties["indexingPolicy"]["excludedPaths"]
    assert properties["conflictResolutionPolicy"]["mode"] == "LastWriterWins"
    names = [entry["id"] for entry in await shop.all("list_containers")]
    assert names == ["orders", "things", "visits", "sessions", "new"]
    found = await shop.all("query_containers", "SELECT * FROM r WHERE r.id = 'new'")
    assert [entry["id"] for entry in found] == ["new"]
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await shop.do("create_container", "new", KEY)
    await shop.do("create_container_if_not_exists", "new", KEY)
    await shop.do("delete_container", "new")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await container.do("read")


@pytest.mark.parametrize("name", NAMES)
async def test_names_of_all_kinds(sdk: Sdk, name: str) -> None:
    await sdk.do("create_database", name)
    container = Face(await sdk.database(name).do("create_container", name, KEY))
    await container.do("create_item", {"id": "a"})
    assert (await container.do("read_item", "a", "a"))["id"] == "a"
    assert await container.query("SELECT VALUE c.id FROM c") == ["a"]


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a?b", "a#b", "x" * 255, "end "])
async def test_illegal_names_are_refused(sdk: Sdk, name: str) -> None:
    with pytest.raises((exceptions.CosmosHttpResponseError, ValueError)) as refused:
        await sdk.do("create_database", name)
    if isinstance(refused.value, exceptions.CosmosHttpResponseError):
        assert refused.value.status_code == 400
        assert "'255' characters" in str(refused.value)


@pytest.mark.parametrize(
    "definition",
    [
        {"id": "x"},
        {"id": "x", "partitionKey": {"paths": [], "kind": "Hash"}},
        {"id": "x", "partitionKey": {"paths": ["id"], "kind": "Hash"}},
        {"id": "x", "partitionKey": {"paths": ["/a", "/b"], "kind": "Hash"}},
        {"id": "x", "partitionKey": {"paths": ["/a", "/b", "/c", "/d"], "kind": "MultiHash"}},
        {"id": "x", "partitionKey": {"paths": ["/a"], "kind": "Range"}},
        {"id": "x", "partitionKey": {"paths": ["/id"]}, "defaultTtl": 0},
        {"id": "x", "partitionKey": {"paths": ["/id"]}, "defaultTtl": -2},
    ],
)
async def test_wrong_definitions_are_refused(server: Server, definition: dict[str, Any]) -> None:
    answer = await _post(server, "/dbs/shop/colls", definition)
    assert answer == 400


async def _post(server: Server, path: str, body: Any) -> int:
    bearer = {"authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken"}
    async with (
        ClientSession() as session,
        session.post(server.url + path, json=body, headers=bearer) as answer,
    ):
        return answer.status


async def test_missing_owner_has_its_sub_status(sdk: Sdk) -> None:
    with pytest.raises(exceptions.CosmosResourceNotFoundError) as refused:
        await sdk.database("nowhere").do("create_container", "x", KEY)
    assert refused.value.sub_status == 1003
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await sdk.container("nothing").do("create_item", {"id": "a"})


async def test_replaced_container_keeps_key_and_takes_the_new_lifetime(sdk: Sdk) -> None:
    shop = sdk.database()
    await shop.do("replace_container", "things", KEY, default_ttl=100)
    assert (await sdk.container("things").do("read"))["defaultTtl"] == 100
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await shop.do("replace_container", "things", PartitionKey(path="/other"))
    assert refused.value.status_code == 400


async def test_container_made_anew_under_a_client_that_knows_the_old_one(sdk: Sdk) -> None:
    shop, things = sdk.database(), sdk.container("things")
    await things.do("create_item", {"id": "a", "kind": "k"})
    old = await things.do("read")
    async_feed = await things.pages("query_items_change_feed", start_time="Beginning")
    token = async_feed[-1][1]
    # Another client, which shares no cache with the first.
    await shop.do("delete_container", "things")
    await shop.do("create_container", "things", PartitionKey(path="/kind"))
    await things.do("create_item", {"id": "a", "kind": "k"})
    assert (await things.do("read_item", "a", "k"))["kind"] == "k"
    assert (await things.do("read"))["_rid"] != old["_rid"]
    with pytest.raises((ValueError, exceptions.CosmosHttpResponseError)):
        await things.all("query_items_change_feed", continuation=token)


async def test_second_request_for_ranges_hears_that_nothing_changed(server: Server) -> None:
    bearer = {
        "authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken",
        "A-IM": "Incremental Feed",
    }
    url = f"{server.url}/dbs/shop/colls/orders/pkranges"
    async with ClientSession() as session:
        async with session.get(url, headers=bearer) as answer:
            etag = answer.headers["etag"]
            ranges = (await answer.json())["PartitionKeyRanges"]
        assert [(r["id"], r["minInclusive"], r["maxExclusive"]) for r in ranges] == [
            ("0", "", "FF")
        ]
        async with session.get(url, headers={**bearer, "If-None-Match": etag}) as answer:
            assert answer.status == 304
            assert answer.headers["etag"] == etag


async def test_client_asks_for_ranges_a_bounded_number_of_times(sdk: Sdk, server: Server) -> None:
    orders = sdk.container("orders")
    for number in range(5):
        await orders.do("upsert_item", {"id": str(number), "customer": "c"})
        await orders.do("read_item", str(number), "c")
    assert len(await orders.all("query_items_change_feed", start_time="Beginning")) == 5
    # The account, two reads of ranges, the container, and the calls themselves.
    assert server.service.faults.passed["cosmos.request"] < 25


async def test_throughput_is_kept_without_effect(sdk: Sdk) -> None:
    made = await new_container(sdk, "paid", "/id", offer_throughput=400)
    offer = await made.do("get_throughput")
    assert offer.offer_throughput == 400
    replaced = await made.do("replace_throughput", 1000)
    assert replaced.offer_throughput == 1000
    assert (await made.do("get_throughput")).offer_throughput == 1000
    auto = await new_container(
        sdk, "auto", "/id", offer_throughput=ThroughputProperties(auto_scale_max_throughput=5000)
    )
    assert (await auto.do("get_throughput")).auto_scale_max_throughput == 5000


async def test_throughput_of_a_container_without_one_is_not_found(orders: Face) -> None:
    # SDK 4.17.1 turns the empty list into a not-found error, and then fails over its own retry.
    with pytest.raises((exceptions.CosmosResourceNotFoundError, AttributeError)) as refused:
        await orders.do("get_throughput")
    first = refused.value.__context__ or refused.value
    assert "Could not find ThroughputProperties" in str(first)


async def test_scripts_and_users_are_refused_and_their_lists_empty(sdk: Sdk) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await sdk.database().do("create_user", {"id": "u"})
    assert refused.value.status_code == 400
    assert "not supported" in str(refused.value)
    assert await sdk.database().all("list_users") == []
    scripts = Face(sdk.container("orders").raw.scripts)
    for method, body in (
        ("create_stored_procedure", {"id": "s", "body": "function () {}"}),
        (
            "create_trigger",
            {"id": "t", "body": "", "triggerType": "Pre", "triggerOperation": "All"},
        ),
        ("create_user_defined_function", {"id": "f", "body": ""}),
    ):
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await scripts.do(method, body)
        assert refused.value.status_code == 400
    assert await sdk.container("orders").all("list_conflicts") == []


async def test_entities_are_provisioned_once_and_follow_their_file(
    sdk: Sdk, server: Server
) -> None:
    before = await sdk.container("orders").do("read")
    entities = {
        "database": "shop",
        "containers": [{"name": "orders", "partitionKey": "/customer", "defaultTtl": -1}],
    }
    server.run(server.service._provision(entities))
    after = await sdk.container("orders").do("read")
    assert after["_rid"] == before["_rid"]
    assert after["defaultTtl"] == -1
    other = {"database": "shop", "containers": [{"name": "orders", "partitionKey": "/other"}]}
    with pytest.raises(StorageError, match="'orders' exists with another definition"):
        server.run(server.service._provision(other))


async def test_container_deleted_beneath_a_call_is_not_found(sdk: Sdk, server: Server) -> None:
    things = sdk.container("things")
    await things.do("create_item", {"id": "a"})
    table = server.service.catalogue.container("shop", "things").container.table
    # As it looks between the commit of the delete and the moment the catalogue hears of it.
    server.run(server.service.storage.write(lambda c: c.execute(f"DROP TABLE {table}")))
    for call in (
        things.do("read_item", "a", "a"),
        things.do("upsert_item", {"id": "a"}),
        things.query("SELECT * FROM c"),
        things.all("query_items_change_feed", start_time="Beginning"),
    ):
        with pytest.raises(exceptions.CosmosResourceNotFoundError):
            await call
