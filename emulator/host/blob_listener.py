"""Feeds a blob trigger: every version of every blob that its path means, once.

Blobs that are there at the first start are new to the function as well. A failure is tried again at
once, `poisonBlobThreshold` times in all; then the blob is noted in the queue
`webjobs-blobtrigger-poison` and left. What was being handled when the host died comes again.

Source: the Storage Blobs extension. DIFFERS: a blob is seen at once, whatever `source` says.
"""

import asyncio
import json
from urllib.parse import quote

from emulator.blob import Blob
from emulator.host.blob_paths import BlobPath
from emulator.host.functions import Function
from emulator.host.host_json import BlobOptions
from emulator.host.invocations import Invocations, Outcome, Request
from emulator.host.log import Log
from emulator.host.metadata import binding_data, blob_content, blob_metadata, is_corrupted_as_text
from emulator.host.servicebus_listener import Flight
from emulator.host.storage_account import StorageAccount

POISON_QUEUE = "webjobs-blobtrigger-poison"
_AGAIN_S = 1.0


class BlobListener:
    """The listener of one function."""

    def __init__(
        self,
        function: Function,
        path: BlobPath,
        account: StorageAccount,
        *,
        invocations: Invocations,
        options: BlobOptions,
        log: Log,
    ) -> None:
        self._function = function
        self._path = path
        self._account = account
        self._invocations = invocations
        self._options = options
        self._log = log
        self._reader = f"{function.name}:{path.text}"
        self._flight = Flight(log)
        self._busy: set[tuple[str, str]] = set()
        self._has_warned = False
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to watch."""
        self._watcher = asyncio.create_task(self._watch(), name=f"blobs {self._function.name}")

    async def stop(self) -> None:
        """Begin nothing new, and wait for what is in flight."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._flight.wait_all()

    async def _watch(self) -> None:
        blobs = await self._account.blobs()
        while True:
            try:
                version = blobs.version
                await self._flight.wait_below(self._options.max_parallel)
                if not await self._begin_some():
                    await blobs.wait_for_change(version)
            except Exception as error:  # noqa: BLE001 - a fault of the store must not end the listener
                self._log.error(
                    f"Looking for blobs in '{self._path.container}' failed: {error}",
                    "Host.Listener",
                )
                await asyncio.sleep(_AGAIN_S)

    async def _begin_some(self) -> bool:
        """Begin with the oldest that are new; False if there are none."""
        free = self._options.max_parallel - len(self._flight)
        # What ends while this reads may be read as unseen still.
        busy = set(self._busy)
        unseen = await self._account.receipts.unseen(
            self._reader, self._path.container, len(busy) + free
        )
        new = [each for each in unseen if (each[0].name, each[0].etag) not in busy]
        other = [blob for blob, _ in new if self._path.match(blob.name) is None]
        await self._account.receipts.done(self._reader, other)
        meant = [each for each in new if each[0] not in other]
        for blob, attempts in meant[:free]:
            self._busy.add((blob.name, blob.etag))
            self._flight.begin(self._handle(blob, attempts))
        return bool(new)

    async def _handle(self, blob: Blob, attempts: int) -> None:
        try:
            content = await self._content(blob)
            if content is None or await self._run_until_done(blob, content, attempts):
                await self._account.receipts.done(self._reader, [blob])
        finally:
            self._busy.discard((blob.name, blob.etag))

    async def _run_until_done(self, blob: Blob, content: bytes, attempts: int) -> bool:
        """Run the function until it succeeds or the blob is buried; False if the host stops."""
        while not (outcome := await self._run(blob, content)).ok:
            attempts += 1
            if attempts >= self._options.poison_threshold:
                await self._bury(blob)
                return True
            await self._account.receipts.failed(self._reader, blob, attempts)
            if outcome.cut_short:
                return False
        return True

    async def _content(self, blob: Blob) -> bytes | None:
        """The content of this version; None if it has been replaced or deleted since."""
        blobs = await self._account.blobs()
        path = blobs.content_path(blob)
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return None
        if not self._has_warned and is_corrupted_as_text(content, self._function.trigger.data_type):
            self._has_warned = True
            self._log.warning(
                f"'{self._function.title}' is given a blob that is no text. On Azure it would be "
                "read as UTF-8 and corrupted; give the trigger data_type BINARY.",
                f"Function.{self._function.name}",
            )
        return content

    async def _run(self, blob: Blob, content: bytes) -> Outcome:
        blobs = await self._account.blobs()
        url = f"{blobs.origin}/{blobs.account}/{blob.container}/{quote(blob.name)}"
        metadata = blob_metadata(blob, url, self._path.match(blob.name) or {})
        return await self._invocations.run_with_retries(
            Request(
                function=self._function,
                trigger=blob_content(content, self._function.trigger.data_type),
                metadata=metadata,
                reason=f"New blob detected(LogsAndContainerScan): {blob.container}/{blob.name}",
                data=lambda: binding_data(metadata),
            )
        )

    async def _bury(self, blob: Blob) -> None:
        self._log.error(
            f"Message has reached MaxDequeueCount of {self._options.poison_threshold}. Moving "
            f"message to queue '{POISON_QUEUE}'.",
            f"Function.{self._function.name}",
        )
        queues = await self._account.queues()
        note = {
            "Type": "BlobTrigger",
            "FunctionId": f"Host.Functions.{self._function.name}",
            "BlobType": "BlockBlob",
            "ContainerName": blob.container,
            "BlobName": blob.name,
            "ETag": blob.etag,
        }
        await queues.ensure_queue(POISON_QUEUE)
        await queues.put(POISON_QUEUE, [json.dumps(note).encode()])
