"""Files of orders: the storage account they are dropped into, and the workflows that take them in.

Present where there are workflows beside the entities file (`workflows/*.json`). Each is executed as
it is deployed; its parameters have the values that the deployment gives them, with local names.
Events of the account go to the queue of the deployed subscription.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from emulator import logicapp
from emulator.blob import ACCOUNT, ORDER_FILES
from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.host.doors import Door
from emulator.host.errors import StartError
from emulator.host.services import Services
from emulator.logicapp import Doors, InvalidDefinition, LogicApp
from emulator.servicebus import OutgoingMessage

# The container that people drop files of orders into.
_FILES = "inputfiles"
_CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def parameter_values(database: str, container: str) -> dict[str, str]:
    """What `infra/app/logicapp.bicep` gives the workflow, with local names."""
    return {
        "storageAccount": ACCOUNT,
        "cosmosAccount": "local",
        "database": database,
        "container": container,
        "queue": ORDER_FILES.name,
    }


class IngestionPart:
    """Starts and stops the account and the workflows with the host.

    Args:
        files: the definitions.
        data: the data folder.
        values: of the workflows' parameters.

    Raises:
        StartError: a definition cannot be read, or is not supported; the place is named.
    """

    def __init__(
        self,
        files: list[Path],
        data: Path,
        services: Services,
        values: Mapping[str, Any],
        *,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._services = services
        self._run_file = Database(
            data / "logicapp.db",
            schema=logicapp.SCHEMA,
            version=logicapp.SCHEMA_VERSION,
            name="logicapp",
            faults=faults,
        )
        self._is_open = False
        self._blobs = services.account.unopened_blobs
        self._blobs.deliver_to(ORDER_FILES.name, self._deliver)
        doors = Doors(queues=services.broker, blobs=self._blobs, documents=services.cosmos)
        self._apps = [
            _load(path, values, doors=doors, database=self._run_file, clock=clock, faults=faults)
            for path in files
        ]

    def routes(self) -> list[web.RouteDef]:
        """The doors on the run history, for the messaging port."""
        return logicapp.routes(self._apps)

    async def start(self, door: Door) -> None:
        """Serve the account on a bound door, deliver its events, run the workflows.

        Raises:
            StorageError: a file cannot be opened.
        """
        self._run_file.open()
        self._is_open = True
        await self._services.account.serve_blobs(door)
        await self._blobs.ensure_container(_FILES)
        for app in self._apps:
            await app.start()

    async def stop(self) -> None:
        """Take in no more; before the services stop. What is not through is gone on with later."""
        if not self._is_open:
            return
        for app in self._apps:
            await app.stop()
        await self._blobs.stop()
        await asyncio.to_thread(self._run_file.close)

    async def _deliver(self, event: Mapping[str, Any]) -> None:
        """Hand an event to the queue as Event Grid does."""
        message = OutgoingMessage(
            json.dumps(event, ensure_ascii=False).encode(),
            content_type=_CONTENT_TYPE,
            application_properties={
                "aeg-event-type": "Notification",
                "aeg-subscription-name": ORDER_FILES.name.upper(),
                "aeg-delivery-count": "0",
            },
        )
        await self._services.broker.send(ORDER_FILES.name, [message])


def _load(path: Path, values: Mapping[str, Any], **parts: Any) -> LogicApp:
    try:
        definition = json.loads(path.read_text(encoding="utf-8"))
        return LogicApp(path.stem, definition, values, **parts)
    except (OSError, ValueError) as error:
        raise StartError(f"Cannot read the workflow '{path}': {error}.") from error
    except InvalidDefinition as error:
        raise StartError(f"The workflow '{path}' cannot be executed. {error}") from error
