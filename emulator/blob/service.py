"""A storage account's blobs, and the events that tell of them.

A blob is there all at once: its content is written to a file of its own and synced, then one
transaction lets it be and notes its events. Nobody sees a file that is still being written. Events
are delivered at least once, to whatever the host hands over for a subscription, and again until
that succeeds. Called by the host, by `server`, by tests.

Fault points: `blob.put` (labels `container`, `name`) and `blob.event` (label `subscription`,
`subject`; `duplicate` delivers the event twice, as Event Grid may).
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from emulator.blob import store
from emulator.blob.errors import (
    BlobNotFound,
    ContainerAlreadyExists,
    InvalidBlockList,
    Md5Mismatch,
)
from emulator.blob.files import Contents, Written
from emulator.blob.model import (
    ORDER_FILES,
    Blob,
    Conditions,
    Properties,
    Subscription,
    check_blob_name,
    check_container,
    created_event,
)
from emulator.clock import Clock
from emulator.database import Database, StorageError
from emulator.faults import Faults

ACCOUNT = "devstoreaccount1"
# What one request may bring, for a blob and for a block.
MAX_PUT_BYTES = 256 * 1024 * 1024
# Event Grid's own schedule. DIFFERS: it gives up after the subscription's attempts or time, and
# puts the event into a container; here it goes on with the last of these.
_SCHEDULE_S = (10, 30, 60, 300, 600, 1800, 3600)
_BATCH = 100
_log = logging.getLogger(__name__)

Deliver = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Upload:
    """What a request says of the blob it brings."""

    container: str
    name: str
    properties: Properties = field(default_factory=Properties)
    conditions: Conditions = field(default_factory=Conditions)
    md5: str | None = None


class BlobService:
    """One storage account.

    Args:
        folder: for the contents; nothing else may be in it.
        deliver: for the name of a subscription, what takes its events.
        subscriptions: of the account's events.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        clock: Clock,
        faults: Faults | None = None,
        *,
        deliver: Mapping[str, Deliver] | None = None,
        subscriptions: Sequence[Subscription] = (ORDER_FILES,),
        account: str = ACCOUNT,
    ) -> None:
        self._database = database
        self._contents = Contents(folder)
        self._clock = clock
        self._faults = faults or Faults()
        self._deliver = dict(deliver or {})
        self._wanted = subscriptions
        self._version = 0
        self._changed = asyncio.Event()
        self._noted = asyncio.Event()
        self._courier: asyncio.Task[None] | None = None
        self.account = account
        # What the URLs of events begin with; the host sets it once the port is known.
        self.origin = "http://127.0.0.1:10000"

    async def start(self, containers: Sequence[str] = ("inputfiles",)) -> None:
        """Make the containers where they are missing, and begin to deliver events."""
        named = await self._database.read(store.named_files)
        await asyncio.to_thread(self._contents.open, named)
        for name in containers:
            await self.ensure_container(name)
        self._courier = asyncio.create_task(self._deliver_events(), name="blob-events")

    async def stop(self) -> None:
        """Stop delivering; what is not delivered is kept."""
        if self._courier is not None:
            self._courier.cancel()
            await asyncio.gather(self._courier, return_exceptions=True)

    def deliver_to(self, subscription: str, deliver: Deliver) -> None:
        """Hand the events of a subscription to this from now on."""
        self._deliver[subscription] = deliver

    # -- containers --

    async def ensure_container(self, name: str) -> None:
        """Make a container where there is none of that name."""
        try:
            await self.create_container(name)
        except ContainerAlreadyExists:
            return

    async def create_container(self, name: str) -> tuple[str, datetime]:
        """Make a container; its etag and when."""
        check_container(name)
        etag, now = _etag(), self._clock.now()
        await self._database.write(
            lambda connection: store.create_container(connection, name, etag, now)
        )
        return etag, now

    async def find_container(self, name: str) -> tuple[str, datetime]:
        """A container's etag and when it was made."""
        return await self._database.read(lambda connection: store.find_container(connection, name))

    async def list_containers(self, prefix: str = "") -> list[tuple[str, str, datetime]]:
        """Containers in order, with etags and when they were made."""
        return await self._database.read(
            lambda connection: store.list_containers(connection, prefix)
        )

    async def delete_container(self, name: str) -> None:
        """Delete a container with all that is in it."""
        files = await self._database.write(
            lambda connection: store.delete_container(connection, name)
        )
        await asyncio.to_thread(self._contents.delete, files)

    # -- blobs --

    async def put(self, upload: Upload, content: AsyncIterator[bytes] | bytes) -> Blob:
        """Let a blob be, in place of the one of its name; it is on disk when this returns.

        Raises:
            ContainerNotFound, BlobAlreadyExists, ConditionNotMet, Md5Mismatch, TooLarge.
        """
        check_blob_name(upload.name)
        await self.find_container(upload.container)
        await self._faults.at("blob.put", container=upload.container, name=upload.name)
        chunks = _one(content) if isinstance(content, bytes) else content
        written = await self._contents.write(chunks, MAX_PUT_BYTES)
        return await self._let_be(upload, written, "PutBlob")

    async def put_block(
        self, container: str, name: str, block_id: str, content: AsyncIterator[bytes]
    ) -> Written:
        """Keep a block for a later list."""
        check_blob_name(name)
        await self.find_container(container)
        written = await self._contents.write(content, MAX_PUT_BYTES)
        block = store.Block(block_id, written.file, written.size)
        old = await self._database.write(
            lambda connection: store.put_block(connection, container, name, block)
        )
        await asyncio.to_thread(self._contents.delete, old)
        return written

    async def put_block_list(self, upload: Upload, ids: Sequence[str]) -> Blob:
        """Make a blob of uploaded blocks; raises InvalidBlockList too."""
        await self._faults.at("blob.put", container=upload.container, name=upload.name)
        blocks = await self._database.read(
            lambda connection: store.chosen_blocks(connection, upload.container, upload.name, ids)
        )
        try:
            written = await self._contents.join([block.file for block in blocks])
        except FileNotFoundError:
            raise InvalidBlockList from None  # another list took the blocks meanwhile
        return await self._let_be(upload, written, "PutBlockList")

    async def _let_be(self, upload: Upload, written: Written, api: str) -> Blob:
        now = self._clock.now()
        blob = Blob(
            container=upload.container,
            name=upload.name,
            file=written.file,
            size=written.size,
            md5=written.md5,
            etag=_etag(),
            created=now,
            modified=now,
            properties=upload.properties,
        )
        try:
            if upload.md5 is not None and upload.md5 != written.md5:
                raise Md5Mismatch
            stored, unused = await asyncio.shield(
                self._database.submit(
                    lambda connection: store.put_blob(
                        connection,
                        blob,
                        upload.conditions,
                        lambda made, number: self._events(made, api, number),
                    )
                )
            )
        except Exception:
            await asyncio.to_thread(self._contents.delete, [written.file])
            raise
        self._noted.set()
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()
        await asyncio.to_thread(self._contents.delete, unused)
        return stored

    @property
    def version(self) -> int:
        """A number that rises with every blob that is put."""
        return self._version

    async def wait_for_change(self, version: int) -> None:
        """Return when a blob has been put since `version` was read."""
        while self._version == version:
            await self._changed.wait()

    async def find(self, container: str, name: str) -> Blob:
        """A blob without its content; raises ContainerNotFound, BlobNotFound."""
        return await self._database.read(
            lambda connection: store.find_blob(connection, container, name)
        )

    async def read(self, container: str, name: str) -> bytes:
        """A blob's content; raises ContainerNotFound, BlobNotFound."""
        _, content = await self.open(container, name)
        with content:
            return await asyncio.to_thread(content.read)

    async def open(self, container: str, name: str) -> tuple[Blob, BinaryIO]:
        """A blob with its content, open to be read; replacing the blob does not disturb the reader.

        Raises:
            ContainerNotFound, BlobNotFound.
        """
        missing = None
        while True:
            blob = await self.find(container, name)
            if blob.file == missing:
                raise BlobNotFound(f"The content of '{container}/{name}' is missing on disk.")
            try:
                return blob, await asyncio.to_thread(self._contents.path(blob.file).open, "rb")
            except FileNotFoundError:
                missing = blob.file  # replaced between the two, or gone for good

    def content_path(self, blob: Blob) -> Path:
        """The file of a blob's content."""
        return self._contents.path(blob.file)

    async def delete(self, container: str, name: str, conditions: Conditions | None = None) -> None:
        """Delete a blob."""
        wanted = conditions or Conditions()
        files = await self._database.write(
            lambda connection: store.delete_blob(connection, container, name, wanted)
        )
        await asyncio.to_thread(self._contents.delete, files)

    async def list_blobs(
        self, container: str, *, prefix: str = "", after: str = "", limit: int = 5000
    ) -> list[Blob]:
        """Blobs in the order of their names."""
        return await self._database.read(
            lambda connection: store.list_blobs(connection, container, prefix, after, limit)
        )

    # -- events --

    def _events(self, blob: Blob, api: str, number: int) -> list[tuple[str, dict[str, Any]]]:
        event = created_event(
            blob,
            account=self.account,
            api=api,
            event_id=str(uuid.uuid4()),
            request_id=str(uuid.uuid4()),
            url=f"{self.origin}/{self.account}/{blob.container}/{quote(blob.name)}",
            sequencer=number,
        )
        return [
            (each.name, event)
            for each in self._wanted
            if each.name in self._deliver and each.wants(event)
        ]

    async def _deliver_events(self) -> None:
        """Deliver what is noted, and sleep until more is or an attempt is due."""
        while True:
            self._noted.clear()
            try:
                due_us = await self._deliver_due()
            except StorageError as error:
                _log.error("The events of blobs cannot be written: %s", error)
                due_us = store.to_us(self._clock.now()) + 1_000_000
            sleep_s = None
            if due_us is not None:
                sleep_s = max(0, due_us - store.to_us(self._clock.now())) / 1e6
            try:
                async with asyncio.timeout(sleep_s):
                    await self._noted.wait()
            except TimeoutError:
                continue

    async def _deliver_due(self) -> int | None:
        while True:
            now_us = store.to_us(self._clock.now())
            pending = await self._database.read(
                lambda connection, now_us=now_us: store.due_events(  # type: ignore[misc]
                    connection, now_us, _BATCH
                )
            )
            if not pending:
                return await self._database.read(store.next_due_us)
            for each in pending:
                await self._deliver_one(each)

    async def _deliver_one(self, pending: store.Pending) -> None:
        labels = {"subscription": pending.subscription, "subject": pending.event["subject"]}
        try:
            is_doubled = await self._faults.at("blob.event", **labels)
            for _ in range(2 if is_doubled else 1):
                await self._deliver[pending.subscription](pending.event)
        except Exception as error:  # noqa: BLE001 - it is tried again, and said
            delay_s = _SCHEDULE_S[min(pending.attempts, len(_SCHEDULE_S) - 1)]
            due_us = store.to_us(self._clock.now()) + delay_s * 1_000_000
            _log.warning(
                "An event for '%s' could not be delivered and is tried again in %d s: %s",
                pending.subscription,
                delay_s,
                error,
            )
            await self._database.write(
                lambda connection: store.postpone(connection, pending.number, due_us)
            )
            return
        await self._database.write(lambda connection: store.delivered(connection, pending.number))


def _etag() -> str:
    return f'"0x8{uuid.uuid4().hex[:14].upper()}"'


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
