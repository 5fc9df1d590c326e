"""The dead-letter queue over Service Bus' HTTPS API: look, and send back.

Bindings cannot read a dead-letter queue, and this needs no AMQP client. HTTPS has no browsing: a
look peek-locks what it shows and unlocks it again at the end, so two looks at once see different
messages. The same requests go to Azure and to a local broker; only the settings differ.

Source: Service Bus REST API, "Peek-Lock Message", "Unlock Message", "Delete Message", "Send".
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from activities._settings import BusConnection, bus_connection
from domain.dead_letters import DeadLetter
from domain.errors import StepError

if TYPE_CHECKING:
    import aiohttp
    from azure.identity.aio import DefaultAzureCredential

_SCOPE = "https://servicebus.azure.net/.default"
_SAS_LIFETIME_S = 600
_TIMEOUT_S = 30
# One look locks no more than this, so that it ends well before the first lock does.
MAX_LOOK = 500
# Headers of a received message that are of HTTP, not of the message.
_HTTP_HEADERS = frozenset(
    {"brokerproperties", "content-type", "content-length", "date", "location", "server"}
    | {"strict-transport-security", "transfer-encoding", "connection", "cache-control"}
)
# Written by the broker when it dead-lettered the message; a message sent back has neither.
_REASON, _DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"


@dataclass(frozen=True)
class Locked:
    """A dead letter that is locked for this process until it is unlocked or deleted."""

    letter: DeadLetter
    url: str
    content_type: str
    properties: Mapping[str, str]


async def look(limit: int) -> list[DeadLetter]:
    """The first dead letters, oldest first, at most `limit`; all are left as they were.

    Raises:
        StepError: QUEUE_UNAVAILABLE or QUEUE_REFUSED.
    """
    async with _session() as bus:
        locked = await bus.lock_some(limit)
        await bus.unlock(locked)
    return sorted((one.letter for one in locked), key=lambda letter: letter.sequence_number)


async def send_back(wanted: Callable[[DeadLetter], bool], limit: int) -> list[DeadLetter]:
    """Sends the wanted ones among the first `limit` dead letters to the queue; returns them.

    Raises:
        StepError: QUEUE_UNAVAILABLE or QUEUE_REFUSED; what was sent back by then stays so.

    Idempotency: a letter is deleted after its copy is on the queue; if this stops in between, the
    copy is sent again, and an order that comes twice starts once.
    """
    sent = []
    async with _session() as bus:
        locked = await bus.lock_some(limit)
        chosen = [one for one in locked if wanted(one.letter)]
        try:
            for one in chosen:
                await bus.send_back(one)
                sent.append(one.letter)
        finally:
            done = {letter.sequence_number for letter in sent}
            await bus.unlock([one for one in locked if one.letter.sequence_number not in done])
    return sent


class _Bus:
    """Requests to one queue and its dead-letter queue."""

    def __init__(self, session: "aiohttp.ClientSession", base: str, queue: str) -> None:
        self._session = session
        self._base = base
        self._queue = f"{base}/{quote(queue)}/messages"
        self._head = f"{base}/{quote(queue)}/$deadletterqueue/messages/head?timeout=0"

    async def lock_some(self, limit: int) -> list[Locked]:
        """Locks dead letters until there are `limit` or no more."""
        locked: list[Locked] = []
        while len(locked) < min(limit, MAX_LOOK):
            status, headers, body = await self._call("POST", self._head)
            if status == 204:
                break
            locked.append(self._locked(headers, body))
        return locked

    async def unlock(self, locked: list[Locked]) -> None:
        """Gives them back; one whose lock has ended has been given back already."""
        await asyncio.gather(*(self._call("PUT", one.url, missing=True) for one in locked))

    async def send_back(self, one: Locked) -> None:
        """Puts a copy on the queue, then deletes the letter."""
        headers = {**one.properties, "Content-Type": one.content_type}
        await self._call("POST", self._queue, one.letter.body, headers)
        await self._call("DELETE", one.url, missing=True)

    def _locked(self, headers: Mapping[str, str], body: bytes) -> Locked:
        told = json.loads(headers["BrokerProperties"])
        properties = {
            name: value for name, value in headers.items() if name.lower() not in _HTTP_HEADERS
        }
        letter = DeadLetter(
            sequence_number=told["SequenceNumber"],
            message_id=told.get("MessageId"),
            delivery_count=told.get("DeliveryCount", 0),
            enqueued_at=told.get("EnqueuedTimeUtc"),
            reason=_text(properties.pop(_REASON, None)),
            description=_text(properties.pop(_DESCRIPTION, None)),
            body=body,
        )
        # The place comes from the broker; only its path is used, so that no token of ours can go
        # anywhere but to the namespace.
        path = "/" + headers["Location"].split("://", 1)[-1].partition("/")[2]
        content_type = headers.get("Content-Type", "application/json")
        return Locked(letter, self._base + path, content_type, properties)

    async def _call(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing: bool = False,
    ) -> tuple[int, Mapping[str, str], bytes]:
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
async def _session() -> AsyncIterator[_Bus]:
    import aiohttp  # noqa: PLC0415 - kept off the cold start

    given = bus_connection()
    headers = {"Authorization": await _authorization(given)}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        yield _Bus(session, given.base_url, given.queue)


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
    """The header value that a key signs; it holds for ten minutes.

    Source: "Control access to Service Bus with Shared Access Signatures".
    """
    resource, expires = quote(url, safe=""), now_s + _SAS_LIFETIME_S
    signed = hmac.new(key.encode(), f"{resource}\n{expires}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(signed).decode(), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expires}&skn={key_name}"


def _text(value: Any) -> str | None:
    """A property as a header tells it: strings stand in quotes."""
    if not isinstance(value, str):
        return None
    try:
        told = json.loads(value)
    except json.JSONDecodeError:
        return value
    return told if isinstance(told, str) else value
