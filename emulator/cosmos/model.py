"""What a database, a container and an item look like: ids, properties, defaults, lifetimes.

Pure. A `Container` is a definition made ready for use; the store keeps its text. Resource ids are
made of numbers that are never used twice, so that a client notices a container made anew.

Source: specification, sections 4 and 6.2 to 6.5.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from emulator.cosmos.errors import CosmosError, bad_request
from emulator.cosmos.partition import PartitionKey, parse_partition_key, parse_path
from emulator.cosmos.values import dump

MAX_BODY_BYTES = 2 * 1024 * 1024
ITEM_SYSTEM_PROPERTIES = ("_rid", "_self", "_etag", "_attachments", "_ts")
_CONTAINER_SYSTEM = (
    *ITEM_SYSTEM_PROPERTIES,
    "_docs",
    "_sprocs",
    "_triggers",
    "_udfs",
    "_conflicts",
)
_FORBIDDEN = re.compile(r"[/\\?#]")
# An item's number leaves room for the operations of a batch, which share a log sequence number.
SEQ_SHIFT = 7


def check_id(value: Any, limit: int) -> str:
    """The id, if it may be one.

    Raises:
        CosmosError: 400 where it is empty, too long, ends in a space or holds one of `/ \\ ? #`.
    """
    text = value if isinstance(value, str) else ""
    if not text or len(text) >= limit or text.endswith(" ") or _FORBIDDEN.search(text):
        raise bad_request(
            "The request payload is invalid. Ensure to provide a unique non-empty string less "
            f"than '{limit}' characters."
        )
    return text


def _rid(data: bytes) -> str:
    return base64.b64encode(data).decode().replace("/", "-")


def database_rid(num: int) -> str:
    """The resource id of a database."""
    return _rid(_database_bytes(num))


def _database_bytes(num: int) -> bytes:
    return b"\x0c" + num.to_bytes(3, "big")


def container_bytes(database: int, num: int) -> bytes:
    """The eight bytes of a container's resource id, which begin those of its items."""
    return _database_bytes(database) + b"\x80" + num.to_bytes(3, "big")


def item_rid(container: bytes, seq: int) -> str:
    """The resource id of an item."""
    return _rid(container + seq.to_bytes(8, "little"))


def seq_of_rid(container: bytes, rid: str) -> int | None:
    """The row number in an item's resource id, or None where it is not one of this container."""
    try:
        data = base64.b64decode(rid.replace("-", "/"), validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) != 16 or data[:8] != container:
        return None
    return int.from_bytes(data[8:], "little")


def etag_of(lsn: int, ts: int) -> str:
    """The etag of a version, with its quotes."""
    return f'"{lsn:08x}-0000-0100-0000-{ts:08x}0000"'


@dataclass(frozen=True)
class Database:
    """A database: its number, id, and time of creation."""

    num: int
    id: str
    ts: int

    @property
    def rid(self) -> str:
        return database_rid(self.num)

    def resource(self) -> dict[str, Any]:
        """The database as it goes over the wire."""
        return {
            "id": self.id,
            "_rid": self.rid,
            "_self": f"dbs/{self.rid}/",
            "_etag": etag_of(self.num, self.ts),
            "_colls": "colls/",
            "_users": "users/",
            "_ts": self.ts,
        }


class Container:
    """A container: its definition made ready for use."""

    def __init__(self, num: int, database: Database, definition: dict[str, Any], ts: int) -> None:
        self.num = num
        self.database = database
        self.definition = definition
        self.ts = ts
        self.id: str = definition["id"]
        self.table = f"c{num}"
        self.bytes = container_bytes(database.num, num)
        self.rid = _rid(self.bytes)
        self.link = f"dbs/{database.rid}/colls/{self.rid}/"
        self.partition_key: PartitionKey = parse_partition_key(definition["partitionKey"])
        self.default_ttl: int | None = definition.get("defaultTtl")
        self.key_names = frozenset(path[0] for path in self.partition_key.paths)

    def resource(self) -> dict[str, Any]:
        """The container as it goes over the wire."""
        return {
            **self.definition,
            "_rid": self.rid,
            "_ts": self.ts,
            "_self": self.link,
            "_etag": etag_of(self.num, self.ts),
            "_docs": "docs/",
            "_sprocs": "sprocs/",
            "_triggers": "triggers/",
            "_udfs": "udfs/",
            "_conflicts": "conflicts/",
        }

    def system_text(self, seq: int, lsn: int, ts: int) -> str:
        """The system properties of an item, as the end of its JSON text."""
        rid = item_rid(self.bytes, seq)
        return _system_text(self.link, rid, lsn, ts)

    def expiry(self, body: dict[str, Any], ts: int) -> int | None:
        """The second from which an item is gone, or None where it stays.

        Raises:
            CosmosError: 400 where the item's `ttl` is neither -1 nor a positive whole number.
        """
        ttl = self.default_ttl
        if "ttl" in body:
            own = body["ttl"]
            if type(own) is not int or not (own == -1 or 0 < own < 2**31):
                raise bad_request(
                    "The input ttl is invalid. Ensure to provide a nonzero positive integer "
                    "(or -1) as the value of 'ttl'."
                )
            ttl = None if ttl is None else own
        return None if ttl is None or ttl == -1 else ts + ttl


