"""When is the next thing due? A heap of instants that forgets those called off.

Pure; used by `model` for locks, times to live and scheduled messages. A message has one deadline at
a time. Those called off stay in the heap until they come up or outnumber the rest, so that a queue
through which millions of messages pass stays as small as what is in it.
"""

import heapq
from collections.abc import Iterator

# Below this the heap is not worth tidying.
_SLACK = 64


class Deadlines:
    """One instant (microseconds) for each key."""

    def __init__(self) -> None:
        self._due: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: int, due_us: int | None) -> None:
        """Give a key its deadline in place of the one it had; None calls it off."""
        if due_us is None:
            self._due.pop(key, None)
        else:
            self._due[key] = due_us
            heapq.heappush(self._heap, (due_us, key))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._heap = [(due, each) for each, due in self._due.items()]
            heapq.heapify(self._heap)

    def next_us(self) -> int | None:
        """The earliest deadline."""
        while self._heap:
            due_us, key = self._heap[0]
            if self._due.get(key) == due_us:
                return due_us
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now_us: int) -> Iterator[int]:
        """Take out every key whose deadline has come, earliest first."""
        while (due_us := self.next_us()) is not None and due_us <= now_us:
            key = heapq.heappop(self._heap)[1]
            del self._due[key]
            yield key
