"""Puts messages of clients into inboxes, where the instance's state allows it: pieces of writes."""

import sqlite3

from emulator.taskhub.errors import gone, invalid_operation, not_found
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.state import TERMINAL, Status
from emulator.taskhub.store import add_message


def post(db: sqlite3.Connection, instance_id: str, message: Message) -> Message:
    """Store a message for an instance that has not ended.

    Raises:
        Refused: 404 unknown, 410 ended; 500 for a suspension or resumption of one that is so.
    """
    row = db.execute("SELECT key, status FROM instance WHERE id = ?", (instance_id,)).fetchone()
    if row is None:
        raise not_found()
    key, status = row
    if status in TERMINAL:
        raise gone()
    if message.kind in (MessageKind.SUSPEND, MessageKind.RESUME):
        _check_control(_is_suspended(db, key, status), message.kind, instance_id)
    return add_message(db, key, message)


def _is_suspended(db: sqlite3.Connection, key: int, status: str) -> bool:
    """Whether it will be suspended once it has read what it was sent."""
    last = db.execute(
        "SELECT kind FROM inbox WHERE instance = ? AND kind IN (?, ?) ORDER BY seq DESC LIMIT 1",
        (key, MessageKind.SUSPEND, MessageKind.RESUME),
    ).fetchone()
    return status == Status.SUSPENDED if last is None else last[0] == MessageKind.SUSPEND


def _check_control(suspended: bool, kind: MessageKind, instance_id: str) -> None:
    if kind is MessageKind.SUSPEND and suspended:
        raise invalid_operation(
            f"Cannot suspend the orchestration instance '{instance_id}': it is suspended already."
        )
    if kind is MessageKind.RESUME and not suspended:
        raise invalid_operation(
            f"Cannot resume the orchestration instance '{instance_id}': it is not suspended."
        )
