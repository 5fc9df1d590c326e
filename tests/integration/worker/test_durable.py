"""The worker as the task hub's invoker: episodes, activities, entities, the durable client."""

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio

from emulator.host.worker_process import (
    FunctionMetadata,
    InvocationContext,
    InvocationResult,
    WorkerOptions,
    WorkerProcess,
)
from emulator.taskhub.model import (
    ActivityCall,
    ActivityOutcome,
    EntityCall,
    Episode,
    EpisodeFailed,
    EpisodeReply,
)
from emulator.worker.protocol import Datum
from tests.integration.worker.conftest import Start
from tests.support.episodes import MiniHub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(start_shared: Start) -> WorkerProcess:
    return await start_shared("durable")


class Instance:
    """An instance in a miniature hub, run by a real worker."""

    def __init__(self, worker: WorkerProcess, function: str, **hub: Any) -> None:
        self.worker = worker
        self.function = function
        self.hub = MiniHub(random.Random(1), fail_rate=0, **hub)
        self.asked = 0

    async def episode(self, events: list[dict[str, Any]]) -> EpisodeReply | EpisodeFailed:
        def history() -> list[dict[str, Any]]:
            self.asked += 1
            return self.hub.history

        return await self.worker.run_orchestrator(
            Episode(
                self.function,
                f"instance of {id(self)}",
                "e1",
                len(self.hub.history),
                events,
                history,
                self.hub.input_json,
                "the parent",
            )
        )

    async def run(self) -> EpisodeReply | EpisodeFailed:
        events = self.hub.first_events()
        while True:
            reply = await self.episode(events)
            if isinstance(reply, EpisodeFailed):
                return reply
            self.hub.commit(events, json.loads(reply.text))
            if self.hub.done:
                return reply
            events = self.hub.next_events()


async def test_durable_names(worker: WorkerProcess) -> None:
    assert set(worker.orchestrators()) == {"Chain2", "fails", "plain", "plain_fails", "undecorated"}
    activities = {"Renamed", "move", "unserializable", "with_bindings"}
    assert set(worker.activities()) == activities
    assert set(worker.entities()) == {"Counter2"}


async def test_an_orchestration_from_first_to_last_episode(worker: WorkerProcess) -> None:
    instance = Instance(worker, "chain2", input_json=json.dumps('{"a": 1}'))
    reply = await instance.run()
    assert isinstance(reply, EpisodeReply)
    told = json.loads(reply.text)
    assert told["actions"] == [
        [
            {"actionType": 0, "functionName": "Renamed", "input": '{"a": 1}'},
            {"actionType": 7, "instanceId": "@counter2@k", "operation": "add", "input": "2"},
        ]
    ]
    results = [event["Result"] for event in instance.hub.history if "Result" in event]
    answers = [event["Input"] for event in instance.hub.history if event["EventType"] == 15]
    first, second, version = told["output"]
    assert told["customStatus"] == {"first": first, "parent": "the parent"}
    assert first == json.loads(results[0] or "null")
    assert second == json.loads(json.loads(answers[0])["result"])
    assert version == ""
    # Only what follows the entity call was fetched; the rest came from the session.
    assert instance.asked == 1


async def test_an_orchestrator_logs_its_first_run_once(worker: WorkerProcess) -> None:
    instance = Instance(worker, "Chain2")
    await instance.run()
    name = f"first run of instance of {id(instance)}"
    logged = [line for line in worker.lines if line.text == name]
    assert [(line.function, line.level) for line in logged] == [("chain", "Information")]


async def test_a_failed_orchestrator_hands_out_the_reply_inside_the_error(
    worker: WorkerProcess,
) -> None:
    reply = await Instance(worker, "fails").run()
    assert isinstance(reply, EpisodeFailed)
    assert reply.message == repr("bad\nthing")
    assert reply.embedded is not None
    embedded = json.loads(reply.embedded)
    assert embedded["error"] == repr("bad\nthing")
    assert embedded["actions"] == [[{"actionType": 0, "functionName": "Renamed", "input": "1"}]]
    assert 'function_app.py", line' in reply.trace
    assert reply.trace.rstrip().endswith(
        f"KeyError: {'bad' + chr(92) + 'nthing'!r}".replace("\\\\", "\\")
    )


