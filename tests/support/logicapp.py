"""Workflows for tests: a definition around actions, doors that remember, runs without a trigger."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulator.clock import ManualClock
from emulator.faults import Faults
from emulator.logicapp import Doors
from emulator.logicapp.actions import Caller
from emulator.logicapp.frame import RunState
from emulator.logicapp.load import load_workflow
from emulator.logicapp.model import ActionResult, Workflow
from emulator.logicapp.run import Execution, Outcome

ROOT = Path(__file__).parents[2]
INGEST = json.loads((ROOT / "infra" / "workflows" / "ingest-order-files.json").read_text())
START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PARAMETERS = {
    "storageAccount": "devstoreaccount1",
    "cosmosAccount": "local",
    "database": "orders",
    "container": "toprocess",
    "queue": "order-files",
}
CONNECTIONS = {
    api: {"connectionId": f"/c/{api}", "id": f"/managedApis/{api}"}
    for api in ("servicebus", "azureblob", "documentdb")
}


def connection(api: str) -> dict[str, Any]:
    """The `host` of a connector's inputs."""
    return {"connection": {"name": f"@parameters('$connections')['{api}']['connectionId']"}}


TRIGGER = {
    "type": "ApiConnection",
    "recurrence": {"frequency": "Second", "interval": 30},
    "inputs": {"host": connection("servicebus"), "method": "get", "path": "/q/messages/head/peek"},
}
WRITE = {
    "host": connection("documentdb"),
    "method": "post",
    "path": "/v2/cosmosdb/a/dbs/d/colls/c/docs",
    "headers": {
        "x-ms-documentdb-is-upsert": True,
        "x-ms-documentdb-raw-partitionkey": '"x"',
    },
    "body": {"id": "x"},
}


def definition(actions: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """A definition of these actions."""
    return {
        "parameters": {"$connections": {"type": "Object"}},
        "triggers": {"When": TRIGGER},
        "actions": actions,
    } | members


def load(actions: Mapping[str, Any], **members: Any) -> Workflow:
    """Load a definition of these actions."""
    return load_workflow("test", definition(actions, **members), {"$connections": CONNECTIONS})


def after(*names: str, statuses: tuple[str, ...] = ("Succeeded",)) -> dict[str, Any]:
    """A `runAfter`."""
    return {name: list(statuses) for name in names}


class Refused(Exception):
    """A door's refusal."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"refused with {status}")


class Documents:
    """A Cosmos DB account in memory, which refuses what it is told to.

    Attributes:
        refusals: for an id, the statuses of the next calls.
    """

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.refusals: dict[str, list[int]] = {}
        self.most_at_once = 0
        self._at_once = 0

    async def upsert(
        self, database: str, container: str, document: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Store a document."""
        self.calls.append(document["id"])
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        statuses = self.refusals.get(document["id"])
        if statuses:
            raise Refused(statuses.pop(0))
        self.items[document["id"]] = dict(document)
        return document


class Blobs:
    """A storage account in memory."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, str], bytes] = {}

    async def read(self, container: str, name: str) -> bytes:
        """A blob's content."""
        if (container, name) not in self.contents:
            raise Refused(404)
        return self.contents[container, name]


class Played:
    """A run that is over."""

    def __init__(self, outcome: Outcome, results: list[ActionResult], state: RunState) -> None:
        self.outcome = outcome
        self.results = results
        self.variables = state.variables
        self.statuses = {each.name: str(each.status) for each in results}
        self.outputs = {each.name: each.outputs for each in results}
        self.order = [each.name for each in results]


async def play(
    workflow: Workflow,
    documents: Documents | None = None,
    *,
    faults: Faults | None = None,
    pauses: list[float] | None = None,
) -> Played:
    """Run a workflow once, without its trigger; retries do not wait, their delays are noted."""

    async def pause(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)

    results: list[ActionResult] = []
    state = RunState(workflow, "R1", {"outputs": {"body": {}}}, ManualClock(START))
    doors = Doors(queues=None, blobs=Blobs(), documents=documents or Documents())  # type: ignore[arg-type]
    caller = Caller(doors, faults or Faults(), pause)
    outcome = await Execution(state, caller, results.append).execute()
    return Played(outcome, results, state)
