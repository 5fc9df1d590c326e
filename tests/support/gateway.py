"""The gateway with the deployed policies in front of a small backend, and who calls it.

The backend records what it was sent and answers what it is told to. The credit ledger is the
emulator's own Cosmos DB endpoint, where a test asks for it. The clock stands still unless moved;
limits and caches measure with it too.
"""

import asyncio
import copy
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from emulator.clock import ManualClock
from emulator.cosmos import CosmosService, listen
from emulator.faults import Faults
from emulator.gateway import GatewayOptions, RunningGateway, start_gateway
from emulator.idp.model import APPLICATIONS, Application, application_claims, local_id

REPOSITORY = Path(__file__).resolve().parents[2]
START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ENTITIES: dict[str, Any] = json.loads(
    (REPOSITORY / "infra" / "entities.json").read_text(encoding="utf-8")
)
CLIENT, OPERATOR = "orders-client", "orders-operator"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """A request as the backend saw it."""

    method: str
    path: str
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Backend:
    """The stand-in for the Functions host."""

    received: list[Received] = field(default_factory=list)
    answer: Answer | None = None
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.answer is not None:
            return await self.answer(request)
        body = await request.read()
        headers = CIMultiDict(request.headers)
        self.received.append(Received(request.method, request.raw_path, headers, body))
        return web.json_response({"ok": True})

    def answers(self, status: int, **kwargs: Any) -> None:
        """Answer this from now on."""

        async def answer(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            headers = CIMultiDict(request.headers)
            self.received.append(Received(request.method, request.raw_path, headers, body))
            return web.Response(status=status, **kwargs)

        self.answer = answer


@dataclass(frozen=True)
class Reply:
    """An answer, read."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Stage:
    """A running gateway and everything around it."""

    def __init__(
        self, running: RunningGateway, backend: Backend, clock: ManualClock, faults: Faults
    ) -> None:
        self.running = running
        self.gateway = running.gateway
        self.provider = running.provider
        self.url = running.url
        self.backend = backend
        self.clock = clock
        self.faults = faults
        self.cosmos: CosmosService | None = None
        self.stop_cosmos: Callable[[], Awaitable[None]] | None = None
        self.http = aiohttp.ClientSession(auto_decompress=False)

    def key(self, product: str, which: str = "primary") -> str:
        """A subscription key of a product."""
        found = self.gateway.subscriptions.get(f"{product}-subscription")
        assert found is not None
        return found.primary_key if which == "primary" else found.secondary_key

    def token(self, client: str = CLIENT, **claims: Any) -> str:
        """A token of a demo client; claims given replace its own, None removes one."""
        payload = self._claims(client) | claims
        return self.provider.sign({k: v for k, v in payload.items() if v is not None})

    def _claims(self, client: str) -> dict[str, Any]:
        application = Application(local_id(f"client/{client}"), client, APPLICATIONS[client], "")
        now = int(self.clock.now().timestamp())
        return application_claims(self.provider.tenant, application, now)

    async def call(
        self,
        method: str = "GET",
        path: str = "/orders",
        *,
        product: str | None = "premium",
        client: str | None = CLIENT,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> Reply:
        """A call with a product's key and a client's token, unless told otherwise."""
        given: dict[str, str] = {}
        if product is not None:
            given["Ocp-Apim-Subscription-Key"] = self.key(product)
        if client is not None:
            given["Authorization"] = f"Bearer {self.token(client)}"
        return await self.send(method, path, {**given, **(headers or {})}, data)

    async def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, data: Any = None
    ) -> Reply:
        """A request with nothing added."""
        url = path if path.startswith("http") else self.url + path
        async with self.http.request(
            method, url, headers=headers, data=data, allow_redirects=False
        ) as answer:
            body = await answer.read()
            return Reply(answer.status, answer.reason or "", answer.headers, body)

    async def set_credit(self, value: str) -> None:
        """Edit the named value `credit`, as its owner does."""
        await self.gateway.set_named_value("credit", value)

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.clock.advance(timedelta(seconds=seconds))

    async def ledger(self, subscription: str = "premium-subscription") -> dict[str, Any] | None:
        """The ledger's item of a subscription, read over the wire."""
        assert self.cosmos is not None
        endpoint = self.gateway.named_values.texts()["cosmos-endpoint"]
        answer = await self.send(
            "GET",
            f"{endpoint}dbs/orders/colls/credits/docs/{subscription}",
            {
                "Authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtest",
                "x-ms-version": "2018-12-31",
                "x-ms-documentdb-partitionkey": json.dumps([subscription]),
            },
        )
        return answer.json() if answer.status == 200 else None


@asynccontextmanager
async def running_backend() -> AsyncIterator[Backend]:
    """A backend on a free port."""
    backend = Backend()
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", backend.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    backend.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield backend
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running_gateway(
    folder: Path,
    *,
    entities: Mapping[str, Any] = ENTITIES,
    infra: Path = REPOSITORY / "infra",
    with_ledger: bool = False,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A gateway on a free port; `options` are those of `GatewayOptions`."""
    clock, faults = ManualClock(START), Faults()
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a test may wait for it
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(running_backend())
        cosmos_origin = "http://127.0.0.1:9"
        service = None
        if with_ledger:
            service = CosmosService(folder / "cosmos.db", clock, faults)
            await service.start(entities)
            stack.push_async_callback(service.stop)
            listener = await listen(service, port=0)
            stack.push_async_callback(listener.close)
            cosmos_origin = listener.http
        wanted = {"trace": True, **options}
        host_origin = wanted.pop("host_origin", backend.url)
        running = await start_gateway(
            GatewayOptions(infra, entities, folder, host_origin, cosmos_origin, 0, **wanted),
            clock,
            faults,
            monotonic=lambda: clock.now().timestamp(),
        )
        stack.push_async_callback(running.stop)
        stage = Stage(running, backend, clock, faults)
        stage.cosmos = service
        if with_ledger:
            stage.stop_cosmos = listener.close
        stack.push_async_callback(stage.http.close)
        yield stage


def infra_with(folder: Path, policies: Mapping[str, str]) -> Path:
    """A copy of the infra folder's API files in which some policy files are others."""
    target = folder / "infra"
    for name in ("policies", "apim"):
        shutil.copytree(REPOSITORY / "infra" / name, target / name, dirs_exist_ok=True)
    for name, text in policies.items():
        (target / "policies" / name).write_text(text, encoding="utf-8")
    return target


def entities_with(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The entities, changed in place by a function."""
    changed = copy.deepcopy(ENTITIES)
    change(changed["apiManagement"])
    return changed


def policy(inbound: str = "", outbound: str = "<base />", on_error: str = "<base />") -> str:
    """A policy document of an API or product."""
    return (
        f"<policies><inbound><base />{inbound}</inbound><backend><base /></backend>"
        f"<outbound>{outbound}</outbound><on-error>{on_error}</on-error></policies>"
    )


async def raw(url: str, data: bytes) -> bytes:
    """Send bytes to a server as they are, and read until it closes."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