async def test_orchestrators_that_are_no_generators(worker: WorkerProcess) -> None:
    done = await Instance(worker, "plain", input_json="[1, 2]").episode(
        Instance(worker, "plain").hub.first_events()
    )
    # The library's get_input wants text; a list of a webhook start makes it raise.
    assert isinstance(done, EpisodeFailed)
    done = await Instance(worker, "plain", input_json='{"a": 1}').run()
    assert isinstance(done, EpisodeReply)
    assert json.loads(done.text)["output"] == {"input": {"a": 1}}
    failed = await Instance(worker, "plain_fails").run()
    assert isinstance(failed, EpisodeFailed)
    assert failed.embedded is None
    assert failed.message == "ValueError: ng"
    assert "in plain_fails" in failed.trace


async def test_an_orchestrator_that_the_library_did_not_decorate(worker: WorkerProcess) -> None:
    instance = Instance(worker, "undecorated", input_json='{"a": 1}')
    instance.hub.history = instance.hub.first_events()
    reply = await instance.episode([instance.hub.event(12)])
    assert isinstance(reply, EpisodeReply)
    assert json.loads(reply.text)["output"] == [{"a": 1}, 3]
    assert instance.asked == 1


async def test_a_history_that_cannot_be_had_fails_the_call_and_not_the_worker(
    worker: WorkerProcess,
) -> None:
    def broken() -> list[dict[str, Any]]:
        raise RuntimeError("no history")

    events = [MiniHub(random.Random(1)).event(12)]
    with pytest.raises(RuntimeError, match="no history"):
        await worker.run_orchestrator(
            Episode("Chain2", "nobody", "e1", 5, events, broken, None, None)
        )
    assert (await call(worker, "Renamed", "1")).ok


async def test_unknown_durable_names_are_refused(worker: WorkerProcess) -> None:
    with pytest.raises(LookupError, match="activityTrigger named 'chain2'"):
        await call(worker, "chain2", "null")
    with pytest.raises(LookupError, match="entityTrigger named 'x'"):
        await worker.run_entity(EntityCall("x", "k", "{}"))


async def call(worker: WorkerProcess, name: str, text: str) -> ActivityOutcome:
    return await worker.run_activity(ActivityCall(name, "i1", "e1", 0, text))


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ('{"a": [1, 2.5]}', '{"a": [1, 2.5]}'),
        ('"text"', '"text"'),
        ("not json", '"not json"'),
        ("null", "null"),
        ("NaN", "NaN"),
    ],
)
async def test_activity_inputs_and_results(worker: WorkerProcess, given: str, result: str) -> None:
    assert await call(worker, "renamed", given) == ActivityOutcome(ok=True, result_text=result)


async def test_custom_objects_travel_by_their_modules_name(worker: WorkerProcess) -> None:
    envelope = {"__class__": "Point", "__module__": "function_app", "__data__": {"x": 1}}
    moved = await call(worker, "move", json.dumps(envelope))
    assert moved.result_text is not None
    assert json.loads(moved.result_text) == envelope | {"__data__": {"x": 2}}


async def test_a_result_that_is_not_json_fails_the_activity(worker: WorkerProcess) -> None:
    outcome = await call(worker, "unserializable", "null")
    assert outcome.error_type == "ValueError"
    assert outcome.error_message.startswith("activity trigger output must be json serializable")


