"""What a thousand orders use of each service that is billed, counted at the emulator's own doors.

    python -m benchmarks.cost          counts, and writes docs/figures/cost.json and docs/cost.md

Four ways: orders sent one by one, orders in batches, a file of orders, and looking at a status. The
doors are those of the app's own calls: the points that fault rules can hit count what passes, the
histories tell what the scheduler dispatched, and the log what was executed. Prices are `price`.
"""

import asyncio
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks import price, report
from benchmarks.measurements import Measured
from benchmarks.orders import orders
from benchmarks.system import TooSlow
from demo.day import COSMOS_KEY
from emulator.access import Access, find_access
from emulator.launch import Doors, EmulatorProcess

PAGE = report.ROOT / "docs" / "cost.md"
# What the plan gives an instance: `INSTANCE_MEMORY_MB`.
MEMORY_MB = 2048
BATCH = 250
_AT_ONCE = 16
_TIMEOUT_S = 600.0
# A rule that lets everything through has still counted it.
_NEVER = 10**12
_CONTAINERS = ("toprocess", "processed", "submissions", "reference", "credits")
_METHODS = {"GET": "reads", "POST": "writes", "PUT": "writes", "PATCH": "writes"}
# The app only asks this one, by queries, which are sent as POST.
_QUERIED = frozenset({"reference"})
# The action of the workflow that writes one order.
_WRITES_ORDER = "Create_or_update"
_LINE = re.compile(r"^\[(\S+)Z\] (Executing|Executed) 'Functions\.(?!Health')", re.MULTILINE)


@dataclass
class Counted:
    """A running system whose doors count."""

    doors: Doors
    access: Access
    http: httpx.AsyncClient
    log_path: Path
    told: int = 0

    async def passed(self) -> Counter[str]:
        """How often each point was passed, and each rule's labels, as `container/method`."""
        told = (await self.http.get(f"{self.doors.host}/emulator/faults")).json()
        found = Counter(told["passed"])
        for rule in told["rules"]:
            labels = rule["match"]
            found["/".join(labels[name] for name in sorted(labels))] = rule["seen"]
        return found

    async def count(self) -> None:
        """Have calls of Cosmos DB counted by container and method, and what a file writes."""
        rules = [
            {
                "point": "cosmos.request",
                "action": "fail",
                "after": _NEVER,
                "match": {"container": container, "method": method},
            }
            for container in _CONTAINERS
            for method in _METHODS
        ] + [
            {
                "point": "logicapp.action",
                "action": "fail",
                "after": _NEVER,
                "match": {"action": _WRITES_ORDER},
            }
        ]
        (await self.http.post(f"{self.doors.host}/emulator/faults", json=rules)).raise_for_status()

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call of the gateway."""
        url = f"{self.access.url}{path}"
        answer = await self.http.request(method, url, json=body, headers=self.access.headers)
        answer.raise_for_status()
        return answer

    async def until_told(self, count: int) -> None:
        """Until so many orders more are told of, and nothing is under way."""
        wanted = self.told + count
        deadline = time.monotonic() + _TIMEOUT_S
        while (await self.passed())["eventgrid.publish"] < wanted or await self._busy():
            if time.monotonic() > deadline:
                raise TooSlow(f"{wanted} orders were not told of within {_TIMEOUT_S:g} s")
            await asyncio.sleep(0.1)

    async def begin(self) -> None:
        """Note where the count of events stands."""
        self.told = (await self.passed())["eventgrid.publish"]

    async def _busy(self) -> bool:
        queues = (await self.http.get(f"{self.doors.servicebus}/$emulator/queues")).json()["queues"]
        counts = [entry["counts"] for entry in queues]
        if any(each["dead_letter"] for each in counts):
            raise TooSlow("a message was dead-lettered, which would be counted as an order")
        running = "instances?runtimeStatus=Running,Pending&top=1&showInput=false"
        return any(each["active"] + each["locked"] for each in counts) or bool(
            await self._hub(running)
        )

    async def _hub(self, path: str) -> Any:
        url = f"{self.doors.host}/runtime/webhooks/durabletask/{path}"
        return (await self.http.get(url)).raise_for_status().json()

    async def log_since(self, size: int) -> str:
        """What was logged since the log had this size, whole: it is written a moment later."""
        await self.http.get(f"{self.doors.host}/api/health")
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            with self.log_path.open("rb") as log:
                log.seek(size)
                text, mark, _ = log.read().decode().rpartition("Executing 'Functions.Health'")
            if mark:
                return text
            await asyncio.sleep(0.05)
        raise TooSlow("the log does not go on")

    async def instances(self) -> set[str]:
        """The id of every instance there is."""
        found: set[str] = set()
        token = ""
        while True:
            answer = await self.http.get(
                f"{self.doors.host}/runtime/webhooks/durabletask/instances",
                params={"showInput": "false", "top": "500"},
                headers={"x-ms-continuation-token": token} if token else {},
            )
            found |= {entry["instanceId"] for entry in answer.raise_for_status().json()}
            token = answer.headers.get("x-ms-continuation-token", "")
            if token in ("", "null"):
                return found

    async def actions(self, instances: Sequence[str]) -> int:
        """What the scheduler would bill for these: starts, activities twice, children, timers.

        Source: "What is an action?" of the Durable Task Scheduler's documentation.
        """
        each = {
            "ExecutionStarted": 1,
            # To run it, and to take its result.
            "TaskCompleted": 2,
            "TaskFailed": 2,
            # Its start is counted as the child's own.
            "SubOrchestrationInstanceCompleted": 1,
            "SubOrchestrationInstanceFailed": 1,
            "TimerFired": 1,
            "EventRaised": 1,
        }
        gate = asyncio.Semaphore(_AT_ONCE)

        async def of(instance: str) -> int:
            async with gate:
                told = await self._hub(f"instances/{instance}?showHistory=true&showInput=false")
            return sum(each.get(event["EventType"], 0) for event in told["historyEvents"])

        return sum(await asyncio.gather(*map(of, instances)))

    async def item_bytes(self, container: str) -> float:
        """The mean size of what is in a container; 0 when nothing is."""
        from azure.cosmos.aio import CosmosClient  # noqa: PLC0415 - heavy, and only here

        async with CosmosClient(self.doors.cosmos, COSMOS_KEY) as client:
            place = client.get_database_client("orders").get_container_client(container)
            sizes = [len(json.dumps(item)) async for item in place.read_all_items()]
        return statistics.fmean(sizes) if sizes else 0.0


@asynccontextmanager
async def running() -> AsyncIterator[Counted]:
    """A fresh system with a gateway; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="orders-cost-"))
    emulator = EmulatorProcess(
        folder,
        script_root=report.ROOT,
        arguments=(
            *("--settings", str(report.ROOT / "local.settings.sample.json")),
            *("--seed", str(report.ROOT / "samples" / "seed.json")),
        ),
    )
    try:
        doors = emulator.start()
        async with httpx.AsyncClient(timeout=60.0) as http:
            system = Counted(doors, find_access(folder), http, emulator.log_path)
            credit = f"{system.access.url}/emulator/apim/named-values/credit"
            (await http.put(credit, json={"value": "1000000"})).raise_for_status()
            await _one_by_one(system, "WARM", 20)
            await system.count()
            yield system
    finally:
        emulator.stop()
        shutil.rmtree(folder)


