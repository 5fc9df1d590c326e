"""A soak: orders without end, and SIGKILL at moments that the seed says, the start included.

A moment is a span of time after a start, not a point of the program, so a second run with the same
seed does not die at the same statements; what it must come to is the same all the same.
"""

import asyncio
import itertools
import json
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos import orders_day
from chaos.outcome import Outcome, Verdict, by_key, compare, counted
from chaos.supervised import Broken, Supervised
from domain.keys import event_id
from domain.order import digest

# Orders that are sent, and not yet in the store, at most: load that never ends and never piles up.
_IN_FLIGHT = 40
_PATIENCE_S = 90.0
# Of the deaths, so many fall into the start itself.
_IN_THE_START = 0.2
_START_S = 1.5
_LONGEST_LIFE_S = 2.5


@dataclass
class Soak:
    """What a soak came to.

    Attributes:
        serves_s: of each start, from its exec until all was served.
        completes_s: of each life that was long enough, from its exec until an order completed.
    """

    seed: int
    seconds: float
    kills: int = 0
    orders: int = 0
    serves_s: list[float] = field(default_factory=list)
    completes_s: list[float] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    broken: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled or otherwise than it should be."""
        return self.verdict.is_good and not self.broken


async def soak(seconds: float, seed: int) -> Soak:
    """Send orders and kill for so long, then let everything come to its end and judge it."""
    found = Soak(seed, seconds)
    with tempfile.TemporaryDirectory(prefix="chaos-soak-") as name:
        folder = Path(name)
        async with Supervised(orders_day.app(folder), folder / "data") as system:
            try:
                await _Run(system, found, random.Random(seed)).run()
            except* Broken as group:
                found.broken = "; ".join(str(error) for error in group.exceptions)
            found.kills = system.deaths
            found.serves_s = system.recoveries_s
    return found


class _Run:
    def __init__(self, system: Supervised, found: Soak, rng: random.Random) -> None:
        self._system = system
        self._found = found
        self._rng = rng
        self._acknowledged: dict[str, str] = {}
        self._subjects: set[str] = set()
        self._last_event = 0
        self._is_over = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send())
            await self._kill()
            self._is_over = True
        await self._judge()

    async def _send(self) -> None:
        """Order after order, by the queue and by the API in turn, each until it is taken."""
        for number in itertools.count():
            while number - len(self._subjects) >= _IN_FLIGHT and not self._is_over:
                await self._look()
                await asyncio.sleep(0.02)
            if self._is_over:
                return
            order = orders_day.an_order(f"SOAK-{number:05}")
            if number % 2:
                await self._system.ask("POST", "/api/orders", json=order)
            else:
                headers = {"BrokerProperties": json.dumps({"MessageId": order["id"]})}
                body = json.dumps(order)
                await self._system.ask(
                    "POST", "/orders/messages", door="servicebus", content=body, headers=headers
                )
            self._acknowledged[order["id"]] = digest(order)

    async def _look(self) -> int:
        """Note which orders have told their end; how many events are new."""
        new = await orders_day.events(self._system, self._last_event)
        self._subjects |= {entry["event"]["subject"] for entry in new}
        self._last_event = max([self._last_event, *(entry["sequence"] for entry in new)])
        return len(new)

    async def _kill(self) -> None:
        until = time.monotonic() + self._found.seconds
        while time.monotonic() < until:
            await self._live(self._rng.uniform(0.05, _LONGEST_LIFE_S))
            cuts_start = self._rng.random() < _IN_THE_START
            await self._system.kill(self._rng.uniform(0.05, _START_S) if cuts_start else None)

    async def _live(self, life_s: float) -> None:
        """Wait for the life's end, and meanwhile for the first order that completes in it."""
        serves_s = self._system.recoveries_s[-1] if self._system.recoveries_s else None
        began = time.monotonic()
        # What the life before had published, and nobody has looked at yet, is not of this one.
        await self._look()
        while (lived := time.monotonic() - began) < life_s:
            if serves_s is not None and await self._look():
                self._found.completes_s.append(serves_s + lived)
                serves_s = None
            await asyncio.sleep(min(0.02, life_s - lived))

    async def _judge(self) -> None:
        self._found.orders = len(self._acknowledged)
        await self._until_quiet()
        items = await self._system.call(orders_day.stored)
        runs = await orders_day.instances(self._system)
        published = await orders_day.events(self._system)
        found = Outcome(
            {
                "item": by_key([(item["id"], [item["status"], item["attempt"]]) for item in items]),
                "run": by_key([(run["instanceId"], run["runtimeStatus"]) for run in runs]),
            },
            counted([entry["event"]["id"] for entry in published]),
        )
        wanted = Outcome(
            {
                "item": {each: [["processed", 1]] for each in self._acknowledged},
                "run": {each: ["Completed"] for each in self._acknowledged},
            },
            {event_id(each, key, "processed"): 1 for each, key in self._acknowledged.items()},
        )
        self._found.verdict = compare(wanted, found)

    async def _until_quiet(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while left := await self._left():
            if time.monotonic() > deadline:
                raise Broken(f"It does not come to an end: {left}")
            await asyncio.sleep(0.1)

    async def _left(self) -> str:
        queues = (await self._system.ask("GET", "/$emulator/queues", door="servicebus")).json()
        counts: dict[str, Any] = {}
        for queue in queues["queues"]:
            counts |= {f"{queue['name']} {k}": v for k, v in queue["counts"].items() if v}
        busy = [
            run["instanceId"]
            for run in await orders_day.instances(self._system)
            if run["runtimeStatus"] != "Completed"
        ]
        return f"{counts} {busy[:5]}" if counts or busy else ""
