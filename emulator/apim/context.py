"""One call on its way through the policies: what expressions see as `context`, and its notes.

Mutable on purpose: policies change it one after the other. It lives as long as the request.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from emulator.apim.messages import Request, Response, Url
from emulator.apim.model import (
    Api,
    Backend,
    Deployment,
    LastError,
    Operation,
    Product,
    Subscription,
)

if TYPE_CHECKING:
    from emulator.apim.services import Services


@dataclass(slots=True, eq=False)
class Context:
    """A call.

    Attributes:
        backend_url: where `forward-request` sends to; `set-backend-service` changes it.
        backend: the backend entity that was named, if one was.
        reply_headers: headers that go on whatever is answered (those of the rate limits).
        when_answered: called with the final response, before it is sent.
        resources: closes what the call holds open; called when it is over.
        notes: what was executed, when the caller asked for it; else None.
    """

    services: "Services"
    request: Request
    request_id: uuid.UUID
    timestamp: datetime
    started: float
    api: Api
    operation: Operation
    deployment: Deployment
    backend_url: Url
    product: Product | None = None
    subscription: Subscription | None = None
    response: Response | None = None
    last_error: LastError | None = None
    backend: Backend | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    reply_headers: dict[str, str] = field(default_factory=dict)
    when_answered: list[Callable[["Context"], None]] = field(default_factory=list)
    notes: list[str] | None = None
    resources: list[Callable[[], None]] = field(default_factory=list)
    tracing: bool = False
    backend_s: float = 0.0

    # Nobody signs in to a developer portal here.
    user = None

    @property
    def elapsed(self) -> timedelta:
        """How long the call has been here."""
        return timedelta(seconds=self.services.monotonic() - self.started)

    def now(self) -> datetime:
        """The present instant."""
        return self.services.clock.now()

    def note(self, text: str) -> None:
        """Note something for the trace, if one was asked for."""
        if self.notes is not None:
            self.notes.append(text)
