"""Checks answers against the OpenAPI file: status, content type, headers, body."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker

OPENAPI = Path(__file__).resolve().parents[2] / "infra" / "apim" / "openapi.yaml"
_METHODS = ("get", "post", "put", "patch", "delete")
# Not documented as missing where the answer is the gateway's or has no such thing to say.
_OPTIONAL = {
    "Link", "Preference-Applied", "WWW-Authenticate", "X-RateLimit-Remaining", "Retry-After",
}  # fmt: skip
_ALWAYS = {("202", "Retry-After"), ("202", "Location"), ("200", "ETag"), ("304", "ETag")}


@dataclass(frozen=True)
class Operation:
    """An operation of the file."""

    id: str
    method: str
    path: str
    responses: dict[str, Any]


@dataclass
class Contract:
    """The file, and which documented answers were seen."""

    document: dict[str, Any]
    seen: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(cls) -> "Contract":
        """The repository's file."""
        return cls(yaml.safe_load(OPENAPI.read_text(encoding="utf-8")))

    @property
    def operations(self) -> dict[str, Operation]:
        """Every operation by its id."""
        return {
            entry["operationId"]: Operation(
                entry["operationId"],
                method.upper(),
                path,
                {status: self._resolved(r) for status, r in entry["responses"].items()},
            )
            for path, item in self.document["paths"].items()
            for method, entry in item.items()
            if method in _METHODS
        }

    def documented(self) -> set[tuple[str, str]]:
        """Operation and status of every documented answer."""
        return {(o.id, status) for o in self.operations.values() for status in o.responses}

    def check(self, operation_id: str, status: int, headers: Any, body: Any) -> None:
        """Assert that an answer is as documented.

        Args:
            body: the parsed JSON; None for an answer without a body.
        """
        operation = self.operations[operation_id]
        found = operation.responses.get(str(status))
        assert found is not None, f"{operation_id} answered {status}: {body}"
        self.seen.add((operation_id, str(status)))
        for name in found.get("headers", {}):
            if name not in _OPTIONAL or (str(status), name) in _ALWAYS:
                assert name in headers, f"{operation_id} {status} lacks {name}"
        content = found.get("content")
        if body is None:
            return
        assert content is not None, f"{operation_id} {status} has a body: {body}"
        kind = headers["Content-Type"].partition(";")[0]
        assert kind in content, f"{operation_id} {status} is {kind}"
        self._validate(content[kind]["schema"], body, f"{operation_id} {status}")

    def _validate(self, schema: dict[str, Any], body: Any, where: str) -> None:
        # References of the schema are to the components, which it is given as its own.
        whole = {**schema, "components": self.document["components"]}
        validator = OAS30Validator(whole, format_checker=oas30_format_checker)
        errors = [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(body)]
        assert not errors, f"{where}: {errors}\n{body}"

    def _resolved(self, entry: dict[str, Any]) -> dict[str, Any]:
        reference = entry.get("$ref")
        if reference is None:
            return entry
        found: Any = self.document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        resolved: dict[str, Any] = found
        return resolved
