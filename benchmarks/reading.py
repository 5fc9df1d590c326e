"""What reading costs: status polls, and the latest 50 of many orders, of the real app."""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measurements import TIMEOUT_S, Measured, put_through
from benchmarks.orders import orders
from benchmarks.system import running

_AT_ONCE = 16
_ORDERS = 100
_FIRST = datetime(2026, 11, 1, tzinfo=UTC)
_ENRICHMENT = {"customer": {"known": True}, "tax": {"known": True}}


async def polls(count: int) -> Measured:
    """So many polls of `GET /api/orders/{id}/status`, of orders that are done."""
    async with running() as system:
        await put_through(system, "ORD", _ORDERS)
        ids = [order["id"] for order in orders("ORD", _ORDERS)]

        async def poll(number: int) -> None:
            _expect(await system.api.get(f"/orders/{ids[number % _ORDERS]}/status"))

        await _calls(poll, _ORDERS)
        one_by_one = await _calls(poll, count // 4)
        started = time.perf_counter()
        await _calls(poll, count, at_once=_AT_ONCE)
        seconds = time.perf_counter() - started
        return {
            "one by one, p50": (statistics.median(one_by_one), "ms"),
            "one by one, p95": (statistics.quantiles(one_by_one, n=20)[18], "ms"),
            f"{_AT_ONCE} at once": (count / seconds, "1/s"),
        }


async def latest(stored: int, count: int) -> Measured:
    """`GET /api/orders?limit=50` with so many orders in the store, so many times."""
    with tempfile.TemporaryDirectory() as folder:
        seed = Path(folder) / "seed.json"
        seed.write_text(json.dumps({"processed": stored_orders(stored)}), encoding="utf-8")
        async with running(seed=seed) as system:
            await system.wait_for_count(stored, timeout_s=TIMEOUT_S)

            async def list_all(_: int) -> None:
                _expect(await system.api.get("/orders?limit=50"), length=50)

            async def list_rejected(_: int) -> None:
                _expect(await system.api.get("/orders?limit=50&status=rejected"), length=50)

            await _calls(list_all, 20)
            whole = await _calls(list_all, count)
            part = await _calls(list_rejected, count)
    return {
        f"50 of {stored}, p50": (statistics.median(whole), "ms"),
        f"50 of {stored}, p95": (statistics.quantiles(whole, n=20)[18], "ms"),
        f"50 rejected of {stored}, p50": (statistics.median(part), "ms"),
    }


def stored_orders(count: int) -> list[dict[str, Any]]:
    """Orders as `persist_order` leaves them; every tenth is rejected."""
    return [
        {
            **order,
            "status": "rejected" if number % 10 == 0 else "processed",
            "processedAt": f"{_FIRST + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S.000Z}",
            "attempt": 1,
            "digest": f"{number:064x}",
            "totals": {"total": "119.40", "base": "119.40"},
            "enrichment": _ENRICHMENT,
        }
        for number, order in enumerate(orders("OLD", count))
    ]


async def _calls(
    call: Callable[[int], Awaitable[None]], count: int, at_once: int = 1
) -> list[float]:
    """Make the calls, so many at once; what each took in ms."""
    taken: list[float] = []
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            started = time.perf_counter()
            await call(number)
            taken.append(1000 * (time.perf_counter() - started))

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return taken


def _expect(answer: httpx.Response, length: int | None = None) -> None:
    if answer.status_code != 200 or (length is not None and len(answer.json()) != length):
        raise RuntimeError(f"{answer.url} answered {answer.status_code}: {answer.text[:200]}")
