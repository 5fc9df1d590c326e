"""What the gateway is told: APIs, operations, products, subscriptions, named values, backends.

Values only; where they come from is `definitions.py`'s. Attribute names are those that the
expressions' `context` shows (`expressions/library/context.py`).
"""

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

from emulator.apim.messages import Url


@dataclass(frozen=True)
class Operation:
    """An operation of an API; `url_template` begins with `/` and holds `{name}` or `{*rest}`."""

    id: str
    name: str
    method: str
    url_template: str


@dataclass(frozen=True)
class Api:
    """An API; `path` is its first segments, without slashes at the ends, and may be empty."""

    id: str
    name: str
    path: str
    service_url: Url
    subscription_required: bool = True
    operations: tuple[Operation, ...] = ()
    revision: str = "1"
    version: str | None = None
    is_current_revision: bool = True


@dataclass(frozen=True)
class Product:
    """A product and the APIs it holds."""

    id: str
    name: str
    subscription_required: bool = True
    state: str = "published"
    apis: tuple[Api, ...] = ()

    def holds(self, api: Api) -> bool:
        """Whether the API is part of the product."""
        return any(member.id == api.id for member in self.apis)


@dataclass(frozen=True)
class Subscription:
    """A subscription.

    Attributes:
        scope: `/products/<id>`, `/apis/<id>` or `/apis` (all), as the vendor writes it.
        state: only `active` opens the door.
        key: the key of this call, set for the length of a request.
    """

    id: str
    name: str
    scope: str
    primary_key: str = field(repr=False)
    secondary_key: str = field(repr=False)
    state: str = "active"
    created: datetime | None = None
    key: str = field(default="", repr=False)

    def has_key(self, key: str) -> bool:
        """Whether a key is one of the subscription's two, compared in constant time."""
        given = key.encode("utf-8", "surrogateescape")
        primary = hmac.compare_digest(given, self.primary_key.encode())
        return hmac.compare_digest(given, self.secondary_key.encode()) or primary

    def used_with(self, key: str) -> "Subscription":
        """The subscription as the context of a call with this key shows it."""
        return replace(self, key=key)


@dataclass(frozen=True)
class NamedValue:
    """A named value; the etag changes with it."""

    name: str
    value: str
    secret: bool = False
    etag: str = '"1"'


@dataclass(frozen=True)
class CircuitRule:
    """When the circuit of a backend opens, and for how long."""

    failure_count: int
    status_min: int
    status_max: int
    interval_s: float
    trip_s: float
    accept_retry_after: bool


@dataclass(frozen=True)
class Backend:
    """A backend that policies name by its id."""

    id: str
    url: Url
    circuit: CircuitRule | None = None


@dataclass(frozen=True)
class Deployment:
    """What `context.Deployment` shows."""

    gateway_id: str = "managed"
    region: str = "Local"
    service_name: str = "orders-local"


@dataclass(frozen=True)
class LastError:
    """What `context.LastError` shows."""

    source: str
    reason: str
    message: str
    scope: str = ""
    section: str = ""
    path: str = ""
    policy_id: str = ""


def parse_url(text: str) -> Url:
    """The URL of an absolute http or https address.

    Raises:
        ValueError: it is not one.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError(f"{text!r} is not an absolute http or https URL")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    query = f"?{parts.query}" if parts.query else ""
    return Url(parts.scheme, host, port, parts.path, query)
