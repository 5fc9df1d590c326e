"""Reads an orchestrator's reply: its verdict, and the leaves of its action list in task order.

A reply repeats every action of the execution; compounds (when-any, when-all) only group them. The
flat list of leaves is what task ids are given to, in this order. Values that go back out (output,
custom status) are kept as the text they came in.

Source: protocol specification, 3.1, 3.2 and 3.6.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ACTIVITY, ACTIVITY_WITH_RETRY = 0, 1
CHILD, CHILD_WITH_RETRY = 2, 3
CONTINUE_AS_NEW = 4
TIMER = 5
WAIT_FOR_EVENT = 6
CALL_ENTITY = 7
HTTP_CALL = 8
SIGNAL_ENTITY = 9
WHEN_ANY, WHEN_ALL = 11, 12

# What a user calls an action, for messages about one.
KIND_NAMES = {
    ACTIVITY: "an activity task",
    ACTIVITY_WITH_RETRY: "an activity task with retry",
    CHILD: "a sub-orchestration instance",
    CHILD_WITH_RETRY: "a sub-orchestration instance with retry",
    CONTINUE_AS_NEW: "continue-as-new",
    TIMER: "a timer task",
    WAIT_FOR_EVENT: "a wait for an external event",
    CALL_ENTITY: "an entity call",
    HTTP_CALL: "an HTTP call",
    SIGNAL_ENTITY: "an entity signal",
}

Action = dict[str, Any]
# What is compared when an orchestrator is replayed: the action's type and its name.
LeafKey = tuple[int, str]

_NAME_KEYS = {
    ACTIVITY: "functionName",
    ACTIVITY_WITH_RETRY: "functionName",
    CHILD: "functionName",
    CHILD_WITH_RETRY: "functionName",
    WAIT_FOR_EVENT: "externalEventName",
    CALL_ENTITY: "instanceId",
    SIGNAL_ENTITY: "instanceId",
}
_DECODER = json.JSONDecoder()
_BLANKS = " \t\r\n"


class MalformedReply(ValueError):
    """The orchestrator's reply is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An orchestrator's reply.

    Attributes:
        is_done: it returned, or continues as new.
        leaves: the actions that are no compounds, in task order.
        output, custom_status: JSON texts as they came, or None.
        error: the message of its exception, or None.
    """

    is_done: bool
    leaves: list[Action]
    output: str | None = None
    custom_status: str | None = None
    error: str | None = None


def leaf_key(action: Action) -> LeafKey:
    """What identifies a leaf when it is compared with an earlier run."""
    kind = action["actionType"]
    key = _NAME_KEYS.get(kind)
    return (kind, str(action[key])) if key is not None else (kind, "")


def leaves(actions: list[Any]) -> Iterator[Action]:
    """The leaves of nested action lists, depth first, left to right."""
    stack = [iter(actions)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, list):
                stack.append(iter(item))
                break
            if item["actionType"] in (WHEN_ANY, WHEN_ALL):
                stack.append(iter(item["compoundActions"]))
                break
            yield item
        else:
            stack.pop()


def parse_reply(text: str) -> Reply:
    """Read a reply.

    Raises:
        MalformedReply: it is no JSON object, or lacks what every reply has.
    """
    values, raw = _members(text)
    try:
        actions = list(leaves(values["actions"]))
        for action in actions:
            if action["actionType"] not in KIND_NAMES:
                raise MalformedReply(f"Unknown action type {action['actionType']}.")
        is_done = values["isDone"]
    except (KeyError, TypeError) as error:
        raise MalformedReply(f"The orchestrator's reply lacks {error}.") from error
    if "schemaVersion" not in values:
        raise MalformedReply(
            "The orchestrator's reply is of replay schema V1, which the emulator does not support."
        )
    failure = values.get("error")
    return Reply(
        is_done=bool(is_done),
        leaves=actions,
        output=raw.get("output"),
        custom_status=raw.get("customStatus"),
        error=None if failure is None else str(failure),
    )


def _members(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The members of a JSON object: their values, and the very text of each value."""
    values: dict[str, Any] = {}
    raw: dict[str, str] = {}
    try:
        at = _skip(text, 0)
        if text[at] != "{":
            raise MalformedReply("The orchestrator's reply is not a JSON object.")
        at = _skip(text, at + 1)
        while text[at] != "}":
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
            if text[at] != ":":
                raise MalformedReply("The orchestrator's reply is not a JSON object.")
            start = _skip(text, at + 1)
            values[name], at = _DECODER.raw_decode(text, start)
            raw[name] = text[start:at]
            at = _skip(text, at)
            if text[at] == ",":
                at = _skip(text, at + 1)
    except (IndexError, json.JSONDecodeError) as error:
        raise MalformedReply(f"The orchestrator's reply is not JSON: {error}.") from error
    return values, raw


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at
