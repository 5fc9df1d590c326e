"""Reads the operations of an OpenAPI document as the service's import does."""

import re
from pathlib import Path
from typing import Any

import yaml

from emulator.apim.errors import DefinitionError, Problem
from emulator.apim.model import Operation

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_ID_LIMIT = 76


def read_openapi(path: Path) -> dict[str, Any]:
    """The document.

    Raises:
        DefinitionError: it cannot be read or is no OpenAPI 3.0 document.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DefinitionError([Problem(path.name, 1, f"cannot be read: {error}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise DefinitionError([Problem(path.name, line, "is not YAML")]) from error
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3.0."):
        raise DefinitionError([Problem(path.name, 1, "is not an OpenAPI 3.0 document")])
    return document


def operations(document: dict[str, Any]) -> tuple[Operation, ...]:
    """The operations of a document, with the ids that the import gives them."""
    found: list[Operation] = []
    taken: set[str] = set()
    for path, item in document.get("paths", {}).items():
        for method in _METHODS:
            if method not in item:
                continue
            entry = item[method]
            name = entry.get("operationId") or f"{method}-{path}"
            identifier = _unique(operation_id(name), taken)
            display = entry.get("summary") or entry.get("operationId") or identifier
            found.append(Operation(identifier, display, method.upper(), path))
    return tuple(found)


def operation_id(name: str) -> str:
    """A name as the import makes an operation's id of it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_ID_LIMIT]


def _unique(identifier: str, taken: set[str]) -> str:
    candidate, number = identifier, 0
    while candidate in taken:
        number += 1
        candidate = f"{identifier}-{number}"
    taken.add(candidate)
    return candidate
