"""The real app on the real emulator, and what is to be seen of it from outside."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from azure.cosmos.aio import ContainerProxy, CosmosClient

from emulator.cosmos import EMULATOR_KEY
from emulator.launch import EmulatorProcess
from tests.support.emulator import REPOSITORY, Answer, Emulator, until

_SETTINGS = ("--settings", str(REPOSITORY / "local.settings.sample.json"))
_FINAL = ("processed", "rejected", "failed", "terminated")


def pipeline(data_dir: Path, arguments: Sequence[str] = ()) -> EmulatorProcess:
    """The app at the repository's root, not started yet."""
    return EmulatorProcess(data_dir, script_root=REPOSITORY, arguments=(*_SETTINGS, *arguments))


@asynccontextmanager
async def store(emulator: Emulator, name: str) -> AsyncIterator[ContainerProxy]:
    """A container of the app's database."""
    async with CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client:
        yield client.get_database_client("orders").get_container_client(name)


async def items(emulator: Emulator, name: str) -> list[dict[str, Any]]:
    """Everything in a container."""
    async with store(emulator, name) as container:
        return [item async for item in container.query_items("SELECT * FROM c")]


async def instances(emulator: Emulator) -> list[dict[str, Any]]:
    """Every orchestration instance."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        answer = await emulator.get(
            "/runtime/webhooks/durabletask/instances?showInput=false&top=500",
            headers={"x-ms-continuation-token": token} if token else {},
        )
        found += answer.json()
        token = answer.headers.get("x-ms-continuation-token", "")
        if token in ("", "null"):
            return found


async def final_status(emulator: Emulator, order_id: str) -> dict[str, Any]:
    """The status of an order once it is final; what is shown until then never goes back."""

    async def final() -> dict[str, Any] | None:
        answer = await emulator.get(f"/api/orders/{order_id}/status")
        assert answer.status in (200, 202), answer.text
        body: dict[str, Any] = answer.json()
        assert (answer.status == 200) == (body["state"] in _FINAL)
        return body if answer.status == 200 else None

    return await until(final, f"{order_id} is final")


async def submit(emulator: Emulator, order: Any, **headers: str) -> Answer:
    """POST an order or a batch."""
    return await emulator.post("/api/orders", json=order, headers=headers)
