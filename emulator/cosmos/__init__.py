"""A local Cosmos DB for NoSQL endpoint that the azure-cosmos SDK cannot tell from the real one.

    service = CosmosService(path_of_cosmos_db, clock, faults)
    await service.start(entities)
    app = create_app(service)

What it does, does differently, and refuses is listed in COVERAGE.md.
"""

from emulator.cosmos.account import open_storage
from emulator.cosmos.auth import EMULATOR_KEY
from emulator.cosmos.errors import CosmosError
from emulator.cosmos.feed import FeedPage
from emulator.cosmos.listen import Listener, listen
from emulator.cosmos.server import create_app
from emulator.cosmos.service import CosmosService

__all__ = [
    "EMULATOR_KEY",
    "CosmosError",
    "CosmosService",
    "FeedPage",
    "Listener",
    "create_app",
    "listen",
    "open_storage",
]
