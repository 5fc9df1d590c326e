"""Ids, resource ids, definitions and lifetimes."""

from typing import Any

import pytest

from emulator.cosmos.definition import container_definition, replaced_definition, unique_keys
from emulator.cosmos.entities import container_bodies
from emulator.cosmos.errors import CosmosError
from emulator.cosmos.model import (
    Container,
    Database,
    check_id,
    container_bytes,
    etag_of,
    item_rid,
    seq_of_rid,
    system_text,
)

KEY = {"paths": ["/id"]}


def container(**more: Any) -> Container:
    definition = container_definition({"id": "orders", "partitionKey": KEY, **more})
    return Container(1, Database(1, "shop", 7), definition, 8)


def test_resource_ids_have_the_services_form() -> None:
    made = container()
    assert made.database.rid == "DAAAAQ=="
    assert made.rid == "DAAAAYAAAAE="
    assert item_rid(made.bytes, 1) == "DAAAAYAAAAEBAAAAAAAAAA=="
    assert made.link == "dbs/DAAAAQ==/colls/DAAAAYAAAAE=/"


@pytest.mark.parametrize("seq", [0, 1, 255, 2**40, 2**62])
def test_row_number_is_found_again_in_the_resource_id(seq: int) -> None:
    own = container_bytes(3, 9)
    rid = item_rid(own, seq)
    assert "/" not in rid
    assert seq_of_rid(own, rid) == seq
    assert seq_of_rid(container_bytes(3, 10), rid) is None


@pytest.mark.parametrize("text", ["o1", "", "DAAAAQ==", "not base64!", "é"])
def test_other_texts_are_no_resource_ids(text: str) -> None:
    assert seq_of_rid(container_bytes(1, 1), text) is None


def test_etags_are_quoted_and_differ_by_change() -> None:
    assert etag_of(42, 0x6B04C077) == '"0000002a-0000-0100-0000-6b04c0770000"'
    assert etag_of(2**40, 1) != etag_of(2**40 + 1, 1)
    assert '"_etag":"\\"0000002a-' in system_text(container_bytes(1, 1), 1, 42, 7)


@pytest.mark.parametrize("text", ["a", "é", "a b", "x" * 254])
def test_legal_ids(text: str) -> None:
    assert check_id(text, 255) == text


@pytest.mark.parametrize("value", [None, 1, "", "a/b", "a\\b", "a?b", "a#b", "a ", "x" * 255])
def test_illegal_ids(value: Any) -> None:
    with pytest.raises(CosmosError):
        check_id(value, 255)


def test_definition_is_filled_in_and_keeps_what_it_does_not_know() -> None:
    made = container_definition(
        {"id": "c", "partitionKey": KEY, "computedProperties": [], "_rid": "x", "_ts": 1}
    )
    assert made["partitionKey"] == {"paths": ["/id"], "kind": "Hash", "version": 2}
    assert made["indexingPolicy"] == {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": '/"_etag"/?'}],
    }
    assert made["computedProperties"] == []
    assert "_rid" not in made
    assert container_definition(made) == made


def test_excluding_everything_includes_nothing() -> None:
    policy = {"excludedPaths": [{"path": "/*"}]}
    made = container_definition({"id": "c", "partitionKey": KEY, "indexingPolicy": policy})
    assert made["indexingPolicy"]["includedPaths"] == []


def test_replace_keeps_id_key_and_unique_keys() -> None:
    old = container(uniqueKeyPolicy={"uniqueKeys": [{"paths": ["/a"]}]})
    same = {
        "id": "orders",
        "partitionKey": KEY,
        "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/a"]}]},
    }
    assert replaced_definition(old, {**same, "defaultTtl": 5})["defaultTtl"] == 5
    for change, status in (
        ({"id": "other"}, 400),
        ({"partitionKey": {"paths": ["/x"]}}, 400),
        ({"uniqueKeyPolicy": {"uniqueKeys": []}}, 403),
    ):
        with pytest.raises(CosmosError) as refused:
            replaced_definition(old, {**same, **change})
        assert refused.value.status == status


@pytest.mark.parametrize("policy", [{"uniqueKeys": 1}, {"uniqueKeys": [{}]}, {"uniqueKeys": [[]]}])
def test_wrong_unique_keys_are_refused(policy: Any) -> None:
    with pytest.raises(CosmosError):
        unique_keys({"uniqueKeyPolicy": policy})


@pytest.mark.parametrize(
    ("default", "item", "expiry"),
    [
        (None, {}, None),
        (None, {"ttl": 5}, None),
        (-1, {}, None),
        (-1, {"ttl": 5}, 105),
        (60, {}, 160),
        (60, {"ttl": 5}, 105),
        (60, {"ttl": -1}, None),
    ],
)
def test_lifetimes(default: int | None, item: dict[str, Any], expiry: int | None) -> None:
    made = container(**({} if default is None else {"defaultTtl": default}))
    assert made.expiry(item, 100) == expiry


@pytest.mark.parametrize("ttl", [0, -2, None, "5", 1.5, True, 2**31])
def test_wrong_lifetimes(ttl: Any) -> None:
    with pytest.raises(CosmosError):
        container().expiry({"ttl": ttl}, 100)


def test_entities_become_definitions() -> None:
    name, bodies = container_bodies(
        {
            "cosmos": {
                "database": "shop",
                "containers": [
                    {
                        "name": "a",
                        "partitionKey": "/id",
                        "indexingPolicy": {"includedPaths": ["/x/?"], "excludedPaths": ["/*"]},
                        "uniqueKeys": [["/x"]],
                    },
                    {"name": "b", "partitionKey": ["/t", "/u"], "defaultTtl": 5},
                ],
            }
        }
    )
    assert name == "shop"
    first, second = (container_definition(body) for body in bodies)
    assert first["indexingPolicy"]["includedPaths"] == [{"path": "/x/?"}]
    assert unique_keys(first) == [["/x"]]
    assert second["partitionKey"]["kind"] == "MultiHash"
    assert second["defaultTtl"] == 5
    assert container_bodies({}) == (None, [])
