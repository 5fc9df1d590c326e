"""Items through the vendor's SDK, synchronous and asynchronous."""

import asyncio
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import exceptions

from tests.support.cosmos import SYSTEM, Face, own

ORDER = {"id": "o1", "customer": "c1", "total": 19.9, "lines": [{"sku": "a", "quantity": 2}]}


async def test_created_item_comes_back_with_system_properties_last(orders: Face) -> None:
    created = await orders.do("create_item", ORDER)
    assert own(created) == ORDER
    assert list(created) == [*ORDER, *SYSTEM]
    assert await orders.do("read_item", "o1", "c1") == created


async def test_second_item_of_the_same_id_and_key_is_a_conflict(orders: Face) -> None:
    await orders.do("create_item", ORDER)
    with pytest.raises(exceptions.CosmosResourceExistsError) as refused:
        await orders.do("create_item", ORDER)
    assert refused.value.status_code == 409
    await orders.do("create_item", {**ORDER, "customer": "c2"})


async def test_missing_item_is_not_found(orders: Face) -> None:
    with pytest.raises(exceptions.CosmosResourceNotFoundError) as refused:
        await orders.do("read_item", "o1", "c1")
    assert refused.value.sub_status is None or refused.value.sub_status == 0
    assert "Resource Not Found" in str(refused.value)


async def test_upsert_makes_and_then_replaces(orders: Face) -> None:
    statuses: list[Any] = []

    def note(headers: Any, _body: Any) -> None:
        statuses.append(headers.get("lsn"))

    first = await orders.do("upsert_item", ORDER, response_hook=note)
    second = await orders.do("upsert_item", {**ORDER, "total": 5}, response_hook=note)
    assert statuses == ["1", "2"]
    assert second["_rid"] == first["_rid"]
    assert second["_etag"] != first["_etag"]
    assert own(second) == {**ORDER, "total": 5}
    assert (await orders.do("read_item", "o1", "c1"))["total"] == 5


async def test_replace_by_id_and_by_the_item_itself(orders: Face) -> None:
    created = await orders.do("create_item", ORDER)
    replaced = await orders.do("replace_item", "o1", {**ORDER, "total": 1})
    assert replaced["total"] == 1
    again = await orders.do("replace_item", created, {**ORDER, "total": 2})
    assert again["total"] == 2
    assert again["_rid"] == created["_rid"]
    await orders.do("delete_item", again, partition_key="c1")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await orders.do("read_item", "o1", "c1")


async def test_reading_by_the_item_itself(orders: Face) -> None:
    created = await orders.do("create_item", ORDER)
    assert await orders.do("read_item", created, "c1") == created


async def test_replace_of_a_missing_item_is_not_found(orders: Face) -> None:
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await orders.do("replace_item", "o1", ORDER)


async def test_replace_may_rename_unless_the_name_is_taken(orders: Face) -> None:
    created = await orders.do("create_item", ORDER)
    renamed = await orders.do("replace_item", "o1", {**ORDER, "id": "o2"})
    assert renamed["id"] == "o2"
    assert renamed["_rid"] == created["_rid"]
    await orders.do("create_item", ORDER)
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await orders.do("replace_item", "o2", ORDER)


async def test_second_delete_is_not_found(orders: Face) -> None:
    await orders.do("create_item", ORDER)
    await orders.do("delete_item", "o1", "c1")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await orders.do("delete_item", "o1", "c1")


async def test_new_item_of_an_old_id_is_another_item(orders: Face) -> None:
    first = await orders.do("create_item", ORDER)
    await orders.do("delete_item", "o1", "c1")
    second = await orders.do("create_item", ORDER)
    assert second["_rid"] != first["_rid"]


async def test_stale_etag_is_refused_and_the_fresh_one_taken(orders: Face) -> None:
    first = await orders.do("create_item", ORDER)
    second = await orders.do("upsert_item", ORDER)
    stale = {"etag": first["_etag"], "match_condition": MatchConditions.IfNotModified}
    fresh = {"etag": second["_etag"], "match_condition": MatchConditions.IfNotModified}
    for method, args in (
        ("replace_item", ("o1", ORDER)),
        ("upsert_item", (ORDER,)),
        ("delete_item", ("o1", "c1")),
    ):
        with pytest.raises(exceptions.CosmosAccessConditionFailedError):
            await orders.do(method, *args, **stale)
    await orders.do("replace_item", "o1", ORDER, **fresh)


