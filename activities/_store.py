"""The store's operations as the app needs them, and its errors as codes.

Whatever the store's client raises comes out as `StepError`, with a code that says whether a retry
can help. What is expected (no such item, item exists, etag changed) is a result.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from activities._clients import container
from domain.errors import StepError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

Item = dict[str, Any]

_BUSY = frozenset({429, 449})
# 410: the partition has moved or is being split; the service answers again in a moment.
_AWAY = frozenset({408, 410})
_REFUSED = frozenset({400, 401, 403})
# Sub-status of a 404 that is about the container or the database, not the item.
_NO_CONTAINER = 1003
_IDS_A_QUERY = 100


async def read(name: str, item_id: str, partition: str | None = None) -> Item | None:
    """The item, or None; the partition is the id unless told otherwise."""
    status, item = await _call(
        container(name).read_item(item_id, partition if partition is not None else item_id), {404}
    )
    return item if status == 200 else None


async def create(name: str, item: Item) -> bool:
    """Whether the item was created; False when there is one with its id already."""
    status, _ = await _call(container(name).create_item(item, no_response=True), {409})
    return status == 200


async def replace(name: str, item: Item, etag: str) -> bool:
    """Whether the item was replaced; False when it has changed since `etag`, or is gone."""
    from azure.core import MatchConditions  # noqa: PLC0415 - kept off the cold start

    call = container(name).replace_item(
        item["id"],
        item,
        etag=etag,
        match_condition=MatchConditions.IfNotModified,
        no_response=True,
    )
    status, _ = await _call(call, {404, 412})
    return status == 200


async def upsert(name: str, item: Item) -> None:
    """The item is there as given, whatever was there before."""
    await _call(container(name).upsert_item(item, no_response=True))


async def query(
    name: str, text: str, parameters: Mapping[str, Any], partition: str | None = None
) -> list[Item]:
    """All items of the query; across partitions when none is given."""
    scope: dict[str, Any] = {} if partition is None else {"partition_key": partition}
    scope["parameters"] = [{"name": "@" + key, "value": parameters[key]} for key in parameters]

    async def collect() -> list[Item]:
        return [item async for item in container(name).query_items(text, **scope)]

    _, items = await _call(collect())
    return items or []


async def read_many(name: str, ids: Sequence[str], fields: str) -> list[Item]:
    """The items with these ids, in no order; those that are not there are left out.

    Args:
        fields: what is selected, as in `c.id, c.digest`.
    """
    found: list[Item] = []
    for first in range(0, len(ids), _IDS_A_QUERY):
        some = ids[first : first + _IDS_A_QUERY]
        names = [f"id{n}" for n in range(len(some))]
        wanted = ", ".join("@" + key for key in names)
        text = f"SELECT {fields} FROM c WHERE c.id IN ({wanted})"  # noqa: S608 - names made above
        found += await query(name, text, dict(zip(names, some, strict=True)))
    return found


async def _call(call: Awaitable[Any], expected: Collection[int] = ()) -> tuple[int, Any]:
    """Status and result: 200 and what the call came to, or an expected status and None.

    Raises:
        StepError: for everything that is not expected.
    """
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - kept off the cold start

    try:
        return 200, await call
    except AzureError as error:
        status: int | None = getattr(error, "status_code", None)
        if status in expected and _is_about_an_item(error):
            return status or 0, None
        raise told(error, status) from error


def _is_about_an_item(error: "AzureError") -> bool:
    """Whether it is the item that is missing or in the way, and not the container."""
    if getattr(error, "sub_status", 0) == _NO_CONTAINER:
        return False
    # The client reads a container's properties before its first item; there the sub-status of a
    # missing container is not set, and only the address tells.
    asked = getattr(getattr(error, "response", None), "request", None)
    return asked is None or "/docs" in asked.url


def told(error: "AzureError", status: int | None) -> StepError:
    """The store's error with a code; its own text may hold item contents and stays out."""
    kind = type(error).__name__
    if status is None or status in _AWAY or status >= 500:
        what = status if status is not None else kind
        return StepError("STORE_UNAVAILABLE", f"The order store does not answer ({what}).")
    if status in _BUSY:
        return StepError("STORE_BUSY", f"The order store is busy ({status}).")
    if status == 413:
        return StepError("ITEM_TOO_LARGE", "The item is larger than the order store takes.")
    if status == 404:
        return StepError("STORE_MISSING", "The order store has no such database or container.")
    if status in _REFUSED:
        return StepError("STORE_REFUSED", f"The order store refuses the request ({status}).")
    return StepError("UNEXPECTED", f"The order store answers {status} ({kind}).")
