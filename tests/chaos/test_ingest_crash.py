"""SIGKILL at every durable write on a file's way, one after the other: no order of it is lost.

A child process takes in a file of three orders; it is killed before its first commit (of whichever
store), then before its second, and so on, and then after each. What it left is gone on with.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from emulator.blob import store
from emulator.cosmos import CosmosService
from emulator.faults import FaultRule, Faults
from tests.support.ingestion import Ingestion, running_ingestion

ROOT = Path(__file__).parents[2]
ENTITIES = {
    "cosmos": {"database": "orders", "containers": [{"name": "toprocess", "partitionKey": "/id"}]}
}
IDS = ["CRASH-1", "CRASH-2", "CRASH-3"]


@asynccontextmanager
async def everything(
    folder: Path, faults: Faults | None = None
) -> AsyncIterator[tuple[Ingestion, CosmosService]]:
    cosmos = CosmosService(folder / "cosmos.db", faults=faults)
    await cosmos.start(ENTITIES)
    try:
        async with running_ingestion(folder, cosmos, faults=faults) as ingestion:
            yield ingestion, cosmos
    finally:
        await cosmos.stop()


async def until_quiet(ingestion: Ingestion) -> None:
    """Until no event, no message and no run is left."""

    async def is_quiet() -> bool:
        noted = await ingestion.blobs._database.read(store.next_due_us)
        counts = ingestion.broker.counts("order-files")
        busy = [counts[each] for each in ("active", "locked", "in_transit")]
        return noted is None and not any(busy) and ingestion.app.running == 0

    async with asyncio.timeout(30):
        while not await is_quiet():  # noqa: ASYNC110 - it is looked at from outside
            await asyncio.sleep(0.005)


async def child(folder: str, point: str, after: str) -> None:
    """The program that is killed."""
    faults = Faults()
    async with everything(Path(folder), faults) as (ingestion, _):
        faults.add(FaultRule(point, "die", after=int(after)))
        await ingestion.drop("orders.json", json.dumps([{"id": each} for each in IDS]))
        sys.stdout.write("dropped\n")
        sys.stdout.flush()
        await until_quiet(ingestion)
        faults.clear()
        sys.stdout.write("end\n")


async def killed_at(folder: Path, point: str, after: int) -> list[str]:
    program = (
        f"import asyncio, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.chaos.test_ingest_crash import child\n"
        f"asyncio.run(child({str(folder)!r}, {point!r}, '{after}'))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    out, _ = await process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    return out.decode().split()


@pytest.mark.parametrize("point", ["*.commit.before", "*.commit.after"])
async def test_a_file_that_was_taken_comes_to_all_of_its_orders(tmp_path, point):
    for after in range(100):
        folder = tmp_path / str(after)
        folder.mkdir()
        said = await killed_at(folder, point, after)
        async with everything(folder) as (ingestion, cosmos):
            await until_quiet(ingestion)
            page = await cosmos.read_feed("orders", "toprocess", 0, 100)
            found = sorted(item["id"] for item in page.items)
            # Killed before the upload was acknowledged, it may be there whole or not at all.
            assert found == IDS or (found == [] and "dropped" not in said)
            assert {item["_source"]["blob"] for item in page.items} <= {"/inputfiles/orders.json"}
            assert await ingestion.dead_letters() == []
            assert "Running" not in {run.status for run in await ingestion.app.runs()}
        if "end" in said:
            assert after >= 8
            return
    pytest.fail("the run never ended")
