"""Partial updates and transactional batches."""

from copy import deepcopy
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import exceptions

from tests.support.cosmos import Face, Sdk, Server, own

BODY: dict[str, Any] = {
    "id": "a",
    "customer": "c1",
    "n": 1,
    "tags": ["x", "y"],
    "address": {"city": "Paris", "a/b": 1, "~": 2},
}


async def patched(orders: Face, *operations: dict[str, Any], **kwargs: Any) -> Any:
    """The item's own properties after a patch."""
    await orders.do("upsert_item", BODY)
    return own(await orders.do("patch_item", "a", "c1", list(operations), **kwargs))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/new", "value": {"k": [1]}}, {"new": {"k": [1]}}),
        ({"op": "add", "path": "/n", "value": None}, {"n": None}),
        ({"op": "add", "path": "/tags/0", "value": "w"}, {"tags": ["w", "x", "y"]}),
        ({"op": "add", "path": "/tags/2", "value": "z"}, {"tags": ["x", "y", "z"]}),
        ({"op": "add", "path": "/tags/-", "value": "z"}, {"tags": ["x", "y", "z"]}),
        ({"op": "set", "path": "/tags/0", "value": "w"}, {"tags": ["w", "y"]}),
        ({"op": "set", "path": "/fresh", "value": 1}, {"fresh": 1}),
        ({"op": "replace", "path": "/n", "value": "text"}, {"n": "text"}),
        ({"op": "replace", "path": "/tags/1", "value": 0}, {"tags": ["x", 0]}),
        ({"op": "remove", "path": "/tags/0"}, {"tags": ["y"]}),
        ({"op": "incr", "path": "/n", "value": 2.5}, {"n": 3.5}),
        ({"op": "incr", "path": "/n", "value": -3}, {"n": -2}),
        ({"op": "incr", "path": "/counter", "value": 4}, {"counter": 4}),
        (
            {"op": "replace", "path": "/address/a~1b", "value": 9},
            {"address": {"city": "Paris", "a/b": 9, "~": 2}},
        ),
        (
            {"op": "remove", "path": "/address/~0"},
            {"address": {"city": "Paris", "a/b": 1}},
        ),
    ],
)
async def test_each_operation(orders: Face, operation: Any, expected: Any) -> None:
    assert await patched(orders, operation) == {**BODY, **expected}


async def test_move_and_remove_take_the_property_away(orders: Face) -> None:
    moved = await patched(orders, {"op": "move", "from": "/address/city", "path": "/city"})
    assert moved["city"] == "Paris"
    assert "city" not in moved["address"]
    assert "n" not in await patched(orders, {"op": "remove", "path": "/n"})


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/missing/deep", "value": 1},
        {"op": "add", "path": "/tags/9", "value": 1},
        {"op": "add", "path": "/tags/x", "value": 1},
        {"op": "set", "path": "/n/deep", "value": 1},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "replace", "path": "/tags/2", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "remove", "path": "/tags/2"},
        {"op": "move", "from": "/missing", "path": "/x"},
        {"op": "move", "from": "/address", "path": "/address/inner"},
        {"op": "incr", "path": "/tags", "value": 1},
        {"op": "incr", "path": "/n", "value": "1"},
        {"op": "unknown", "path": "/n", "value": 1},
        {"op": "set", "path": "n", "value": 1},
        {"op": "set", "path": "/n"},
        {"op": "set", "path": "/id", "value": "b"},
        {"op": "set", "path": "/customer", "value": "c2"},
        {"op": "remove", "path": "/customer"},
        {"op": "move", "from": "/customer", "path": "/n"},
        {"op": "set", "path": "/_ts", "value": 1},
        {"op": "set", "path": "/_etag", "value": "x"},
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    orders: Face, operation: dict[str, Any]
) -> None:
    first = {"op": "set", "path": "/seen", "value": True}
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await patched(orders, first, operation)
    assert refused.value.status_code == 400
    assert own(await orders.do("read_item", "a", "c1")) == BODY


async def test_ten_operations_and_not_eleven(orders: Face) -> None:
    operations = [{"op": "incr", "path": "/n", "value": 1}] * 10
    assert (await patched(orders, *operations))["n"] == 11
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await patched(orders, *operations, operations[0])
    assert refused.value.status_code == 400


async def test_condition_decides(orders: Face) -> None:
    add = {"op": "incr", "path": "/n", "value": 1}
    assert (await patched(orders, add, filter_predicate="from c where c.n = 1"))["n"] == 2
    for condition in ("from c where c.n = 5", "from c where c.missing = 1"):
        with pytest.raises(exceptions.CosmosAccessConditionFailedError):
            await patched(orders, add, filter_predicate=condition)
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await patched(orders, add, filter_predicate="where where")
    assert refused.value.status_code == 400


