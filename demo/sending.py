"""Puts the sample day where orders come from: the API, the change feed's container, the queue."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx
from azure.cosmos.aio import ContainerProxy

# How many submissions are under way at once.
_PARALLEL = 16


class Sender:
    """Sends submissions; what the API answered is kept by order id.

    Args:
        api: client of the orders API.
        queue: client of the Service Bus HTTPS door.
        feed: the container whose change feed `QueueOrders` reads.
    """

    def __init__(
        self, api: httpx.AsyncClient, queue: httpx.AsyncClient, feed: ContainerProxy
    ) -> None:
        self._api = api
        self._queue = queue
        self._feed = feed
        self.conflicts = 0

    async def send_all(
        self, submissions: Iterable[dict[str, Any]], sent: Callable[[], None]
    ) -> None:
        """Send them, several at once; calls `sent` after each."""
        gate = asyncio.Semaphore(_PARALLEL)

        async def one(submission: dict[str, Any]) -> None:
            async with gate:
                await self._ways[submission["via"]](self, submission["order"])
            sent()

        async with asyncio.TaskGroup() as group:
            for submission in submissions:
                group.create_task(one(submission))

    async def by_api(self, body: Any) -> httpx.Response:
        """POST an order or a batch; 409 is counted, another refusal is an error."""
        answer = await self._api.post("/orders", json=body)
        if answer.status_code == 409:
            self.conflicts += 1
        else:
            answer.raise_for_status()
        return answer

    async def by_feed(self, order: dict[str, Any]) -> None:
        """Upsert into the container `toprocess`, as the file ingestion does."""
        await self._feed.upsert_item(order)

    async def by_queue(self, order: dict[str, Any]) -> None:
        """Put an order on the queue, as another system would."""
        await self.raw(json.dumps(order, ensure_ascii=False))

    async def raw(self, text: str) -> None:
        """Put any text on the queue."""
        answer = await self._queue.post("/orders/messages", content=text.encode())
        answer.raise_for_status()

    _ways: dict[str, Callable[..., Awaitable[Any]]] = {  # noqa: RUF012 - a table, never changed
        "api": by_api,
        "feed": by_feed,
        "queue": by_queue,
    }
