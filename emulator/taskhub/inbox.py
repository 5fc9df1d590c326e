"""What has arrived for an instance and waits for its next episode.

Messages from clients, children and entities have a stored row (`seq`); the completions of the
engine's own activities live here only, and are stored together with the episode that takes them.
Pure; one inbox belongs to one cached instance.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from emulator.taskhub.model import Event


class MessageKind(StrEnum):
    """What a message is; the values are stored."""

    COMPLETION = "completion"
    EXTERNAL = "event"
    TERMINATE = "terminate"
    SUSPEND = "suspend"
    RESUME = "resume"
    WAKE = "wake"


@dataclass(slots=True)
class Message:
    """Something that has arrived.

    Attributes:
        at: when, in microseconds.
        event: the history event it becomes; None for a mere wake-up.
        execution_id: the execution it is meant for; None for whichever runs.
        seq: its stored row, if it has one.
    """

    kind: MessageKind
    at: int
    event: Event | None
    execution_id: str | None = None
    seq: int | None = None


@dataclass(slots=True)
class Inbox:
    """The messages of one instance, sorted by what may be done with them.

    Attributes:
        completions: results of tasks, in order of arrival.
        external: external events by name, in order of arrival.
        control: suspend and resume, in order.
        held: failed attempts that arrived after the verdict; kept for a rewind.
    """

    completions: list[Message] = field(default_factory=list)
    external: dict[str, deque[Message]] = field(default_factory=dict)
    control: list[Message] = field(default_factory=list)
    terminations: list[Message] = field(default_factory=list)
    wakes: list[Message] = field(default_factory=list)
    held: list[Message] = field(default_factory=list)

    def add(self, message: Message) -> None:
        """Sort in a message that has arrived after all others."""
        match message.kind:
            case MessageKind.COMPLETION:
                self.completions.append(message)
            case MessageKind.EXTERNAL:
                assert message.event is not None
                self.external.setdefault(message.event["Name"], deque()).append(message)
            case MessageKind.TERMINATE:
                self.terminations.append(message)
            case MessageKind.WAKE:
                self.wakes.append(message)
            case MessageKind.SUSPEND | MessageKind.RESUME:
                self.control.append(message)

    def all(self) -> list[Message]:
        """Every message, those of one kind in order of arrival."""
        messages = self.completions + self.held + self.control + self.terminations + self.wakes
        for waiting in self.external.values():
            messages += waiting
        return messages

    def unstored(self) -> list[Message]:
        """The messages that only live here."""
        return [message for message in self.completions + self.held if message.seq is None]
