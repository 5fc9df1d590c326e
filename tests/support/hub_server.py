"""Serves a test's hub over HTTP on a free port, and gives the real durable client for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from azure.durable_functions import DurableOrchestrationClient
from azure.durable_functions.models.utils import http_utils

from emulator.taskhub import routes
from tests.support.hub_harness import Hub


@dataclass
class Answer:
    """What a request got."""

    status: int
    text: str
    json: Any
    headers: Any


@dataclass
class Served:
    """A hub behind a port."""

    hub: Hub
    origin: str
    client: DurableOrchestrationClient
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, *, base: str = "public", **more: Any) -> Answer:
        """A request to the public API, or to the RPC base."""
        prefix = "/runtime/webhooks/durabletask/" if base == "public" else "/durabletask/"
        async with self.session.request(method, self.origin + prefix + path, **more) as response:
            text = await response.text()
            body = await response.json(content_type=None) if text else None
            return Answer(response.status, text, body, response.headers)


@asynccontextmanager
async def serving(hub: Hub) -> AsyncIterator[Served]:
    """Serve a hub; closed at the end, the library's own HTTP session too."""
    app = web.Application()
    app.add_routes(routes(hub.hub))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    origin = f"http://127.0.0.1:{port}"
    session = aiohttp.ClientSession()
    try:
        client = DurableOrchestrationClient(hub.hub.client_binding(origin))
        yield Served(hub, origin, client, session)
    finally:
        await session.close()
        await http_utils._close_session()
        await runner.cleanup()
