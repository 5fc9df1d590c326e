"""Files of orders, wired by the host: from a PUT at the account's door to the container."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from emulator.clock import Clock
from emulator.cosmos import CosmosService
from emulator.database import Database
from emulator.eventgrid import SCHEMA, SCHEMA_VERSION, Sink
from emulator.faults import Faults
from emulator.host.doors import open_door
from emulator.host.entities_file import workflow_files
from emulator.host.errors import StartError
from emulator.host.ingestion_part import IngestionPart, parameter_values
from emulator.host.services import Services
from emulator.host.storage_account import StorageAccount
from emulator.servicebus import QueueSettings
from tests.support.servicebus import running_broker, serve

INFRA = Path(__file__).parents[3] / "infra"
ENTITIES = json.loads((INFRA / "entities.json").read_text())


@asynccontextmanager
async def services(folder: Path):
    queues = [QueueSettings.from_entity(each) for each in ENTITIES["serviceBus"]["queues"]]
    cosmos = CosmosService(folder / "cosmos.db")
    await cosmos.start(ENTITIES)
    sink_file = Database(
        folder / "eventgrid.db", schema=SCHEMA, version=SCHEMA_VERSION, name="eventgrid"
    )
    sink_file.open()
    account = StorageAccount(folder, Clock(), Faults())
    try:
        async with running_broker(folder, queues, clock=Clock()) as broker:
            yield Services(
                broker=broker, cosmos=cosmos, sink=Sink(sink_file, Clock()), account=account
            )
    finally:
        await account.stop()
        sink_file.close()
        await cosmos.stop()


def part(files: list[Path], folder: Path, given: Services) -> IngestionPart:
    values = parameter_values("orders", "toprocess")
    return IngestionPart(files, folder, given, values, clock=Clock(), faults=Faults())


async def until_stored(cosmos: CosmosService, order_id: str) -> dict:
    async with asyncio.timeout(20):
        while not cosmos.container_exists("orders", "toprocess") or not (
            found := [
                item
                for item in (await cosmos.read_feed("orders", "toprocess", 0, 100)).items
                if item["id"] == order_id
            ]
        ):
            await cosmos.wait_for_change("orders", "toprocess", 0, 1)
    return found[0]


async def test_a_file_that_is_put_comes_to_the_container_and_is_in_the_run_history(tmp_path):
    async with services(tmp_path) as given:
        ingestion = part(workflow_files(INFRA), tmp_path, given)
        door = open_door("blob", "127.0.0.1", 0, "--blob-port")
        await ingestion.start(door)
        try:
            async with serve(ingestion.routes()) as history, httpx.AsyncClient() as client:
                url = f"{door.url}/devstoreaccount1/inputfiles/today.json"
                headers = {"x-ms-blob-type": "BlockBlob"}
                put = await client.put(url, content=b'{"id":"FILE-1"}', headers=headers)
                assert put.status_code == 201
                item = await until_stored(given.cosmos, "FILE-1")
                assert item["_source"]["blob"] == "/inputfiles/today.json"
                runs = await client.get(f"{history}/emulator/workflows/ingest-order-files/runs")
                (run,) = runs.json()["value"]
                properties = run["properties"]["trigger"]["outputs"]["body"]["Properties"]
                assert properties["aeg-subscription-name"] == "ORDER-FILES"
        finally:
            await ingestion.stop()
            await door.close()


async def test_a_workflow_that_is_not_supported_stops_the_start_with_its_place(tmp_path):
    folder = tmp_path / "workflows"
    folder.mkdir()
    definition = json.loads((INFRA / "workflows" / "ingest-order-files.json").read_text())
    definition["actions"]["Reason"]["type"] = "Http"
    (folder / "w.json").write_text(json.dumps(definition))
    async with services(tmp_path) as given:
        with pytest.raises(StartError, match="/actions/Reason/type"):
            part(workflow_files(tmp_path), tmp_path, given)
        (folder / "w.json").write_text("{")
        with pytest.raises(StartError, match="Cannot read the workflow"):
            part(workflow_files(tmp_path), tmp_path, given)


async def test_where_there_is_no_workflow_no_files_are_taken_in(tmp_path):
    assert workflow_files(tmp_path) == []
