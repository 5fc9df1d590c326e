"""The day itself: send, wait, repair, look. Returns what was found beside what was expected."""

import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from azure.cosmos.aio import ContainerProxy, CosmosClient
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.ingest import upload
from demo import looking
from demo.sending import Sender
from demo.tally import Findings, count, discrepancies, unchanged
from emulator.access import Access
from emulator.launch import Doors

# The well-known key of the vendor's own local emulator; it opens nothing but a loopback port.
COSMOS_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
_TIMEOUT_S = 120.0
# What the subscription of the day is granted; product Premium has none before.
_CREDIT = "1000000"

# Once in the day the store and the topic are down for a while. Steps fail and are retried.
OUTAGE = (
    {
        "point": "cosmos.request",
        "action": "fail",
        "match": {"method": "POST", "container": "processed"},
        "after": 40,
        "times": 5,
    },
    {"point": "eventgrid.publish", "action": "fail", "after": 60, "times": 5},
    # A refusal is not worth a retry: these orders fail, and are replayed when it is over.
    {
        "point": "cosmos.request",
        "action": "fail",
        "match": {"method": "POST", "container": "processed"},
        "after": 100,
        "times": 3,
        "message": '{"status": 403}',
    },
)


@dataclass(frozen=True)
class DayResult:
    """The counts of the day, what was expected, and what is wrong (empty when all is well)."""

    counts: dict[str, int]
    expected: dict[str, int]
    faults: list[str]
    urls: dict[str, str]


