"""The only reader of the environment: what the app is told, checked once.

Identity is told from keys by form, as the Functions host does it: `COSMOS_DB__accountEndpoint`
means a managed identity, `COSMOS_DB` is a connection string. Settings that only bindings name
(`%SERVICEBUS_QUEUE%`, `SB_ORDERS`, `EVENT_GRID`) are read by the host, not here.
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


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise InvalidSetting(name, "is missing")
    return value
