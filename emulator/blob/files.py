"""The folder of contents: files written under names of their own, synced before any row names them.

Blocking file work is done on threads. Used by `service` only.
"""

import asyncio
import base64
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.blob.errors import TooLarge

_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Written:
    """A file that is on disk; `md5` in base64, as headers carry it."""

    file: str
    size: int
    md5: str


class Contents:
    """The folder; it is made when missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, named: set[str]) -> None:
        """Make the folder, and delete what no row names: a crash left it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            if path.name not in named:
                path.unlink()

    def path(self, file: str) -> Path:
        """Where a file is."""
        return self._folder / file

    async def write(self, chunks: AsyncIterator[bytes], limit: int) -> Written:
        """Write what comes in; nothing is left behind if it breaks off.

        Raises:
            TooLarge: there is more than the limit.
        """
        file = uuid.uuid4().hex
        path = self.path(file)
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with await asyncio.to_thread(path.open, "xb") as target:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > limit:
                        raise TooLarge
                    digest.update(chunk)
                    await asyncio.to_thread(target.write, chunk)
                await asyncio.to_thread(_sync, target.fileno())
            await asyncio.to_thread(self._sync_folder)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Written(file, size, base64.b64encode(digest.digest()).decode())

    async def join(self, files: Sequence[str]) -> Written:
        """Write a file of the contents of others, one after the other."""

        async def chunks() -> AsyncIterator[bytes]:
            for file in files:
                with await asyncio.to_thread(self.path(file).open, "rb") as source:
                    while chunk := await asyncio.to_thread(source.read, _COPY_BYTES):
                        yield chunk

        total = sum(self.path(file).stat().st_size for file in files)
        return await self.write(chunks(), total)

    def delete(self, files: Iterable[str]) -> None:
        """Delete files that no row names any more."""
        for file in files:
            self.path(file).unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)
