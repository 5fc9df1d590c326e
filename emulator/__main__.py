"""`python -m emulator start`: from the command line to an exit code.

0 after a clean stop, 1 on any error, which is one line on stderr.
"""

import gc
import sys
from pathlib import Path

from emulator.config import VERSION, UsageError, parse
from emulator.database import StorageError


def main(arguments: list[str]) -> int:
    """Run the emulator; returns the exit code."""
    try:
        options = parse(arguments, Path.cwd())
    except UsageError as error:
        return _refuse(str(error))
    if options is None:
        sys.stdout.write(f"{VERSION}\n")
        return 0
    # What is loaded now stays; looking for garbage in it was a tenth of the start.
    gc.disable()
    # Imported late so that `--version` and a wrong option are answered at once.
    from emulator.host.errors import StartError  # noqa: PLC0415
    from emulator.host.run import run  # noqa: PLC0415

    try:
        return run(options)
    except (StartError, StorageError) as error:
        return _refuse(str(error))


def _refuse(text: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
