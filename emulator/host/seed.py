"""Items that are there from the start: `--seed FILE`, for reference data that a deployment seeds.

The file is a JSON object, container name to a list of items. An item that exists is left alone, so
that a restart undoes nobody's edits.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.cosmos import CosmosError, CosmosService
from emulator.host.errors import StartError

_CONFLICT = 409
_AT_ONCE = 200


def read_seed(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The items of a seed file, by container.

    Raises:
        StartError: it cannot be read, or is of another shape.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartError(f"Cannot read the seed file '{path}': {error}.") from error
    is_seed = isinstance(value, dict) and all(
        isinstance(items, list) and all(isinstance(item, dict) for item in items)
        for items in value.values()
    )
    if not is_seed:
        raise StartError(
            f"The seed file '{path}' must be a JSON object: container name to a list of items."
        )
    return dict(value)


async def put_seed(
    cosmos: CosmosService, entities: Mapping[str, Any], seed: Mapping[str, list[dict[str, Any]]]
) -> None:
    """Every item of the seed exists.

    Raises:
        StartError: the entities name no database, or an item is not legal.
    """
    database = (entities.get("cosmos") or {}).get("database")
    if not isinstance(database, str):
        raise StartError("--seed needs an entities file that names the Cosmos DB database.")
    for container, items in seed.items():
        for start in range(0, len(items), _AT_ONCE):
            # Together, so that they share a commit; within a container in their order.
            group = items[start : start + _AT_ONCE]
            await asyncio.gather(*(_put(cosmos, database, container, item) for item in group))


async def _put(
    cosmos: CosmosService, database: str, container: str, item: Mapping[str, Any]
) -> None:
    try:
        await cosmos.create_item(database, container, dict(item))
    except CosmosError as error:
        if error.status != _CONFLICT:
            place = f"item '{item.get('id')}' of '{container}'"
            raise StartError(f"The seed's {place} is refused: {error}") from error
