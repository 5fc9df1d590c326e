"""What Event Grid says when it refuses a publish request.

Source: Event Grid documentation, "Post to custom topic" (status codes and the form of the error);
the texts follow what the service is known to answer and were not compared with it.
"""

from typing import Any


class EventGridError(Exception):
    """A refusal, with its HTTP status and the vendor's code."""

    status = 400
    code = "BadRequest"

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {"error": {"code": self.code, "message": str(self)}}


class InvalidEvents(EventGridError):
    """The request is not what the schema asks for."""

    def __init__(self, schema: str, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"This resource is configured to receive event in '{schema}' schema. The JSON received "
            f"does not conform to the expected schema. {detail}"
        )

    def body(self) -> dict[str, Any]:
        body = super().body()
        body["error"]["details"] = [{"code": "InputJsonInvalid", "message": str(self)}]
        return body


class InvalidQuery(EventGridError):
    """A door of the emulator's own was asked for something it does not have."""


class MissingKey(EventGridError):
    """No key, no token."""

    status = 401
    code = "Unauthorized"

    def __init__(self) -> None:
        super().__init__(
            "The request did not contain any of the following authorization: aeg-sas-key header, "
            "aeg-sas-token header, or Authorization header with a SharedAccessSignature or a "
            "Bearer token."
        )


class TopicNotFound(EventGridError):
    """There is no such topic."""

    status = 404
    code = "ResourceNotFound"

    def __init__(self, topic: str) -> None:
        super().__init__(f"The topic '{topic}' could not be found.")


class TooLarge(EventGridError):
    """The request, or one event of it, is over 1 MB."""

    status = 413
    code = "RequestEntityTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The maximum size ({limit}) for the event payload has been exceeded.")
