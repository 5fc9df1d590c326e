"""A container's definition: what must be there, what is filled in, what a replace may change.

Source: specification, section 6.3.
"""

import json
from typing import Any

from emulator.cosmos.errors import CosmosError, bad_request
from emulator.cosmos.model import CONTAINER_SYSTEM_PROPERTIES, Container, check_id
from emulator.cosmos.partition import parse_partition_key, parse_path


def container_definition(body: Any) -> dict[str, Any]:
    """A container's definition with everything the service fills in.

    Raises:
        CosmosError: 400 where a member is missing or wrong.
    """
    if not isinstance(body, dict):
        raise bad_request("The request payload is invalid.")
    definition = {k: v for k, v in body.items() if k not in CONTAINER_SYSTEM_PROPERTIES}
    check_id(definition.get("id"), 255)
    key: Any = definition.get("partitionKey")
    parse_partition_key(key)
    definition["partitionKey"] = {
        "paths": key["paths"],
        "kind": key.get("kind", "Hash"),
        "version": key.get("version", 2),
    }
    if definition["partitionKey"]["version"] not in (1, 2):
        raise bad_request("The partition key version is invalid; 1 and 2 are known.")
    if "defaultTtl" in definition:
        definition["defaultTtl"] = _default_ttl(definition["defaultTtl"])
        if definition["defaultTtl"] is None:
            del definition["defaultTtl"]
    definition["indexingPolicy"] = _indexing_policy(definition.get("indexingPolicy"))
    for paths in unique_keys(definition):
        for path in paths:
            parse_path(path)
    definition.setdefault(
        "conflictResolutionPolicy",
        {
            "mode": "LastWriterWins",
            "conflictResolutionPath": "/_ts",
            "conflictResolutionProcedure": "",
        },
    )
    definition.setdefault("geospatialConfig", {"type": "Geography"})
    return definition


def _default_ttl(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not (value == -1 or 0 < value < 2**31):
        raise bad_request(
            "The value of 'defaultTtl' is invalid. Ensure to provide a nonzero positive integer "
            "or -1."
        )
    return value


def _indexing_policy(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, dict):
        raise bad_request("The indexing policy must be an object.")
    given = dict(given or {})
    mode = str(given.get("indexingMode", "consistent")).lower()
    policy: dict[str, Any] = {
        **given,
        "indexingMode": mode,
        "automatic": given.get("automatic", mode != "none"),
    }
    if mode == "none":
        return policy
    excluded = list(given.get("excludedPaths") or [])
    included = list(given.get("includedPaths") or [])
    if not included and not any(_is_path(entry, "/*") for entry in excluded):
        included = [{"path": "/*"}]
    if not any(_is_path(entry, '/"_etag"/?') for entry in excluded):
        excluded.append({"path": '/"_etag"/?'})
    policy["includedPaths"], policy["excludedPaths"] = included, excluded
    return policy


def _is_path(entry: Any, path: str) -> bool:
    return isinstance(entry, dict) and entry.get("path") == path


def unique_keys(definition: dict[str, Any]) -> list[list[str]]:
    """The paths of each unique key.

    Raises:
        CosmosError: 400 where the policy has another shape.
    """
    policy = definition.get("uniqueKeyPolicy") or {}
    try:
        keys = [list(key["paths"]) for key in policy.get("uniqueKeys", [])]
    except (AttributeError, KeyError, TypeError):
        raise bad_request("The unique key policy is invalid.") from None
    if not all(paths and all(isinstance(path, str) for path in paths) for paths in keys):
        raise bad_request("The unique key policy is invalid.")
    return keys


def replaced_definition(old: Container, body: Any) -> dict[str, Any]:
    """The definition after a replace.

    Raises:
        CosmosError: 400 where the id or partition key would change, 403 for the unique keys.
    """
    new = container_definition(body)
    if new["id"] != old.id:
        raise bad_request("The id of a container cannot be changed.")
    if new["partitionKey"] != old.definition["partitionKey"]:
        raise bad_request("Document collection partition key cannot be changed.")
    if unique_keys(new) != unique_keys(old.definition):
        raise CosmosError(403, "The unique keys of a container cannot be changed.")
    return new


def definition_text(definition: dict[str, Any]) -> str:
    """The text in which the store keeps a definition."""
    return json.dumps(definition)
