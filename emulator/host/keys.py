"""Access keys: which level a request's key gives, and where the keys are kept.

Off unless `--enableAuth`, as with `func start`. Keys are made when they are missing and kept in one
file for the host and one for each function, readable by their owner only; they are never logged.

Source: the host's key files and authorization levels.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from emulator.host.errors import StartError
from emulator.private_files import read_json, write_json

SYSTEM_EXTENSIONS = ("durabletask", "eventgrid")


class Level(IntEnum):
    """What a key opens; a higher level opens what a lower one does."""

    ANONYMOUS = 0
    FUNCTION = 1
    SYSTEM = 2
    ADMIN = 3


@dataclass(frozen=True)
class Key:
    """A named key."""

    name: str
    value: str


class Keys:
    """The keys of one app.

    Args:
        folder: where they are kept; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        host = self._read("host")
        self.master = host.get("masterKey", {}).get("value") or _new()
        self._host = _keys_of(host.get("functionKeys")) or [Key("default", _new())]
        self._system = _keys_of(host.get("systemKeys"))
        for extension in SYSTEM_EXTENSIONS:
            if not any(key.name == f"{extension}_extension" for key in self._system):
                self._system.append(Key(f"{extension}_extension", _new()))
        self._functions: dict[str, list[Key]] = {}
        self._write_host()

    def level(
        self, value: str | None, *, function: str | None = None, extension: str | None = None
    ) -> Level:
        """The level a key gives at a function or an extension's webhook."""
        if not value:
            return Level.ANONYMOUS
        if _same(value, self.master):
            return Level.ADMIN
        if extension is not None and any(
            key.name == f"{extension.lower()}_extension" and _same(value, key.value)
            for key in self._system
        ):
            return Level.SYSTEM
        known = [*self._host, *(self._of(function) if function else ())]
        if any(_same(value, key.value) for key in known):
            return Level.FUNCTION
        return Level.ANONYMOUS

    def system(self, extension: str) -> str:
        """An extension's system key."""
        return next(key.value for key in self._system if key.name == f"{extension}_extension")

    def listed(self, scope: str) -> list[Key]:
        """Keys of `functionkeys`, `systemkeys`, or of a function by its name."""
        return list(self._scope(scope))

    def put(self, scope: str, name: str, value: str | None) -> tuple[Key, bool]:
        """Set or make a key; returns it and whether it is new."""
        if name == "_master":
            self.master = value or _new()
            self._write_host()
            return Key("_master", self.master), False
        keys = self._scope(scope)
        key = Key(name, value or _new())
        for index, other in enumerate(keys):
            if other.name == name:
                keys[index] = key
                self._write(scope)
                return key, False
        keys.append(key)
        self._write(scope)
        return key, True

    def delete(self, scope: str, name: str) -> bool:
        """Delete a key; False if there is none."""
        keys = self._scope(scope)
        kept = [key for key in keys if key.name != name]
        found = len(kept) != len(keys)
        keys[:] = kept
        if found:
            self._write(scope)
        return found

    def _scope(self, scope: str) -> list[Key]:
        shared = {"functionkeys": self._host, "systemkeys": self._system}.get(scope)
        return self._of(scope) if shared is None else shared

    def _of(self, function: str) -> list[Key]:
        name = function.lower()
        if name not in self._functions:
            self._functions[name] = _keys_of(self._read(name).get("keys")) or [
                Key("default", _new())
            ]
            self._write(name)
        return self._functions[name]

    def _write(self, scope: str) -> None:
        if scope in ("functionkeys", "systemkeys"):
            self._write_host()
        else:
            name = scope.lower()
            write_json(self._folder / f"{name}.json", {"keys": _listed(self._functions[name])})

    def _write_host(self) -> None:
        write_json(
            self._folder / "host.json",
            {
                "masterKey": {"name": "master", "value": self.master},
                "functionKeys": _listed(self._host),
                "systemKeys": _listed(self._system),
            },
        )

    def _read(self, name: str) -> Mapping[str, Any]:
        path = self._folder / f"{name}.json"
        try:
            found = read_json(path)
        except (OSError, ValueError) as error:
            raise StartError(f"Cannot read the key file: {error}") from error
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise StartError(f"The key file {path} is not a JSON object.")
        return found


def _new() -> str:
    return secrets.token_urlsafe(40)


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(), kept.encode())


def _keys_of(entries: object) -> list[Key]:
    if not isinstance(entries, list):
        return []
    return [Key(str(entry["name"]), str(entry["value"])) for entry in entries]


def _listed(keys: list[Key]) -> list[dict[str, str]]:
    return [{"name": key.name, "value": key.value} for key in keys]
