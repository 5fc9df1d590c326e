"""The instances that are in memory: those with something to do, and the last that had.

An instance that waits for an event, a child or a timer costs no task and may be dropped at any
time; what is on disk brings it back. Dropped first is what has rested longest.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from emulator.taskhub.inbox import Inbox
from emulator.taskhub.state import Instance

# How many resting instances are kept, and how many characters of input and history they may have
# together: enough that a busy hub rarely reads one back.
_RESTING = 4096
_RESTING_SIZE = 64 << 20


@dataclass(slots=True, eq=False)
class Active:
    """An instance in memory.

    Attributes:
        instance: None until it is read.
        seen: rows of the inbox that the read brought; a message that says the same is ignored.
        in_flight: ids of activities that were dispatched and whose result is not yet stored.
        alarm: when it was last asked to be woken.
        losses: how often in a row the worker or the disk failed it.
        gathers_until_s: when its next turn may come if it waits for many work items, on the event
            loop's clock.
    """

    id: str
    instance: Instance | None = None
    inbox: Inbox = field(default_factory=Inbox)
    seen: frozenset[int] = frozenset()
    in_flight: set[int] = field(default_factory=set)
    alarm: int | None = None
    is_queued: bool = False
    is_busy: bool = False
    losses: int = 0
    gathers_until_s: float = 0.0


class Cache:
    """Actives by instance id."""

    def __init__(self, resting: int = _RESTING, resting_size: int = _RESTING_SIZE) -> None:
        self._limit = resting
        self._size_limit = resting_size
        self._actives: dict[str, Active] = {}
        # Sizes of the resting, the longest at rest first.
        self._resting: OrderedDict[str, int] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._actives)

    def get(self, instance_id: str) -> Active | None:
        return self._actives.get(instance_id)

    def holds(self, active: Active) -> bool:
        """Whether this is still the one; a replaced or purged instance's is not."""
        return self._actives.get(active.id) is active

    def put(self, active: Active) -> Active:
        """Keep an active, in place of another of the same id."""
        self._actives[active.id] = active
        self._size -= self._resting.pop(active.id, 0)
        return active

    def drop(self, instance_id: str) -> None:
        """Forget an instance; whatever still runs for it finds itself alone."""
        self._actives.pop(instance_id, None)
        self._size -= self._resting.pop(instance_id, 0)

    def wake(self, active: Active) -> None:
        """Note that an active has something to do."""
        self._size -= self._resting.pop(active.id, 0)

    def rest(self, active: Active) -> None:
        """Note that an active has nothing to do; too many of those are dropped."""
        if active.in_flight or active.inbox.unstored():
            return
        self.wake(active)
        self._resting[active.id] = 0 if active.instance is None else active.instance.size
        self._size += self._resting[active.id]
        while len(self._resting) > self._limit or self._size > self._size_limit:
            self.drop(next(iter(self._resting)))
