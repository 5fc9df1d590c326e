"""The only reader of the environment: what the app is told, checked once.

Identity is told from keys by form, as the Functions host does it: `COSMOS_DB__accountEndpoint`
means a managed identity, `COSMOS_DB` is a connection string. A setting that only bindings name
(`EVENT_GRID`) is read by the host, not here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from domain.errors import StepError


class InvalidSetting(StepError):
    """A setting is missing or malformed; the text names it."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__("SETTING_INVALID", f"The app setting {name} {what}.")
        self.name = name


@dataclass(frozen=True)
class StoreConnection:
    """How to reach the store: one of connection string and endpoint, the other is None.

    `client_id` picks one of several user-assigned identities.
    """

    connection_string: str | None
    endpoint: str | None
    client_id: str | None


@dataclass(frozen=True)
class BusConnection:
    """How to reach Service Bus over HTTPS: a key with its name, or an identity.

    `client_id` picks one of several user-assigned identities. `queue` is the queue of orders.
    """

    queue: str
    base_url: str
    key_name: str | None
    key: str | None
    client_id: str | None


@dataclass(frozen=True)
class Settings:
    """What the app is told."""

    store: StoreConnection
    database: str
    to_process: str
    processed: str
    reference: str
    submissions: str


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        InvalidSetting: one is missing or malformed.
    """
    return read_settings(os.environ)


@cache
def bus_connection() -> BusConnection:
    """Where the queue is; asked for by what reads dead letters, and nothing else.

    Raises:
        InvalidSetting: a setting is missing or malformed.
    """
    return read_bus(os.environ)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings told by these variables.

    Raises:
        InvalidSetting: one is missing or malformed.
    """
    return Settings(
        store=_store(environment),
        database=_text(environment, "COSMOS_DB_DATABASE_NAME"),
        to_process=_text(environment, "COSMOS_DB_TO_PROCESS_CONTAINER_NAME"),
        processed=_text(environment, "COSMOS_DB_PROCESSED_CONTAINER_NAME"),
        reference=_text(environment, "COSMOS_DB_REFERENCE_CONTAINER_NAME"),
        submissions=_text(environment, "COSMOS_DB_SUBMISSIONS_CONTAINER_NAME"),
    )


def _store(environment: Mapping[str, str]) -> StoreConnection:
    text = environment.get("COSMOS_DB", "").strip()
    endpoint = environment.get("COSMOS_DB__accountEndpoint", "").strip()
    if text:
        names = {part.partition("=")[0].strip().lower() for part in text.split(";")}
        for name in ("AccountEndpoint", "AccountKey"):
            if name.lower() not in names:
                raise InvalidSetting("COSMOS_DB", f"is a connection string without {name}")
        return StoreConnection(text, None, None)
    if not endpoint:
        raise InvalidSetting(
            "COSMOS_DB__accountEndpoint",
            "is missing, and so is COSMOS_DB; one of them says where the store is",
        )
    if not endpoint.startswith(("https://", "http://")):
        raise InvalidSetting("COSMOS_DB__accountEndpoint", "is not a URL")
    client_id = environment.get("COSMOS_DB__clientId") or environment.get("AZURE_CLIENT_ID")
    return StoreConnection(None, endpoint, client_id or None)


def read_bus(environment: Mapping[str, str]) -> BusConnection:
    """The queue told by these variables.

    Raises:
        InvalidSetting: one is missing or malformed.
    """
    queue = _text(environment, "SERVICEBUS_QUEUE")
    text = environment.get("SB_ORDERS", "").strip()
    namespace = environment.get("SB_ORDERS__fullyQualifiedNamespace", "").strip()
    if not text:
        if not namespace:
            raise InvalidSetting(
                "SB_ORDERS__fullyQualifiedNamespace",
                "is missing, and so is SB_ORDERS; one of them says where the queue is",
            )
        client_id = environment.get("SB_ORDERS__clientId") or environment.get("AZURE_CLIENT_ID")
        return BusConnection(queue, f"https://{namespace}", None, None, client_id or None)
    parts = {
        name.strip().lower(): value.strip()
        for name, _, value in (part.partition("=") for part in text.split(";"))
    }
    for name in ("Endpoint", "SharedAccessKeyName", "SharedAccessKey"):
        if not parts.get(name.lower()):
            raise InvalidSetting("SB_ORDERS", f"is a connection string without {name}")
    scheme, _, place = parts["endpoint"].partition("://")
    if scheme != "sb" or not place.strip("/"):
        raise InvalidSetting("SB_ORDERS", "names an Endpoint that does not begin with sb://")
    # The vendor's own word for a namespace that is served without TLS, on the local machine.
    is_local = parts.get("usedevelopmentemulator", "").lower() == "true"
    base_url = f"{'http' if is_local else 'https'}://{place.strip('/')}"
    return BusConnection(
        queue, base_url, parts["sharedaccesskeyname"], parts["sharedaccesskey"], None
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise InvalidSetting(name, "is missing")
    return value
