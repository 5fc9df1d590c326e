"""Stand-ins for the store and the task hub, through the doors that the app uses.

`FakeContainer` raises what `azure-cosmos` raises; `FakeHub` answers with the durable library's own
status objects. Queries are not understood here: tests of them run against the Cosmos endpoint.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import azure.functions as func
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

Item = dict[str, Any]


class FakeContainer:
    """Items by id. `failures` are raised first, one a request."""

    def __init__(self, *items: Item) -> None:
        self.items: dict[str, Item] = {}
        self.requests: list[str] = []
        self.failures: list[Exception] = []
        self._version = 0
        for item in items:
            self._keep(item)

    async def read_item(self, item: str, partition_key: str) -> Item:
        self._request(f"read {item}")
        if item not in self.items:
            raise CosmosResourceNotFoundError(status_code=404, message="no")
        return deepcopy(self.items[item])

    async def create_item(self, body: Item, **options: Any) -> None:
        self._request(f"create {body['id']}")
        if body["id"] in self.items:
            raise CosmosResourceExistsError(status_code=409, message="there")
        self._keep(body)

    async def upsert_item(self, body: Item, **options: Any) -> None:
        self._request(f"upsert {body['id']}")
        self._keep(body)

    async def replace_item(self, item: str, body: Item, *, etag: str, **options: Any) -> None:
        self._request(f"replace {item}")
        if item not in self.items:
            raise CosmosResourceNotFoundError(status_code=404, message="no")
        if self.items[item]["_etag"] != etag:
            raise CosmosAccessConditionFailedError(status_code=412, message="changed")
        self._keep(body)

    def _request(self, what: str) -> None:
        self.requests.append(what)
        if self.failures:
            raise self.failures.pop(0)

    def _keep(self, item: Item) -> None:
        self._version += 1
        self.items[item["id"]] = {**deepcopy(item), "_etag": f'"{self._version}"', "_ts": 1}


def store_error(status: int) -> CosmosHttpResponseError:
    """What the store's client raises for this status."""
    return CosmosHttpResponseError(status_code=status, message="secret item contents")


@contextmanager
def fake_store(**containers: FakeContainer) -> Iterator[None]:
    """The app's containers are these; every setting has its name as value."""
    names = ("PROCESSED", "TO_PROCESS", "REFERENCE", "SUBMISSIONS", "LEASES")
    environment = {f"COSMOS_DB_{name}_CONTAINER_NAME": name.lower() for name in names}
    environment |= {"COSMOS_DB_DATABASE_NAME": "orders"}
    environment |= {"COSMOS_DB": "AccountEndpoint=http://localhost:1/;AccountKey=a2V5;"}
    from activities import _settings, _store

    _settings.settings.cache_clear()
    try:
        with (
            patch.dict("os.environ", environment),
            patch.object(_store, "container", lambda name: containers[name]),
        ):
            yield
    finally:
        _settings.settings.cache_clear()


def status(
    instance_id: str,
    runtime_status: str = "Running",
    *,
    name: str = "process_order",
    given: Any = None,
    created: str = "2026-11-20T09:30:00Z",
    **more: Any,
) -> DurableOrchestrationStatus:
    """A status as the library reads it; the input is a JSON text of a JSON text."""
    return DurableOrchestrationStatus.from_json(
        {
            "name": name,
            "instanceId": instance_id,
            "runtimeStatus": runtime_status,
            "input": json.dumps(given) if given is not None else None,
            "customStatus": None,
            "output": None,
            "createdTime": created,
            "lastUpdatedTime": created,
            **more,
        }
    )


class FakeHub:
    """The durable client. `before_start` runs inside `start_new`, before it takes effect."""

    def __init__(self, *statuses: DurableOrchestrationStatus) -> None:
        self.statuses = {found.instance_id: found for found in statuses}
        self.started: list[tuple[str, str, Any]] = []
        self.failures: list[Exception] = []
        self.before_start: Any = None

    async def get_status(self, instance_id: str) -> DurableOrchestrationStatus:
        self._fail()
        return self.statuses.get(instance_id) or DurableOrchestrationStatus()

    async def get_status_by(self, *, instance_id_prefix: str) -> list[DurableOrchestrationStatus]:
        return [s for name, s in self.statuses.items() if name.startswith(instance_id_prefix)]

    async def start_new(
        self, orchestration_function_name: str, instance_id: str, client_input: Any
    ) -> str:
        if self.before_start is not None:
            self.before_start(self)
        found = self.statuses.get(instance_id)
        if found is not None and found.runtime_status.value in {"Running", "Pending"}:
            raise Exception("An Orchestration instance with the status Running already exists.")
        json.dumps(client_input)
        self.started.append((orchestration_function_name, instance_id, client_input))
        return instance_id

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class Out(func.Out[Any]):
    """An output binding that remembers."""

    def __init__(self) -> None:
        self.value: Any = None

    def set(self, val: Any) -> None:
        self.value = val

    def get(self) -> Any:
        return self.value


class Context:
    """What an HTTP function reads of its invocation's context."""

    class trace_context:  # noqa: N801 - the library's name
        trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(
    method: str = "GET",
    path: str = "/api/orders",
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    **route: str,
) -> func.HttpRequest:
    """A request as a function receives it."""
    return func.HttpRequest(
        method,
        f"http://localhost:7071{path}",
        headers=headers or {},
        params=query or {},
        route_params=route,
        body=body,
    )
