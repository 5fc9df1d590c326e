"""Compares what an orchestrator asks for with what it asked for before.

The SDK does not notice that code has changed: it hands an old result to whatever task now has its
number. So every reply must begin with the leaves that earlier replies had; what differs is named.
Inputs and times are not compared, names are compared without case.

Source: protocol specification, 10.9; the wording follows the Durable Task framework's.
"""

from collections.abc import Sequence

from emulator.taskhub.actions import KIND_NAMES, LeafKey

_QUESTION = (
    "Was a change made to the orchestrator code after this instance had already started running?"
)


def find_divergence(
    recorded: Sequence[LeafKey], ids: Sequence[int], replayed: Sequence[LeafKey]
) -> str | None:
    """Say where a replay leaves its history, or None where it does not.

    Args:
        recorded: the leaves of earlier replies.
        ids: the task id of each of them, -1 where it has none.
        replayed: at least as many leaves of this reply, if it has them.
    """
    if list(replayed[: len(recorded)]) == list(recorded):
        return None
    for index, before in enumerate(recorded):
        now = replayed[index] if index < len(replayed) else None
        if now is not None and now[0] == before[0] and now[1].lower() == before[1].lower():
            continue
        where = f"sequence number {ids[index]}" if ids[index] >= 0 else f"position {index}"
        what = f"{KIND_NAMES[before[0]]} with {where}{_named(before[1])}"
        return (
            "Non-Deterministic workflow detected: A previous execution of this orchestration "
            f"scheduled {what}, but the current replay execution {_instead(now)}. {_QUESTION}"
        )
    return None


def _instead(now: LeafKey | None) -> str:
    if now is None:
        return "hasn't scheduled this task"
    return f"has scheduled {KIND_NAMES[now[0]]}{_named(now[1])} in its place"


def _named(name: str) -> str:
    return f" named '{name}'" if name else ""
