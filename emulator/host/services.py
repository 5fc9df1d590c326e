"""The local services that bindings reach, as the host sees them, and which of them a binding means.

Every connection leads to the one local service of its kind, whatever namespace or account it names:
credentials are accepted and not read. Topics of Service Bus are refused.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from emulator.cosmos import CosmosService
from emulator.eventgrid import Sink
from emulator.host.errors import FunctionInError
from emulator.host.expressions import has_expression
from emulator.host.functions import Binding
from emulator.host.settings import Connection, Settings
from emulator.host.storage_account import StorageAccount
from emulator.servicebus import Broker

_TOPICS = "/topics/"
DEAD_LETTER = "/$deadletterqueue"


@dataclass(frozen=True)
class Services:
    """What bindings read from and write to."""

    broker: Broker
    cosmos: CosmosService
    sink: Sink
    account: StorageAccount


@dataclass(frozen=True)
class CosmosPlace:
    """A container; both may hold binding expressions."""

    database: str
    container: str


def queue_path(binding: Binding, settings: Settings) -> str:
    """The queue a Service Bus binding means.

    Raises:
        FunctionInError: its connection is not usable, or it means a topic.
    """
    connection = settings.connection(binding.text("connection"), "serviceBus")
    _need(
        connection,
        "fullyQualifiedNamespace",
        "Connection should have an 'fullyQualifiedNamespace' property or be a string representing "
        "a connection string.",
    )
    if binding.text("topicName"):
        raise FunctionInError("Service Bus topics are not supported by the emulator; use a queue.")
    name = binding.text("queueName")
    if name is None:
        raise FunctionInError("The Service Bus binding names no queue.")
    return name


def storage_queue(binding: Binding, settings: Settings) -> str:
    """The storage queue a binding means, in lower case as the extension makes it.

    Raises:
        FunctionInError: its connection is not usable, or it names no queue.
    """
    settings.connection(binding.text("connection"), "storage")
    name = binding.text("queueName")
    if name is None:
        raise FunctionInError("The queue binding needs 'queueName'.")
    return name if has_expression(name) else name.lower()


def blob_path(binding: Binding, settings: Settings) -> str:
    """The path a blob binding means, which may hold binding expressions.

    Raises:
        FunctionInError: its connection is not usable, or it has no path.
    """
    settings.connection(binding.text("connection"), "storage")
    path = binding.text("path")
    if path is None:
        raise FunctionInError("The blob binding needs 'path'.")
    return path


async def ensure_storage_queue(account: StorageAccount, name: str) -> None:
    """Make a storage queue that a binding names.

    Raises:
        FunctionInError: no queue can have that name.
    """
    queues = await account.queues()
    try:
        await queues.ensure_queue(name)
    except ValueError as error:
        raise FunctionInError(str(error)) from error


async def ensure_queue(broker: Broker, name: str) -> None:
    """Open a queue that a binding names, with the defaults if the entities file has none such.

    Raises:
        FunctionInError: no queue can have that name.
    """
    try:
        await broker.ensure_queue(name)
    except ValueError as error:
        raise FunctionInError(str(error)) from error


def cosmos_place(binding: Binding, settings: Settings) -> CosmosPlace:
    """The container a Cosmos DB binding means.

    Raises:
        FunctionInError: its connection is not usable, or a name is missing.
    """
    cosmos_connection(binding.text("connection"), settings)
    database, container = binding.text("databaseName"), binding.text("containerName")
    if database is None or container is None:
        raise FunctionInError("The Cosmos DB binding needs 'databaseName' and 'containerName'.")
    return CosmosPlace(database, container)


def cosmos_connection(name: str | None, settings: Settings) -> None:
    """Check that a Cosmos DB connection exists.

    Raises:
        FunctionInError: it does not.
    """
    connection = settings.connection(name, "cosmosDB")
    _need(
        connection,
        "accountEndpoint",
        f"Connection '{connection.name}' should have an 'accountEndpoint' property or be a string "
        "representing a connection string.",
    )


def event_grid_topic(binding: Binding, settings: Settings) -> str:
    """The topic an Event Grid output means.

    Raises:
        FunctionInError: neither the endpoint nor the connection is a setting.
    """
    endpoint = None
    if setting := binding.text("topicEndpointUri"):
        endpoint = settings.get(setting)
        if not endpoint:
            raise FunctionInError(f"The setting '{setting}' of 'topicEndpointUri' does not exist.")
    else:
        connection = settings.connection(binding.text("connection"), "eventGrid")
        endpoint = connection.part("topicEndpointUri") or connection.text
    if not endpoint:
        raise FunctionInError("The Event Grid connection has no 'topicEndpointUri'.")
    return topic_of(endpoint)


def topic_of(endpoint: str) -> str:
    """The topic's name in its endpoint: of the path locally, of the host's first label on Azure.

    Raises:
        FunctionInError: it is not a URL.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FunctionInError(f"'{endpoint}' is not the endpoint of an Event Grid topic.")
    if parts.path.lower().startswith(_TOPICS):
        return parts.path[len(_TOPICS) :].split("/", 1)[0]
    return parts.hostname.split(".", 1)[0]


def _need(connection: Connection, member: str, text: str) -> None:
    if connection.text is None and not connection.part(member):
        raise FunctionInError(text)
