"""The store by connection string, too: the form of the settings is all that differs.

Every other test of the whole app runs by managed identity over https, as the sample settings say.
"""

import json
from pathlib import Path

from emulator.cosmos import EMULATOR_KEY
from emulator.launch import EmulatorProcess
from tests.support.emulator import REPOSITORY, connected, until
from tests.support.orders import an_order
from tests.support.pipeline import final_status, store, submit

IDENTITY = "COSMOS_DB__accountEndpoint"


async def test_an_order_goes_through_by_connection_string(tmp_path: Path) -> None:
    sample = json.loads((REPOSITORY / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert sample["Values"].pop(IDENTITY) == "https://localhost:8081/"
    by_key = f"AccountEndpoint=http://localhost:8081/;AccountKey={EMULATOR_KEY};"
    sample["Values"]["COSMOS_DB"] = by_key
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(sample), encoding="utf-8")
    process = EmulatorProcess(
        tmp_path / "data", script_root=REPOSITORY, arguments=("--settings", str(settings))
    )
    doors = process.start()
    try:
        async with connected(process, doors) as emulator:
            assert (await submit(emulator, an_order(id="BY-KEY"))).status == 202
            assert (await final_status(emulator, "BY-KEY"))["state"] == "processed"
            async with store(emulator, "toprocess") as feed:
                await feed.upsert_item(an_order(id="BY-FEED"))

            async def is_known() -> bool:
                return (await emulator.get("/api/orders/BY-FEED/status")).status != 404

            await until(is_known, "the feed has brought the order")
            assert (await final_status(emulator, "BY-FEED"))["state"] == "processed"
            assert (await emulator.get("/api/health")).json()["status"] == "ok"
    finally:
        assert process.stop() == 0
