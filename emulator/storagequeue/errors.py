"""What Queue storage refuses.

Source: "Queue service error codes"; the texts follow the documentation and were not compared with
the service.
"""


class QueueStorageError(Exception):
    """A refusal, with the vendor's code."""

    code = "InternalError"


class QueueNotFound(QueueStorageError):
    """There is no queue of that name."""

    code = "QueueNotFound"

    def __init__(self, queue: str) -> None:
        super().__init__(f"The specified queue '{queue}' does not exist.")


class MessageNotFound(QueueStorageError):
    """The message is deleted or expired, or was dequeued by another since."""

    code = "PopReceiptMismatch"

    def __init__(self, message_id: str) -> None:
        super().__init__(
            f"The specified pop receipt did not match the pop receipt for the message {message_id}."
        )


class MessageTooLarge(QueueStorageError):
    """The message is over the service's limit."""

    code = "RequestBodyTooLarge"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            "The request body is too large and exceeds the maximum permissible limit: "
            f"{size} bytes of {limit}."
        )
