"""The gateway's own refusals, in the vendor's words; and what is wrong with definitions at load.

The forms of the bodies, blanks included, follow observed answers of real gateways; see section 3.2
of COVERAGE.md for those that are assumed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

JSON = "application/json"


@dataclass(frozen=True)
class Problem:
    """Something wrong with a definition: where, and what."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class DefinitionError(Exception):
    """Definitions that cannot be loaded; every problem of every file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda p: (p.file, p.line, p.text))
        super().__init__("\n".join(map(str, self.problems)))


class PolicyError(Exception):
    """An error of a request: what `context.LastError` will show and what is answered by default.

    Attributes:
        source: the policy, or the gateway's own step.
        message: what LastError says; the body says `answer.message`.
    """

    def __init__(self, source: str, reason: str, message: str, answer: "Answer") -> None:
        super().__init__(message)
        self.source = source
        self.reason = reason
        self.message = message
        self.answer = answer
        self.policy_id = ""
        self.scope = ""


@dataclass(frozen=True)
class Answer:
    """A response that the gateway itself makes.

    Attributes:
        with_activity: the body carries the request's id, so that it can be found in the log.
    """

    status: int
    reason: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    with_activity: bool = False

    def body(self, request_id: object) -> bytes:
        """The body, with the blanks of the vendor's."""
        text = f'{{ "statusCode": {self.status}, "message": "{_escaped(self.message)}"'
        if self.with_activity:
            text += f', "activityId": "{request_id}"'
        return (text + " }").encode()


def _escaped(text: str) -> str:
    """A text inside a JSON string; expressions may put anything into a message."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in plain)


NOT_FOUND = Answer(404, "Resource Not Found", "Resource not found")
INTERNAL = Answer(500, "Internal Server Error", "Internal server error", with_activity=True)
_KEY_MISSING = (
    "Access denied due to missing subscription key. "
    "Make sure to include subscription key when making requests to {} API."
)
_KEY_INVALID = (
    "Access denied due to invalid subscription key. "
    "Make sure to provide a valid key for an active subscription."
)


def key_missing(realm: str, header: str) -> PolicyError:
    """No subscription key where one is needed."""
    answer = Answer(401, "Access Denied", _KEY_MISSING.format("an"), _challenge(realm, header))
    message = _KEY_MISSING.format("this")
    return PolicyError("authorization", "SubscriptionKeyNotFound", message, answer)


def key_invalid(realm: str, header: str) -> PolicyError:
    """A key that is nobody's, or that does not open this API."""
    answer = Answer(401, "Access Denied", _KEY_INVALID, _challenge(realm, header))
    return PolicyError("authorization", "SubscriptionKeyInvalid", _KEY_INVALID, answer)


def _challenge(realm: str, header: str) -> dict[str, str]:
    value = f'AzureApiManagementKey realm="{realm}",name="{header}",type="header"'
    return {"WWW-Authenticate": value}


def rate_limited(source: str, retry_after_s: int, header: str) -> PolicyError:
    """Over the limit of a `rate-limit` policy."""
    message = f"Rate limit is exceeded. Try again in {retry_after_s} seconds."
    answer = Answer(429, "Too Many Requests", message, {header: str(retry_after_s)})
    return PolicyError(source, "RateLimitExceeded", message, answer)


def too_many_inside(source: str) -> PolicyError:
    """Over the limit of `limit-concurrency`. Assumed: the text."""
    message = "Concurrency limit is exceeded."
    return PolicyError(
        source, "ConcurrencyLimitExceeded", message, Answer(429, "Too Many Requests", message)
    )


def expression_failed(source: str, message: str) -> PolicyError:
    """An expression threw, or gave a value of the wrong type."""
    return PolicyError(source, "ExpressionValueEvaluationFailure", message, INTERNAL)


def backend_failed(source: str, message: str, *, timed_out: bool = False) -> PolicyError:
    """A backend, or the target of `send-request`, cannot be reached, or does not answer in time."""
    reason = "Timeout" if timed_out else "BackendConnectionFailure"
    return PolicyError(source, reason, message, INTERNAL)


def circuit_open(retry_after_s: int) -> PolicyError:
    """The backend's circuit is open. Assumed: status and text."""
    message = "Backend pool or circuit is not available"
    headers = {"Retry-After": str(retry_after_s)}
    answer = Answer(503, "Service Unavailable", message, headers)
    return PolicyError("forward-request", "BackendConnectionFailure", message, answer)


def body_too_large(source: str) -> PolicyError:
    """A policy reads a body that is larger than the gateway keeps. Assumed: the status."""
    message = "The body is too large to be read by a policy."
    answer = Answer(413, "Request Entity Too Large", message)
    return PolicyError(source, "BodyTooLarge", message, answer)


def token_refused(source: str, reason: str, status: int, message: str) -> PolicyError:
    """A policy that validates tokens refused one."""
    answer = Answer(status, reason_phrase(status), message)
    return PolicyError(source, reason, message, answer)


def reason_phrase(status: int) -> str:
    """The usual words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
