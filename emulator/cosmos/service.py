"""The account as the Functions host uses it, in process: documents in, documents out.

Triggers, bindings and leases stand on this; the HTTP door stands on `Account` beneath it, and both
meet the same rules.
"""

import json
from collections.abc import Mapping
from typing import Any

from emulator.cosmos import items
from emulator.cosmos.account import Account
from emulator.cosmos.changes import Change
from emulator.cosmos.errors import CosmosError
from emulator.cosmos.feed import FeedPage, FeedRequest
from emulator.cosmos.items import Row, Target
from emulator.cosmos.model import Container
from emulator.cosmos.partition import header_of
from emulator.cosmos.scope import QueryRequest
from emulator.cosmos.values import parse


class CosmosService(Account):
    """An account with the calls that need no network."""

    def container_exists(self, database: str, container: str) -> bool:
        """Whether there is such a container."""
        try:
            self.catalogue.container(database, container)
        except CosmosError:
            return False
        return True

    async def ensure_container(
        self, database: str, container: str, partition_key: str = "/id"
    ) -> None:
        """Make the container, and its database, where they are missing."""
        try:
            owner = self.catalogue.database(database)
        except CosmosError:
            owner = await self.create_database(database)
        if not self.container_exists(database, container):
            await self.create_container(
                owner, {"id": container, "partitionKey": {"paths": [partition_key]}}
            )

    async def upsert(
        self, database: str, container: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Store a document, whether it exists or not; returns it with its system properties."""
        return await self._store(database, container, "Upsert", document)

    async def create_item(
        self, database: str, container: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Store a new document; 409 where its id is taken."""
        return await self._store(database, container, "Create", document)

    async def replace_item(
        self, database: str, container: str, document: Mapping[str, Any], etag: str | None = None
    ) -> dict[str, Any]:
        """Replace a document; 404 where it is missing, 412 where its etag is another one."""
        return await self._store(database, container, "Replace", document, etag)

    async def _store(
        self,
        database: str,
        container: str,
        kind: str,
        document: Mapping[str, Any],
        etag: str | None = None,
    ) -> dict[str, Any]:
        live = self.catalogue.container(database, container)
        # Through the text, so that in-process callers meet the same rules as those outside.
        body = parse(json.dumps(dict(document)))
        epk = live.container.partition_key.of_item(body)
        item = items.new_item(live.container, body, epk)
        target = Target(item.id, epk, if_match=etag)
        outcome, _ = await self.change(live, Change(kind, target, item))
        assert outcome.row is not None
        return _document(live.container, outcome.row)

    async def delete_item(
        self,
        database: str,
        container: str,
        item_id: str,
        partition_key: Any,
        etag: str | None = None,
    ) -> None:
        """Delete a document; 404 where it is missing, 412 where its etag is another one."""
        live = self.catalogue.container(database, container)
        epk = live.container.partition_key.of_header(header_of(partition_key))
        await self.change(live, Change("Delete", Target(item_id, epk, if_match=etag)))

    async def read_item(
        self, database: str, container: str, item_id: str, partition_key: Any
    ) -> dict[str, Any]:
        """A document with its system properties; 404 where it is missing."""
        live = self.catalogue.container(database, container)
        epk = live.container.partition_key.of_header(header_of(partition_key))
        return _document(live.container, self.read(live, Target(item_id, epk)))

    async def query_items(
        self,
        database: str,
        container: str,
        query: str,
        parameters: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """Everything a query answers, over all partitions.

        Args:
            parameters: values by name, with the `@`.
        """
        live = self.catalogue.container(database, container)
        found: list[Any] = []
        token: str | None = None
        while True:
            page = await self.query(live, QueryRequest(query, parameters or {}, token=token))
            found.extend(json.loads(row) for row in page.rows)
            token = page.token
            if token is None:
                return found

    async def current_lsn(self, database: str, container: str) -> int:
        """The log sequence number of the last change."""
        return self.catalogue.container(database, container).watermark.lsn

    async def read_feed(
        self, database: str, container: str, after_lsn: int, limit: int
    ) -> FeedPage:
        """The next changes behind a log sequence number."""
        live = self.catalogue.container(database, container)
        # Taken before the query, which sees at least this much.
        seen = live.watermark.lsn
        rows = await self.changes(live, FeedRequest(after_lsn, limit))
        documents = [{**_document(live.container, row), "_lsn": row.lsn} for row in rows]
        return FeedPage(documents, rows[-1].lsn if rows else max(seen, after_lsn))

    async def wait_for_change(
        self, database: str, container: str, after_lsn: int, timeout_s: float
    ) -> bool:
        """Wait until something changed behind a log sequence number; False if nothing did."""
        live = self.catalogue.container(database, container)
        return await live.watermark.wait_above(after_lsn, timeout_s)


def _document(container: Container, row: Row) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(row.text(container))
    return document
