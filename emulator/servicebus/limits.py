"""What a queue refuses to take in, before anything is written.

Pure. Sizes are counted as the service does: the body and the properties, as they travel.

Source: Service Bus documentation, "Service Bus quotas" (message id 128 characters, properties
64 KB, message size by tier).
"""

from emulator.servicebus.errors import InvalidMessage, MessageTooLarge
from emulator.servicebus.messages import OutgoingMessage, QueueSettings

_ID_CHARACTERS = 128
_PROPERTIES_BYTES = 64 * 1024
_TEXTS = ("content_type", "subject", "correlation_id", "to", "reply_to", "reply_to_session_id")


def check_message(message: OutgoingMessage, settings: QueueSettings) -> None:
    """Pass a message that the queue takes.

    Raises:
        InvalidMessage: an id or a property is not acceptable, or a session id is missing.
        MessageTooLarge: body and properties are over the queue's message size.
    """
    for name in ("message_id", "session_id", "partition_key"):
        value = getattr(message, name)
        if value is not None and not 0 < len(value) <= _ID_CHARACTERS:
            raise InvalidMessage(f"The {name} must have 1 to {_ID_CHARACTERS} characters.")
    if settings.requires_session and message.session_id is None:
        raise InvalidMessage(
            "The SessionId was not set on a message, and it cannot be sent to the entity. Entities "
            "that have session support enabled can only receive messages that have the SessionId "
            "set to a valid value."
        )
    if message.time_to_live_s is not None and message.time_to_live_s <= 0:
        raise InvalidMessage("The time to live must be more than zero.")
    due = message.scheduled_enqueue_time
    if due is not None and due.tzinfo is None:
        raise InvalidMessage("The scheduled enqueue time must name its zone.")
    properties = properties_size(message)
    if properties > _PROPERTIES_BYTES:
        raise InvalidMessage(
            f"The properties have {properties} bytes; {_PROPERTIES_BYTES} are allowed."
        )
    size = len(message.body) + properties
    if size > settings.max_message_bytes:
        raise MessageTooLarge(size, settings.max_message_bytes)


def properties_size(message: OutgoingMessage) -> int:
    """Bytes of the properties.

    Raises:
        InvalidMessage: an application property is of a type that this emulator does not carry.
    """
    size = len(message.message_id or "")
    for name in _TEXTS:
        size += len((getattr(message, name) or "").encode())
    for name, value in message.application_properties.items():
        if not isinstance(value, str | int | float | bool | None):
            raise InvalidMessage(
                f"The application property '{name}' is a {type(value).__name__}; text, numbers, "
                "booleans and null are supported."
            )
        size += len(name.encode()) + len(str(value).encode())
    return size
