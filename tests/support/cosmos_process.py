"""The Cosmos DB endpoint in a process of its own, to be killed, and raw requests to it.

Run as `python -m tests.support.cosmos_process FOLDER PAGES [FAULT]`; prints where it serves.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from emulator.cosmos import CosmosService, listen
from emulator.faults import Faults, parse_rule
from tests.support.cosmos import SHOP

BEARER = {"authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken"}
ROOT = Path(__file__).parents[2]


@dataclass
class Endpoint:
    """A running process and how to reach it."""

    process: asyncio.subprocess.Process
    url: str

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def endpoint_process(
    folder: Path, fault: dict[str, Any] | None = None, *, checkpoint_pages: int = 20
) -> Any:
    """A process that serves a folder; killed at the end if it still runs.

    Args:
        checkpoint_pages: how often the log is copied into the file; few, so that kills meet it.
    """
    arguments = ["-m", "tests.support.cosmos_process", str(folder), str(checkpoint_pages)]
    if fault is not None:
        arguments.append(json.dumps(fault))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    endpoint = Endpoint(process, line.decode().strip())
    try:
        yield endpoint
    finally:
        await endpoint.kill()


@asynccontextmanager
async def raw_session() -> AsyncIterator[ClientSession]:
    """A session that is allowed in."""
    async with ClientSession(headers=BEARER) as session:
        yield session


async def put_item(
    session: ClientSession, url: str, container: str, key: str, body: Any, **headers: str
) -> tuple[int, Any]:
    """Upsert an item (or run a batch); the status and the answer."""
    async with session.post(
        f"{url}/dbs/shop/colls/{container}/docs",
        json=body,
        headers={
            "x-ms-documentdb-partitionkey": json.dumps([key]),
            "x-ms-documentdb-is-upsert": "True",
            **headers,
        },
    ) as answer:
        return answer.status, await answer.json()


async def _serve(folder: Path, checkpoint_pages: int, rules: list[str]) -> None:
    faults = Faults([parse_rule(json.loads(rule)) for rule in rules])
    service = CosmosService(folder / "cosmos.db", faults=faults)
    await service.start(SHOP)
    pragma = f"PRAGMA wal_autocheckpoint={checkpoint_pages:d}"
    await service.storage.write(lambda connection: connection.execute(pragma).fetchone())
    listener = await listen(service, port=0)
    print(listener.http, flush=True)  # noqa: T201 - the parent reads it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
