"""A task hub for a test: real database, real engine, functions in this process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.taskhub import HubOptions, TaskHub, open_database
from emulator.taskhub.model import Event, FunctionInvoker
from emulator.taskhub.queries import Snapshot
from emulator.taskhub.state import TERMINAL

_PATIENCE_S = 20.0


@dataclass
class Hub:
    """A running hub with the few questions that tests ask."""

    hub: TaskHub
    database: Database
    clock: Clock
    faults: Faults
    path: Path
    options: HubOptions = field(default_factory=HubOptions)

    async def start(
        self, name: str, value: Any = None, instance_id: str | None = None, **more: Any
    ) -> str:
        """Start an instance as the SDK's client does."""
        text = None if value is None else json.dumps(json.dumps(value))
        return await self.hub.client.start(name, instance_id, text, more.get("version"))

    async def ended(self, instance_id: str) -> Snapshot:
        """Wait until an instance has ended."""
        snapshot = await self.hub.client.wait_for_end(instance_id, _PATIENCE_S)
        assert snapshot is not None, f"there is no instance {instance_id}"
        assert snapshot.status in TERMINAL, f"still {snapshot.status}: {snapshot}"
        return snapshot

    async def output(self, instance_id: str) -> Any:
        """Wait for an instance to complete; its output."""
        snapshot = await self.ended(instance_id)
        assert snapshot.status == "Completed", snapshot
        return None if snapshot.output is None else json.loads(snapshot.output)

    async def run(self, name: str, value: Any = None, instance_id: str | None = None) -> Any:
        """Start an instance and return its output."""
        return await self.output(await self.start(name, value, instance_id))

    async def failure(self, name: str, value: Any = None) -> str:
        """Start an instance that fails; the text of its output."""
        snapshot = await self.ended(await self.start(name, value))
        assert snapshot.status == "Failed", snapshot
        assert snapshot.output is not None
        return snapshot.output

    async def snapshot(self, instance_id: str) -> Snapshot:
        found = await self.hub.client.find(instance_id)
        assert found is not None
        return found

    async def history(self, instance_id: str) -> list[Event]:
        """The stored history."""
        found = await self.hub.client.find_with_history(instance_id)
        assert found is not None
        return found[1]

    async def until(self, condition: Any) -> None:
        """Wait until a condition (maybe async) holds."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            value = condition()
            if hasattr(value, "__await__"):
                value = await value
            if value:
                return
            assert asyncio.get_running_loop().time() < deadline, "it never came true"
            await asyncio.sleep(0.002)

    async def status_is(self, instance_id: str, status: str) -> None:
        """Wait until an instance has a status."""

        async def has() -> bool:
            found = await self.hub.client.find(instance_id)
            return found is not None and found.status == status

        await self.until(has)

    async def idle_but_for_activities(self) -> None:
        """Wait until no turn is made or queued."""
        engine = self.hub.engine
        await self.until(lambda: engine.is_idle)

    async def idle(self) -> None:
        """Wait until nothing runs and no timer is due."""
        self.hub.clock_moved()
        engine = self.hub.engine

        def quiet() -> bool:
            return engine.is_idle and not (self.hub._work._running or self.hub.entities._busy)

        await self.until(quiet)


@asynccontextmanager
async def running_hub(
    path: Path,
    invoker: FunctionInvoker,
    *,
    options: HubOptions | None = None,
    clock: Clock | None = None,
    faults: Faults | None = None,
) -> AsyncIterator[Hub]:
    """A hub on a file, stopped and closed at the end."""
    faults, clock, options = faults or Faults(), clock or Clock(), options or HubOptions()
    database = open_database(path, faults)
    hub = TaskHub(database, clock, faults, options, invoker)
    await hub.start()
    try:
        yield Hub(hub, database, clock, faults, path, options)
    finally:
        await hub.stop()
        database.close()
