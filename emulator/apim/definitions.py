"""Reads what is to be served: `infra/entities.json`, the OpenAPI document, the policy files.

The same files are what Bicep deploys. The shape of `apiManagement` is that of entities.json; what
is missing from it is a clear error, since a gateway that guesses protects nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.apim.document import DocumentError, Element, read_document
from emulator.apim.errors import DefinitionError, Problem
from emulator.apim.model import Api, Backend, CircuitRule, Operation, Product, parse_url
from emulator.apim.openapi import operations, read_openapi
from emulator.apim.site import SECTIONS, Scope

_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
GLOBAL_POLICY = "policies/global.xml"


@dataclass(frozen=True)
class Document:
    """A policy document: where it applies, and its sections' elements."""

    scope: Scope
    sections: dict[str, list[Element]]


@dataclass(frozen=True)
class Definitions:
    """Everything that is served.

    Attributes:
        documents: the policy documents by kind and id of their scope (`("global", "")`).
        named_values: those with a value in the definitions.
        secrets: the names of those whose values are not shown.
        subscriptions: entries of entities.json, without keys.
    """

    apis: tuple[Api, ...]
    products: tuple[Product, ...]
    backends: dict[str, Backend]
    documents: dict[tuple[str, str], Document]
    named_values: dict[str, str]
    secrets: frozenset[str]
    subscriptions: tuple[dict[str, Any], ...]
    openapi: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Variant:
    """Which of a product's policies is deployed."""

    tier: str = "classic"
    credit_mode: str = "ledger"


def load_definitions(
    entities: Mapping[str, Any], infra: Path, backend_origin: str, variant: Variant
) -> Definitions:
    """The definitions of an infra folder.

    Raises:
        DefinitionError: something is missing or malformed; every problem is named.
    """
    management = entities.get("apiManagement")
    if not isinstance(management, dict):
        raise DefinitionError([Problem("entities.json", 1, "has no apiManagement")])
    try:
        return _load(management, infra, backend_origin, variant)
    except KeyError as error:
        text = f"apiManagement: the member {error} is missing from an entry"
        raise DefinitionError([Problem("entities.json", 1, text)]) from error


def _load(
    management: Mapping[str, Any], infra: Path, backend_origin: str, variant: Variant
) -> Definitions:
    problems: list[Problem] = []
    openapi: dict[str, dict[str, Any]] = {}
    apis = _apis(management, infra, backend_origin, openapi)
    by_id = {api.id: api for api in apis}
    products = tuple(_product(entry, by_id, problems) for entry in management["products"])
    documents = _documents(management, infra, variant, problems)
    if problems:
        raise DefinitionError(problems)
    return Definitions(
        apis,
        products,
        {e["name"]: _backend(e, backend_origin) for e in management.get("backends", ())},
        documents,
        {e["name"]: e["value"] for e in management.get("namedValues", ()) if "value" in e},
        frozenset(e["name"] for e in management.get("namedValues", ()) if e.get("secret")),
        tuple(management.get("subscriptions", ())),
        openapi,
    )


def _apis(
    management: Mapping[str, Any],
    infra: Path,
    backend_origin: str,
    openapi: dict[str, dict[str, Any]],
) -> tuple[Api, ...]:
    return tuple(_api(entry, infra, backend_origin, openapi) for entry in management["apis"])


def _api(
    entry: Mapping[str, Any], infra: Path, backend_origin: str, openapi: dict[str, dict[str, Any]]
) -> Api:
    if "openapi" in entry:
        openapi[entry["name"]] = read_openapi(infra / entry["openapi"])
        found = operations(openapi[entry["name"]])
    else:
        found = tuple(
            Operation(o["name"], o.get("displayName", o["name"]), o["method"], o["urlTemplate"])
            for o in entry.get("operations", ())
        )
    return Api(
        entry["name"],
        entry.get("displayName", entry["name"]),
        entry.get("path", "").strip("/"),
        # As the template sets it; policies that name a backend replace it.
        parse_url(f"{backend_origin}/api"),
        entry.get("subscriptionRequired", True),
        found,
    )


def _product(entry: Mapping[str, Any], apis: Mapping[str, Api], problems: list[Problem]) -> Product:
    for name in entry["apis"]:
        if name not in apis:
            text = f"product {entry['name']} holds the unknown API {name}"
            problems.append(Problem("entities.json", 1, text))
    return Product(
        entry["name"],
        entry.get("displayName", entry["name"]),
        entry.get("subscriptionRequired", True),
        entry.get("state", "published"),
        tuple(apis[name] for name in entry["apis"] if name in apis),
    )


def _backend(entry: Mapping[str, Any], origin: str) -> Backend:
    rule = entry.get("circuitBreaker")
    circuit = None
    if rule is not None:
        statuses = rule["failureStatusCodes"]
        circuit = CircuitRule(
            rule["failureCount"],
            statuses["min"],
            statuses["max"],
            _seconds(rule["interval"]),
            _seconds(rule["tripDuration"]),
            rule.get("acceptRetryAfter", False),
        )
    url = parse_url(f"{origin}{entry.get('path', '')}")
    return Backend(entry["name"], url, circuit)


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise DefinitionError([Problem("entities.json", 1, f"{text!r} is not a duration")])
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _documents(
    management: Mapping[str, Any], infra: Path, variant: Variant, problems: list[Problem]
) -> dict[tuple[str, str], Document]:
    wanted: list[tuple[str, str, str]] = []
    if (infra / GLOBAL_POLICY).exists():
        wanted.append(("global", "", GLOBAL_POLICY))
    for api in management["apis"]:
        if "policy" in api:
            wanted.append(("api", api["name"], api["policy"]))
        for operation, file in api.get("operationPolicies", {}).items():
            wanted.append(("operation", f"{api['name']}/{operation}", file))
    for product in management["products"]:
        file = _product_policy(product, variant)
        if file is not None:
            wanted.append(("product", product["name"], file))
    found = {}
    for kind, identifier, file in wanted:
        sections = _sections(infra, file, problems)
        found[kind, identifier] = Document(Scope(kind, identifier, file), sections)
    return found


def _product_policy(product: Mapping[str, Any], variant: Variant) -> str | None:
    file = product.get("policy")
    if variant.tier == "consumption":
        file = product.get("policyOnConsumption", file)
    if variant.credit_mode == "named-value":
        file = product.get("policyOnNamedValue", file)
    return file


def _sections(infra: Path, file: str, problems: list[Problem]) -> dict[str, list[Element]]:
    """The sections of a policy file; a missing one is empty, and so inherits nothing."""
    sections: dict[str, list[Element]] = {name: [] for name in SECTIONS}
    try:
        root = read_document(infra / file)
    except DocumentError as error:
        problems.append(Problem(file, error.line, str(error)))
        return sections
    if root.name != "policies":
        problems.append(Problem(file, root.line, "the root element is policies"))
    seen = set()
    for child in root.children:
        if child.name not in SECTIONS or child.name in seen or child.attributes:
            names = ", ".join(SECTIONS)
            text = f"policies holds {names}, each once and without attributes"
            problems.append(Problem(file, child.line, text))
            continue
        if child.text.strip():
            problems.append(Problem(file, child.line, f"{child.name} takes no text"))
        seen.add(child.name)
        sections[child.name] = child.children
    return sections
