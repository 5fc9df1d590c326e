"""The management operations: what a client may ask of the task hub, behind every door.

What changes something is on disk when its function returns; the instance is woken after that.
Refusals are raised as `Refused` with the vendor's status and text.

Source: protocol specification, 8 to 10. Called by `server`.
"""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Sequence
from typing import TypeVar
from uuid import uuid4

from emulator.database import Database
from emulator.taskhub import entity_store, events, queries
from emulator.taskhub.engine import Engine
from emulator.taskhub.entities import entity_id as entity_id_of
from emulator.taskhub.entity_runner import EntityRunner
from emulator.taskhub.entity_store import Entity
from emulator.taskhub.errors import (
    already_exists,
    bad_argument,
    gone,
    invalid_operation,
    not_found,
    unknown_function,
)
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.model import Event, FunctionInvoker
from emulator.taskhub.names import find_name
from emulator.taskhub.options import HubOptions
from emulator.taskhub.posts import post
from emulator.taskhub.queries import Filter, Snapshot
from emulator.taskhub.rewinding import NotFailed, rewind
from emulator.taskhub.state import TERMINAL, Status
from emulator.taskhub.store import (
    InstanceExists,
    Operation,
    Start,
    add_operations,
    start_instance,
)

T = TypeVar("T")
_FORBIDDEN = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_LONGEST_ID = 256
# Above this, a payload is remarked on: Azure moves it to a blob, which costs time.
_LARGE_CHARACTERS = 1 << 20
_log = logging.getLogger("Host.Triggers.DurableTask")