def _system_text(link: str, rid: str, lsn: int, ts: int) -> str:
    return (
        f',"_rid":"{rid}","_self":"{link}docs/{rid}/",'
        f'"_etag":"\\"{lsn:08x}-0000-0100-0000-{ts:08x}0000\\"",'
        f'"_attachments":"attachments/","_ts":{ts}}}'
    )


def system_text(container: bytes, seq: int, lsn: int, ts: int) -> str:
    """As `Container.system_text`, for the bytes of a container's resource id."""
    link = f"dbs/{_rid(container[:4])}/colls/{_rid(container)}/"
    return _system_text(link, item_rid(container, seq), lsn, ts)


def item_text(body: dict[str, Any]) -> str:
    """The canonical text of an item's own properties."""
    for name in ITEM_SYSTEM_PROPERTIES:
        body.pop(name, None)
    return dump(body)


def container_definition(body: Any) -> dict[str, Any]:
    """A container's definition with everything the service fills in.

    Raises:
        CosmosError: 400 where a member is missing or wrong.
    """
    if not isinstance(body, dict):
        raise bad_request("The request payload is invalid.")
    definition = {k: v for k, v in body.items() if k not in _CONTAINER_SYSTEM}
    check_id(definition.get("id"), 255)
    key: Any = definition.get("partitionKey")
    parse_partition_key(key)
    definition["partitionKey"] = {
        "paths": key["paths"],
        "kind": key.get("kind", "Hash"),
        "version": key.get("version", 2),
    }
    if definition["partitionKey"]["version"] not in (1, 2):
        raise bad_request("The partition key version is invalid; 1 and 2 are known.")
    if "defaultTtl" in definition:
        definition["defaultTtl"] = _default_ttl(definition["defaultTtl"])
        if definition["defaultTtl"] is None:
            del definition["defaultTtl"]
    definition["indexingPolicy"] = _indexing_policy(definition.get("indexingPolicy"))
    for paths in unique_keys(definition):
        for path in paths:
            parse_path(path)
    definition.setdefault(
        "conflictResolutionPolicy",
        {
            "mode": "LastWriterWins",
            "conflictResolutionPath": "/_ts",
            "conflictResolutionProcedure": "",
        },
    )
    definition.setdefault("geospatialConfig", {"type": "Geography"})
    return definition


def _default_ttl(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not (value == -1 or 0 < value < 2**31):
        raise bad_request(
            "The value of 'defaultTtl' is invalid. Ensure to provide a nonzero positive integer "
            "or -1."
        )
    return value


def _indexing_policy(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, dict):
        raise bad_request("The indexing policy must be an object.")
    given = dict(given or {})
    mode = str(given.get("indexingMode", "consistent")).lower()
    policy: dict[str, Any] = {
        **given,
        "indexingMode": mode,
        "automatic": given.get("automatic", mode != "none"),
    }
    if mode == "none":
        return policy
    excluded = list(given.get("excludedPaths") or [])
    included = list(given.get("includedPaths") or [])
    if not included and not any(_is_path(entry, "/*") for entry in excluded):
        included = [{"path": "/*"}]
    if not any(_is_path(entry, '/"_etag"/?') for entry in excluded):
        excluded.append({"path": '/"_etag"/?'})
    policy["includedPaths"], policy["excludedPaths"] = included, excluded
    return policy


def _is_path(entry: Any, path: str) -> bool:
    return isinstance(entry, dict) and entry.get("path") == path


def unique_keys(definition: dict[str, Any]) -> list[list[str]]:
    """The paths of each unique key.

    Raises:
        CosmosError: 400 where the policy has another shape.
    """
    policy = definition.get("uniqueKeyPolicy") or {}
    try:
        keys = [list(key["paths"]) for key in policy.get("uniqueKeys", [])]
    except (AttributeError, KeyError, TypeError):
        raise bad_request("The unique key policy is invalid.") from None
    if not all(paths and all(isinstance(path, str) for path in paths) for paths in keys):
        raise bad_request("The unique key policy is invalid.")
    return keys


def replaced_definition(old: Container, body: Any) -> dict[str, Any]:
    """The definition after a replace.

    Raises:
        CosmosError: 400 where the id or partition key would change, 403 for the unique keys.
    """
    new = container_definition(body)
    if new["id"] != old.id:
        raise bad_request("The id of a container cannot be changed.")
    if new["partitionKey"] != old.definition["partitionKey"]:
        raise bad_request("Document collection partition key cannot be changed.")
    if unique_keys(new) != unique_keys(old.definition):
        raise CosmosError(403, "The unique keys of a container cannot be changed.")
    return new


def definition_text(definition: dict[str, Any]) -> str:
    """The text in which the store keeps a definition."""
    return json.dumps(definition)
