"""Runs entities: one batch at a time for each, several entities side by side.

New state, answers and the removal of the operations are one transaction. A batch whose function
raises as a whole is tried again a few times; then its callers get the error and the state stays.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable

from emulator.database import Database, StorageError
from emulator.taskhub.entities import (
    MalformedEntityReply,
    answers,
    payload,
    read_reply,
    split_entity_id,
)
from emulator.taskhub.entity_store import Entity, read_batch, save_batch
from emulator.taskhub.inbox import Message
from emulator.taskhub.model import EntityCall, EntityOutcome, FunctionInvoker, WorkerLost
from emulator.taskhub.names import find_name
from emulator.taskhub.options import HubOptions
from emulator.taskhub.pauses import pause_s
from emulator.taskhub.store import Operation

_log = logging.getLogger("Host.Triggers.DurableTask")
# Tries of a batch whose function raises as a whole; Azure goes on for ever.
_TRIES = 3


class EntityRunner:
    """The queue of entities that have operations, and those that run.

    Args:
        now: the present, in microseconds.
        deliver: hands an orchestration its answer.
    """

    def __init__(
        self,
        database: Database,
        options: HubOptions,
        invoker: FunctionInvoker,
        now: Callable[[], int],
        deliver: Callable[[str, Message], None],
    ) -> None:
        self._database = database
        self._options = options
        self._invoker = invoker
        self._now = now
        self._deliver = deliver
        self._ready: deque[str] = deque()
        self._queued: set[str] = set()
        self._busy: dict[str, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def wake(self, entity_ids: Iterable[str]) -> None:
        """Let entities look for operations."""
        for entity_id in entity_ids:
            if entity_id in self._busy:
                self._busy[entity_id] = True
            elif entity_id not in self._queued:
                self._queued.add(entity_id)
                self._ready.append(entity_id)
        self._pump()

    async def stop(self) -> None:
        """Abandon what runs; it runs again at the next start."""
        self._stopped = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _pump(self) -> None:
        while self._ready and len(self._busy) < self._options.max_entities and not self._stopped:
            entity_id = self._ready.popleft()
            self._queued.discard(entity_id)
            self._busy[entity_id] = False
            task = asyncio.get_running_loop().create_task(self._run(entity_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, entity_id: str) -> None:
        losses, more = 0, True
        try:
            while more:
                self._busy[entity_id] = False
                try:
                    more = await self._batch(entity_id) or self._busy[entity_id]
                    losses = 0
                except Exception as error:  # noqa: BLE001 - logged, and the batch is made again
                    losses += 1
                    if isinstance(error, StorageError):
                        _log.error("A batch of entity '%s' is made again: %s", entity_id, error)
                    elif not isinstance(error, WorkerLost):
                        _log.error("Entity '%s' could not be run.", entity_id, exc_info=error)
                    await asyncio.sleep(pause_s(losses))
        finally:
            del self._busy[entity_id]
            self._pump()

    async def _batch(self, entity_id: str) -> bool:
        """Run one batch; returns whether there may be more operations."""
        limit = self._options.max_entity_batch
        entity, operations = await self._database.read(lambda db: read_batch(db, entity_id, limit))
        if not operations:
            return False
        name, _ = split_entity_id(entity_id)
        function = find_name(name, self._invoker.entities())
        if function is None:
            _log.warning("Entity '%s' waits: its entity function is not there.", entity_id)
            return False
        entity, results = await self._results(function, entity, operations)
        now = self._now()
        made = answers(operations, results, now)
        sent = await self._database.write(lambda db: save_batch(db, entity, operations, made, now))
        for instance_id, message in sent:
            self._deliver(instance_id, message)
        return len(operations) == limit

    async def _results(
        self, function: str, entity: Entity, operations: list[Operation]
    ) -> tuple[Entity, list[tuple[bool, str]]]:
        """Call the function; what cannot be had of it becomes an error for every caller."""
        _, key = split_entity_id(entity.id)
        call = EntityCall(function, key, payload(entity, operations))
        outcome = EntityOutcome(ok=False)
        for _ in range(_TRIES):
            outcome = await self._invoker.run_entity(call)
            if outcome.timed_out:
                break
            try:
                if outcome.ok and outcome.text is not None:
                    reply = read_reply(entity, outcome.text, len(operations))
                    return reply.entity, reply.results
            except MalformedEntityReply as error:
                outcome = EntityOutcome(
                    ok=False, error_type=type(error).__name__, error_message=str(error)
                )
        _log.error(
            "A batch of entity '%s' failed: %s: %s",
            entity.id,
            outcome.error_type,
            outcome.error_message,
        )
        # The text of a timeout goes out as it is: the SDK knows it by its beginning.
        text = outcome.error_message
        result = text if outcome.timed_out else json.dumps(f"{outcome.error_type}: {text}")
        return entity, [(True, result)] * len(operations)
