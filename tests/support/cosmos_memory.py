"""A container in memory, without server and threads, for tests of queries."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from emulator.cosmos import items, store
from emulator.cosmos.definition import container_definition
from emulator.cosmos.items import Moment, Target, new_item
from emulator.cosmos.query import run_query
from emulator.cosmos.scope import QueryRequest
from emulator.cosmos.sql.sqlite import configure
from emulator.cosmos.values import parse

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class MemoryContainer:
    """A container with its own connection; items get one log number each."""

    def __init__(self, definition: dict[str, Any] | None = None) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.executescript(store.SCHEMA)
        configure(self.connection)
        given = {"id": "c", "partitionKey": {"paths": ["/id"]}, **(definition or {})}
        database = store.create_database(self.connection, "d", 0)
        self.container = store.create_container(
            self.connection, database, container_definition(given), 0
        )

    def put(self, *documents: dict[str, Any]) -> None:
        """Upsert documents."""
        for document in documents:
            body = parse(json.dumps(document))
            epk = self.container.partition_key.of_item(body)
            moment = Moment(items.next_lsn(self.connection, self.container), int(NOW.timestamp()))
            item = new_item(self.container, body, epk)
            items.upsert(self.connection, self.container, item, Target(item.id, epk), moment)

    def query(
        self,
        text: str,
        *values: Any,
        size: int = 2**31 - 1,
        named: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """Every result, in pages of a size; values are named `@p0`, `@p1`, others as told."""
        parameters = {f"@p{number}": value for number, value in enumerate(values)}
        parameters.update(named or {})
        rows: list[Any] = []
        token: str | None = None
        while True:
            request = QueryRequest(text, parameters, size=size, token=token)
            page = run_query(self.connection, self.container, request, NOW)
            rows.extend(json.loads(row) for row in page.rows)
            token = page.token
            if token is None:
                return rows

    def clear(self) -> None:
        """Delete all items."""
        self.connection.execute(f"DELETE FROM {self.container.table}")
