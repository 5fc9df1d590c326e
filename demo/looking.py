"""Looks at the running system from outside: API, store, queue, events. Changes nothing."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx
from azure.cosmos.aio import ContainerProxy

_FINAL = {"processed", "rejected", "failed", "terminated", "completed"}
_PARALLEL = 16


class NotInTime(Exception):
    """Something did not come to its end; the text says what was still missing."""


async def wait_for_orders(
    api: httpx.AsyncClient,
    ids: Iterable[str],
    *,
    timeout_s: float,
    ended: Callable[[], None] = lambda: None,
    attempt: int = 1,
) -> dict[str, str]:
    """Poll the status of every order until it is final; order id to state.

    Args:
        attempt: an earlier attempt's end is not waited for.

    An order that has not been taken from its way in yet is unknown (404) to the API; it is asked
    for again like one that runs.

    Raises:
        NotInTime: an order has no final state after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    gate = asyncio.Semaphore(_PARALLEL)
    states: dict[str, str] = {}

    async def follow(order: str) -> None:
        while True:
            async with gate:
                answer = await api.get(f"/orders/{order}/status", headers={"Prefer": "wait=5"})
            if answer.status_code == 200:
                status = answer.json()
                if status["state"] in _FINAL and status["attempt"] >= attempt:
                    states[order] = status["state"]
                    ended()
                    return
            if answer.status_code not in (200, 202, 404):
                answer.raise_for_status()
            if time.monotonic() > deadline:
                raise NotInTime(f"{order} has not ended: {answer.text}")
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for order in ids:
            group.create_task(follow(order))
    return states


async def wait_for_batch(api: httpx.AsyncClient, batch: str, *, timeout_s: float) -> dict[str, Any]:
    """Poll a batch until it has ended; its last status body."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await api.get(f"/batches/{batch}/status", headers={"Prefer": "wait=5"})
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        if answer.status_code == 200:
            return body
        if time.monotonic() > deadline:
            raise NotInTime(f"batch {batch} has not ended: {answer.text}")
        await asyncio.sleep(0.1)


async def wait_for_empty_queue(
    bus: httpx.AsyncClient, queue: str, *, dead: int, timeout_s: float
) -> int:
    """Wait until a queue is empty and has `dead` dead letters; how many it has.

    Raises:
        NotInTime: messages are left after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        counts = await _queue_counts(bus, queue)
        left = counts["active"] + counts["locked"] + counts["in_transit"]
        if left == 0 and counts["dead_letter"] >= dead:
            return counts["dead_letter"]
        if time.monotonic() > deadline:
            raise NotInTime(
                f"queue {queue}: {left} messages left, {counts['dead_letter']} dead letters"
            )
        await asyncio.sleep(0.05)


async def _queue_counts(bus: httpx.AsyncClient, queue: str) -> dict[str, int]:
    answer = await bus.get("/$emulator/queues")
    answer.raise_for_status()
    counts: dict[str, int] = next(
        entry["counts"] for entry in answer.json()["queues"] if entry["name"] == queue
    )
    return counts


async def stored_items(container: ContainerProxy) -> dict[str, dict[str, Any]]:
    """Every item of a container, by id."""
    return {item["id"]: item async for item in container.read_all_items()}


async def published_events(bus: httpx.AsyncClient) -> tuple[str, ...]:
    """The ids of all published events, one for each publication, oldest first."""
    ids: list[str] = []
    after = 0
    while True:
        answer = await bus.get("/emulator/events", params={"after": after, "limit": 1000})
        answer.raise_for_status()
        page = answer.json()["events"]
        if not page:
            return tuple(ids)
        ids += [entry["event"]["id"] for entry in page]
        after = page[-1]["sequence"]
