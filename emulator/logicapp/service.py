"""A Logic App (Consumption) that runs: one workflow, its trigger on a queue, its run history.

Each message of the trigger's queue, peek-locked, starts a run; so many run at once as the trigger's
concurrency allows. The message is settled by the workflow's own actions and nothing else: if the
process dies before that, the message comes again and the file is run again from its beginning.

DIFFERS: the trigger waits on the queue, so that a message starts a run at once and not at the next
recurrence; a run does not survive its process, where the service would go on from its last action.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from emulator.clock import Clock
from emulator.database import Database, StorageError
from emulator.faults import Faults
from emulator.logicapp import store
from emulator.logicapp.actions import Caller
from emulator.logicapp.connectors import Doors, Message, trigger_body
from emulator.logicapp.expressions.functions.dates import instant_text
from emulator.logicapp.frame import RunState
from emulator.logicapp.load import load_workflow
from emulator.logicapp.model import ActionResult, Status
from emulator.logicapp.run import Execution, Outcome

_log = logging.getLogger(__name__)
# As long as the service keeps runs.
_KEPT = timedelta(days=90)
_BATCH = 200
# How long the trigger waits after its queue could not be read.
_TRIGGER_RETRY_S = 1.0


@dataclass
class _Recorder:
    """Writes results in batches; those of a loop would otherwise be a write each."""

    database: Database
    run_id: str
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def __call__(self, result: ActionResult) -> None:
        self.rows.append(store.action_row(result))
        if len(self.rows) >= _BATCH or result.repetition is None:
            self.flush()

    def flush(self) -> "asyncio.Future[None] | None":
        """Queue what is not yet written."""
        rows, self.rows = self.rows, []
        if not rows:
            return None
        future = self.database.submit(
            lambda connection: store.insert_actions(connection, self.run_id, rows)
        )
        future.add_done_callback(_complain)
        return future


def _complain(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.error("The run history could not be written: %s", error)


class LogicApp:
    """One workflow that runs.

    Args:
        name: the workflow's name.
        definition: the JSON of `infra/workflows/<name>.json`.
        parameters: values of its parameters, without `$connections`.
        doors: what its connectors reach.
        pause: waits so many seconds before a retry.

    Raises:
        InvalidDefinition: the definition is wrong, or not supported.
    """

    def __init__(
        self,
        name: str,
        definition: Mapping[str, Any],
        parameters: Mapping[str, Any],
        *,
        doors: Doors,
        database: Database,
        clock: Clock,
        faults: Faults | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        values = {"$connections": _connections(), **parameters}
        self.workflow = load_workflow(name, definition, values)
        self._doors = doors
        self._database = database
        self._clock = clock
        self._caller = Caller(doors, faults or Faults(), pause)
        self._runs: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Call runs of a dead process aborted, and begin to listen."""
        now = self._clock.now()
        name = self.workflow.name

        def tidy(connection: Any) -> int:
            store.prune(connection, name, instant_text(now - _KEPT))
            return store.abort_running(connection, name, instant_text(now))

        aborted = await self._database.write(tidy)
        if aborted:
            _log.warning("%d runs of '%s' were aborted; their messages come again.", aborted, name)
        self._listener = asyncio.create_task(self._listen(), name=f"logicapp-{name}")

    async def stop(self) -> None:
        """Stop listening and end what runs; messages of such runs come again."""
        tasks = [task for task in (self._listener, *self._runs) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        """How many runs are going on."""
        return len(self._runs)

    async def _listen(self) -> None:
        trigger = self.workflow.trigger
        free = asyncio.Semaphore(trigger.runs)
        while True:
            await free.acquire()
            try:
                messages = await self._doors.queues.receive(trigger.queue, 1, None)
            except Exception as error:  # noqa: BLE001 - the trigger goes on, and says what happened
                _log.error("The trigger of '%s' failed: %s", self.workflow.name, error)
                free.release()
                await asyncio.sleep(_TRIGGER_RETRY_S)
                continue
            if not messages:  # the broker is stopping
                return
            task = asyncio.create_task(self.run(messages[0]))
            self._runs.add(task)
            task.add_done_callback(self._runs.discard)
            task.add_done_callback(lambda _: free.release())

    async def run(self, message: Message) -> None:
        """Run the workflow for a message; its history is on disk when this returns."""
        run_id = f"{uuid.uuid4().hex.upper()}"
        started = instant_text(self._clock.now())
        trigger = {
            "name": self.workflow.trigger.name,
            "inputs": dict(self.workflow.trigger.inputs),
            "outputs": {"headers": {}, "body": trigger_body(message)},
            "startTime": started,
            "status": str(Status.SUCCEEDED),
        }
        begun = self._database.submit(
            lambda connection: store.insert_run(
                connection, run_id, self.workflow.name, started, trigger
            )
        )
        begun.add_done_callback(_complain)
        recorder = _Recorder(self._database, run_id)
        state = RunState(self.workflow, run_id, trigger, self._clock)
        try:
            outcome = await Execution(state, self._caller, recorder).execute()
        except asyncio.CancelledError:
            self._end(recorder, Outcome(Status.CANCELLED))
            raise
        except Exception as error:  # noqa: BLE001 - a run's failure is in its history, and ends no other
            _log.exception("A run of '%s' broke off.", self.workflow.name)
            failed = {"code": "InternalError", "message": str(error)}
            outcome = Outcome(Status.FAILED, failed)
        try:
            await self._end(recorder, outcome)
        except StorageError as error:
            _log.error("The end of run %s is not in its history: %s", run_id, error)

    def _end(self, recorder: _Recorder, outcome: Outcome) -> "asyncio.Future[None]":
        recorder.flush()
        ended = instant_text(self._clock.now())
        future = self._database.submit(
            lambda connection: store.end_run(
                connection, recorder.run_id, outcome.status, ended, outcome.error
            )
        )
        future.add_done_callback(_complain)
        return future

    # -- history --

    async def runs(
        self, *, status: str | None = None, before: int | None = None, limit: int = 30
    ) -> list[store.RunRow]:
        """Runs, latest first."""
        return await self._database.read(
            lambda connection: store.select_runs(
                connection, self.workflow.name, status=status, before=before, limit=limit
            )
        )

    async def find_run(self, run_id: str) -> store.RunRow | None:
        """One run."""
        return await self._database.read(
            lambda connection: store.select_run(connection, self.workflow.name, run_id)
        )

    async def run_actions(
        self,
        run: store.RunRow,
        *,
        name: str | None = None,
        status: str | None = None,
        after: int = 0,
        limit: int = 250,
    ) -> list[store.ActionRow]:
        """Actions of a run outside of loops; with a name, that action with its repetitions."""
        return await self._database.read(
            lambda connection: store.select_actions(
                connection, run.number, name=name, status=status, after=after, limit=limit
            )
        )


def _connections() -> dict[str, Any]:
    """Connections to the local doors, in the form of `$connections`."""
    return {
        api: {
            "connectionId": f"/connections/{api}",
            "connectionName": api,
            "id": f"/managedApis/{api}",
        }
        for api in ("servicebus", "azureblob", "documentdb")
    }
