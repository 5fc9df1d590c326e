"""Named values: `{{name}}` in policies, and the values that can be changed while the gateway runs.

Substitution is textual and comes before expressions are parsed; what a value holds is not
substituted again. Other double braces, such as a Liquid template's, are left alone.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from emulator.apim.model import NamedValue
from emulator.private_files import read_json, write_json

NAME = re.compile(r"[A-Za-z0-9\-._]+")
_MENTION = re.compile(r"\{\{([A-Za-z0-9\-._]+)\}\}")
VALUE_LIMIT = 4096


class InvalidNamedValue(ValueError):
    """A name or value that the service would not store; the text says why."""


class StaleEtag(Exception):
    """The named value is not the one that `If-Match` speaks of."""


def substitute(text: str, values: Mapping[str, str]) -> tuple[str, set[str], list[str]]:
    """The text with the named values in place; the names used, and those that do not exist."""
    if "{{" not in text:
        return text, set(), []
    used: set[str] = set()
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            missing.append(name)
            return match[0]
        used.add(name)
        return values[name]

    return _MENTION.sub(value, text), used, missing


class NamedValues:
    """The named values in force. Changes are kept in a file and win over what is defined.

    Args:
        path: the file of the changes.
        defined: the values of the definitions.
        secrets: names whose values are not shown.
        accept: called with all values before a change is kept; raises InvalidNamedValue if the
            policies cannot be loaded with them.
    """

    def __init__(
        self,
        path: Path,
        defined: Mapping[str, str],
        secrets: Collection[str],
        accept: Callable[[dict[str, str]], None],
    ) -> None:
        self._path = path
        self._secrets = secrets
        self._accept = accept
        self._lock = asyncio.Lock()
        self._changed: dict[str, NamedValue] = {}
        for name, entry in (read_json(path) or {}).items():
            self._changed[name] = self._entry(name, entry["value"], entry["etag"])
        self._all = {name: self._entry(name, value, '"1"') for name, value in defined.items()}
        self._all.update(self._changed)

    def _entry(self, name: str, value: str, etag: str) -> NamedValue:
        return NamedValue(name, value, name in self._secrets, etag)

    def all(self) -> list[NamedValue]:
        """Every named value, by name."""
        return [self._all[name] for name in sorted(self._all)]

    def get(self, name: str) -> NamedValue | None:
        """One of them, or None."""
        return self._all.get(name)

    def texts(self) -> dict[str, str]:
        """Name to value."""
        return {name: entry.value for name, entry in self._all.items()}

    async def put(self, name: str, value: str, if_match: str = "*") -> NamedValue:
        """Change a named value, or make a new one; it is on disk afterwards.

        Raises:
            InvalidNamedValue: the service would not store it.
            StaleEtag: `if_match` names another state than the present one.
        """
        _check(name, value)
        async with self._lock:
            present = self._all.get(name)
            if if_match != "*" and (present is None or present.etag != if_match):
                raise StaleEtag
            entry = self._entry(name, value, f'"{uuid.uuid4().hex[:16]}"')
            self._accept({**self.texts(), name: value})
            changed = {**self._changed, name: entry}
            await asyncio.to_thread(
                write_json,
                self._path,
                {n: {"value": e.value, "etag": e.etag} for n, e in changed.items()},
            )
            self._changed = changed
            self._all[name] = entry
            return entry


def _check(name: str, value: str) -> None:
    if NAME.fullmatch(name) is None or len(name) > 256:
        raise InvalidNamedValue("A name has 1 to 256 of A-Z a-z 0-9 - . _")
    if not value or len(value) > VALUE_LIMIT:
        raise InvalidNamedValue(f"A value has 1 to {VALUE_LIMIT} characters.")
