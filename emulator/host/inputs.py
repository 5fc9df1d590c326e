"""Reads the input bindings beside a trigger: a durable client, Cosmos DB documents, blobs.

Source: the host's input bindings. A document or blob that is not found is the unset datum, which
Python sees as None.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from emulator.blob.errors import BlobError, BlobNotFound, ContainerNotFound
from emulator.clock import Clock
from emulator.cosmos.errors import CosmosError
from emulator.host.blob_paths import split_path
from emulator.host.errors import FunctionInError, InputFailed
from emulator.host.expressions import bind, has_expression
from emulator.host.functions import Binding, Function
from emulator.host.metadata import blob_content, compact, cosmos_documents
from emulator.host.services import Services, blob_path, cosmos_place
from emulator.host.settings import Settings
from emulator.worker.protocol import UNSET, Datum

Data = Callable[[], Mapping[str, Any]]
Read = Callable[[Data, str], Awaitable[Datum]]
_PARAMETER = re.compile(r"\{([^{}]+)\}")


class Inputs:
    """The input bindings of the functions that were prepared.

    Args:
        client: the text of a durable client binding.
    """

    def __init__(
        self,
        services: Services,
        settings: Settings,
        clock: Clock,
        client: Callable[[Binding], str],
    ) -> None:
        self._services = services
        self._settings = settings
        self._clock = clock
        self._client = client
        self._plans: dict[str, dict[str, Read]] = {}

    def prepare(self, function: Function) -> None:
        """Get a function's inputs ready.

        Raises:
            FunctionInError: one of them cannot be read.
        """
        plan: dict[str, Read] = {}
        for binding in function.inputs:
            if binding.type == "cosmosDB":
                plan[binding.name] = self._cosmos(binding)
            elif binding.type == "blob":
                plan[binding.name] = self._blob(binding)
            elif binding.type == "durableClient":
                plan[binding.name] = self._durable_client(binding)
        self._plans[function.name] = plan

    async def read(self, function: Function, data: Data) -> dict[str, Datum]:
        """The datums of a function's inputs.

        Raises:
            MissingBindingValue: an expression names what the trigger does not supply.
            InputFailed: a service refused.
        """
        plan = self._plans.get(function.name, {})
        return {
            binding.name: await plan[binding.name](data, function.name)
            for binding in function.inputs
        }

    def _durable_client(self, binding: Binding) -> Read:
        datum = Datum("string", self._client(binding))

        async def read(_: Data, __: str) -> Datum:
            return datum

        return read

    def _blob(self, binding: Binding) -> Read:
        path = blob_path(binding, self._settings)
        split_path(path)

        async def read(data: Data, function: str) -> Datum:
            bound = path
            if has_expression(path):
                bound = bind(path, data(), function=function, now=self._clock.now())
            blobs = await self._services.account.blobs()
            try:
                content = await blobs.read(*split_path(bound))
            except (BlobNotFound, ContainerNotFound):
                return UNSET
            except (BlobError, FunctionInError) as error:
                raise InputFailed(f"The blob input failed: {error}") from error
            return blob_content(content, binding.data_type)

        return read

    def _cosmos(self, binding: Binding) -> Read:
        place = cosmos_place(binding, self._settings)
        item_id, query = binding.text("id"), binding.text("sqlQuery")
        partition_key = binding.text("partitionKey")

        async def read(data: Data, function: str) -> Datum:
            def bound(text: str) -> str:
                if not has_expression(text):
                    return text
                return bind(text, data(), function=function, now=self._clock.now())

            cosmos = self._services.cosmos
            database, container = bound(place.database), bound(place.container)
            try:
                if item_id is None:
                    sql, parameters = _parameterised(query or "SELECT * FROM c", bound)
                    found = await cosmos.query_items(database, container, sql, parameters)
                    return cosmos_documents(found)
                key = bound(item_id)
                partition = bound(partition_key) if partition_key else key
                document = await cosmos.read_item(database, container, key, [partition])
            except CosmosError as error:
                if item_id is not None and error.status == 404:
                    return UNSET
                raise InputFailed(f"The Cosmos DB input failed: {error}") from error
            return Datum("string", compact(document))

        return read


def _parameterised(query: str, bound: Callable[[str], str]) -> tuple[str, dict[str, Any]]:
    """A query whose expressions have become parameters, as the extension does."""
    parameters: dict[str, Any] = {}

    def name_of(found: re.Match[str]) -> str:
        name = f"@p{len(parameters)}"
        parameters[name] = _value(bound(found[0]))
        return name

    return _PARAMETER.sub(name_of, query), parameters


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text
