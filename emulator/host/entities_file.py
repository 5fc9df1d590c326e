"""The entities file, and which parts of the emulator it and its neighbours ask for.

Looked at before anything else is loaded: the ports must be bound first.
"""

import json
from pathlib import Path

from emulator.config import Options


def entities_path(options: Options) -> Path:
    """The entities file; what it names is relative to its folder."""
    return options.entities or options.script_root / "infra" / "entities.json"


def wants_gateway(options: Options) -> bool:
    """Whether the entities file describes APIs. One that cannot be read is refused later."""
    try:
        return "apiManagement" in json.loads(entities_path(options).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def workflow_files(infra: Path) -> list[Path]:
    """The workflows beside an entities file; none of them means that no files are taken in."""
    return sorted((infra / "workflows").glob("*.json"))