async def test_patch_honours_etags_and_missing_items(orders: Face) -> None:
    add = [{"op": "incr", "path": "/n", "value": 1}]
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await orders.do("patch_item", "a", "c1", add)
    created = await orders.do("create_item", BODY)
    await orders.do("patch_item", "a", "c1", add)
    stale = {"etag": created["_etag"], "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await orders.do("patch_item", "a", "c1", add, **stale)
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await orders.do("patch_item", "a", "c1", [])
    assert refused.value.status_code == 400


def order(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "customer": "c1", **more}


async def test_batch_of_every_operation(orders: Face, server: Server) -> None:
    await orders.do("create_item", order("old", n=1))
    before = server.run(server.service.current_lsn("shop", "orders"))
    results = await orders.do(
        "execute_item_batch",
        [
            ("create", (order("new"),)),
            ("upsert", (order("up"),)),
            ("upsert", (order("up", n=2),)),
            ("replace", ("old", order("old", n=2))),
            ("read", ("old",)),
            ("patch", ("old", [{"op": "incr", "path": "/n", "value": 5}])),
            ("delete", ("new",)),
        ],
        "c1",
    )
    assert [result["statusCode"] for result in results] == [201, 201, 200, 200, 200, 200, 204]
    assert results[4]["resourceBody"]["n"] == 2
    assert results[5]["resourceBody"]["n"] == 7
    assert results[5]["eTag"] == results[5]["resourceBody"]["_etag"]
    assert sorted(await orders.query("SELECT VALUE c.id FROM c")) == ["old", "up"]
    # The whole batch is one step of the log.
    assert server.run(server.service.current_lsn("shop", "orders")) == before + 1


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (("create", (order("old"),)), 409),
        (("replace", ("missing", order("missing"))), 404),
        (("delete", ("missing",)), 404),
        (("read", ("missing",)), 404),
        (("replace", ("old", order("old")), {"if_match_etag": '"stale"'}), 412),
        (
            (
                "patch",
                ("old", [{"op": "incr", "path": "/n", "value": 1}]),
                {"filter_predicate": "from c where c.n = 99"},
            ),
            412,
        ),
        (("create", ({"id": "x", "customer": "other"},)), 400),
        (("patch", ("old", [{"op": "remove", "path": "/missing"}])), 400),
    ],
)
async def test_refused_operation_undoes_the_batch(
    orders: Face, operation: Any, status: int
) -> None:
    await orders.do("create_item", order("old", n=1))
    operations = [("create", (order("a"),)), ("delete", ("old",)), ("create", (order("old"),))]
    # A copy, since the SDK takes the etag out of what it is given.
    entries = deepcopy([*operations, operation, operations[0]])
    with pytest.raises(exceptions.CosmosBatchOperationError) as refused:
        await orders.do("execute_item_batch", entries, "c1")
    assert refused.value.error_index == 3
    statuses = [answer["statusCode"] for answer in refused.value.operation_responses]
    assert statuses == [424, 424, 424, status, 424]
    assert await orders.query("SELECT c.id, c.n FROM c") == [{"id": "old", "n": 1}]


async def test_batch_with_a_fresh_etag(orders: Face) -> None:
    created = await orders.do("create_item", order("old"))
    fresh = {"if_match_etag": created["_etag"]}
    results = await orders.do(
        "execute_item_batch", [("replace", ("old", order("old", n=1)), fresh)], "c1"
    )
    assert results[0]["statusCode"] == 200


async def test_batch_with_a_version_that_the_caller_has_says_so(orders: Face) -> None:
    created = await orders.do("create_item", order("old"))
    known = {"if_none_match_etag": created["_etag"]}
    results = await orders.do("execute_item_batch", [("read", ("old",), known)], "c1")
    assert [result["statusCode"] for result in results] == [304]


async def test_patch_cannot_grow_an_item_beyond_two_mebibytes(orders: Face) -> None:
    await orders.do("create_item", order("big", text="x" * 1_500_000))
    more = [{"op": "add", "path": "/more", "value": "x" * 1_000_000}]
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await orders.do("patch_item", "big", "c1", more)
    assert refused.value.status_code == 413


async def test_batches_that_are_too_small_or_too_large(orders: Face) -> None:
    hundred = [("upsert", (order(str(number)),)) for number in range(100)]
    assert len(await orders.do("execute_item_batch", hundred, "c1")) == 100
    for operations, text in ((hundred + hundred[:1], "more operations"), ([], "no operations")):
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await orders.do("execute_item_batch", operations, "c1")
        assert refused.value.status_code == 400
        assert text in str(refused.value)
    big = [("upsert", (order(str(n), text="x" * 300_000),)) for n in range(10)]
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await orders.do("execute_item_batch", big, "c1")
    assert refused.value.status_code == 413


async def test_batch_on_a_hierarchical_key_needs_all_of_it(sdk: Sdk) -> None:
    visits = sdk.container("visits")
    visit = {"id": "v", "tenant": "t1", "user": "u1"}
    results = await visits.do("execute_item_batch", [("create", (visit,))], ["t1", "u1"])
    assert results[0]["statusCode"] == 201
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await visits.do("execute_item_batch", [("upsert", (visit,))], ["t1"])
    assert refused.value.status_code == 400
