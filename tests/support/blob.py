"""A storage account on a folder of its own, with events that are collected."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from emulator.blob import SCHEMA, SCHEMA_VERSION, BlobService, create_app
from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults


def open_database(folder: Path, faults: Faults | None = None) -> Database:
    """The account's file in a folder."""
    path = folder / "blob.db"
    database = Database(path, schema=SCHEMA, version=SCHEMA_VERSION, name="blob", faults=faults)
    database.open()
    return database


@asynccontextmanager
async def running_blobs(
    folder: Path,
    deliver: Callable[[Mapping[str, Any]], Awaitable[None]],
    *,
    clock: Clock | None = None,
    faults: Faults | None = None,
) -> AsyncIterator[BlobService]:
    """An account whose events go to `deliver`."""
    database = open_database(folder, faults)
    service = BlobService(
        database, folder / "blobs", clock or Clock(), faults, deliver={"order-files": deliver}
    )
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
        database.close()


@asynccontextmanager
async def serve(service: BlobService) -> AsyncIterator[str]:
    """The account's URL on a free port."""
    runner = web.AppRunner(create_app(service))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/{service.account}"
    finally:
        await runner.cleanup()
