"""The data folder and its one owner.

A second emulator on the same folder would corrupt nothing that SQLite guards, but both would run
the same orchestrations; so the folder is locked for as long as the process lives. The kernel drops
the lock with the process, however it ends.
"""

import fcntl
import os
from pathlib import Path

from emulator.host.errors import StartError


class DataFolder:
    """The folder, made if it is missing, and held until `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StartError(
                f"Cannot write {path}: {error.strerror}. Check that the folder may be written by "
                "this user, or name another with --data-dir."
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._descriptor, 32).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise StartError(
                f"Another emulator (process {owner or 'unknown'}) uses {path}. Stop it, or start "
                "with another --data-dir."
            ) from error
        self._note_owner()

    def _note_owner(self) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise StartError(f"Cannot write {self.path}: {error.strerror}.") from error

    def subfolder(self, name: str) -> Path:
        """A folder within, made if it is missing.

        Raises:
            StartError: it cannot be made.
        """
        try:
            (self.path / name).mkdir(exist_ok=True)
        except OSError as error:
            raise StartError(f"Cannot write {self.path / name}: {error.strerror}.") from error
        return self.path / name

    def release(self) -> None:
        """Let another have the folder."""
        os.close(self._descriptor)
