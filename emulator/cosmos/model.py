"""What a database, a container and an item look like: ids, properties, defaults, lifetimes.

Pure. A `Container` is a definition made ready for use; the store keeps its text. Resource ids are
made of numbers that are never used twice, so that a client notices a container made anew.

Source: specification, sections 4 and 6.2 to 6.5.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from emulator.cosmos.errors import bad_request
from emulator.cosmos.partition import PartitionKey, parse_partition_key
from emulator.cosmos.values import dump

MAX_BODY_BYTES = 2 * 1024 * 1024
ITEM_SYSTEM_PROPERTIES = ("_rid", "_self", "_etag", "_attachments", "_ts")
CONTAINER_SYSTEM_PROPERTIES = (
    *ITEM_SYSTEM_PROPERTIES,
    *("_docs", "_sprocs", "_triggers", "_udfs", "_conflicts"),
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
