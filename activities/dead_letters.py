"""The dead-letter queue over Service Bus' HTTPS API: look, and send back.

HTTPS has no browsing: a look peek-locks what it shows and unlocks it again at the end, so two looks
at once see different messages.

Source: Service Bus REST API, "Peek-Lock Message", "Unlock Message", "Delete Message", "Send".
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from activities._bus import Bus, session
from domain.dead_letters import DeadLetter

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
    async with session() as bus:
        locked = await _lock_some(bus, limit)
        await _unlock(bus, locked)
    return sorted((one.letter for one in locked), key=lambda letter: letter.sequence_number)


async def send_back(wanted: Callable[[DeadLetter], bool], limit: int) -> list[DeadLetter]:
    """Sends the wanted ones among the first `limit` dead letters to the queue; returns them.

    Raises:
        StepError: QUEUE_UNAVAILABLE or QUEUE_REFUSED; what was sent back by then stays so.

    Idempotency: a letter is deleted after its copy is on the queue; if this stops in between, the
    copy is sent again, and an order that comes twice starts once.
    """
    sent = []
    async with session() as bus:
        locked = await _lock_some(bus, limit)
        chosen = [one for one in locked if wanted(one.letter)]
        try:
            for one in chosen:
                await _send_back(bus, one)
                sent.append(one.letter)
        finally:
            done = {letter.sequence_number for letter in sent}
            left = [one for one in locked if one.letter.sequence_number not in done]
            await _unlock(bus, left)
    return sent


async def _lock_some(bus: Bus, limit: int) -> list[Locked]:
    """Locks dead letters until there are `limit` or no more."""
    head = f"{bus.queue}/$deadletterqueue/messages/head?timeout=0"
    locked: list[Locked] = []
    while len(locked) < min(limit, MAX_LOOK):
        status, headers, body = await bus.call("POST", head)
        if status == 204:
            break
        locked.append(_locked(bus, headers, body))
    return locked


async def _unlock(bus: Bus, locked: list[Locked]) -> None:
    """Gives them back; one whose lock has ended has been given back already."""
    await asyncio.gather(*(bus.call("PUT", one.url, missing=True) for one in locked))


async def _send_back(bus: Bus, one: Locked) -> None:
    """Puts a copy on the queue, then deletes the letter."""
    await bus.send(one.letter.body, {**one.properties, "Content-Type": one.content_type})
    await bus.call("DELETE", one.url, missing=True)


def _locked(bus: Bus, headers: Mapping[str, str], body: bytes) -> Locked:
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
    return Locked(letter, bus.base + path, content_type, properties)


def _text(value: Any) -> str | None:
    """A property as a header tells it: strings stand in quotes."""
    if not isinstance(value, str):
        return None
    try:
        told = json.loads(value)
    except json.JSONDecodeError:
        return value
    return told if isinstance(told, str) else value
