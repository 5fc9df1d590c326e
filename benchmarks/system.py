"""A running system to measure: the emulator on free ports, and quick ways to load and watch it."""

import asyncio
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from azure.cosmos import exceptions
from azure.cosmos.aio import ContainerProxy, CosmosClient

from benchmarks.report import ROOT
from demo.day import COSMOS_KEY
from emulator.launch import Doors, EmulatorProcess

# Premium's bound: batches of thousands do not fit a Standard message of 256 KB.
_PREMIUM_KILOBYTES = 102_400
_BATCH_SEND_TYPE = "application/vnd.microsoft.servicebus.json"
_SEND_AT_ONCE = 100


class TooSlow(Exception):
    """What was waited for did not come; the text says how far it got."""


@dataclass
class System:
    """The doors of a running system."""

    doors: Doors
    api: httpx.AsyncClient
    bus: httpx.AsyncClient
    processed: ContainerProxy
    worker_pids: tuple[int, ...]
    data_dir: Path

    async def enqueue(self, bodies: Sequence[Any]) -> None:
        """Put messages on the queue `orders`, a hundred a request."""
        for start in range(0, len(bodies), _SEND_AT_ONCE):
            entries = [{"Body": json.dumps(body)} for body in bodies[start : start + _SEND_AT_ONCE]]
            answer = await self.bus.post(
                "/orders/messages",
                content=json.dumps(entries),
                headers={"Content-Type": _BATCH_SEND_TYPE},
            )
            answer.raise_for_status()

    async def count(self) -> int:
        """How many orders are in `processed`."""
        values: list[Any] = [
            value async for value in self.processed.query_items("SELECT VALUE COUNT(1) FROM c")
        ]
        return int(values[0])

    async def wait_for_count(self, wanted: int, *, timeout_s: float) -> None:
        """Wait until `processed` holds that many orders."""
        deadline = time.monotonic() + timeout_s
        while True:
            asked = time.monotonic()
            if (found := await self.count()) >= wanted:
                return
            if asked > deadline:
                raise TooSlow(f"{found} of {wanted} orders after {timeout_s:g} s")
            # The asking must not become what is measured.
            await asyncio.sleep(max(0.05, 10 * (time.monotonic() - asked)))

    async def wait_for_item(self, order_id: str, *, timeout_s: float) -> None:
        """Wait until one order is in `processed`, which is asked whenever the store has committed.

        Asking without end would take more of the machine than the order does.
        """
        deadline = time.monotonic() + timeout_s
        with closing(sqlite3.connect(f"file:{self.data_dir}/cosmos.db?mode=ro", uri=True)) as store:
            seen = _data_version(store)
            while not await self._has(order_id):
                while (version := _data_version(store)) == seen:
                    if time.monotonic() > deadline:
                        raise TooSlow(f"{order_id} is not there after {timeout_s:g} s")
                    await asyncio.sleep(0.0005)
                seen = version

    async def _has(self, order_id: str) -> bool:
        try:
            await self.processed.read_item(order_id, order_id)
        except exceptions.CosmosResourceNotFoundError:
            return False
        return True

    def resident_mb(self) -> float:
        """Resident memory of the emulator and the worker that runs the app, in MB (10^6 bytes)."""
        return sum(_resident_bytes(pid) for pid in self.worker_pids) / 1e6

    def cpu_seconds(self) -> float:
        """CPU time that both have used."""
        return sum(cpu_seconds(pid) for pid in self.worker_pids)

    def disk_bytes(self) -> int:
        """What the stores' files take; the log of the process is not among them."""
        return sum(file.stat().st_size for file in self.data_dir.rglob("*.db*"))


@asynccontextmanager
async def running(seed: Path | None = None) -> AsyncIterator[System]:
    """A fresh system with the sample reference data, or other items; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="orders-bench-"))
    entities = json.loads((ROOT / "infra" / "entities.json").read_text(encoding="utf-8"))
    for queue in entities["serviceBus"]["queues"]:
        queue["maxMessageSizeInKilobytes"] = _PREMIUM_KILOBYTES
    # The gateway is not measured, and its files are elsewhere.
    entities.pop("apiManagement", None)
    (folder / "entities.json").write_text(json.dumps(entities), encoding="utf-8")
    emulator = EmulatorProcess(
        folder / "data",
        script_root=ROOT,
        arguments=(
            *("--settings", str(ROOT / "local.settings.sample.json")),
            *("--entities", str(folder / "entities.json")),
            *("--seed", str(seed or ROOT / "samples" / "seed.json")),
        ),
    )
    try:
        doors = emulator.start()
        async with (
            httpx.AsyncClient(base_url=f"{doors.host}/api", timeout=60.0) as api,
            httpx.AsyncClient(base_url=doors.servicebus, timeout=60.0) as bus,
            CosmosClient(doors.cosmos, COSMOS_KEY) as client,
        ):
            database = client.get_database_client("orders")
            processed = database.get_container_client("processed")
            yield System(doors, api, bus, processed, family(doors.pid), folder / "data")
    finally:
        emulator.stop()
        shutil.rmtree(folder)


def family(pid: int) -> tuple[int, ...]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return (pid, *(int(child) for child in children))


def _data_version(store: sqlite3.Connection) -> int:
    """A number that is another one once any other process has committed."""
    return int(store.execute("PRAGMA data_version").fetchone()[0])


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise TooSlow(f"process {pid} tells no memory")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = 100  # USER_HZ is 100 on every Linux that runs this
    return (int(fields[11]) + int(fields[12])) / ticks