class Bindings:
    """The host's part in an activity, noting what it is asked."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.sent: list[Any] = []

    async def read_inputs(self, function: FunctionMetadata, trigger: Datum) -> Mapping[str, Datum]:
        return {"blob": Datum("string", f"blob for {function.name} {trigger.value}")}

    async def send_outputs(
        self, function: FunctionMetadata, result: InvocationResult, context: InvocationContext
    ) -> None:
        if self.fault is not None:
            raise self.fault
        self.sent.append((function.name, result.outputs["out"].value, context.invocation_id))


async def test_an_activitys_other_bindings_are_the_hosts(start_shared: Start) -> None:
    bindings = Bindings()
    worker = await start_shared("durable", bindings=bindings)
    outcome = await call(worker, "with_bindings", '"v"')
    assert outcome.ok, outcome.trace
    ((function, sent, invocation_id),) = bindings.sent
    assert (function, sent) == ("with_bindings", 'v blob for with_bindings "v"')
    assert outcome.result_text == json.dumps(invocation_id)


async def test_an_output_that_cannot_be_sent_fails_the_activity(start_shared: Start) -> None:
    worker = await start_shared("durable", bindings=Bindings(RuntimeError("broker is down")))
    outcome = await call(worker, "with_bindings", '"v"')
    assert not outcome.ok
    assert (outcome.error_type, outcome.error_message) == ("RuntimeError", "broker is down")


async def test_entities(worker: WorkerProcess) -> None:
    payload = {
        "self": {"name": "counter2", "key": "k1"},
        "exists": True,
        "state": "5",
        "batch": [
            {"name": "add", "input": '"3"', "isSignal": True},
            {"name": "fail", "input": None, "isSignal": False},
        ],
    }
    outcome = await worker.run_entity(EntityCall("counter2", "k1", json.dumps(payload)))
    assert outcome.text is not None
    told = json.loads(outcome.text)
    assert told["entityState"] == "8"
    assert [(r["isError"], r["result"]) for r in told["results"]] == [
        (False, "8"),
        (True, '"boom!"'),
    ]


async def test_an_entity_payload_that_makes_no_sense_fails(worker: WorkerProcess) -> None:
    outcome = await worker.run_entity(EntityCall("counter2", "k1", "{}"))
    assert not outcome.ok
    assert outcome.error_type == "KeyError"


CLIENT = json.dumps({"taskHubName": "Hub", "creationUrls": {}, "managementUrls": {"id": "ID"}})


async def start_by_http(worker: WorkerProcess, function: str) -> InvocationResult:
    trigger = Datum("http", {"method": "GET", "url": "http://localhost/"})
    return await worker.invoke(function, {"req": trigger, "client": Datum("string", CLIENT)})


async def test_a_function_is_given_the_durable_client(worker: WorkerProcess) -> None:
    result = await start_by_http(worker, "start")
    assert result.return_value.value["body"] == b"DurableOrchestrationClient Hub"


async def test_a_sync_function_with_a_client_fails_as_on_azure(worker: WorkerProcess) -> None:
    result = await start_by_http(worker, "sync_start")
    assert result.error_text == "TypeError: object str can't be used in 'await' expression"


async def test_functions_that_are_left_out_have_no_durable_name(start_shared: Start) -> None:
    worker = await start_shared("durable")
    worker.leave_out({"act", "chain"})
    assert "Renamed" not in worker.activities()
    assert "Chain2" not in worker.orchestrators()
    assert "move" in worker.activities()


async def test_without_sessions_every_episode_asks_for_the_history(start_shared: Start) -> None:
    worker = await start_shared("durable", options=WorkerOptions(sessions=0))
    instance = Instance(worker, "Chain2")
    assert isinstance(await instance.run(), EpisodeReply)
    assert instance.asked == 2


async def test_a_new_worker_takes_an_instance_up_from_its_history(
    worker: WorkerProcess, start_shared: Start
) -> None:
    instance = Instance(worker, "Chain2")
    events = instance.hub.first_events()
    reply = await instance.episode(events)
    assert isinstance(reply, EpisodeReply)
    instance.hub.commit(events, json.loads(reply.text))
    instance.worker = await start_shared("durable")
    events = instance.hub.next_events()
    reply = await instance.episode(events)
    assert isinstance(reply, EpisodeReply)
    assert len(json.loads(reply.text)["actions"][0]) == 2
    assert instance.asked == 1
