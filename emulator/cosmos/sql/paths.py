"""Paths into a JSON text, as SQLite writes them.

The only text of a request that gets into a statement is made here, of segments that were checked;
everything else is bound. A name that SQLite's path language cannot carry gives None, and the caller
evaluates it in Python.

Source: specification, section 8.4; SQLite, The JSON Functions, on paths.
"""

import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# JSON text writes these with a backslash, and SQLite compares names as they are written.
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]')


def path_suffix(segments: Sequence[str | int]) -> str | None:
    """The part behind `$`, ready to stand within a quoted SQL literal, or None."""
    parts: list[str] = []
    for segment in segments:
        if isinstance(segment, int):
            if segment < 0:
                return None
            parts.append(f"[{segment:d}]")
        elif _PLAIN.match(segment):
            parts.append(f".{segment}")
        elif not segment or _UNSAFE.search(segment):
            return None
        else:
            parts.append('."' + segment.replace("'", "''") + '"')
    return "".join(parts)


def json_path(segments: Sequence[str | int]) -> str | None:
    """The path as an SQL literal, or None where SQLite cannot follow it."""
    suffix = path_suffix(segments)
    return None if suffix is None else f"'${suffix}'"