async def _one_by_one(system: Counted, prefix: str, count: int) -> None:
    await system.begin()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def send(order: dict[str, Any]) -> None:
        async with gate:
            await system.call("POST", "/orders", order)

    await asyncio.gather(*map(send, orders(prefix, count)))
    await system.until_told(count)


async def _in_batches(system: Counted, count: int) -> None:
    await system.begin()
    every = orders("BATCH", count)
    for start in range(0, count, BATCH):
        await system.call("POST", "/orders", {"orders": every[start : start + BATCH]})
    await system.until_told(count)


async def _by_file(system: Counted, count: int) -> None:
    await system.begin()
    url = f"{system.doors.blob}/devstoreaccount1/inputfiles/cost.json"
    headers = {"x-ms-blob-type": "BlockBlob"}
    (await system.http.put(url, json=orders("FILE", count), headers=headers)).raise_for_status()
    await system.until_told(count)


async def _statuses(system: Counted, count: int) -> None:
    for _ in range(count):
        await system.call("GET", "/orders/WARM-000001/status")


async def ways(count: int) -> dict[str, dict[str, Any]]:
    """What each way used, for as many orders as are told; rates are left to the caller."""
    measured = {}
    async with running() as system:
        for name, way in (
            ("one by one", lambda: _one_by_one(system, "ONE", count)),
            ("in batches", lambda: _in_batches(system, count)),
            ("by file", lambda: _by_file(system, count)),
            ("status calls", lambda: _statuses(system, count)),
        ):
            measured[name] = await _use(system, way)
    return measured


