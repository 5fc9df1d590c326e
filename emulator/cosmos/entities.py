"""From `infra/entities.json` to the definitions of containers.

The same file is read by Bicep, so its words are those of this project: `name`, `partitionKey` as a
path or a list of paths, `defaultTtl`, `indexingPolicy`, `uniqueKeys`.
"""

from collections.abc import Mapping
from typing import Any


def container_bodies(entities: Mapping[str, Any]) -> tuple[str | None, list[dict[str, Any]]]:
    """The database's name and its containers' definitions.

    Args:
        entities: the whole file, or its `cosmos` section.
    """
    section = entities.get("cosmos", entities)
    name = section.get("database")
    return name, [_body(entry) for entry in section.get("containers", [])]


def _body(entry: Mapping[str, Any]) -> dict[str, Any]:
    key = entry["partitionKey"]
    paths = [key] if isinstance(key, str) else list(key)
    body: dict[str, Any] = {
        "id": entry["name"],
        "partitionKey": {"paths": paths, "kind": "Hash" if len(paths) == 1 else "MultiHash"},
    }
    if "defaultTtl" in entry:
        body["defaultTtl"] = entry["defaultTtl"]
    if "indexingPolicy" in entry:
        body["indexingPolicy"] = _indexing_policy(entry["indexingPolicy"])
    if entry.get("uniqueKeys"):
        body["uniqueKeyPolicy"] = {
            "uniqueKeys": [{"paths": list(paths)} for paths in entry["uniqueKeys"]]
        }
    return body


def _indexing_policy(given: Mapping[str, Any]) -> dict[str, Any]:
    policy = dict(given)
    for member in ("includedPaths", "excludedPaths"):
        if member in policy:
            policy[member] = [
                {"path": path} if isinstance(path, str) else path for path in policy[member]
            ]
    return policy
