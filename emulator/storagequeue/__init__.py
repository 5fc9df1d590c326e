"""Azure Queue storage, locally: messages that are hidden while somebody handles them."""

from emulator.storagequeue.errors import QueueStorageError
from emulator.storagequeue.model import Message
from emulator.storagequeue.server import routes
from emulator.storagequeue.service import QueueService
from emulator.storagequeue.store import SCHEMA, SCHEMA_VERSION

__all__ = ["SCHEMA", "SCHEMA_VERSION", "Message", "QueueService", "QueueStorageError", "routes"]
