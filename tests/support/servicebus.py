"""A broker on a file of its own, with a clock that is moved by hand; and a hard stop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from emulator.clock import Clock, ManualClock
from emulator.database import Database
from emulator.faults import Faults
from emulator.servicebus import (
    SCHEMA,
    SCHEMA_VERSION,
    Broker,
    OutgoingMessage,
    QueueSettings,
    routes,
)

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def open_database(folder: Path, faults: Faults | None = None) -> Database:
    """The broker's file in a folder."""
    database = Database(
        folder / "servicebus.db",
        schema=SCHEMA,
        version=SCHEMA_VERSION,
        name="servicebus",
        faults=faults,
    )
    database.open()
    return database


@asynccontextmanager
async def running_broker(
    folder: Path,
    queues: Sequence[QueueSettings] = (QueueSettings("orders"),),
    *,
    clock: Clock | None = None,
    faults: Faults | None = None,
) -> AsyncIterator[Broker]:
    """A broker that serves, and is stopped without settling anything."""
    database = open_database(folder, faults)
    broker = Broker(database, clock or ManualClock(START), faults)
    await broker.start(queues)
    try:
        yield broker
    finally:
        await broker.stop()
        database.close()


@asynccontextmanager
async def serve(table: Sequence[web.RouteDef]) -> AsyncIterator[str]:
    """The origin of a server on a free port."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes(table)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def until_waiting(broker: Broker, count: int = 1) -> None:
    """Let the loop turn until so many receivers wait at the queue `orders`."""
    while len(broker._engine.resolve("orders").waiters) < count:  # noqa: ASYNC110 - a turn, no pause
        await asyncio.sleep(0)


def text_message(text: str, **members: object) -> OutgoingMessage:
    """A message with a text for its body."""
    return OutgoingMessage(text.encode(), **members)  # type: ignore[arg-type]


__all__ = [
    "START",
    "open_database",
    "routes",
    "running_broker",
    "serve",
    "text_message",
    "until_waiting",
]
