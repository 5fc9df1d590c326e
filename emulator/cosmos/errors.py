"""The refusals of the service: status, code, sub-status and text, made in one place.

The SDK picks its exception class by the status and reads the sub-status from a header, so both are
carried here; the text is what a developer reads in the exception.

Source: specification of the REST protocol, error table; texts as the hosted service words them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

_CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    424: "FailedDependency",
    429: "TooManyRequests",
    449: "RetryWith",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}

WRONG_PARTITION_KEY = 1001
OWNER_NOT_FOUND = 1003
STALE_CONTAINER = 1024


@dataclass
class CosmosError(Exception):
    """A request that is refused.

    Attributes:
        status: the HTTP status.
        message: what was wrong, in the vendor's words.
        substatus: the value of the header `x-ms-substatus`; 0 is left out.
        headers: more headers of the answer.
        is_query_error: the message is the JSON text of a query's errors, not a sentence.
    """

    status: int
    message: str
    substatus: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    is_query_error: bool = False

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    @property
    def code(self) -> str:
        """The word for the status."""
        return _CODES.get(self.status, "BadRequest")

    def body(self, activity_id: str) -> bytes:
        """The answer's body, which the SDK shows to the developer."""
        text = self.message
        if not self.is_query_error:
            text = json.dumps({"Errors": [text]})
        message = (
            f"Message: {text}\r\nActivityId: {activity_id}, Microsoft.Azure.Documents.Common/2.14.0"
        )
        return json.dumps({"code": self.code, "message": message}).encode()


def bad_request(message: str, substatus: int = 0) -> CosmosError:
    """400 with the text that says what is wrong."""
    return CosmosError(400, message, substatus)


def not_supported(what: str) -> CosmosError:
    """400 for what this endpoint does not do; never approximated."""
    return CosmosError(400, f"{what} is not supported by this local endpoint.")


def not_found(substatus: int = 0) -> CosmosError:
    """404; sub-status 1003 says that it is the container or database that is missing."""
    return CosmosError(404, "Resource Not Found.", substatus)


def conflict() -> CosmosError:
    """409: the id, or a unique key, is taken."""
    return CosmosError(409, "Resource with specified id or name already exists.")


def unique_key_conflict() -> CosmosError:
    """409: a unique key of the container is taken within the partition key's value."""
    return CosmosError(409, "Unique index constraint violation.")


def precondition_failed() -> CosmosError:
    """412: the etag given is not the item's, or a patch's condition is not true."""
    return CosmosError(
        412, "Operation cannot be performed because one of the specified precondition is not met."
    )


def too_large() -> CosmosError:
    """413: over two MiB."""
    return CosmosError(413, "Request size is too large.")


def partition_key_missing() -> CosmosError:
    """400/1001: a point operation without the header, or with the wrong number of parts."""
    return bad_request(
        "PartitionKey value must be supplied for this operation.", WRONG_PARTITION_KEY
    )


def partition_key_mismatch() -> CosmosError:
    """400/1001: the header and the item disagree."""
    return bad_request(
        "PartitionKey extracted from document doesn't match the one specified in the header.",
        WRONG_PARTITION_KEY,
    )


def stale_container() -> CosmosError:
    """400/1024: the client knows a container of this name that is gone."""
    return bad_request(
        "The requested container has another resource id than the one the client has cached.",
        STALE_CONTAINER,
    )


def invalid_continuation() -> CosmosError:
    """400: a continuation token that was not made for this request."""
    return bad_request("Invalid Continuation Token")


def query_error(code: str, message: str, start: int = 0, end: int = 0) -> CosmosError:
    """400 in the form that query errors have: a code, and the place in the text."""
    detail = {
        "severity": "Error",
        "location": {"start": start, "end": end},
        "code": code,
        "message": message,
    }
    if end <= start:
        del detail["location"]
    return CosmosError(400, json.dumps({"errors": [detail]}), is_query_error=True)
