"""Starts the gateway and the identity provider together, on one loopback port.

The one place that knows both, and the addresses of the emulator's other services: which address of
Azure is which local one, and what a deployment would set. `emulator/host/run.py` calls
`start_gateway` once the Functions host and the Cosmos DB endpoint listen.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from emulator.apim.config import GatewayConfig
from emulator.apim.gateway import Gateway
from emulator.apim.server import HEADERS_LIMIT, URL_LIMIT, create_app, refusal
from emulator.clock import Clock
from emulator.faults import Faults
from emulator.http_refusals import CourteousRunner
from emulator.idp import IdentityProvider, routes

IDENTITY = "/emulator/identity"
MANAGEMENT = "/emulator/management"
_log = logging.getLogger("emulator.apim")


@dataclass(frozen=True)
class GatewayOptions:
    """What the gateway is started with.

    Attributes:
        infra: the folder with `apim/`, `policies/`, beside `entities.json`.
        entities: the content of entities.json.
        data: the data folder; keys and secrets go to `apim/` below it.
        host_origin: the Functions host, such as `http://127.0.0.1:7071`.
        cosmos_origin: the Cosmos DB endpoint, where the credit ledger is.
        port: 0 for any free one.
        named_values: overrides, by name.
    """

    infra: Path
    entities: Mapping[str, Any]
    data: Path
    host_origin: str
    cosmos_origin: str
    port: int = 8080
    bind: str = "127.0.0.1"
    tier: str = "classic"
    credit_mode: str = "ledger"
    propagation_delay_s: float = 0.0
    trace: bool = True
    named_values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that listens.

    Attributes:
        url: where the API is.
        identity_url: where the identity provider is; `/{tenant}/oauth2/v2.0/token` below it.
        subscriptions_path: the file with the subscription keys.
        clients_path: the file with the demo clients' secrets.
    """

    url: str
    identity_url: str
    subscriptions_path: Path
    clients_path: Path
    gateway: Gateway
    provider: IdentityProvider
    runner: web.AppRunner

    async def stop(self) -> None:
        """Stop listening, end calls under way, close connections."""
        await self.runner.cleanup()
        await self.gateway.stop()

    def describe(self) -> dict[str, str]:
        """What another program needs to call the API: places, never keys."""
        return {
            "gateway": self.url,
            "identity": self.identity_url,
            "tokenEndpoint": f"{self.identity_url}/{self.provider.tenant.id}/oauth2/v2.0/token",
            "scope": f"{self.provider.tenant.api_audience}/.default",
            "subscriptionsFile": str(self.subscriptions_path),
            "clientsFile": str(self.clients_path),
        }


async def start_gateway(
    options: GatewayOptions,
    clock: Clock,
    faults: Faults | None = None,
    *,
    listener: socket.socket | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> RunningGateway:
    """Start both.

    Args:
        listener: a bound socket to listen on, instead of `options.port`.
        monotonic: seconds that never go backwards; a test hands in its own.

    Raises:
        DefinitionError: a definition or policy cannot be carried out; the text lists every problem.
        OSError: the port is taken.
    """
    folder = options.data / "apim"
    folder.mkdir(parents=True, exist_ok=True)
    # The first start makes an RSA key, which takes a moment.
    provider = await asyncio.to_thread(IdentityProvider, folder, clock)
    config = _config(options, provider, folder)
    gateway = Gateway(config, clock=clock, identity=provider, faults=faults, monotonic=monotonic)
    app = create_app(gateway, routes(provider, clock, IDENTITY))
    # Clients first: a call may come in the moment the port is open.
    await gateway.start()
    try:
        runner = await _listen(app, options, listener)
    except OSError:
        await gateway.stop()
        raise
    url = _url(options.bind, runner)
    gateway.outbound.routes |= {
        "https://login.microsoftonline.com/": f"{url}{IDENTITY}/",
        "https://management.azure.com/": f"{url}{MANAGEMENT}/",
    }
    _log.info("Subscription keys are in %s", gateway.subscriptions.path)
    return RunningGateway(
        url,
        f"{url}{IDENTITY}",
        gateway.subscriptions.path,
        provider.clients_path,
        gateway,
        provider,
        runner,
    )


def _config(options: GatewayOptions, provider: IdentityProvider, folder: Path) -> GatewayConfig:
    return GatewayConfig(
        options.entities,
        options.infra,
        folder,
        options.host_origin,
        {**_deployed(options, provider), **options.named_values},
        options.tier,
        options.credit_mode,
        options.propagation_delay_s,
        trace=options.trace,
    )


async def _listen(
    app: web.Application, options: GatewayOptions, listener: socket.socket | None
) -> web.AppRunner:
    runner = CourteousRunner(app, refusal, max_line_size=URL_LIMIT, max_field_size=HEADERS_LIMIT)
    await runner.setup()
    if listener is not None:
        await web.SockSite(runner, listener).start()
    else:
        await web.TCPSite(runner, options.bind, options.port).start()
    return runner


def _deployed(options: GatewayOptions, provider: IdentityProvider) -> dict[str, str]:
    """The named values that a deployment sets; those of the other credit mode are harmless."""
    tenant = provider.tenant
    return {
        "tenant": tenant.id,
        "api-audience": tenant.api_audience,
        "api-client-id": tenant.api_client_id,
        "backend-audience": tenant.backend_audience,
        "apim-client-id": tenant.identity_client_id,
        "cosmos-endpoint": f"{options.cosmos_origin.rstrip('/')}/",
        "subscription": "00000000-0000-0000-0000-000000000000",
        "resourcegroup": "rg-orders-local",
        "apim": "orders-local",
    }


def _url(bind: str, runner: web.AppRunner) -> str:
    host = f"[{bind}]" if ":" in bind else bind
    return f"http://{host}:{runner.addresses[0][1]}"
