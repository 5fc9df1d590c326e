"""The task hub: what the host makes, starts and stops.

Wires the engine, the work items, the entities and the management operations to one database, takes
up at start what a dead process left undone, and says where clients find it.
"""

import json
import logging
from collections.abc import Mapping
from urllib.parse import quote

from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.taskhub.client import Client
from emulator.taskhub.engine import Engine
from emulator.taskhub.entity_runner import EntityRunner
from emulator.taskhub.http_call import HttpCalls
from emulator.taskhub.model import FunctionInvoker
from emulator.taskhub.options import HubOptions
from emulator.taskhub.retention import Retention
from emulator.taskhub.store import unfinished
from emulator.taskhub.work import Work

_log = logging.getLogger("Host.Triggers.DurableTask")
PUBLIC_BASE = "/runtime/webhooks/durabletask"
RPC_BASE = "/durabletask/"
_CONNECTION = "Storage"
_PLACEHOLDER_ID = "INSTANCEID"


class TaskHub:
    """Args: database: the hub's own, opened (`store.open_database`). invoker: runs functions."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        faults: Faults,
        options: HubOptions,
        invoker: FunctionInvoker,
    ) -> None:
        self.options = options
        self._database = database
        self._http = HttpCalls(options.http_token)
        self.engine = Engine(database, clock, options, invoker)
        self.entities = EntityRunner(
            database, options, invoker, self.engine.now, self.engine.deliver
        )
        self._work = Work(
            cache=self.engine.cache,
            invoker=invoker,
            faults=faults,
            http=self._http,
            limit=options.max_activities,
            now=self.engine.now,
            completed=lambda active: self.engine.wake(active.id),
        )
        self.engine.work, self.engine.entities = self._work, self.entities
        self.client = Client(database, options, invoker, self.engine, self.entities)
        self.retention = Retention(
            database, options.retention_days, self.engine.now, self.engine.forget
        )

    async def start(self) -> None:
        """Take up what a dead process left undone."""
        left = await self._database.read(unfinished)
        for due, instance_id in left.timers:
            self.engine.alarm.set(due, instance_id)
        for instance_id in left.ready:
            self.engine.wake(instance_id)
        self.entities.wake(left.entities)
        self.retention.start()
        if left.ready or left.entities:
            _log.info(
                "Task hub '%s': %d instances and %d entities go on.",
                self.options.hub_name,
                len(left.ready),
                len(left.entities),
            )

    async def stop(self) -> None:
        """Abandon what runs; it is taken up at the next start. The database stays open."""
        await self.retention.stop()
        await self.engine.stop()
        await self._work.stop()
        await self.entities.stop()
        await self._http.close()

    def functions_changed(self) -> None:
        """Try again what waited for a function that was not there."""
        self.engine.wake_parked()

    def clock_moved(self) -> None:
        """Look at the timers at once, after the clock was moved."""
        self.engine.alarm.check()

    def client_binding(self, base_origin: str) -> str:
        """The durableClient binding's value.

        Args:
            base_origin: `http://127.0.0.1:7071`, no slash at the end.
        """
        base, key = base_origin + PUBLIC_BASE, self._key()
        start = f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"
        wait = "timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}"
        management = {"id": _PLACEHOLDER_ID, **self._urls(base, _PLACEHOLDER_ID, rewind=True)}
        return json.dumps(
            {
                "taskHubName": self.options.hub_name,
                "connectionName": None,
                "creationUrls": {
                    "createNewInstancePostUri": _with_query(start, key),
                    "createAndWaitOnNewInstancePostUri": _with_query(start, wait, key),
                },
                "managementUrls": management,
                "baseUrl": base,
                "requiredQueryStringParameters": key,
                "rpcBaseUrl": base_origin + RPC_BASE,
                "httpBaseUrl": None,
            }
        )

    def check_status_urls(self, public_base: str, instance_id: str) -> Mapping[str, str]:
        """The management URLs of an instance, as the API's own answers have them."""
        return {"id": instance_id, **self._urls(public_base, quote(instance_id, safe="@:"))}

    def _key(self) -> str:
        return f"code={quote(self.options.system_key, safe='')}" if self.options.system_key else ""

    def _urls(self, base: str, instance_id: str, rewind: bool = False) -> dict[str, str]:
        one = f"{base}/instances/{instance_id}"
        hub = f"taskHub={quote(self.options.hub_name, safe='')}&connection={_CONNECTION}"
        reason, key = "reason={text}", self._key()
        urls = {
            "statusQueryGetUri": _with_query(one, hub, key),
            "sendEventPostUri": _with_query(f"{one}/raiseEvent/{{eventName}}", hub, key),
            "terminatePostUri": _with_query(f"{one}/terminate", reason, hub, key),
        }
        if rewind:
            urls["rewindPostUri"] = _with_query(f"{one}/rewind", reason, hub, key)
        urls["purgeHistoryDeleteUri"] = _with_query(one, hub, key)
        urls["restartPostUri"] = _with_query(f"{one}/restart", hub, key)
        urls["suspendPostUri"] = _with_query(f"{one}/suspend", reason, hub, key)
        urls["resumePostUri"] = _with_query(f"{one}/resume", reason, hub, key)
        return urls


def _with_query(url: str, *parts: str) -> str:
    query = "&".join(part for part in parts if part)
    return f"{url}?{query}" if query else url
