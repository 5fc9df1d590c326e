"""Whose turn it is: instances that have something to do, in the order in which they get it. Pure.

What was started gets done before more is begun, and nobody starves. Called by the engine.
"""

from collections import deque

from emulator.taskhub.cache import Active

# Of instances that wait for their first turn behind so many others, only the id is kept.
_QUEUED_IN_MEMORY = 2000
# Instances that have begun go before those that have not, so that what was started gets done; but
# of so many in a row, the next is a new one.
_BEGUN_IN_A_ROW = 4
# While more activities wait than can run, a new instance would only add to those that are half
# done, and of more than the worker keeps alive each would be replayed in full at every turn. So
# then one begins in this time: few enough not to matter, and never none.
PACE_S = 0.01


class Lineup:
    """Instances that have begun, and new ones."""

    def __init__(self) -> None:
        self._begun: deque[Active] = deque()
        self._new: deque[Active] = deque()
        self._in_a_row = 0
        self._began_at_s = 0.0

    def __len__(self) -> int:
        return len(self._begun) + len(self._new)

    @property
    def has_room(self) -> bool:
        """Whether one more new instance is worth its place in memory."""
        return len(self._new) < _QUEUED_IN_MEMORY

    def add(self, active: Active) -> None:
        """Queue one that has begun, or was read from disk."""
        self._begun.append(active)

    def add_new(self, active: Active) -> None:
        """Queue one that has just been created."""
        self._new.append(active)

    def clear(self) -> None:
        self._begun.clear()
        self._new.clear()

    def next(self, now_s: float, is_crowded: bool) -> Active | None:
        """Take the one whose turn it is.

        Args:
            now_s: the time, on any clock that only goes forward.
            is_crowded: whether more activities wait than can run.
        Returns: None if nobody waits, or only new ones that may not begin yet.
        """
        if self._new and self._is_turn_of_a_new_one(now_s, is_crowded):
            self._in_a_row = 0
            self._began_at_s = now_s
            return self._new.popleft()
        self._in_a_row += 1
        return self._begun.popleft() if self._begun else None

    def _is_turn_of_a_new_one(self, now_s: float, is_crowded: bool) -> bool:
        if is_crowded:
            return now_s - self._began_at_s >= PACE_S
        return not self._begun or self._in_a_row >= _BEGUN_IN_A_ROW
