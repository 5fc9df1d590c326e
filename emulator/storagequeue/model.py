"""The words of Queue storage: a message, and the names that a queue may have.

Pure. Source: "Naming queues and metadata"; "Put Message" (64 KiB, seven days).
"""

import re
from dataclasses import dataclass
from datetime import datetime

from emulator.storagequeue.errors import MessageTooLarge

_NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_MAX_BYTES = 64 * 1024
TIME_TO_LIVE_S = 7 * 86400.0


@dataclass(frozen=True)
class Message:
    """A message as whoever dequeued it sees it.

    Attributes:
        dequeue_count: this time included, so 1 at the first.
        pop_receipt: what deletes or releases it until it is dequeued again.
        next_visible: until when nobody else sees it.
    """

    queue: str
    id: str
    body: bytes
    dequeue_count: int
    pop_receipt: str
    inserted: datetime
    expires: datetime
    next_visible: datetime


def check_name(name: str) -> None:
    """Pass a name that a queue may have.

    Raises:
        ValueError: it is another.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' cannot be the name of a storage queue: 3 to 63 lower-case letters, digits "
            "and single hyphens, and no hyphen at the ends."
        )


def check_body(body: bytes) -> None:
    """Pass a message that the service takes.

    The functions' extension sends Base64, so a body may be three quarters of the limit.

    Raises:
        MessageTooLarge: it does not fit.
    """
    size = (len(body) + 2) // 3 * 4
    if size > _MAX_BYTES:
        raise MessageTooLarge(size, _MAX_BYTES)
