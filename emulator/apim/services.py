"""What policies use of the gateway beyond the call itself; one object per gateway."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from emulator.apim.limits import Limiter
from emulator.apim.openid import OpenIdKeys
from emulator.apim.outbound import Outbound
from emulator.clock import Clock

_log = logging.getLogger("emulator.apim")
# One-way requests that may be under way at once; more are dropped and logged.
ONE_WAY_LIMIT = 1000


class TokenSource(Protocol):
    """Who mints tokens for the gateway's managed identity."""

    async def token(self, resource: str, client_id: str) -> str:
        """A bearer token for a resource; raises LookupError if the identity is not assigned."""


class Forwarder(Protocol):
    """Who sends a call to its backend and sets `context.response`."""

    async def forward(self, context: Any, timeout_s: float) -> None:
        """Send; raises PolicyError if no answer comes."""


class OneWay:
    """Requests that nobody waits for, until the gateway stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a request; drop it, with a line in the log, if too many are under way."""
        if len(self._tasks) >= ONE_WAY_LIMIT:
            work.close()
            _log.error("A one-way request was dropped: %d are under way.", ONE_WAY_LIMIT)
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until those under way have ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


@dataclass
class Services:
    """The gateway's counters, clients and caches.

    Attributes:
        monotonic: seconds that never go backwards.
        inside: how many calls are inside each key of `limit-concurrency`.
        cache: what `cache-store-value` keeps: value and the second it ends.
    """

    clock: Clock
    monotonic: Callable[[], float]
    limiter: Limiter
    outbound: Outbound
    openid: OpenIdKeys
    identity: TokenSource
    forwarder: Forwarder
    one_way: OneWay = field(default_factory=OneWay)
    inside: dict[str, int] = field(default_factory=dict)
    cache: dict[str, tuple[Any, float]] = field(default_factory=dict)