@dataclass
class _Run:
    doors: Doors
    access: Access
    samples: Path
    api: httpx.AsyncClient
    bus: httpx.AsyncClient
    host: httpx.AsyncClient
    feed: ContainerProxy
    processed: ContainerProxy
    progress: Progress

    def lines(self, name: str) -> list[dict[str, Any]]:
        """A sample file of one JSON object a line."""
        text = (self.samples / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def document(self, name: str) -> Any:
        """A sample file that is one JSON value."""
        return json.loads((self.samples / name).read_text(encoding="utf-8"))


async def run_day(doors: Doors, access: Access, samples: Path, console: Console) -> DayResult:
    """Run the sample day against a running system; the API is called through the gateway.

    Raises:
        NotInTime: an order, the batch or the queue did not come to its end.
        ExceptionGroup: a submission was not taken.
    """
    async with _opened(doors, access, samples, console) as run:
        await _grant(run)
        for rule in OUTAGE:
            (await run.host.post("/emulator/faults", json=rule)).raise_for_status()
        found = await _day(run)
    expected = run.document("expected.json")
    return DayResult(
        counts=count(found),
        expected=expected,
        faults=discrepancies(found, expected),
        urls={"Orders API": str(run.api.base_url), "Events": f"{doors.servicebus}/emulator/events"},
    )


@asynccontextmanager
async def _opened(
    doors: Doors, access: Access, samples: Path, console: Console
) -> AsyncIterator[_Run]:
    limits = httpx.Timeout(60.0)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    async with (
        httpx.AsyncClient(base_url=access.url, headers=access.headers, timeout=limits) as api,
        httpx.AsyncClient(base_url=doors.servicebus, timeout=limits) as bus,
        httpx.AsyncClient(base_url=doors.host, timeout=limits) as host,
        CosmosClient(doors.cosmos, COSMOS_KEY) as client,
    ):
        database = client.get_database_client("orders")
        with progress:
            yield _Run(
                doors=doors,
                access=access,
                samples=samples,
                api=api,
                bus=bus,
                host=host,
                feed=database.get_container_client("toprocess"),
                processed=database.get_container_client("processed"),
                progress=progress,
            )


async def _grant(run: _Run) -> None:
    """Give the subscription credit, as the owner of the named value does."""
    credit = {"value": _CREDIT}
    answer = await run.api.put("/emulator/apim/named-values/credit", json=credit)
    answer.raise_for_status()


async def _day(run: _Run) -> Findings:
    day = run.lines("orders.ndjson")
    batch = run.document("batch.json")
    sender = Sender(run.api, run.bus, run.feed)
    states, batch_status = await _morning(run, sender, day, batch)
    states |= await _repair(run, [order for order, state in states.items() if state == "failed"])
    before = await looking.stored_items(run.processed)
    again = await _afternoon(run, sender, day)
    dead = await looking.wait_for_empty_queue(
        run.bus, "orders", dead=run.document("expected.json")["deadLettered"], timeout_s=_TIMEOUT_S
    )
    after = await looking.stored_items(run.processed)
    return Findings(
        states=states,
        items=after,
        events=await looking.published_events(run.bus),
        api_conflicts=sender.conflicts,
        queue_conflicts=dead - len(run.lines("messages.ndjson")),
        recognised=unchanged(again, before, after),
        batch=batch_status,
        dead_lettered=dead,
        replayed=sum(1 for item in after.values() if item["attempt"] > 1),
    )


async def _morning(
    run: _Run, sender: Sender, day: list[dict[str, Any]], batch: dict[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Everything new: single orders by their ways in, a file, a batch, and three mistakes."""
    first = [item for item in day if item["wave"] == 1]
    ids = [item["order"]["id"] for item in first]
    ids += sorted({order["id"] for order in batch["orders"]})
    sending = run.progress.add_task("Sending", total=len(first))
    await sender.send_all(first, lambda: run.progress.advance(sending))
    for message in run.lines("messages.ndjson"):
        await sender.raw(message["text"])
    dropped = run.samples / "file.json"
    container = f"{run.doors.blob}/devstoreaccount1/inputfiles"
    await asyncio.to_thread(upload, dropped, f"{run.samples.name}-day.json", container)
    ids += [order["id"] for order in run.document(dropped.name)]
    location = (await sender.by_api(batch)).headers["Location"]
    following = run.progress.add_task("Processing", total=len(ids))
    states = await looking.wait_for_orders(
        run.api, ids, timeout_s=_TIMEOUT_S, ended=lambda: run.progress.advance(following)
    )
    batch_id = location.rstrip("/").split("/")[-2]
    return states, await looking.wait_for_batch(run.api, batch_id, timeout_s=_TIMEOUT_S)


async def _repair(run: _Run, failed: list[str]) -> dict[str, str]:
    """Replay what failed in the outage, as an operator does; order id to state of the new attempt.

    Raises:
        NotInTime: nothing failed, or the command line refused or did not see them through.
    """
    if not failed:
        raise looking.NotInTime("the outage made no order fail, so there is nothing to replay")
    ids = [word for order in failed for word in ("--id", order)]
    reason = ("--reason", "The store refused writes for a while.")
    await _orders(run, "replay-failed", *ids, *reason, "--dry-run")
    await _orders(run, "replay-failed", *ids, *reason, "--yes")
    return await looking.wait_for_orders(
        run.api, failed, timeout_s=_TIMEOUT_S, ended=lambda: None, attempt=2
    )


async def _orders(run: _Run, *arguments: str) -> None:
    """Run the operators' command line, and show what it was told and what it says."""
    told = shlex.join(("orders", *arguments))
    run.progress.console.print(f"$ {told}", style="bold", markup=False, soft_wrap=True)
    access = run.access
    environment = {
        **os.environ,
        "ORDERS_URL": access.url,
        "ORDERS_KEY": access.key,
        "ORDERS_TOKEN": access.token,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    run.progress.console.print(output.decode().rstrip(), markup=False, soft_wrap=True)
    if process.returncode:
        raise looking.NotInTime(f"`{told}` ended with exit code {process.returncode}")


async def _afternoon(run: _Run, sender: Sender, day: list[dict[str, Any]]) -> list[str]:
    """What is sent again, or under an id that is taken; the ids of what is sent again."""
    second = [item for item in day if item["wave"] == 2]
    sending = run.progress.add_task("Sending some again", total=len(second))
    await sender.send_all(second, lambda: run.progress.advance(sending))
    return [item["order"]["id"] for item in second if item["story"] == "sent again"]