async def test_read_of_a_version_that_the_caller_has_is_empty(orders: Face) -> None:
    created = await orders.do("create_item", ORDER)
    modified = MatchConditions.IfModified
    known = await orders.do(
        "read_item", "o1", "c1", etag=created["_etag"], match_condition=modified
    )
    assert dict(known) == {}
    other = await orders.do("read_item", "o1", "c1", etag='"x"', match_condition=modified)
    assert other["id"] == "o1"


async def test_no_response_leaves_the_body_out(orders: Face) -> None:
    assert dict(await orders.do("create_item", ORDER, no_response=True)) == {}
    assert dict(await orders.do("upsert_item", ORDER, no_response=True)) == {}
    assert (await orders.do("read_item", "o1", "c1"))["total"] == 19.9


async def test_system_properties_of_a_body_are_not_stored(orders: Face) -> None:
    forged = {**ORDER, "_ts": 1, "_etag": "x", "_rid": "x", "_self": "x", "_attachments": "x"}
    created = await orders.do("create_item", forged)
    assert own(created) == ORDER
    assert created["_ts"] > 1
    assert created["_etag"] != "x"


@pytest.mark.parametrize(
    "name", ["a b", "a+b", "100%", "é€😀", "a'b", 'a"b', "x" * 1000, "semi;colon", "a=b&c", "~-_."]
)
async def test_ids_of_all_kinds_are_found_again(things: Face, name: str) -> None:
    await things.do("create_item", {"id": name, "n": 1})
    assert (await things.do("read_item", name, name))["id"] == name
    assert (await things.do("replace_item", name, {"id": name, "n": 2}))["n"] == 2
    assert await things.query("SELECT VALUE c.n FROM c WHERE c.id = @p0", name) == [2]
    await things.do("delete_item", name, name)


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a?b", "a#b", "ends in a space ", "x" * 1024])
async def test_illegal_ids_are_refused(things: Face, name: str) -> None:
    with pytest.raises((exceptions.CosmosHttpResponseError, ValueError)) as refused:
        await things.do("create_item", {"id": name})
    if isinstance(refused.value, exceptions.CosmosHttpResponseError):
        assert refused.value.status_code == 400


async def test_values_come_back_as_they_went(things: Face) -> None:
    item = {
        "id": "v",
        "zero": 0,
        "negative": -1.5,
        "tiny": 5e-324,
        "huge": 1.7976931348623157e308,
        "largest": 2**63 - 1,
        "smallest": -(2**63),
        "text": 'quote " backslash \\ newline \n tab \t nul \u0000 bell \u0007 é € 😀 \u2028',
        "empty": "",
        "null": None,
        "flags": [True, False],
        "nested": {"": {"a.b": [[], {}, [{"$": 1}]]}, 'q"uote': 1, "back\\slash": 2},
        "order": ["z", "a"],
    }
    await things.do("create_item", item)
    read = await things.do("read_item", "v", "v")
    assert own(read) == item
    assert list(own(read)) == list(item)
    assert own((await things.query("SELECT * FROM c"))[0]) == item


async def test_integers_beyond_64_bits_become_doubles(things: Face) -> None:
    await things.do("create_item", {"id": "v", "n": 2**63, "m": 10**30})
    read = await things.do("read_item", "v", "v")
    assert read["n"] == float(2**63)
    assert read["m"] == 1e30


async def test_large_items_up_to_two_mebibytes(things: Face) -> None:
    await things.do("create_item", {"id": "big", "text": "x" * (2 * 1024 * 1024 - 100)})
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await things.do("create_item", {"id": "bigger", "text": "x" * (2 * 1024 * 1024)})
    assert refused.value.status_code == 413


async def test_one_writer_wins_for_each_etag(things: Face) -> None:
    created = await things.do("create_item", {"id": "n", "count": 0})

    async def try_once(number: int) -> bool:
        try:
            await things.at_once(
                "replace_item",
                "n",
                {"id": "n", "count": number},
                etag=created["_etag"],
                match_condition=MatchConditions.IfNotModified,
            )
        except exceptions.CosmosAccessConditionFailedError:
            return False
        return True

    won = await asyncio.gather(*[try_once(number) for number in range(64)])
    assert won.count(True) == 1
    assert (await things.do("read_item", "n", "n"))["count"] == won.index(True)