class Client:
    """Args: those of the hub; the engine and the entities are woken after what is stored."""

    def __init__(
        self,
        database: Database,
        options: HubOptions,
        invoker: FunctionInvoker,
        engine: Engine,
        entities: EntityRunner,
    ) -> None:
        self._database = database
        self._options = options
        self._invoker = invoker
        self._engine = engine
        self._entities = entities

    async def start(
        self, name: str, instance_id: str | None, input_text: str | None, version: str | None
    ) -> str:
        """Start an instance; returns its id.

        Raises:
            Refused: 400 unknown function or impossible id, 500 an active instance has the id.
        """
        known = self._invoker.orchestrators()
        function = find_name(name, known)
        if function is None:
            raise bad_argument(unknown_function(name, "orchestrator", known))
        instance_id = instance_id or uuid4().hex
        check_instance_id(instance_id)
        _remark_on_size(f"The input of instance '{instance_id}'", input_text)
        start = Start(
            instance_id,
            uuid4().hex,
            function,
            version or self._options.default_version,
            input_text,
            self._engine.now(),
        )
        replace = self._options.replace_any_state
        try:
            key = await self._database.write(lambda db: start_instance(db, start, replace))
        except InstanceExists as error:
            raise already_exists(str(error)) from error
        self._engine.adopt(start, key)
        return instance_id

    async def find(self, instance_id: str) -> Snapshot | None:
        """An instance, or None."""
        return await self._database.read(lambda db: queries.find(db, instance_id))

    async def find_with_history(self, instance_id: str) -> tuple[Snapshot, list[Event]] | None:
        """An instance with its history, or None."""
        return await self._database.read(lambda db: queries.find_with_history(db, instance_id))

    async def list_page(self, wanted: Filter, limit: int) -> list[Snapshot]:
        """Instances by id; entities only if the prefix asks for them."""
        if wanted.prefix.startswith("@"):
            return await self._database.read(lambda db: _entity_snapshots(db, wanted, limit))
        return await self._database.read(lambda db: queries.list_page(db, wanted, limit))

    async def wait_for_end(self, instance_id: str, timeout_s: float) -> Snapshot | None:
        """The instance when it has ended, or as it is when the time is over."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        with self._engine.waiters.watch(instance_id) as ended:
            while True:
                ended.clear()
                snapshot = await self.find(instance_id)
                if snapshot is None or snapshot.status in TERMINAL:
                    return snapshot
                try:
                    async with asyncio.timeout_at(deadline):
                        await ended.wait()
                except TimeoutError:
                    return snapshot

    async def raise_event(self, instance_id: str, name: str, input_text: str | None) -> None:
        """Send an external event; it is kept until the instance waits for it."""
        now = self._engine.now()
        _remark_on_size(f"Event '{name}' for instance '{instance_id}'", input_text)
        event = events.event_raised(now, name, input_text)
        await self._post(instance_id, Message(MessageKind.EXTERNAL, now, event))

    async def terminate(self, instance_id: str, reason: str | None) -> None:
        """End an instance without running its code again."""
        now = self._engine.now()
        event = events.execution_terminated(now, reason)
        await self._post(instance_id, Message(MessageKind.TERMINATE, now, event))

    async def suspend(self, instance_id: str, reason: str | None) -> None:
        """Hold what arrives for an instance until it is resumed."""
        now = self._engine.now()
        event = events.execution_suspended(now, reason)
        await self._post(instance_id, Message(MessageKind.SUSPEND, now, event))

    async def resume(self, instance_id: str, reason: str | None) -> None:
        """Let a suspended instance go on."""
        now = self._engine.now()
        event = events.execution_resumed(now, reason)
        await self._post(instance_id, Message(MessageKind.RESUME, now, event))

    async def _post(self, instance_id: str, message: Message) -> None:
        stored = await self._database.write(lambda db: post(db, instance_id, message))
        self._engine.deliver(instance_id, stored)

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        """Take back the failures that ended a failed instance and let it go on."""
        now = self._engine.now()
        try:
            woken = await self._database.write(lambda db: rewind(db, instance_id, reason, now))
        except NotFailed as error:
            if error.status is None:
                raise not_found() from error
            if error.status in TERMINAL:
                raise gone() from error
            raise invalid_operation(
                "The rewind operation is only supported on failed orchestration instances."
            ) from error
        for woken_id in woken:
            self._engine.forget(woken_id)
            self._engine.wake(woken_id)

    async def restart(self, instance_id: str, with_new_id: bool) -> str:
        """Start the same function with the same input; returns the new instance's id."""
        snapshot = await self.find(instance_id)
        if snapshot is None:
            raise bad_argument("InstanceId does not match a valid orchestration instance.")
        new_id = None if with_new_id else instance_id
        return await self.start(snapshot.name, new_id, snapshot.input, None)

    async def purge(self, instance_id: str) -> bool:
        """Remove an instance, whatever its state; False if there is none."""
        if instance_id.startswith("@"):
            return await self._database.write(
                lambda db: entity_store.delete_entity(db, instance_id)
            )
        removed = await self._database.write(lambda db: queries.purge_one(db, instance_id))
        if removed:
            self._engine.forget(instance_id)
        return removed

    async def purge_many(self, wanted: Filter) -> int:
        """Remove the ended instances that a filter finds; returns how many."""
        removed = await self._database.write(lambda db: queries.purge(db, wanted))
        for instance_id in removed:
            self._engine.forget(instance_id)
        return len(removed)

    async def signal_entity(
        self, name: str, key: str, operation: str, input_text: str | None
    ) -> None:
        """Queue an operation for an entity, which need not exist yet."""
        known = self._invoker.entities()
        if find_name(name, known) is None:
            raise bad_argument(unknown_function(name, "entity", known))
        entity_id = entity_id_of(name, key)
        queued = [Operation(entity_id, operation, input_text)]
        await self._database.write(lambda db: add_operations(db, queued))
        self._entities.wake([entity_id])

    async def read_entity(self, name: str, key: str) -> Entity | None:
        """An entity that exists, or None."""
        entity_id = entity_id_of(name, key)
        return await self._database.read(lambda db: entity_store.find_entity(db, entity_id))

    async def list_entities(
        self, prefix: str, after: str, limit: int, span: tuple[int, int]
    ) -> Sequence[tuple[str, str | None, int]]:
        """Entities by id: id, state and time of the last operation."""
        return await self._database.read(
            lambda db: entity_store.list_entities(db, prefix, after, limit, span)
        )


def _entity_snapshots(db: sqlite3.Connection, wanted: Filter, limit: int) -> list[Snapshot]:
    """Entities among instances, as Azure lists them."""
    found = entity_store.list_entities(db, wanted.prefix, wanted.after, limit, (0, queries.FOREVER))
    return [
        Snapshot(
            id=each,
            name="@" + each.split("@", 2)[1],
            status=Status.RUNNING,
            input=None,
            output=None,
            custom_status=None,
            created=last,
            updated=last,
        )
        for each, _, last in found
    ]


def _remark_on_size(what: str, text: str | None) -> None:
    if text is not None and len(text) > _LARGE_CHARACTERS:
        _log.warning("%s has %.1f million characters.", what, len(text) / 1e6)


def check_instance_id(instance_id: str) -> None:
    """Raises: Refused: 400 for an id that an orchestration cannot have."""
    if instance_id.startswith("@"):
        raise bad_argument("Orchestration instance IDs must not start with '@'.")
    if _FORBIDDEN.search(instance_id):
        raise bad_argument(
            "Orchestration instance IDs must not contain '/', '\\', '#', '?' or control characters."
        )
    if len(instance_id) > _LONGEST_ID:
        raise bad_argument(
            f"Orchestration instance IDs must not be longer than {_LONGEST_ID} characters."
        )
