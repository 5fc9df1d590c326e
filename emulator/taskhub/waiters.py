"""Lets callers wait for the end of an instance without polling."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Waiters:
    """Who waits for which instance."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, instance_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the instance ends from now on.

        Watch first and look second, or an end in between goes unnoticed.
        """
        ended = asyncio.Event()
        waiting = self._waiting.setdefault(instance_id, set())
        waiting.add(ended)
        try:
            yield ended
        finally:
            waiting.discard(ended)
            if not waiting and self._waiting.get(instance_id) is waiting:
                del self._waiting[instance_id]

    def tell(self, instance_id: str) -> None:
        """Say that an instance has ended."""
        for ended in self._waiting.get(instance_id, ()):
            ended.set()
