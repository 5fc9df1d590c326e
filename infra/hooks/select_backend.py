"""prepackage: puts the host file of the chosen durable backend into the package.

The scale controller is told the storage provider by the host.json FILE in the package, not by an
app setting, so switching backend means shipping another file. `DURABLE_BACKEND` also feeds the
Bicep parameter durableBackend: one switch, both sides. `restore_host.py` undoes this.
"""

import os
import shutil
from pathlib import Path

from hook_support import ROOT, HookError, run, say

DEFAULT = "dts"
HOST_FILES = {"dts": "host.dts.json", "storage": "host.storage.json"}


def host_file(backend: str) -> str:
    """Name of the host file of a backend.

    Raises:
        HookError: there is no such backend.
    """
    if backend not in HOST_FILES:
        known = " or ".join(HOST_FILES)
        raise HookError(f"DURABLE_BACKEND is '{backend}'; it must be {known}.")
    return HOST_FILES[backend]


def select(backend: str, root: Path = ROOT) -> Path:
    """Make host.json the file of this backend. Doing it twice changes nothing."""
    source = root / "infra" / "hooks" / host_file(backend)
    shutil.copyfile(source, root / "host.json")
    return source


def main() -> None:
    source = select(os.environ.get("DURABLE_BACKEND") or DEFAULT)
    say(f"host.json is {source.name} in this package.")


if __name__ == "__main__":
    run(main)
