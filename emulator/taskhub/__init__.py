"""The durable task hub: instances, histories, timers, work items and entities in one file.

The host makes a `TaskHub` of an opened database (`open_database`), hands it whoever runs functions,
mounts `routes` and gives `client_binding` to durable clients.
"""

from emulator.taskhub.hub import TaskHub
from emulator.taskhub.model import (
    ActivityCall,
    ActivityOutcome,
    EntityCall,
    EntityOutcome,
    Episode,
    EpisodeFailed,
    EpisodeReply,
    FunctionInvoker,
    WorkerLost,
)
from emulator.taskhub.options import HubOptions, InvalidOptions
from emulator.taskhub.retention import read_retention
from emulator.taskhub.server import routes
from emulator.taskhub.store import open_database

__all__ = [
    "ActivityCall",
    "ActivityOutcome",
    "EntityCall",
    "EntityOutcome",
    "Episode",
    "EpisodeFailed",
    "EpisodeReply",
    "FunctionInvoker",
    "HubOptions",
    "InvalidOptions",
    "TaskHub",
    "WorkerLost",
    "open_database",
    "read_retention",
    "routes",
]
