"""Which receiver holds which session of a queue.

Pure: it is handed `now`. A session is locked as a unit; what is locked inside it lives and dies
with the session's lock. Used by `model` only. Left out: session state.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from emulator.servicebus.errors import SessionLockLost


@dataclass(frozen=True)
class SessionLock:
    """A receiver's hold on a session."""

    session_id: str
    token: str
    locked_until_us: int


class SessionLocks:
    """The sessions that are held."""

    def __init__(self, lock_duration_us: int) -> None:
        self._lock_duration_us = lock_duration_us
        self._held: dict[str, SessionLock] = {}

    def accept(self, candidates: Iterable[str], token: str, now_us: int) -> SessionLock | None:
        """Lock the first of the candidates that nobody holds; None if all are held."""
        for session_id in candidates:
            if session_id not in self._held:
                lock = SessionLock(session_id, token, now_us + self._lock_duration_us)
                self._held[session_id] = lock
                return lock
        return None

    def check(self, session_id: str, token: str, now_us: int) -> SessionLock:
        """The lock, if it still holds.

        Raises:
            SessionLockLost: it was given up or ran out, or another holds the session.
        """
        lock = self._held.get(session_id)
        if lock is None or lock.token != token or lock.locked_until_us <= now_us:
            raise SessionLockLost(session_id)
        return lock

    def renew(self, session_id: str, token: str, now_us: int) -> SessionLock:
        """Hold it for another lock duration from now; raises as `check`."""
        self.check(session_id, token, now_us)
        lock = SessionLock(session_id, token, now_us + self._lock_duration_us)
        self._held[session_id] = lock
        return lock

    def release(self, session_id: str, token: str) -> bool:
        """Give a session up; False if it was not held with this token any more."""
        lock = self._held.get(session_id)
        if lock is None or lock.token != token:
            return False
        del self._held[session_id]
        return True

    def pop_due(self, now_us: int) -> list[SessionLock]:
        """Take out every lock that ran out."""
        lapsed = [lock for lock in self._held.values() if lock.locked_until_us <= now_us]
        for lock in lapsed:
            del self._held[lock.session_id]
        return lapsed

    def next_us(self) -> int | None:
        """When the first lock runs out."""
        return min((lock.locked_until_us for lock in self._held.values()), default=None)
