"""Rewinds stored instances, failed children among them: one piece of a write.

Source: protocol specification, 10.10. Called by `client`.
"""

import sqlite3

from emulator.taskhub.chunks import encode_events
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.rewind import Rewound, rewind_rows
from emulator.taskhub.state import Kind, Status, Task
from emulator.taskhub.store import add_message, encode_event, read_inbox


class NotFailed(Exception):
    """Only failed instances can be rewound; `status` is None where there is no instance."""

    def __init__(self, status: str | None) -> None:
        super().__init__(status)
        self.status = status


def rewind(db: sqlite3.Connection, instance_id: str, reason: str | None, now: int) -> list[str]:
    """Rewind a failed instance and, beneath it, the failed children that failed it.

    Returns: the ids of all that were rewound; each has a message that makes it run.
    Raises:
        NotFailed: it is unknown, or has not failed.
    """
    row = db.execute(
        "SELECT key, status, execution_id FROM instance WHERE id = ?", (instance_id,)
    ).fetchone()
    if row is None or row[1] != Status.FAILED:
        raise NotFailed(None if row is None else row[1])
    key, _, execution_id = row
    rows = db.execute(
        "SELECT events, marks FROM history WHERE instance = ? ORDER BY seq", (key,)
    ).fetchall()
    rewound = rewind_rows(rows, reason)
    woken = [instance_id]
    for task in rewound.failed:
        if task.kind is Kind.CHILD and _adopt_child(db, task, instance_id, execution_id):
            assert task.child_id is not None
            woken += rewind(db, task.child_id, reason, now)
        else:
            task.unscheduled = True
    _write(db, key, rewound, now)
    _renumber_inbox(db, key, rewound)
    add_message(db, key, Message(MessageKind.WAKE, now, None, execution_id))
    return woken


def _adopt_child(db: sqlite3.Connection, task: Task, parent_id: str, execution_id: str) -> bool:
    """Tell a failed child its task's new id; False if there is none that can be rewound."""
    return (
        db.execute(
            "UPDATE instance SET parent_task = ? WHERE id = ? AND status = ?"
            " AND parent_id = ? AND parent_execution = ?",
            (task.id, task.child_id, Status.FAILED, parent_id, execution_id),
        ).rowcount
        > 0
    )


def _write(db: sqlite3.Connection, key: int, rewound: Rewound, now: int) -> None:
    db.execute("DELETE FROM history WHERE instance = ?", (key,))
    db.execute(
        "INSERT INTO history (instance, events, marks) VALUES (?, ?, ?)",
        (key, encode_events(rewound.events), rewound.marks.encode()),
    )
    db.execute(
        "UPDATE instance SET status = ?, output = NULL, verdict = NULL, next_due = NULL,"
        " updated = ?, turn = turn + 1 WHERE key = ?",
        (Status.PENDING, now, key),
    )


def _renumber_inbox(db: sqlite3.Connection, key: int, rewound: Rewound) -> None:
    for message in read_inbox(db, key):
        if message.kind is MessageKind.COMPLETION and message.event is not None:
            rewound.renumber(message.event)
            db.execute(
                "UPDATE inbox SET event = ? WHERE seq = ?",
                (encode_event(message.event), message.seq),
            )
