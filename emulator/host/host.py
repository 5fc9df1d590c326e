"""The host itself: every part wired to the others, started and stopped in order.

Called by `run`; what each part does is said where it is.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from aiohttp import web

from emulator import eventgrid, servicebus, storagequeue
from emulator.clock import SteppedClock
from emulator.cosmos import create_app
from emulator.faults import Faults
from emulator.host.admin import AdminApi, HostState
from emulator.host.clock_api import routes as clock_routes
from emulator.host.configuration import Configuration
from emulator.host.doors import Door, open_door
from emulator.host.durable import DurablePart, HostBindings, LoggedWorker, needs_hub
from emulator.host.entities_file import entities_path, workflow_files
from emulator.host.errors import StartError
from emulator.host.eventgrid_webhook import EventGridListener, EventGridWebhook
from emulator.host.faults_api import routes as fault_routes
from emulator.host.functions import Function, read_functions, uses_blobs
from emulator.host.gateway_part import GatewayPart
from emulator.host.http_front import HttpFront, host_id
from emulator.host.ingestion_part import IngestionPart, parameter_values
from emulator.host.inputs import Inputs
from emulator.host.invocations import Invocations, Request
from emulator.host.keys import Keys
from emulator.host.listeners import Assembler, Assembly
from emulator.host.loading import load_app, tell_of_selection
from emulator.host.log import Log
from emulator.host.manual import manual_request
from emulator.host.outputs import Outputs
from emulator.host.seed import put_seed, read_seed
from emulator.host.services import Services
from emulator.host.storage import Storage
from emulator.host.storage_account import StorageAccount
from emulator.host.worker_log import BridgeHandler
from emulator.host.worker_model import FunctionMetadata
from emulator.host.worker_process import WorkerProcess
from emulator.identity import Identity

# What is in flight may take this long to end; the rest of ten seconds is for the worker's own end.
_STOP_S = 7.0


class Host:
    """One function app and the services it stands on.

    Args:
        doors: the bound ports by name: host, cosmos, servicebus; cosmos-tls, gateway and blob where
            they are wanted. `blob` is added for an app that turns out to have blob bindings.
        worker: begun, and loading the app already.
    """

    def __init__(
        self,
        configuration: Configuration,
        doors: dict[str, Door],
        log: Log,
        worker: WorkerProcess,
        *,
        clock: SteppedClock,
        faults: Faults,
        identity: Identity,
    ) -> None:
        self._identity = identity
        self._configuration = configuration
        self._doors = doors
        self._log = log
        self._clock = clock
        self._faults = faults
        self.state = HostState(host_id(), started_s=time.monotonic())
        self._assembly = Assembly()
        self._front = HttpFront(configuration.front, log)
        self._storage = Storage(configuration.options.data_dir, clock, faults)
        self.gateway = GatewayPart(configuration, log, clock, faults)
        self._ingestion: IngestionPart | None = None
        self._keys: Keys | None = None
        self._worker = worker
        self._durable: DurablePart | None = None
        self._invocations: Invocations | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self._stop_by = 0.0
        self._bridge = BridgeHandler(log)

    @property
    def functions(self) -> Mapping[str, Function]:
        """Every function, by name, in the order of names."""
        return self._assembly.functions

    async def start(self) -> None:
        """Start everything; the doors answer when it returns.

        Raises:
            StartError, StorageError: it cannot start; call `stop` all the same.
        """
        logging.getLogger().addHandler(self._bridge)
        configuration = self._configuration
        options = configuration.options
        if options.enable_auth:
            self._keys = await asyncio.to_thread(Keys, options.data_dir / "secrets")
        services = await self._storage.start(configuration.entities)
        if options.seed is not None:
            seed = read_seed(options.seed)
            await put_seed(services.cosmos, configuration.entities, seed)
        durable = self._durable = DurablePart(
            configuration, self._doors["host"].url, self._keys, self._clock, self._faults
        )
        inputs = Inputs(services, configuration.settings, self._clock, durable.client_binding)
        outputs = Outputs(services, configuration.settings, self._clock, self._log)
        worker = self._worker
        worker.bindings = HostBindings(self.functions_by_name, inputs, outputs)
        self._invocations = Invocations(worker, inputs.read, outputs.send, self._log)
        await self._serve(services, durable.prepare(LoggedWorker(worker, self._log)))
        loaded = await load_app(worker, configuration, self._log, self.state)
        assembler = Assembler(
            settings=configuration.settings,
            host_json=configuration.host_json,
            services=services,
            inputs=inputs,
            outputs=outputs,
            invocations=self._invocations,
            data_dir=options.data_dir,
            clock=self._clock,
            log=self._log,
        )
        await self._begin(loaded, assembler)
        if self._ingestion is not None:
            await self._ingestion.start(self._doors["blob"])
        elif any(uses_blobs(function) for function in self.functions.values()):
            await self._open_account(services.account)
        await self._open_gateway()
        self.state.state = "Running"

    async def _serve(self, services: Services, durable: list[web.RouteDef]) -> None:
        """Open the doors; functions answer when they are loaded, which requests wait for."""
        messaging = web.Application(client_max_size=64 << 20)
        ingestion = self._ingestion = self._make_ingestion(services)
        if ingestion is not None:
            messaging.add_routes(ingestion.routes())
        messaging.add_routes(eventgrid.routes(services.sink))
        messaging.add_routes(storagequeue.routes(services.account.queues))
        messaging.add_routes(servicebus.routes(services.broker))
        for name in ("cosmos", "cosmos-tls"):
            if name in self._doors:
                await self._doors[name].serve(create_app(services.cosmos))
        await self._doors["servicebus"].serve(messaging)
        await self._doors["host"].serve(self._front.make_app([*durable, *self._built_in()]))

    def _make_ingestion(self, services: Services) -> IngestionPart | None:
        """The account of files and the workflows that take them in, where there are any."""
        configuration = self._configuration
        if "blob" not in self._doors:
            return None
        settings = configuration.settings
        database = configuration.entities.get("cosmos", {}).get("database", "orders")
        return IngestionPart(
            workflow_files(entities_path(configuration.options).parent),
            configuration.options.data_dir,
            services,
            parameter_values(
                settings.get("COSMOS_DB_DATABASE_NAME") or database,
                settings.get("COSMOS_DB_TO_PROCESS_CONTAINER_NAME") or "toprocess",
            ),
            clock=self._clock,
            faults=self._faults,
        )

    async def _open_account(self, account: StorageAccount) -> None:
        """Serve the blobs that functions read and write, so that others can put some there."""
        options = self._configuration.options
        try:
            door = open_door("blob", options.address, options.blob_port, "--blob-port")
        except StartError as error:
            self._log.warning(f"{error} Until then blobs are reached through bindings only.")
            return
        self._doors["blob"] = door
        await account.serve_blobs(door)

    async def _open_gateway(self) -> None:
        """Publish the API, once the functions answer."""
        door = self._doors.get("gateway")
        if door is not None:
            host, cosmos = self._doors["host"].url, self._doors["cosmos"].url
            await self.gateway.start(door, host, cosmos)

    def _built_in(self) -> list[web.AbstractRouteDef]:
        admin = AdminApi(
            host=self.state,
            script_root=str(self._configuration.options.script_root),
            route_prefix=self._configuration.host_json.route_prefix,
            functions=lambda: self.functions,
            manual=lambda function, text: manual_request(function, text, self._clock.now()),
            run=self._run_later,
            keys=lambda: self._keys,
            config=self._configuration.host_json.document,
        )
        return [
            *admin.routes(),
            *fault_routes(self._faults),
            *clock_routes(self._clock, self._clock_stepped),
            *self._identity.routes(),
            web.route("*", "/runtime/webhooks/eventgrid", self._event_grid),
        ]

    def _clock_stepped(self) -> None:
        if self._storage.services is not None:
            self._storage.services.broker.poke()
            self._storage.services.sink.deliveries.poke()
            self._storage.services.account.poke()
        if self._durable is not None:
            self._durable.clock_stepped()

    async def _event_grid(self, request: web.Request) -> web.StreamResponse:
        if self._invocations is None:
            return web.Response(status=503, text="Function host is not running.")
        webhook = EventGridWebhook(self._find_running, self._invocations, self._clock)
        if self._keys is not None and not webhook.may_enter(request, self._keys):
            return web.Response(status=401)
        return await webhook.handle(request)

    def _find_running(self, name: str) -> Function | None:
        found = (f for f in self.functions.values() if f.name.lower() == name.lower())
        return next((function for function in found if function.runs), None)

    def _run_later(self, request: Request) -> None:
        assert self._invocations is not None
        self._spawn(self._invocations.run(request))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def functions_by_name(self, name: str) -> Function | None:
        """A function by its exact name."""
        return self.functions.get(name)

    async def _begin(self, loaded: list[FunctionMetadata], assembler: Assembler) -> None:
        """Let everything run that can."""
        configuration, worker = self._configuration, self._worker
        assert self._invocations is not None
        assert self._durable is not None
        assembly = self._assembly = await assembler.assemble(
            read_functions(
                loaded,
                configuration.settings,
                configuration.host_json,
                configuration.options.functions,
            )
        )
        tell_of_selection(loaded, self.functions.values(), configuration, self._log)
        running = {name for name, function in self.functions.items() if function.runs}
        worker.leave_out([metadata.name for metadata in loaded if metadata.name not in running])
        await self._durable.start(is_needed=needs_hub(self.functions.values()))
        self._front.open(assembly.router, assembly.functions, self._invocations, self._keys)
        sink = assembler.services.sink
        if sink.subscriptions:
            webhook = EventGridWebhook(self._find_running, self._invocations, self._clock)
            assembly.listeners.append(EventGridListener(webhook, sink, self._log))
        for listener in assembly.listeners:
            await listener.start()

    async def stop(self) -> None:
        """Take no new work, finish what is in flight within ten seconds, close everything."""
        self.state.state = "Stopping"
        self._stop_by = asyncio.get_running_loop().time() + _STOP_S
        await self._within(self.gateway.stop(), "calls of the gateway")
        if self._ingestion is not None:
            await self._within(self._ingestion.stop(), "workflows")
        self._front.close()
        if self._invocations is not None:
            self._invocations.stop_retrying()
        await self._within(self._finish(), "what is in flight")
        if self._durable is not None:
            await self._within(self._durable.stop(), "the task hub")
        await self._worker.stop()
        for door in self._doors.values():
            await door.close()
        await self._storage.stop()
        logging.getLogger().removeHandler(self._bridge)

    async def _finish(self) -> None:
        stops = [listener.stop() for listener in self._assembly.listeners]
        found = await asyncio.gather(
            *stops, *self._background, self._front.wait_until_idle(), return_exceptions=True
        )
        for error in found:
            if isinstance(error, Exception):
                self._log.error(f"Something could not be stopped in order: {error!r}")

    async def _within(self, work: Coroutine[Any, Any, None], what: str) -> None:
        try:
            async with asyncio.timeout_at(self._stop_by):
                await work
        except TimeoutError:
            self._log.warning(f"Stopping does not wait any longer for {what}.")
