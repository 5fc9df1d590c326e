"""What is measured, each against a fresh system; quantity name to value and unit."""

import asyncio
import math
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.orders import orders
from benchmarks.system import System, running
from benchmarks.timeline import timeline

Measured = dict[str, tuple[float, str]]
TIMEOUT_S = 900.0
# The first orders load code and warm caches; they are not measured.
_WARM_UP = 20


async def singles(count: int) -> Measured:
    """That many single orders put on the queue at once, until all are in `processed`."""
    async with running() as system:
        await _warm_up(system)
        cpu = system.cpu_seconds()
        seconds = await put_through(system, "ORD", count)
        return {
            "orders per second": (count / seconds, "1/s"),
            "CPU per order": (1000 * (system.cpu_seconds() - cpu) / count, "ms"),
            "resident memory": (system.resident_mb(), "MB"),
        }


async def latency(count: int) -> Measured:
    """One order at a time on an idle system, from send to being in `processed`; then its parts."""
    async with running() as system:
        await _warm_up(system)
        taken, sent = [], {}
        for order in orders("ORD", count):
            sent[order["id"]] = datetime.now(UTC)
            started = time.perf_counter()
            await system.enqueue([order])
            await system.wait_for_item(order["id"], timeout_s=TIMEOUT_S)
            taken.append(1000 * (time.perf_counter() - started))
            await asyncio.sleep(0.02)
        cuts = statistics.quantiles(taken, n=100)
        ways = {"p50": (cuts[49], "ms"), "p95": (cuts[94], "ms"), "p99": (cuts[98], "ms")}
        return {**ways, **await timeline(system, sent)}


async def batches(sizes: Sequence[int]) -> Measured:
    """Batches of these sizes, one after the other, and how the time grows from first to last."""
    measured: Measured = {}
    async with running() as system:
        await _warm_up(system)
        for size in sizes:
            before = await system.count()
            started = time.perf_counter()
            await system.enqueue([{"orders": orders(f"B{size}", size)}])
            await system.wait_for_count(before + size, timeout_s=TIMEOUT_S)
            measured[f"{size} orders"] = (time.perf_counter() - started, "s")
    first, last = measured[f"{sizes[0]} orders"][0], measured[f"{sizes[-1]} orders"][0]
    growth = math.log(last / first) / math.log(sizes[-1] / sizes[0])
    return {**measured, "growth exponent": (growth, "")}


async def memory(count: int, step: int) -> Measured:
    """Resident memory while so many orders go through, told every `step`; then disk and CPU."""
    measured: Measured = {}
    async with running() as system:
        for done in range(step, count + 1, step):
            await put_through(system, f"ORD{done}", step)
            measured[f"resident after {done}"] = (system.resident_mb(), "MB")
        first, last = (measured[f"resident after {done}"][0] for done in (step, count))
        measured[f"growth from {step} to {count}"] = (last / first, "")
        measured["CPU per order"] = (1000 * system.cpu_seconds() / count, "ms")
        measured["disk per order"] = (system.disk_bytes() / count / 1000, "kB")
    return measured


async def _warm_up(system: System) -> None:
    await put_through(system, "WARM", _WARM_UP)


async def put_through(system: System, prefix: str, count: int) -> float:
    before = await system.count()
    bodies = orders(prefix, count)
    started = time.perf_counter()
    await system.enqueue(bodies)
    await system.wait_for_count(before + count, timeout_s=TIMEOUT_S)
    return time.perf_counter() - started
