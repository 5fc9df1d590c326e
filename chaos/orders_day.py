"""The reference day of the order pipeline: small, and with everything in it that must survive.

Single orders by the API, the queue, the change feed and a file; one that is rejected, one whose
step is retried, one that fails in an outage and is replayed; a batch of two chunks; a message that
is no order; then an order that comes again and two that contradict what was taken. Everything is
sent under ids of the sender, as a client that may have to repeat itself does.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from azure.cosmos.aio import CosmosClient, DatabaseProxy

from chaos.outcome import Outcome, by_key, counted
from chaos.supervised import App, Broken, Supervised
from demo.day import COSMOS_KEY
from emulator.launch import Doors

ROOT = Path(__file__).resolve().parent.parent
NAME = "orders"
STORES = ("taskhub", "servicebus", "cosmos", "eventgrid", "blob", "logicapp")
# As long as a day may take at most, deaths included.
_PATIENCE_S = 60.0

BATCH = "CHAOS-BATCH"
# One more than a chunk holds.
BATCH_IDS = [f"BATCH-{number:02}" for number in range(51)]
SINGLES = ["API-1", "API-BAD", "API-OUT", "QUEUE-1", "QUEUE-RETRY", "FEED-1", "FILE-1", "FILE-2"]
OUTAGE = {
    "point": "activity.before",
    "action": "fail",
    "match": {"function": "persist_order", "instance": "API-OUT"},
    "message": "[STORE_REFUSED] injected",
    "times": None,
}
HICCUP = {
    "point": "activity.after",
    "action": "fail",
    "match": {"function": "enrich_order", "instance": "QUEUE-RETRY"},
}
_BAD_MESSAGE, _CONFLICT_MESSAGE = "m-bad", "m-conflict"
_VOLATILE = ("source", "processedAt")


def app(folder: Path) -> App:
    """The app at the repository's root, with everything but the gateway.

    Args:
        folder: for the list of queues and containers without the gateway's part.
    """
    infra = folder / "infra"
    if not infra.exists():
        infra.mkdir(parents=True)
        entities = json.loads((ROOT / "infra" / "entities.json").read_text(encoding="utf-8"))
        # The gateway keeps nothing of an order, and a third of the start is its own.
        entities.pop("apiManagement")
        (infra / "entities.json").write_text(json.dumps(entities), encoding="utf-8")
        (infra / "workflows").symlink_to(ROOT / "infra" / "workflows")
    return App(
        ROOT,
        (
            *("--settings", str(ROOT / "local.settings.sample.json")),
            *("--entities", str(infra / "entities.json")),
            *("--seed", str(ROOT / "samples" / "seed.json")),
        ),
    )


def an_order(order_id: str, quantity: int = 2, **changes: Any) -> dict[str, Any]:
    """An order of the day."""
    line = {"sku": "SKU-1001", "description": "Cups", "quantity": quantity, "unitPrice": "19.90"}
    return {
        "id": order_id,
        "customerId": "C-1042",
        "currency": "EUR",
        "country": "FR",
        "orderedAt": "2026-11-20T09:30:00Z",
        "lines": [line],
    } | changes


async def live(system: Supervised) -> Outcome:
    """Send the day, wait for it, repair it, send some again; what it came to."""
    day = _Day(system)
    await day.send()
    await day.until_quiet({"API-OUT": ("failed", 1)}, dead=1)
    await day.repair()
    await day.until_quiet({"API-OUT": ("processed", 2)}, dead=1)
    await day.send_again()
    await day.until_quiet({}, dead=2)
    return await day.outcome()


class _Day:
    def __init__(self, system: Supervised) -> None:
        self._system = system
        self._shown: dict[str, list[tuple[int, str]]] = {}
        # How often the order of the outage was sent: anew where the answer was lost.
        self._sent_out = 0

    async def send(self) -> None:
        """The morning: what is new."""
        self._system.standing += [OUTAGE, HICCUP]
        await self._system.ask("POST", "/emulator/faults", json=[OUTAGE, HICCUP])
        await self._post(an_order("API-1"))
        await self._post(an_order("API-BAD", currency="XXX1"))
        await self._system.call(self._send_out)
        await self._put("QUEUE-1", json.dumps(an_order("QUEUE-1")))
        await self._put("QUEUE-RETRY", json.dumps(an_order("QUEUE-RETRY")))
        await self._put(_BAD_MESSAGE, "this is no order")
        await self._system.call(_upsert)
        await self._upload([an_order("FILE-1"), an_order("FILE-2")])
        await self._post({"batchId": BATCH, "orders": [an_order(each) for each in BATCH_IDS]})

    async def repair(self) -> None:
        """The outage is over, and what failed is replayed."""
        self._system.standing.remove(OUTAGE)
        await self._system.ask("DELETE", "/emulator/faults?point=activity.before")
        # 409: the answer to an earlier request was lost with the process, the replay was not.
        path, body = "/api/orders/API-OUT/replay", {"reason": "it is over"}
        await self._system.ask("POST", path, json=body, fine=(409,))

    async def send_again(self) -> None:
        """The afternoon: an order that is there, and two that contradict one."""
        await self._put("m-again", json.dumps(an_order("QUEUE-1")))
        await self._put(_CONFLICT_MESSAGE, json.dumps(an_order("QUEUE-1", quantity=3)))
        body = an_order("API-1", quantity=3)
        answer = await self._system.ask("POST", "/api/orders", json=body, fine=(409,))
        if answer.status_code != 409:
            raise Broken(f"A conflict was taken: {answer.status_code} {answer.text}")

    async def _send_out(self, doors: Doors) -> None:
        self._sent_out += 1
        url = f"{doors.host}/api/orders"
        answer = await self._system.http.post(url, json=an_order("API-OUT"))
        if answer.status_code != 202:
            raise Broken(f"API-OUT was not taken: {answer.status_code} {answer.text}")

    def _attempt(self, order: str, attempt: int) -> int:
        """An attempt's number, without those that the client asked for by sending it anew.

        An order that has failed by the time it is sent again is tried again, as it would be if its
        sender meant it; so each loss of an answer may bring one attempt more.
        """
        if order != "API-OUT":
            return attempt
        return max(attempt - (self._sent_out - 1), min(attempt, 2))

    async def _post(self, body: Any) -> None:
        await self._system.ask("POST", "/api/orders", json=body)

    async def _put(self, message_id: str, body: str) -> None:
        headers = {"BrokerProperties": json.dumps({"MessageId": message_id})}
        await self._system.ask(
            "POST", "/orders/messages", door="servicebus", content=body, headers=headers
        )

    async def _upload(self, orders: list[dict[str, Any]]) -> None:
        path = "/devstoreaccount1/inputfiles/chaos.json"
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2023-11-03"}
        await self._system.ask(
            "PUT", path, door="blob", content=json.dumps(orders), headers=headers
        )

    async def until_quiet(self, wanted: dict[str, tuple[str, int]], dead: int) -> None:
        """Wait until nothing is left to do; what is then still missing is unfinished.

        Args:
            wanted: states and attempts that some orders come to.
            dead: dead letters.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            left = await self._left(wanted, dead)
            if not left:
                return
            if time.monotonic() > deadline:
                raise Broken(f"It does not come to an end: {'; '.join(left)}")
            await asyncio.sleep(0.05)

    async def _left(self, wanted: dict[str, tuple[str, int]], dead: int) -> list[str]:
        left = []
        await self._look(["API-OUT", "QUEUE-RETRY"])
        for order, (state, attempt) in wanted.items():
            shown = self._shown.get(order, [(0, "unknown")])[-1]
            if shown[1] != state or shown[0] < attempt:
                left.append(f"{order} is {shown}")
        queues = (await self._system.ask("GET", "/$emulator/queues", door="servicebus")).json()
        for queue in queues["queues"]:
            counts = queue["counts"]
            busy = {k: v for k, v in counts.items() if v and k != "dead_letter"}
            if busy:
                left.append(f"queue {queue['name']} holds {busy}")
            if queue["name"] == "orders" and counts["dead_letter"] < dead:
                left.append(f"{counts['dead_letter']} of {dead} dead letters")
        runs = await instances(self._system)
        left += [
            f"{each['instanceId']} is {each['runtimeStatus']}"
            for each in runs
            if each["runtimeStatus"] not in ("Completed", "Failed", "Terminated")
        ]
        known = {each["instanceId"] for each in runs}
        left += [
            f"{each} has not started" for each in (*SINGLES, f"batch:{BATCH}") if each not in known
        ]
        return left

    async def _look(self, orders: list[str]) -> None:
        """Note what is shown of some orders."""
        for order in orders:
            answer = await self._system.ask("GET", f"/api/orders/{order}/status", fine=(404,))
            if answer.status_code == 404:
                continue
            body = answer.json()
            shown = self._shown.setdefault(order, [])
            if not shown or shown[-1] != (body["attempt"], body["state"]):
                shown.append((body["attempt"], body["state"]))

    async def outcome(self) -> Outcome:
        """Everything that is to be seen from outside."""
        await self._look(SINGLES)
        batch = (await self._system.ask("GET", f"/api/batches/{BATCH}/status")).json()
        published = await events(self._system)
        path = "/$emulator/queues/orders/$deadletterqueue/messages"
        dead = (await self._system.ask("GET", path, door="servicebus")).json()["messages"]
        runs = await instances(self._system)
        facts = {
            "item": by_key(
                [
                    (
                        item["id"],
                        {**_stable(item), "attempt": self._attempt(item["id"], item["attempt"])},
                    )
                    for item in await self._system.call(stored)
                ]
            ),
            "order": by_key(
                [
                    (order, [self._attempt(order, states[-1][0]), states[-1][1]])
                    for order, states in self._shown.items()
                ]
            ),
            "run": by_key(
                [(each["instanceId"], [each["name"], each["runtimeStatus"]]) for each in runs]
            ),
            "batch": by_key(
                [(BATCH, {k: batch.get(k) for k in ("state", "total", "processed", "failed")})]
            ),
            "dead letter": by_key([_dead_letter(message) for message in dead]),
        }
        effects = counted([entry["event"]["id"] for entry in published])
        return Outcome(facts, effects, shown=self._shown)


