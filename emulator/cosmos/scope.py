"""Which items a query may see, and what an item is to it.

Source: specification, sections 7 (scope) and 8.4 (columns of a container's table).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.cosmos.errors import bad_request
from emulator.cosmos.model import Container
from emulator.cosmos.paging import DEFAULT_PAGE, Position
from emulator.cosmos.partition import EVERYTHING, Range, header_of
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.expressions import Session
from emulator.cosmos.sql.operands import Document, Typed
from emulator.cosmos.sql.statement import Root
from emulator.cosmos.sql.walk import pinned_values


@dataclass(frozen=True)
class QueryRequest:
    """A query as it came.

    Attributes:
        text, parameters: what is asked.
        keys: the range of effective partition keys it may see; None where the request names none.
        may_cross: it may run over all partitions.
        is_one_partition: the range is that of one key's value.
        size: the most rows of the page.
        token: the continuation of an earlier page.
    """

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    keys: Range | None = None
    may_cross: bool = True
    is_one_partition: bool = False
    size: int = DEFAULT_PAGE
    token: str | None = None


def keys_of(tree: ast.Query, container: Container, request: QueryRequest) -> tuple[Range, bool]:
    """The range of keys to look at, and whether it is one partition."""
    if request.keys is not None:
        return request.keys, request.is_one_partition
    key = container.partition_key
    pinned = pinned_values(tree, request.parameters, key.paths)
    if pinned is not None:
        start = key.of_header(header_of(pinned))
        return (start, start + "\0"), True
    if not request.may_cross:
        raise bad_request(
            "Cross partition query is required but disabled. Please set "
            "x-ms-documentdb-query-enablecrosspartition to true, specify "
            "x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
        )
    return EVERYTHING, False


def root_of(
    container: Container, keys: Range, now: int, session: Session, position: Position
) -> Root:
    add = session.bindings.add
    filters: list[str] = []
    start, end = keys
    if end == start + "\0":
        filters.append(f"d.epk = {add(start)}")
    else:
        if start:
            filters.append(f"d.epk >= {add(start)}")
        if end not in ("", "FF"):
            filters.append(f"d.epk < {add(end)}")
    if container.default_ttl is not None:
        filters.append(f"(d.exp IS NULL OR d.exp > {now:d})")
    if position.seq >= 0:
        filters.append(f"d.seq > {position.seq:d}")
    return Root(container.table, document_of(container), tuple(filters))


def document_of(container: Container) -> Document:
    """What an item is to a query: its text, and its system properties in columns."""
    place = f"'{container.bytes.hex()}'"
    etag = """printf('"%08x-0000-0100-0000-%08x0000"', d.lsn, d.ts)"""
    rid = f"cosmos_rid({place}, d.seq)"
    own = f"('{container.link}docs/' || {rid} || '/')"
    return Document(
        "d",
        f"cosmos_document({place}, d.body, d.seq, d.lsn, d.ts)",
        {
            "id": Typed("d.id", "text", "(d.body -> '$.id')"),
            "_ts": Typed("d.ts", "number", "CAST(d.ts AS TEXT)"),
            "_etag": Typed(etag, "text", f"json_quote({etag})"),
            "_rid": Typed(rid, "text", f"json_quote({rid})"),
            "_self": Typed(own, "text", f"json_quote({own})"),
            "_attachments": Typed("'attachments/'", "text", "'\"attachments/\"'"),
        },
    )
