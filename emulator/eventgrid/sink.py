"""Custom topics that keep what was published, durably and in order.

What a topic took in is listed, so that a person, a test or a checker sees every event that the app
sent, repeated ones too. `deliveries` brings it to those who subscribed. Called by the host's output
binding, by `server`, by tests. Fault point: `eventgrid.publish` (label `topic`; `duplicate` keeps
the events twice, as a publisher's retry would).
"""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from emulator.clock import Clock
from emulator.database import Database
from emulator.eventgrid import store
from emulator.eventgrid.delivery import Courier
from emulator.eventgrid.errors import TopicNotFound
from emulator.eventgrid.model import PublishedEvent, Schema, check_events, schema_of
from emulator.eventgrid.store import Query
from emulator.eventgrid.subscriptions import Subscription
from emulator.faults import Faults


class Sink:
    """The topics of a namespace.

    Args:
        topics: the topics there are; None takes any name.
        subscriptions: to whom their events are delivered.

    Attributes:
        deliveries: the courier; it rests until the host starts it.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        faults: Faults | None = None,
        *,
        topics: Collection[str] | None = None,
        subscriptions: Sequence[Subscription] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._faults = faults or Faults()
        self._topics = None if topics is None else {name.lower(): name for name in topics}
        self._noted = asyncio.Event()
        self.subscriptions = {each.name: each for each in subscriptions}
        self.deliveries = Courier(database, clock, self._faults, self.subscriptions, self._noted)

    async def publish(
        self, topic: str, events: Sequence[dict[str, Any]], schema: Schema | None = None
    ) -> list[int]:
        """Keep events, all or none; they are on disk when it returns.

        Args:
            schema: None lets the first event decide.
        Returns: their sequence numbers.
        Raises:
            TopicNotFound, InvalidEvents; InjectedFault; StorageError.
        """
        name = self._name(topic)
        schema = schema or schema_of(events)
        check_events(events, schema)
        kept = list(events)
        if await self._faults.at("eventgrid.publish", topic=name):
            kept += events
        now = self._clock.now()
        numbers = await asyncio.shield(
            self._database.submit(
                lambda connection: store.append(
                    connection, name, schema, kept, now=now, wanted=partial(self._wanted, name)
                )
            )
        )
        self._noted.set()
        return numbers[: len(events)]

    def _wanted(self, topic: str, event_type: str, subject: str) -> Sequence[str]:
        subscriptions = self.subscriptions.values()
        return [each.name for each in subscriptions if each.wants(topic, event_type, subject)]

    async def list(self, query: Query | None = None) -> list[PublishedEvent]:
        """What was published, in order; see `Query`."""
        asked = query or Query()
        return await self._database.read(lambda connection: store.select(connection, asked))

    async def count(self, query: Query | None = None) -> int:
        """How many events were published."""
        asked = query or Query()
        return await self._database.read(lambda connection: store.count(connection, asked))

    def _name(self, topic: str) -> str:
        if self._topics is None:
            return topic
        name = self._topics.get(topic.lower())
        if name is None:
            raise TopicNotFound(topic)
        return name
