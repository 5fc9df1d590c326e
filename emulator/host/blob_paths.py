"""The path of a blob trigger: which blobs it means, and what their names say.

`in/{name}.{ext}` means blobs of the container `in` whose names have a dot, and captures what stands
before and after the last one. A path without a blob's name means every blob of the container. Pure.

Source: the Storage Blobs extension's trigger path patterns.
"""

import re
from dataclasses import dataclass

from emulator.blob.errors import BlobError
from emulator.blob.model import check_container
from emulator.host.errors import FunctionInError

_PART = re.compile(r"\{\{|\}\}|\{(?P<name>[A-Za-z_]\w*)\}|[{}]|[^{}]+")


@dataclass(frozen=True)
class BlobPath:
    """A parsed path."""

    text: str
    container: str
    pattern: re.Pattern[str]

    def match(self, name: str) -> dict[str, str] | None:
        """What a blob's name captures, or None if the path does not mean it."""
        found = self.pattern.fullmatch(name)
        return None if found is None else found.groupdict()


def split_path(text: str) -> tuple[str, str]:
    """Container and blob name of a path.

    Raises:
        FunctionInError: one of them is missing.
    """
    container, _, name = text.strip("/").partition("/")
    if not container or not name:
        raise FunctionInError(
            f"Invalid blob path '{text}'. Paths must be in the format 'container/blob'."
        )
    return container, name


def parse_trigger_path(text: str) -> BlobPath:
    """Parse a trigger's path.

    Raises:
        FunctionInError: it is not one that a trigger can have.
    """
    container, _, rest = text.strip("/").partition("/")
    try:
        check_container(container)
    except BlobError as error:
        raise FunctionInError(
            f"Invalid blob trigger path '{text}': '{container}' cannot be the name of a container."
        ) from error
    return BlobPath(text, container, _pattern(rest) if rest else re.compile(".*", re.DOTALL))


def _pattern(text: str) -> re.Pattern[str]:
    source, names = "", set[str]()
    for found in _PART.finditer(text):
        part, name = found[0], found["name"]
        if name is not None:
            if name in names:
                raise FunctionInError(
                    f"Invalid blob trigger path '{text}': '{name}' is captured twice."
                )
            names.add(name)
            source += f"(?P<{name}>.*)"
        elif part in ("{", "}"):
            raise FunctionInError(
                f"Invalid blob trigger path '{text}': a curly brace has no partner."
            )
        else:
            source += re.escape(part[0] if part in ("{{", "}}") else part)
    return re.compile(source, re.DOTALL)
