"""Runs durable functions in the test's own process, with the real durable library.

`live=True` keeps generators between episodes by the worker's own sessions, else every episode is a
full replay by the library. Each episode is checked with the library's own task counter: what it had
counted to after the episode before must be the number of ids that the engine has written into the
history since, or the two have lost each other.
"""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from azure.durable_functions.entity import Entity
from azure.durable_functions.models import DurableOrchestrationContext
from azure.durable_functions.orchestrator import Orchestrator
from azure.functions.durable_functions import ActivityTriggerConverter
from azure.functions.meta import Datum

from emulator.taskhub.model import (
    ActivityCall,
    ActivityOutcome,
    EntityCall,
    EntityOutcome,
    Episode,
    EpisodeFailed,
    EpisodeReply,
)
from emulator.worker.payloads import split_failure
from emulator.worker.sessions import HistoryNeeded, Sessions
from emulator.worker.timestamps import install_fast_timestamps

_SCHEDULING = (4, 7, 10, 14)
_ENVELOPE = {
    "upperSchemaVersion": 1,
    "upperSchemaVersionNew": 2,
    "longRunningTimerIntervalDuration": "3.00:00:00",
    "maximumShortTimerDuration": "6.00:00:00",
    "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,
}


class InProcessInvoker:
    """A function invoker over plain functions, by durable name.

    Attributes:
        episodes, calls: how often each orchestrator instance and each activity ran.
        mismatches: what the counter check has found; empty is good.
    """

    def __init__(
        self,
        orchestrators: Mapping[str, Callable[..., Any]] | None = None,
        activities: Mapping[str, Callable[..., Any]] | None = None,
        entities: Mapping[str, Callable[..., Any]] | None = None,
        *,
        live: bool = False,
        check: bool = True,
    ) -> None:
        install_fast_timestamps()
        self._orchestrators = dict(orchestrators or {})
        self._activities = dict(activities or {})
        self._entities = dict(entities or {})
        self._handles = {name: Orchestrator.create(fn) for name, fn in self._orchestrators.items()}
        self._sessions = Sessions(1000) if live else None
        self._check = check
        self._counted: dict[str, int] = {}
        self.episodes: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.inputs: list[tuple[str, Any]] = []
        self.mismatches: list[str] = []
        self.last_reply: dict[str, str] = {}

    def orchestrators(self) -> Collection[str]:
        return self._orchestrators

    def activities(self) -> Collection[str]:
        return self._activities

    def entities(self) -> Collection[str]:
        return self._entities

    async def run_orchestrator(self, episode: Episode) -> EpisodeReply | EpisodeFailed:
        self.episodes[episode.instance_id] += 1
        self._compare(episode)
        try:
            text = self._live(episode) if self._sessions is not None else self._replayed(episode)
        except Exception as error:  # noqa: BLE001 - as a worker does
            message, embedded = split_failure(error)
            return EpisodeFailed(message, embedded, traceback.format_exc())
        self.last_reply[episode.instance_id] = text
        return EpisodeReply(text)

    def _replayed(self, episode: Episode) -> str:
        history = episode.history()
        assert len(history) == episode.played
        payload = {
            "history": history + episode.new_events,
            "instanceId": episode.instance_id,
            "isReplaying": bool(history),
            "parentInstanceId": episode.parent_instance_id,
            "input": None if episode.input_json is None else json.loads(episode.input_json),
            **_ENVELOPE,
        }
        context = DurableOrchestrationContext.from_json(json.dumps(payload))
        try:
            return str(Orchestrator(self._orchestrators[episode.function]).handle(context))
        finally:
            if not context.will_continue_as_new:
                self._counted[episode.execution_id] = context._sequence_number

    def _live(self, episode: Episode) -> str:
        assert self._sessions is not None
        frame: dict[str, Any] = {
            "instance": episode.instance_id,
            "execution": episode.execution_id,
            "played": episode.played,
            "events": episode.new_events,
            "input": episode.input_json,
            "parent": episode.parent_instance_id,
        }
        handle = self._handles[episode.function]
        answer = self._sessions.run(handle, frame)
        if isinstance(answer, HistoryNeeded):
            frame["history_start"] = answer.start
            frame["history"] = episode.history()[answer.start :]
            answer = self._sessions.run(handle, frame)
        assert isinstance(answer, str)
        return answer

    def _compare(self, episode: Episode) -> None:
        counted = self._counted.pop(episode.execution_id, None)
        if counted is None or not self._check:
            return
        written = {e["EventId"] for e in episode.history() if e["EventType"] in _SCHEDULING}
        if written != set(range(counted)):
            self.mismatches.append(
                f"{episode.instance_id}: the library counted {counted} ids, the history has "
                f"{sorted(written)}"
            )

    async def run_activity(self, call: ActivityCall) -> ActivityOutcome:
        self.calls[call.name] += 1
        try:
            value = ActivityTriggerConverter.decode(
                Datum(type="string", value=call.input_text), trigger_metadata={}
            )
            self.inputs.append((call.name, value))
            result = self._activities[call.name](value)
            if hasattr(result, "__await__"):
                result = await result
            encoded = ActivityTriggerConverter.encode(result, expected_type=None)
        except Exception as error:  # noqa: BLE001 - as a worker does
            return ActivityOutcome(
                ok=False,
                error_type=type(error).__name__,
                error_message=str(error),
                trace=traceback.format_exc(),
            )
        return ActivityOutcome(ok=True, result_text=encoded.value)

    async def run_entity(self, call: EntityCall) -> EntityOutcome:
        try:
            text = Entity.create(self._entities[call.name])(call.payload_text)
        except Exception as error:  # noqa: BLE001 - as a worker does
            return EntityOutcome(
                ok=False, error_type=type(error).__name__, error_message=str(error)
            )
        return EntityOutcome(ok=True, text=text)
