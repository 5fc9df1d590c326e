"""Bodies of `application/problem+json` (RFC 9457), all of one make.

`type` is a reference that stays the same for a kind of problem; `errors` is there where several
things are wrong. Left out on purpose: how they are sent, which is for `triggers`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CONTENT_TYPE = "application/problem+json"
_TYPE = "urn:durable-orders:problem:"

# Kind of problem: HTTP status and title.
KINDS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be understood"),
    "invalid-parameter": (400, "A parameter is not valid"),
    "cross-site": (403, "A page of another site may not ask for this"),
    "not-found": (404, "There is no such thing here"),
    "conflict": (409, "It contradicts what is already there"),
    "too-large": (413, "The content is too large"),
    "media-type": (415, "The content is not JSON"),
    "unavailable": (503, "A service that is needed does not answer"),
}


@dataclass(frozen=True)
class Problem:
    """One problem; `kind` is a key of `KINDS`."""

    kind: str
    detail: str
    errors: Sequence[dict[str, str]] = field(default=())

    @property
    def status(self) -> int:
        return KINDS[self.kind][0]

    def to_dict(self, instance: str, trace_id: str | None) -> dict[str, Any]:
        """The body for the request to `instance`."""
        body: dict[str, Any] = {
            "type": _TYPE + self.kind,
            "title": KINDS[self.kind][1],
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "traceId": trace_id,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        return body
