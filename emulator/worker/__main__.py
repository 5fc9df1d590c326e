"""Starts a worker: `python -m emulator.worker --fd N`, in the function app's folder.

The host starts this file by its path, in the app's own interpreter, where no package `emulator`
need be installed; the package is then loaded under a name of its own, and `sys.path` holds what the
app would find on Azure: its folder first, then `.python_packages`.
"""

import argparse
import importlib
import importlib.util
import os
import socket
import sys
from pathlib import Path
from types import ModuleType

_PRIVATE_NAME = "_functions_worker"


def _load_package() -> ModuleType:
    """This package under its private name, when the file was started by its path."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        _PRIVATE_NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PRIVATE_NAME] = package
    spec.loader.exec_module(package)
    return package


def _set_path(script_root: Path) -> None:
    own = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != Path(own)]
    root = str(script_root)
    sys.path[:] = [entry for entry in sys.path if entry != root]
    sys.path.insert(0, root)
    packages = script_root / ".python_packages" / "lib" / "site-packages"
    if packages.is_dir():
        sys.path.insert(1, str(packages))


def main() -> None:
    """Serve on the socket whose descriptor the command line gives."""
    parser = argparse.ArgumentParser(prog="python -m emulator.worker")
    parser.add_argument("--fd", type=int, required=True, help="the socket to the host")
    options = parser.parse_args()
    script_root = Path.cwd()
    _set_path(script_root)
    package = __package__ or _load_package().__name__
    connection = socket.socket(fileno=options.fd)
    os.set_inheritable(options.fd, False)  # programs that the app starts must not hold it open
    worker = importlib.import_module(f"{package}.worker")
    worker.Worker(connection, script_root).run()


if __name__ == "__main__":
    main()
