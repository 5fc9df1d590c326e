"""The emulator's own doors on storage queues: look, and put a message in from outside.

The service's REST door is not here: an app reaches the queues through its bindings.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from emulator.storagequeue.errors import MessageTooLarge, QueueNotFound
from emulator.storagequeue.model import Message
from emulator.storagequeue.service import QueueService

Open = Callable[[], Awaitable[QueueService]]


def routes(open_service: Open) -> list[web.RouteDef]:
    """The doors; the account is opened by the first request."""

    async def list_queues(_: web.Request) -> web.Response:
        service = await open_service()
        return web.json_response(
            {
                "queues": [
                    {"name": name, "messages": count, "held": held}
                    for name, count, held in await service.counts()
                ]
            }
        )

    async def list_messages(request: web.Request) -> web.Response:
        service = await open_service()
        found = await service.list_messages(request.match_info["queue"])
        return web.json_response({"messages": [_entry(message) for message in found]})

    async def put(request: web.Request) -> web.Response:
        service = await open_service()
        try:
            await service.put(request.match_info["queue"], [await request.read()])
        except QueueNotFound as error:
            return web.json_response({"error": str(error)}, status=404)
        except MessageTooLarge as error:
            return web.json_response({"error": str(error)}, status=413)
        return web.Response(status=201)

    base = "/$emulator/storage-queues"
    return [
        web.get(base, list_queues),
        web.get(base + "/{queue}/messages", list_messages),
        web.post(base + "/{queue}/messages", put),
    ]


def _entry(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "body": message.body.decode("utf-8", errors="replace"),
        "dequeueCount": message.dequeue_count,
        "insertedOn": message.inserted.isoformat(),
        "expiresOn": message.expires.isoformat(),
        "nextVisibleOn": message.next_visible.isoformat(),
    }
