"""Reference data is fetched once, remembered when unknown, and forgotten after a minute."""

import asyncio
from collections.abc import Sequence
from typing import Any

from activities import _reference
from activities._reference import TTL_S, ReferenceCache


class Fetcher:
    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.asked: list[tuple[str, ...]] = []

    async def __call__(self, kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        self.asked.append(tuple(ids))
        await asyncio.sleep(0)
        return [{"id": item_id, "kind": kind} for item_id in ids if item_id in self.known]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_was_found_and_what_was_not_is_kept() -> None:
    fetcher = Fetcher("A")
    cache = ReferenceCache(fetcher)
    assert await cache.find("product", ["A", "B"]) == {"A": {"id": "A", "kind": "product"}}
    assert (await cache.find("product", ["B", "A"])).keys() == {"A"}
    assert fetcher.asked == [("A", "B")]


async def test_only_what_is_new_is_asked_for() -> None:
    fetcher = Fetcher("A", "B")
    cache = ReferenceCache(fetcher)
    await cache.find("product", ["A"])
    await cache.find("product", ["A", "B"])
    assert fetcher.asked == [("A",), ("B",)]


async def test_kinds_are_apart_and_nothing_asks_nothing() -> None:
    fetcher = Fetcher("A")
    cache = ReferenceCache(fetcher)
    await cache.find("product", ["A"])
    await cache.find("customer", ["A"])
    assert await cache.find("taxRate", []) == {}
    assert len(fetcher.asked) == 2


async def test_after_its_time_an_item_is_fetched_again() -> None:
    fetcher, clock = Fetcher("A"), Clock()
    cache = ReferenceCache(fetcher, clock)
    await cache.find("product", ["A"])
    clock.now = TTL_S - 1
    await cache.find("product", ["A"])
    assert len(fetcher.asked) == 1
    clock.now = TTL_S
    fetcher.known.clear()
    assert await cache.find("product", ["A"]) == {}
    assert len(fetcher.asked) == 2


async def test_many_at_once_ask_once() -> None:
    fetcher = Fetcher("A")
    cache = ReferenceCache(fetcher)
    found = await asyncio.gather(*(cache.find("product", ["A"]) for _ in range(20)))
    assert all(items.keys() == {"A"} for items in found)
    assert len(fetcher.asked) == 1


async def test_a_failure_is_not_remembered() -> None:
    fetcher = Fetcher("A")
    failing = True

    async def fetch(kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        if failing:
            raise OSError
        return await fetcher(kind, ids)

    cache = ReferenceCache(fetch)
    results = await asyncio.gather(
        *(cache.find("product", ["A"]) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(result, OSError) for result in results)
    failing = False
    assert (await cache.find("product", ["A"])).keys() == {"A"}


async def test_the_cache_does_not_grow_without_bound(monkeypatch: Any) -> None:
    monkeypatch.setattr(_reference, "_MAX_KEPT", 4)
    fetcher = Fetcher()
    cache = ReferenceCache(fetcher)
    for n in range(20):
        await cache.find("product", [f"A{n}", f"B{n}"])
    assert len(cache._kept) <= 4
