"""Partition keys: the paths of a container, the values of an item, the header of a request.

Answers the effective partition key of an item and of a request, and the range that a prefix of a
hierarchical key covers. Pure; called by the item operations and by the queries' scope.

Source: specification, sections 2 and 5.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from emulator.cosmos.epk import effective_key
from emulator.cosmos.errors import bad_request, partition_key_missing
from emulator.cosmos.values import UNDEFINED, clean, number

Range = tuple[str, str]
"""Keys from the first on, up to but not including the second; "FF" is above every key."""

EVERYTHING: Range = ("", "FF")
MAX_LEVELS = 3


def parse_path(text: str) -> tuple[str, ...]:
    """The segments of a path such as `/customer/id` or `/"odd/name"/x`.

    Raises:
        CosmosError: 400 where it is not such a path.
    """
    segments: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "/":
            raise _bad_path(text)
        at += 1
        quote = text[at : at + 1]
        if quote in ('"', "'") and quote:
            end = text.find(quote, at + 1)
            if end < 0:
                raise _bad_path(text)
            segments.append(text[at + 1 : end])
            at = end + 1
        else:
            end = text.find("/", at)
            end = len(text) if end < 0 else end
            segments.append(text[at:end])
            at = end
    if not segments or "" in segments:
        raise _bad_path(text)
    return tuple(segments)


def _bad_path(text: str) -> Exception:
    return bad_request(f"The partition key path '{text}' is invalid.")


def value_at(body: Any, path: tuple[str, ...]) -> Any:
    """The scalar at a path; objects and arrays cannot be keys and count as missing."""
    for segment in path:
        if not isinstance(body, dict):
            return UNDEFINED
        body = body.get(segment, UNDEFINED)
    return UNDEFINED if isinstance(body, dict | list) else body


@dataclass(frozen=True)
class PartitionKey:
    """A container's key: one path, or up to three that make a hierarchy."""

    paths: tuple[tuple[str, ...], ...]
    is_hierarchical: bool

    def of_item(self, body: dict[str, Any]) -> str:
        """The effective key of an item."""
        if len(self.paths) == 1 and len(self.paths[0]) == 1:
            value = body.get(self.paths[0][0], UNDEFINED)
            values = [UNDEFINED if isinstance(value, dict | list) else value]
        else:
            values = [value_at(body, path) for path in self.paths]
        return effective_key(values, is_hierarchical=self.is_hierarchical)

    def of_header(self, text: str | None) -> str:
        """The effective key that a point operation names.

        Raises:
            CosmosError: 400/1001 where the header is missing or has the wrong number of parts.
        """
        if text is None:
            raise partition_key_missing()
        values = _header_values(text)
        if len(values) != len(self.paths):
            raise partition_key_missing()
        return effective_key(values, is_hierarchical=self.is_hierarchical)

    def range_of_header(self, text: str) -> Range:
        """The range of keys that a query's header names: one key, or those with a prefix."""
        values = _header_values(text)
        if not 0 < len(values) <= len(self.paths):
            raise partition_key_missing()
        start = effective_key(values, is_hierarchical=self.is_hierarchical)
        return start, start + ("FF" if len(values) < len(self.paths) else "\0")

    def of_value(self, value: Any) -> str:
        """The effective key of a value given in process: a scalar, or a list for a hierarchy."""
        return self.of_header(header_of(value))


def header_of(value: Any) -> str:
    """The header's text for a key given in process; undefined is the missing value."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    return json.dumps([{} if part is UNDEFINED else part for part in values])


@lru_cache(maxsize=16384)
def _header_values(text: str) -> tuple[Any, ...]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise bad_request(f"The partition key {text[:100]} is not a JSON array.")
    return tuple([_header_value(value, text) for value in values])


def _header_value(value: Any, text: str) -> Any:
    if value == {} and isinstance(value, dict):
        return UNDEFINED
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return number(value)
    raise bad_request(f"The partition key {text[:100]} holds a value that cannot be a key.")


def parse_partition_key(definition: Any) -> PartitionKey:
    """The partition key of a container's definition.

    Raises:
        CosmosError: 400 where it is missing, of an unknown kind, or has too many paths.
    """
    if not isinstance(definition, dict) or not isinstance(definition.get("paths"), list):
        raise bad_request("PartitionKey must be specified for the container.")
    paths, kind = definition["paths"], definition.get("kind", "Hash")
    if not paths or not all(isinstance(path, str) for path in paths):
        raise bad_request("The partition key needs at least one path.")
    if kind not in ("Hash", "MultiHash"):
        raise bad_request(f"The partition key kind '{kind}' is invalid.")
    if kind == "Hash" and len(paths) != 1:
        raise bad_request("Too many partition key paths are specified for kind 'Hash'.")
    if len(paths) > MAX_LEVELS:
        raise bad_request(
            f"Too many partition key paths are specified; at most {MAX_LEVELS} are allowed."
        )
    return PartitionKey(tuple(parse_path(path) for path in paths), kind == "MultiHash")
