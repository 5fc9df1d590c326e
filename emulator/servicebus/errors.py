"""What Service Bus says when it refuses: one class for each refusal, with its status and text.

The wire's form of them (an XML `Error` with `Code` and `Detail`) is made in `server`.

Source: the Service Bus REST reference (status codes of each operation) and the exceptions page of
the .NET client (names and texts). The texts were not compared with the service itself.
"""

_HELP = "To know more visit https://aka.ms/sbResourceMgrExceptions."


class ServiceBusError(Exception):
    """A refusal.

    Attributes:
        status: the HTTP status.
        code: the vendor's name for the reason; match on this, not on the text.
    """

    status = 400
    code = "BadRequest"


class InvalidMessage(ServiceBusError):
    """The message, or one of its properties, cannot be accepted."""


class InvalidOperation(ServiceBusError):
    """The operation does not apply to this entity."""

    code = "InvalidOperation"


class MissingToken(ServiceBusError):
    """No authorization, or none of a kind that the service knows."""

    status = 401
    code = "Unauthorized"

    def __init__(self) -> None:
        super().__init__("MissingToken: The authorization header was missing or malformed.")


class MessageTooLarge(ServiceBusError):
    """The message is larger than the entity takes."""

    status = 403
    code = "MessageSizeExceeded"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The received message (delivery-id:0, size:{size} bytes) exceeds the limit "
            f"({limit} bytes) currently allowed on the link."
        )


class MessageLockLost(ServiceBusError):
    """The lock token is unknown, was used, or ran out."""

    status = 404
    code = "MessageLockLost"

    def __init__(self) -> None:
        super().__init__(
            "The lock supplied is invalid. Either the lock expired, or the message has already "
            "been removed from the queue, or was received by a different receiver instance."
        )


class SessionLockLost(ServiceBusError):
    """The session's lock is unknown, was given up, or ran out."""

    status = 410
    code = "SessionLockLost"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"The session lock has expired on the MessageSession '{session_id}'. "
            "Accept a new MessageSession."
        )


class MessageNotFound(ServiceBusError):
    """No deferred or scheduled message has this sequence number."""

    status = 404
    code = "MessageNotFound"

    def __init__(self, sequence_number: int) -> None:
        super().__init__(f"Failed to lock one or more specified messages: {sequence_number}.")


class QueueNotFound(ServiceBusError):
    """There is no such entity."""

    status = 410
    code = "MessagingEntityNotFound"

    def __init__(self, path: str) -> None:
        super().__init__(f"The messaging entity '{path}' could not be found. {_HELP}")
