"""Reference data, fetched once and kept for a minute.

A minute is how late a changed price list or rate may show. What is not there is remembered as well,
so that an unknown product costs one question a minute and not one an order.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from activities import _store
from activities._settings import settings

TTL_S = 60.0
_MAX_KEPT = 10_000

Item = Mapping[str, Any]
Fetch = Callable[[str, Sequence[str]], Awaitable[Sequence[Item]]]


class ReferenceCache:
    """Items by kind and id.

    Args:
        fetch: gets the items of one kind with these ids; those that are unknown are left out.
        now: seconds of a clock that never goes back.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._kept: dict[tuple[str, str], tuple[float, Item | None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, kind: str, ids: Sequence[str]) -> dict[str, Item]:
        """The items that there are, by id."""
        if any(self._is_stale(kind, item_id) for item_id in ids):
            # One question at a time for each kind: who waited finds the answer kept.
            async with self._locks.setdefault(kind, asyncio.Lock()):
                await self._load(kind, [i for i in ids if self._is_stale(kind, i)])
        kept = ((item_id, self._kept[kind, item_id][1]) for item_id in ids)
        return {item_id: item for item_id, item in kept if item is not None}

    def _is_stale(self, kind: str, item_id: str) -> bool:
        kept = self._kept.get((kind, item_id))
        return kept is None or kept[0] <= self._now()

    async def _load(self, kind: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        found = {item["id"]: item for item in await self._fetch(kind, ids)}
        if len(self._kept) + len(ids) > _MAX_KEPT:
            self._kept.clear()
        until = self._now() + TTL_S
        for item_id in ids:
            self._kept[kind, item_id] = (until, found.get(item_id))


async def _fetch(kind: str, ids: Sequence[str]) -> Sequence[Item]:
    names = [f"id{n}" for n in range(len(ids))]
    wanted = ", ".join("@" + name for name in names)
    return await _store.query(
        settings().reference,
        f"SELECT * FROM c WHERE c.kind = @kind AND c.id IN ({wanted})",  # noqa: S608 - names made above
        {"kind": kind, **dict(zip(names, ids, strict=True))},
        partition=kind,
    )


reference = ReferenceCache(_fetch)
