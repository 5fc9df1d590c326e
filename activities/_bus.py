"""Requests to the queue over Service Bus' HTTPS API, signed or with a token.

For what bindings cannot do: read dead letters, and send before a function has returned. It needs no
AMQP client. The same requests go to Azure and to a local broker; only the settings differ.

Source: Service Bus REST API, "Send Message"; "Control access to Service Bus with Shared Access
Signatures".
"""

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from activities._settings import BusConnection, bus_connection
from domain.errors import StepError

if TYPE_CHECKING:
    import aiohttp
    from azure.identity.aio import DefaultAzureCredential

_SCOPE = "https://servicebus.azure.net/.default"
_SAS_LIFETIME_S = 600
_TIMEOUT_S = 30


class Bus:
    """Requests to one queue.

    Attributes:
        base: address of the namespace.
        queue: address of the queue.
    """

    def __init__(self, session: "aiohttp.ClientSession", base: str, queue: str) -> None:
        self._session = session
        self.base = base
        self.queue = f"{base}/{quote(queue)}"

    async def send(self, body: bytes, headers: Mapping[str, str]) -> None:
        """The message is on the queue.

        Raises:
            StepError: QUEUE_UNAVAILABLE, and it may be there all the same, or QUEUE_REFUSED.
        """
        await self.call("POST", f"{self.queue}/messages", body, headers)

    async def call(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing: bool = False,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer; with `missing`, 404 and 410 are answers too.

        Raises:
            StepError: QUEUE_UNAVAILABLE or QUEUE_REFUSED.
        """
        import aiohttp  # noqa: PLC0415 - kept off the cold start
        from yarl import URL  # noqa: PLC0415 - as above

        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=body, headers=dict(headers or {})
            ) as answer:
                status, told, content = answer.status, answer.headers, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            kind = type(error).__name__
            raise StepError("QUEUE_UNAVAILABLE", f"The queue does not answer ({kind}).") from error
        if status < 400 or (missing and status in (404, 410)):
            return status, told, content
        code = "QUEUE_UNAVAILABLE" if status >= 500 or status == 429 else "QUEUE_REFUSED"
        raise StepError(code, f"The queue answers {status}.")


@asynccontextmanager
async def session() -> AsyncIterator[Bus]:
    """The queue of the settings, for as long as one authorization holds."""
    import aiohttp  # noqa: PLC0415 - kept off the cold start

    given = bus_connection()
    headers = {"Authorization": await _authorization(given)}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as opened:
        yield Bus(opened, given.base_url, given.queue)


async def _authorization(bus: BusConnection) -> str:
    if bus.key_name is not None and bus.key is not None:
        return shared_access_signature(bus.base_url, bus.key_name, bus.key, int(time.time()))
    token = await _credential(bus.client_id).get_token(_SCOPE)
    return f"Bearer {token.token}"


@cache
def _credential(client_id: str | None) -> "DefaultAzureCredential":
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - as above

    return DefaultAzureCredential(managed_identity_client_id=client_id)


def shared_access_signature(url: str, key_name: str, key: str, now_s: int) -> str:
    """The header value that a key signs; it holds for ten minutes."""
    resource, expires = quote(url, safe=""), now_s + _SAS_LIFETIME_S
    signed = hmac.new(key.encode(), f"{resource}\n{expires}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(signed).decode(), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expires}&skn={key_name}"
