"""Azure Logic Apps (Consumption), locally: executes a workflow definition as it is deployed."""

from emulator.logicapp.connectors import Blobs, Documents, Doors, Queues
from emulator.logicapp.errors import InvalidDefinition
from emulator.logicapp.server import routes
from emulator.logicapp.service import LogicApp
from emulator.logicapp.store import SCHEMA, SCHEMA_VERSION

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "Blobs",
    "Documents",
    "Doors",
    "InvalidDefinition",
    "LogicApp",
    "Queues",
    "routes",
]
