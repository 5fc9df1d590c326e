"""The OpenAPI file against the running app, through the gateway: every answer is documented, every
documented answer is given, and bodies are what their schemas say."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import pytest

from emulator.access import Access, find_access
from emulator.idp.keys import SigningKey, load_keys
from emulator.launch import Doors, EmulatorProcess
from tests.support.contract import Contract
from tests.support.emulator import Emulator, connected, until
from tests.support.orders import a_line, an_order
from tests.support.pipeline import pipeline

CREDIT = "1000000"


@dataclass(frozen=True)
class Running:
    """The pipeline, how to call it, and the key that its tokens are signed with."""

    process: EmulatorProcess
    doors: Doors
    access: Access
    key: SigningKey


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("contract")
    running = pipeline(folder)
    doors = running.start()
    [key, *_] = load_keys(folder / "apim" / "identity-keys.json")
    yield Running(running, doors, find_access(folder), key)
    assert running.stop() == 0


class Caller:
    """Calls operations through the gateway and checks every answer."""

    def __init__(self, emulator: Emulator, access: Access, key: SigningKey) -> None:
        self.emulator = emulator
        self.access = access
        self.contract = Contract.read()
        self._key = key

    def signed(self, claims: dict[str, Any]) -> str:
        """A token that the identity provider might have given."""
        return jwt.encode(claims, self._key.private, "RS256", headers={"kid": self._key.kid})

    async def call(
        self,
        operation: str,
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        anonymous: bool = False,
        **options: Any,
    ) -> aiohttp.ClientResponse:
        """The answer to an operation; `{id}` of its path is the option `id`."""
        found = self.contract.operations[operation]
        path = found.path.replace("{id}", options.pop("id", "X"))
        given = {} if anonymous or operation == "Health" else dict(self.access.headers)
        url = f"{self.access.url}{path}{query}"
        async with self.emulator.http.request(
            found.method, url, headers={**given, **(headers or {})}, **options
        ) as answer:
            await answer.read()
            has_body = bool(answer.content_length or await answer.text())
            body = await answer.json(content_type=None) if has_body else None
            self.contract.check(operation, answer.status, answer.headers, body)
            return answer

    async def credit(self, value: str) -> None:
        """Edit the named value."""
        url = f"{self.access.url}/emulator/apim/named-values/credit"
        async with self.emulator.http.put(url, json={"value": value}) as answer:
            assert answer.status == 200

    async def fault(self, **rule: Any) -> None:
        """Put a fault in force."""
        assert (await self.emulator.post("/emulator/faults", json=rule)).status in (200, 201)

    async def no_faults(self) -> None:
        """Take every fault out of force."""
        assert (await self.emulator.ask("DELETE", "/emulator/faults")).status in (200, 204)

    async def final(self, operation: str, identifier: str) -> aiohttp.ClientResponse:
        """Poll a status until it is final."""

        async def ended() -> aiohttp.ClientResponse | None:
            answer = await self.call(operation, id=identifier)
            return answer if answer.status == 200 else None

        return await until(ended, f"{identifier} is final")


@asynccontextmanager
async def calling(process: Running) -> AsyncIterator[Caller]:
    async with connected(process.process, process.doors) as emulator:
        yield Caller(emulator, process.access, process.key)


async def test_every_documented_answer_is_given_and_no_other(process: Running) -> None:
    async with calling(process) as caller:
        await caller.credit(CREDIT)
        await _submissions(caller)
        await _reading(caller)
        await _replays(caller)
        await _dead_letters(caller)
        await _console(caller)
        await _without_services(caller)
        await _refused_by_the_gateway(caller)
        unseen = caller.contract.documented() - caller.contract.seen
        assert not unseen, sorted(unseen)


async def _submissions(caller: Caller) -> None:
    accepted = await caller.call("SubmitOrders", json=an_order(id="DOC-1"))
    assert accepted.headers["Location"] == "/orders/DOC-1/status"
    minimal = await caller.call(
        "SubmitOrders", json=an_order(id="DOC-1"), headers={"Prefer": "return=minimal"}
    )
    assert (minimal.status, minimal.content_length or 0) == (202, 0)
    rejected = an_order(id="DOC-2", lines=[a_line(quantity=0)])
    waited = await caller.call("SubmitOrders", json=rejected, headers={"Prefer": "wait=30"})
    assert (waited.status, waited.headers["Preference-Applied"]) == (200, "wait=30")
    assert (await waited.json())["state"] == "rejected"
    slow = {"function": "admit_batch"}
    await caller.fault(point="activity.before", action="delay", match=slow, seconds=1.5)
    batch = {"batchId": "docs", "orders": [an_order(id="DOC-3"), an_order(id="DOC-4")]}
    await caller.call("SubmitOrders", json=batch)
    assert (await caller.call("GetBatchStatus", id="docs")).status == 202
    waited = await caller.call(
        "SubmitOrders", json=[an_order(id="DOC-5")], headers={"Prefer": "wait=30"}
    )
    assert (waited.status, (await waited.json())["summary"]["processed"]) == (200, 1)
    for data, content_type in (
        (b"{", "application/json"),
        (b'{"id": "?"}', "application/json"),
        (b'{"orders": [1]}', "application/json"),
        (b"a=b", "application/x-www-form-urlencoded"),
        (b'{"id": "DOC-6", "x": "' + b"y" * 300_000 + b'"}', "application/json"),
    ):
        await caller.call("SubmitOrders", data=data, headers={"Content-Type": content_type})
    for order in ("DOC-1", "DOC-2", "DOC-3"):
        await caller.final("GetOrderStatus", order)
    await caller.final("GetBatchStatus", "docs")
    conflict = await caller.call("SubmitOrders", json=an_order(id="DOC-1", currency="USD"))
    assert conflict.status == 409


async def _reading(caller: Caller) -> None:
    page = await caller.call("FetchOrders", query="?limit=1")
    following = page.links["next"]["url"]
    assert str(following.relative()).startswith("/orders?")
    await caller.call("FetchOrders", query=f"?{following.raw_query_string}")
    same = {"If-None-Match": page.headers["ETag"]}
    assert (await caller.call("FetchOrders", query="?limit=1", headers=same)).status == 304
    await caller.call("FetchOrders", query="?status=rejected,processed")
    assert (await caller.call("FetchOrders", query="?limit=0")).status == 400
    for operation, identifier in (
        ("GetOrder", "DOC-1"),
        ("GetOrderStatus", "DOC-1"),
        ("GetBatchStatus", "docs"),
    ):
        found = await caller.call(operation, id=identifier)
        same = {"If-None-Match": found.headers["ETag"]}
        assert (await caller.call(operation, id=identifier, headers=same)).status == 304
        assert (await caller.call(operation, id="NOBODY")).status == 404
    await caller.call("GetOrder", id="DOC-2")
    await caller.call("Health")


async def _replays(caller: Caller) -> None:
    await caller.fault(
        point="activity.before",
        action="fail",
        match={"function": "persist_order", "instance": "FAIL-*"},
        message="[STORE_REFUSED] injected",
        times=2,
    )
    for order in ("FAIL-1", "FAIL-2"):
        await caller.call("SubmitOrders", json=an_order(id=order))
        await caller.final("GetOrderStatus", order)
    plan = await caller.call("ReplayFailedOrders", json={"reason": "docs", "dryRun": True})
    assert plan.status == 200
    for body in ({}, {"reason": ""}, {"reason": "x", "colour": "y"}):
        assert (await caller.call("ReplayOrder", id="FAIL-1", json=body)).status == 400
        assert (await caller.call("ReplayFailedOrders", json=body)).status == 400
    assert (await caller.call("ReplayOrder", id="NOBODY", json={"reason": "x"})).status == 404
    assert (await caller.call("ReplayOrder", id="DOC-1", json={"reason": "x"})).status == 409
    await caller.call("ReplayOrder", id="FAIL-1", json={"reason": "repaired"})
    await caller.final("GetOrderStatus", "FAIL-1")
    bulk = await caller.call("ReplayFailedOrders", json={"reason": "repaired", "perSecond": 100})
    assert bulk.status == 202
    await caller.final("GetBatchStatus", bulk.headers["Location"].split("/")[-2])
    await caller.final("GetOrderStatus", "FAIL-2")


async def _dead_letters(caller: Caller) -> None:
    await caller.emulator.send("orders", "not an order")

    async def dead() -> bool:
        return (await caller.emulator.counts("orders"))["dead_letter"] == 1

    await until(dead, "the message is dead-lettered")
    letters = await (await caller.call("ListDeadLetters")).json()
    assert letters[0]["refusal"]["code"] == "not_json"
    assert (await caller.call("ListDeadLetters", query="?limit=none")).status == 400
    assert (await caller.call("ResubmitDeadLetters", json={})).status == 400
    packed = {"headers": {"Content-Encoding": "gzip"}, "data": b"{}"}
    for operation in ("ReplayOrder", "ReplayFailedOrders", "ResubmitDeadLetters"):
        assert (await caller.call(operation, id="FAIL-1", **packed)).status == 415
    sent = await caller.call("ResubmitDeadLetters", json={"all": True})
    assert (await sent.json())["resubmitted"] == 1


async def _console(caller: Caller) -> None:
    overview = await caller.call("ConsoleData")
    same = {"If-None-Match": overview.headers["ETag"]}
    assert (await caller.call("ConsoleData", headers=same)).status == 304
    run = await (await caller.call("ConsoleData", query="?order=FAIL-1")).json()
    assert run["replay"]["reason"] == "repaired"
    found = await (await caller.call("ConsoleData", query="?customer=C-1042")).json()
    assert "DOC-1" in {order["id"] for order in found["orders"]}
    assert (await caller.call("ConsoleData", query="?order=NOBODY")).status == 404
    assert (await caller.call("ConsoleData", query=f"?customer={'x' * 101}")).status == 400


async def _without_services(caller: Caller) -> None:
    """The app's own 503, as problem+json."""
    await caller.fault(
        point="cosmos.request",
        action="fail",
        match={"container": "processed"},
        message='{"status": 503}',
        times=None,
    )
    answer = await caller.call("GetOrder", id="DOC-1")
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    await caller.no_faults()


async def _refused_by_the_gateway(caller: Caller) -> None:
    claims = jwt.decode(caller.access.token, options={"verify_signature": False})
    without_roles = caller.signed({**claims, "roles": []})
    for operation in caller.contract.operations.values():
        if operation.id == "Health":
            continue
        assert (await caller.call(operation.id, anonymous=True)).status == 401
        await caller.credit("0")
        assert (await caller.call(operation.id)).status == 429
        await caller.credit("nonsense")
        assert (await caller.call(operation.id)).status == 503
        await caller.credit(CREDIT)
        headers = {"Authorization": f"Bearer {without_roles}"}
        assert (await caller.call(operation.id, headers=headers)).status == 403
