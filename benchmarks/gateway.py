"""What the gateway adds to a status poll: the same poll with and without it, turn by turn.

The backend answers a fixed status body at once. Client, gateway, credit ledger and backend share a
process and an event loop, as gateway and host do under `make start`. The deployed policies run: a
signed token is verified, the role checked, the product's limit or credit applied. Only the number
of calls of product Basic is raised, since five a minute would end the measurement.
"""

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from emulator.clock import Clock
from emulator.cosmos import CosmosService, listen
from emulator.faults import Faults
from emulator.gateway import GatewayOptions, RunningGateway, start_gateway
from emulator.idp.model import APPLICATIONS, Application, application_claims, local_id

_INFRA = Path(__file__).resolve().parent.parent / "infra"
_WARM_UP = 100
_PATH = "/orders/ORD-2026-000123/status"
_BODY = json.dumps(
    {
        "orderId": "ORD-2026-000123",
        "state": "running",
        "stage": "persist",
        "attempt": 1,
        "steps": [{"name": n, "state": "completed"} for n in ("validate", "enrich", "persist")],
    }
).encode()
_CALLS = 'calls="5" renewal-period="60"'
_MANY_CALLS = 'calls="100000000" renewal-period="60"'
_CLIENT = "orders-client"


@dataclass(frozen=True)
class _Stage:
    backend: str
    running: RunningGateway
    http: aiohttp.ClientSession

    def headers(self, product: str) -> dict[str, str]:
        subscription = self.running.gateway.subscriptions.get(f"{product}-subscription")
        assert subscription is not None
        application = Application(local_id(f"client/{_CLIENT}"), _CLIENT, APPLICATIONS[_CLIENT], "")
        provider = self.running.provider
        claims = application_claims(provider.tenant, application, int(time.time()))
        return {
            "Ocp-Apim-Subscription-Key": subscription.primary_key,
            "Authorization": f"Bearer {provider.sign(claims)}",
        }

    async def poll(self, url: str, headers: dict[str, str]) -> float:
        """One poll; what it took in ms."""
        started = time.perf_counter()
        async with self.http.get(url, headers=headers) as answer:
            await answer.read()
        if answer.status != 202:
            raise RuntimeError(f"{url} answered {answer.status}")
        return (time.perf_counter() - started) * 1000


async def status_poll(count: int) -> dict[str, tuple[float, str]]:
    """So many polls of each kind, in turn: direct, product Basic, product Premium (ledger)."""
    async with _stage() as stage:
        gateway = stage.running.url + _PATH
        kinds = {
            "direct": (f"{stage.backend}/api{_PATH}", dict[str, str]()),
            "Basic": (gateway, stage.headers("basic")),
            "Premium": (gateway, stage.headers("premium")),
        }
        taken: dict[str, list[float]] = {name: [] for name in kinds}
        for number in range(count + _WARM_UP):
            for name, (url, headers) in kinds.items():
                milliseconds = await stage.poll(url, headers)
                if number >= _WARM_UP:
                    taken[name].append(milliseconds)
        at_once = await _at_once(stage, kinds["Basic"], count)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {
        **{f"{name} p50": (median, "ms") for name, median in medians.items()},
        **{
            f"{name} p95": (statistics.quantiles(values, n=20)[18], "ms")
            for name, values in taken.items()
        },
        "added by Basic, p50": (medians["Basic"] - medians["direct"], "ms"),
        "added by Premium with its ledger, p50": (medians["Premium"] - medians["direct"], "ms"),
        "Basic, 32 at once": (at_once, "1/s"),
    }


async def _at_once(stage: _Stage, call: tuple[str, dict[str, str]], count: int) -> float:
    async def caller() -> None:
        for _ in range(count // 32):
            await stage.poll(*call)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(32)))
    return (count // 32) * 32 / (time.perf_counter() - started)


@asynccontextmanager
async def _stage() -> AsyncIterator[_Stage]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        infra, entities = _copied(folder)
        backend = await _backend(stack)
        clock, faults = Clock(), Faults()
        service = CosmosService(folder / "cosmos.db", clock, faults)
        await service.start(entities)
        stack.push_async_callback(service.stop)
        listener = await listen(service, port=0)
        stack.push_async_callback(listener.close)
        options = GatewayOptions(
            infra,
            entities,
            folder,
            backend,
            listener.http,
            port=0,
            trace=False,
            named_values={"credit": "999999999"},
        )
        running = await start_gateway(options, clock, faults)
        stack.push_async_callback(running.stop)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield _Stage(backend, running, http)


def _copied(folder: Path) -> tuple[Path, dict[str, object]]:
    """The infra folder with a Basic product that lets any number of calls pass."""
    infra = folder / "infra"
    for name in ("policies", "apim"):
        shutil.copytree(_INFRA / name, infra / name)
    basic = infra / "policies" / "product-basic.xml"
    text = basic.read_text(encoding="utf-8")
    if _CALLS not in text:
        raise RuntimeError(f"{basic.name} no longer says {_CALLS}")
    basic.write_text(text.replace(_CALLS, _MANY_CALLS), encoding="utf-8")
    entities: dict[str, object] = json.loads((_INFRA / "entities.json").read_text("utf-8"))
    return infra, entities


async def _backend(stack: AsyncExitStack) -> str:
    async def answer(_: web.Request) -> web.Response:
        headers = {"Retry-After": "1"}
        return web.Response(
            body=_BODY, status=202, content_type="application/json", headers=headers
        )

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