async def _use(system: Counted, way: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    # What the log still owes of the way before is not this one's.
    await system.log_since(0)
    before, known = await system.passed(), await system.instances()
    size = system.log_path.stat().st_size
    await way()
    passed = await system.passed() - before
    started = sorted(await system.instances() - known)
    executions, busy_s = executed(await system.log_since(size))
    cosmos = await _cosmos(system, passed)
    connector = passed["logicapp.action"]
    return {
        "apiCalls": passed["apim.forward"],
        "functionExecutions": executions,
        "gbSeconds": round(busy_s * MEMORY_MB / 1024, 1),
        "schedulerActions": await system.actions(started),
        # Each message that was delivered was settled: none is left, and none is a dead letter.
        "serviceBusOperations": passed["servicebus.send"] + 2 * passed["servicebus.deliver"],
        "requestUnits": round(sum(map(price.request_units, cosmos.values()))),
        "eventGridOperations": passed["eventgrid.publish"] + 2 * passed["blob.event"],
        "logicAppActions": await _built_in(system) if connector else 0,
        "logicAppConnectorCalls": connector,
        # The file is put and read once.
        "storageTransactions": 2 * passed["blob.put"],
        "cosmos": cosmos,
    }


def executed(log: str) -> tuple[int, float]:
    """How many functions a log says were executed, and the seconds in which at least one was."""
    count, open_now, busy_s = 0, 0, 0.0
    begun = datetime.min.replace(tzinfo=UTC)
    for at, what in _LINE.findall(log):
        moment = datetime.fromisoformat(at + "+00:00")
        if what == "Executing":
            begun = moment if open_now == 0 else begun
            open_now += 1
        elif open_now:
            count, open_now = count + 1, open_now - 1
            busy_s += (moment - begun).total_seconds() if open_now == 0 else 0.0
    return count, busy_s


async def _cosmos(system: Counted, passed: Counter[str]) -> dict[str, dict[str, float]]:
    """What was done to each container that anything was done to."""
    found: dict[str, dict[str, float]] = {}
    for container in _CONTAINERS:
        done = {"reads": 0, "writes": 0, "queries": 0}
        for method, kind in _METHODS.items():
            is_query = method == "POST" and container in _QUERIED
            done["queries" if is_query else kind] += passed[f"{container}/{method}"]
        if container == "toprocess":
            # The workflow's connector and the change feed have doors of their own.
            done["writes"] += passed[_WRITES_ORDER]
            done["reads"] += passed[_WRITES_ORDER]
        if any(done.values()):
            found[container] = {**done, "itemBytes": round(await system.item_bytes(container))}
    return found


async def _built_in(system: Counted) -> int:
    """Actions of the latest run that are no calls of a connector, skipped ones left out."""
    base = f"{system.doors.servicebus}/emulator/workflows/ingest-order-files/runs"
    (run, *_) = (await system.http.get(f"{base}?top=1")).raise_for_status().json()["value"]
    actions = (await system.http.get(f"{base}/{run['name']}/actions")).json()["value"]
    return sum(
        action["properties"]["status"] != "Skipped"
        and "method" not in (action["properties"].get("inputs") or {})
        for action in actions
    )


async def cost(count: int) -> Measured:
    """As a measurement beside the others, for `python -m benchmarks cost`."""
    return {
        f"{way}, {quantity}": (counts[quantity] * price.PER / count, f"/{price.PER}")
        for way, counts in (await ways(count)).items()
        for quantity in price.QUANTITIES
        if counts[quantity]
    }


def table(figures: dict[str, Any]) -> str:
    """The counts as Markdown."""
    names = list(figures["ways"])
    lines = [f"| {' | '.join(['Quantity', *names])} |", "|---|" + "---:|" * len(names)]
    for quantity in price.QUANTITIES:
        counts = (figures["ways"][name][quantity] for name in names)
        lines.append(f"| `{quantity}` | {' | '.join(f'{count:,}' for count in counts)} |")
    return "\n".join(lines)


def cosmos_table(figures: dict[str, Any]) -> str:
    """What was done to each container, as Markdown."""
    lines = [
        "| Way | Container | Reads | Writes | Queries | Mean item, bytes | RU, estimated |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for way, counts in figures["ways"].items():
        for name, done in counts["cosmos"].items():
            kinds = (done[kind] for kind in ("reads", "writes", "queries", "itemBytes"))
            told = [f"{value:,}" for value in (*kinds, round(price.request_units(done)))]
            lines.append(f"| {' | '.join([way, name, *told])} |")
    return "\n".join(lines)


def with_tables(page: str, figures: dict[str, Any]) -> str:
    """The page with its tables made anew."""
    for name, text in (("counts", table(figures)), ("cosmos", cosmos_table(figures))):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        head, _, rest = page.partition(begin)
        page = f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    """Count for a thousand orders, and write the figures and the page's tables."""
    figures = {
        "machine": report.machine(),
        "per": price.PER,
        "batch": BATCH,
        "memoryMB": MEMORY_MB,
        "ways": asyncio.run(ways(price.PER)),
    }
    price.FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
    sys.stdout.write(table(figures) + "\n")


if __name__ == "__main__":
    main()
