"""The way of a file, wired as the host wires it: account, queue, workflow, container."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import logicapp
from emulator.blob import BlobService, Upload
from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.logicapp import Documents, Doors, LogicApp
from emulator.servicebus import Broker, OutgoingMessage, QueueSettings, ReceivedMessage
from tests.support.blob import running_blobs
from tests.support.logicapp import INGEST, PARAMETERS
from tests.support.servicebus import running_broker

QUEUE = "order-files"
DEAD = f"{QUEUE}/$deadletterqueue"
NAME = "ingest-order-files"
SETTINGS = QueueSettings(QUEUE, lock_duration_s=300, max_delivery_count=5)


@dataclass
class Ingestion:
    """What runs."""

    broker: Broker
    blobs: BlobService
    app: LogicApp
    documents: Any

    async def drop(self, name: str, content: bytes | str) -> None:
        """Put a file into the container."""
        body = content if isinstance(content, bytes) else content.encode()
        await self.blobs.put(Upload("inputfiles", name), body)

    async def settled(self, files: int) -> None:
        """Until so many runs are over and nothing is in the queue."""

        async def is_over() -> bool:
            over = [run for run in await self.app.runs() if run.status != "Running"]
            busy = [self.broker.counts(QUEUE)[each] for each in ("active", "locked", "in_transit")]
            return len(over) >= files and not any(busy)

        async with asyncio.timeout(30):
            while not await is_over():  # noqa: ASYNC110 - it is looked at from outside
                await asyncio.sleep(0.01)

    async def dead_letters(self) -> list[ReceivedMessage]:
        """What was refused."""
        return await self.broker.peek(DEAD)


def event_message(event: Mapping[str, Any]) -> OutgoingMessage:
    """An event as Event Grid hands it to a queue."""
    return OutgoingMessage(
        json.dumps(event, ensure_ascii=False).encode(),
        content_type="application/cloudevents+json; charset=utf-8",
        application_properties={"aeg-event-type": "Notification"},
    )


@asynccontextmanager
async def running_ingestion(
    folder: Path,
    documents: Documents,
    *,
    clock: Clock | None = None,
    faults: Faults | None = None,
    pause: Callable[[float], Awaitable[None]] | None = None,
) -> AsyncIterator[Ingestion]:
    """Everything from the container of files to the container of orders."""
    used = clock or Clock()
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(
            running_broker(folder, [SETTINGS], clock=used, faults=faults)
        )

        async def deliver(event: Mapping[str, Any]) -> None:
            await broker.send(QUEUE, [event_message(event)])

        blobs = await stack.enter_async_context(
            running_blobs(folder, deliver, clock=used, faults=faults)
        )
        history = Database(
            folder / "logicapp.db",
            schema=logicapp.SCHEMA,
            version=logicapp.SCHEMA_VERSION,
            name="logicapp",
            faults=faults,
        )
        history.open()
        stack.callback(history.close)
        app = LogicApp(
            NAME,
            INGEST,
            PARAMETERS,
            doors=Doors(queues=broker, blobs=blobs, documents=documents),
            database=history,
            clock=used,
            faults=faults,
            pause=pause or asyncio.sleep,
        )
        await app.start()
        stack.push_async_callback(app.stop)
        yield Ingestion(broker, blobs, app, documents)
