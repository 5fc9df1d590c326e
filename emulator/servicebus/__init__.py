"""Azure Service Bus, locally: queues with peek-lock, dead-letter queues, and their HTTPS door."""

from emulator.servicebus.broker import Broker
from emulator.servicebus.errors import (
    InvalidMessage,
    InvalidOperation,
    MessageLockLost,
    MessageNotFound,
    MessageTooLarge,
    QueueNotFound,
    ServiceBusError,
    SessionLockLost,
)
from emulator.servicebus.messages import OutgoingMessage, QueueSettings, ReceivedMessage
from emulator.servicebus.server import routes
from emulator.servicebus.sessions import SessionLock
from emulator.servicebus.store import SCHEMA, SCHEMA_VERSION

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "Broker",
    "InvalidMessage",
    "InvalidOperation",
    "MessageLockLost",
    "MessageNotFound",
    "MessageTooLarge",
    "OutgoingMessage",
    "QueueNotFound",
    "QueueSettings",
    "ReceivedMessage",
    "ServiceBusError",
    "SessionLock",
    "SessionLockLost",
    "routes",
]
