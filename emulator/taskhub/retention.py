"""Removes ended instances when they have been kept as long as the policies say.

Looked at when the hub starts and every hour from then on, a few hundred instances a transaction, so
that orders go on meanwhile. A state without a policy is kept for ever.

Source: the autopurge of the Durable Task Scheduler, whose policies have these names and units.
DIFFERS: the Azure Storage backend has none; there instances stay until they are purged.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from emulator.database import Database, StorageError
from emulator.taskhub.options import InvalidOptions
from emulator.taskhub.queries import purge_ended
from emulator.taskhub.state import TERMINAL

_log = logging.getLogger("Host.Triggers.DurableTask")

_INTERVAL_S = 3600.0
_AT_ONCE = 200
_DAY_MICROS = 24 * 3600 * 1_000_000


def read_retention(section: object) -> Mapping[str, float]:
    """The days that each ended state is kept, of `durableTask.retentionPolicies`.

    Raises:
        InvalidOptions: it is of another shape, or names a state in which nothing ends.
    """
    policies = section.get("retentionPolicies", []) if isinstance(section, dict) else None
    if not isinstance(policies, list):
        raise InvalidOptions("'durableTask.retentionPolicies' must be a list.")
    return dict(_read_policy(policy) for policy in policies)


def _read_policy(policy: Any) -> tuple[str, float]:
    state = policy.get("orchestrationState") if isinstance(policy, dict) else None
    days = policy.get("retentionPeriodInDays") if isinstance(policy, dict) else None
    if state not in TERMINAL or isinstance(days, bool) or not isinstance(days, int | float):
        raise InvalidOptions(
            "'durableTask.retentionPolicies': each policy has an 'orchestrationState' of "
            f"{', '.join(sorted(TERMINAL))} and a number as 'retentionPeriodInDays', "
            f"which {policy!r} has not."
        )
    return state, days


class Retention:
    """Args: days: by ended state. now: microseconds. forget: called with each id that is gone."""

    def __init__(
        self,
        database: Database,
        days: Mapping[str, float],
        now: Callable[[], int],
        forget: Callable[[str], None],
    ) -> None:
        self._database = database
        self._days = days
        self._now = now
        self._forget = forget
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look now, and every hour."""
        if self._days:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self.purge()
            except StorageError as error:
                _log.warning("Old instances are kept for another hour: %s", error)
            await asyncio.sleep(_INTERVAL_S)

    async def purge(self) -> int:
        """Remove what has been kept long enough; returns how many instances."""
        count = 0
        for state, days in self._days.items():
            before = self._now() - int(days * _DAY_MICROS)
            purge = partial(purge_ended, status=state, before=before, limit=_AT_ONCE)
            while True:
                removed = await self._database.write(purge)
                for instance_id in removed:
                    self._forget(instance_id)
                count += len(removed)
                if len(removed) < _AT_ONCE:
                    break
        if count:
            _log.info("%d ended instances were kept as long as the policies say.", count)
        return count
