"""The one connection to the store, made when it is first needed and kept while the process lives.

Imports of the vendor's clients stand inside the functions: a cold start that serves no order needs
none of them. One asyncio loop runs all functions of a process, which is what the client expects.
"""

import logging
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from activities._settings import StoreConnection, settings

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.cosmos.aio import ContainerProxy, CosmosClient

# The retry policies of the orchestrators do the waiting; the client only bridges a hiccup, so that
# a step which cannot go on says so soon.
_CLIENT_OPTIONS: dict[str, Any] = {
    "connection_timeout": 5,
    "read_timeout": 10,
    "retry_total": 2,
    "retry_backoff_max": 2,
    "retry_throttle_total": 3,
}
# The vendor's clients log every request and its headers at Information, which would be a bill.
_LOGS_OF_REQUESTS = (
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.cosmos._cosmos_http_logging_policy",
)


@cache
def container(name: str) -> "ContainerProxy":
    """The container of the app's database.

    Raises:
        InvalidSetting: the settings do not say where the store is.
    """
    return _client().get_database_client(settings().database).get_container_client(name)


@cache
def _client() -> "CosmosClient":
    return make_client(settings().store)


def make_client(connection: StoreConnection) -> "CosmosClient":
    """A client for this connection; nothing is sent yet."""
    from azure.cosmos.aio import CosmosClient  # noqa: PLC0415 - see the module's docstring

    for name in _LOGS_OF_REQUESTS:
        logging.getLogger(name).setLevel(logging.WARNING)
    options = {**_CLIENT_OPTIONS, "transport": _transport()}
    if connection.connection_string is not None:
        return CosmosClient.from_connection_string(connection.connection_string, **options)
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - as above

    assert connection.endpoint is not None
    credential = DefaultAzureCredential(managed_identity_client_id=connection.client_id)
    return CosmosClient(connection.endpoint, credential, **options)


def _transport() -> "AioHttpTransport":
    """The client's own transport, which asks for proxies once.

    The default one looks for proxies and a `.netrc` at every request, which was a tenth of all the
    CPU time of an order.
    """
    from azure.core.pipeline.transport import AioHttpTransport  # noqa: PLC0415 - as above

    return AioHttpTransport(use_env_settings=bool(getproxies()))
