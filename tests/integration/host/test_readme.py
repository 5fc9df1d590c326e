"""What emulator/README.md shows is what the emulator takes."""

import re
from pathlib import Path

from azure.cosmos.aio import CosmosClient

from emulator.cosmos import EMULATOR_KEY
from tests.support.emulator import REPOSITORY, running, write_app

APP = """
    import azure.functions as func

    app = func.FunctionApp()

    @app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="shop",
        container_name="items")
    def feed(docs: func.DocumentList):
        print("fed with", docs[0]["id"])

    @app.event_grid_trigger(arg_name="event")
    def audit(event: func.EventGridEvent):
        print("audited", event.id)
"""


async def test_entities_file_of_the_readme(tmp_path: Path) -> None:
    readme = (REPOSITORY / "emulator" / "README.md").read_text()
    [example] = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    app = write_app(tmp_path / "app", APP)
    (app / "infra").mkdir()
    (app / "infra" / "entities.json").write_text(example)
    event = {
        **{"id": "e1", "subject": "s", "eventType": "T", "eventTime": "2024-01-01T00:00:00Z"},
        **{"dataVersion": "1", "data": {}},
    }
    async with (
        running(app, tmp_path / "data") as emulator,
        CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client,
    ):
        assert (await emulator.counts("orders"))["active"] == 0
        items = client.get_database_client("shop").get_container_client("items")
        await items.upsert_item({"id": "i1"})
        await emulator.logged("fed with i1")
        topic = f"{emulator.doors.servicebus}/topics/shop-events/api/events"
        async with emulator.http.post(topic, json=[event]) as answer:
            assert answer.status == 200
        await emulator.logged("audited e1")
