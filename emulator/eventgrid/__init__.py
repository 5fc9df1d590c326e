"""Azure Event Grid, locally: custom topics that keep and show what was published."""

from emulator.eventgrid.errors import EventGridError, InvalidEvents, TopicNotFound
from emulator.eventgrid.model import CLOUD_EVENTS, EVENT_GRID, PublishedEvent, Schema
from emulator.eventgrid.server import routes
from emulator.eventgrid.sink import Sink
from emulator.eventgrid.store import SCHEMA, SCHEMA_VERSION, Query
from emulator.eventgrid.subscriptions import Subscription

__all__ = [
    "CLOUD_EVENTS",
    "EVENT_GRID",
    "SCHEMA",
    "SCHEMA_VERSION",
    "EventGridError",
    "InvalidEvents",
    "PublishedEvent",
    "Query",
    "Schema",
    "Sink",
    "Subscription",
    "TopicNotFound",
    "routes",
]