def _stable(item: dict[str, Any]) -> dict[str, Any]:
    """What of an item does not depend on when and by which message it came."""
    kept = {k: v for k, v in item.items() if not k.startswith("_") and k not in _VOLATILE}
    if "replay" in kept:
        kept["replay"] = {k: v for k, v in kept["replay"].items() if k != "startedAt"}
    return kept


def _dead_letter(message: dict[str, Any]) -> tuple[str, Any]:
    properties = message["applicationProperties"]
    return message["brokerProperties"]["MessageId"], [
        properties["DeadLetterReason"],
        message["body"],
    ]


async def _upsert(doors: Doors) -> None:
    # What does not answer is asked again by whoever calls, and not in the client.
    async with _store(doors, retry_total=0, retry_connect=0, retry_read=0) as database:
        await database.get_container_client("toprocess").upsert_item(an_order("FEED-1"))


async def stored(doors: Doors) -> list[dict[str, Any]]:
    """Every order in the store."""
    async with _store(doors) as database:
        return [item async for item in database.get_container_client("processed").read_all_items()]


@asynccontextmanager
async def _store(doors: Doors, **options: Any) -> AsyncIterator[DatabaseProxy]:
    client = CosmosClient(doors.cosmos, COSMOS_KEY, **options)
    try:
        # Not by `async with`, which asks the account something and leaves its session when it dies.
        yield client.get_database_client("orders")
    finally:
        await client.close()


async def instances(system: Supervised) -> list[dict[str, Any]]:
    """Every orchestration."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        answer = await system.ask(
            "GET",
            "/runtime/webhooks/durabletask/instances?showInput=false&top=500",
            headers={"x-ms-continuation-token": token} if token else {},
        )
        found += answer.json()
        token = answer.headers.get("x-ms-continuation-token", "")
        if token in ("", "null"):
            return found


async def events(system: Supervised, after: int = 0) -> list[dict[str, Any]]:
    """Every event that was published behind a sequence number, with its own."""
    found: list[dict[str, Any]] = []
    while True:
        path = f"/emulator/events?after={after}&limit=1000"
        page = (await system.ask("GET", path, door="servicebus")).json()["events"]
        if not page:
            return found
        found += page
        after = page[-1]["sequence"]
