"""What goes into an entity's function and what comes out of it. Pure.

Source: protocol specification, 6.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.taskhub import events
from emulator.taskhub.entity_store import Entity
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.store import Answer, Operation


class MalformedEntityReply(ValueError):
    """An entity's reply is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class EntityReply:
    """What a batch came to.

    Attributes:
        results: for each operation whether it failed, and its result's JSON text.
    """

    entity: Entity
    results: list[tuple[bool, str]]


def entity_id(name: str, key: str) -> str:
    """`@name@key`, the name in lower case."""
    return f"@{name.lower()}@{key}"


def split_entity_id(identity: str) -> tuple[str, str]:
    """Name and key; the key may hold further `@`."""
    _, name, key = identity.split("@", 2)
    return name, key


def payload(entity: Entity, operations: Sequence[Operation]) -> str:
    """The entity trigger's text. It has exactly these keys, or the SDK raises."""
    name, key = split_entity_id(entity.id)
    return json.dumps(
        {
            "self": {"name": name, "key": key},
            "exists": entity.is_present,
            "state": entity.state,
            "batch": [
                {"name": op.name, "input": op.input, "isSignal": op.request is None}
                for op in operations
            ],
        }
    )


def read_reply(entity: Entity, text: str, count: int) -> EntityReply:
    """Read an entity's reply to a batch of `count` operations.

    Raises:
        MalformedEntityReply: it is not one.
    """
    try:
        reply = json.loads(text)
        results = [(bool(each["isError"]), str(each["result"])) for each in reply["results"]]
        exists, state = bool(reply["entityExists"]), reply["entityState"]
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedEntityReply(f"The entity's reply is not one: {error!r}") from error
    if len(results) != count or not isinstance(state, str | None):
        raise MalformedEntityReply("The entity's reply does not fit its batch.")
    return EntityReply(Entity(entity.id, exists, state if exists else None), results)


def answers(
    operations: Sequence[Operation], results: Sequence[tuple[bool, str]], at: int
) -> list[Answer]:
    """What the callers among the operations are told."""
    made = []
    for op, (failed, result) in zip(operations, results, strict=True):
        if op.request is not None and op.caller is not None and op.caller_execution is not None:
            body = {"exceptionType": "Error", "result": result} if failed else {"result": result}
            event = events.event_raised(at, op.request, json.dumps(body))
            message = Message(MessageKind.COMPLETION, at, event, op.caller_execution)
            made.append(Answer(op.caller, op.caller_execution, message))
    return made
