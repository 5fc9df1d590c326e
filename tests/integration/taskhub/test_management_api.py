"""The public HTTP API by raw requests: routes, status codes, bodies, headers."""

import json

import pytest

from emulator.faults import FaultRule
from emulator.taskhub import HubOptions
from tests.support.hub_harness import running_hub
from tests.support.hub_server import serving
from tests.support.inprocess_invoker import InProcessInvoker


def echoes(ctx):
    return (yield ctx.call_activity("Echo", ctx.get_input()))


def waits(ctx):
    return (yield ctx.wait_for_external_event("Go"))


def fails(ctx):
    yield ctx.call_activity("Echo", 1)
    raise ValueError("no good")


def shows_version(ctx):
    yield ctx.call_activity("Echo", 1)
    return ctx.version


def counter(context):
    if context.operation_name == "add":
        context.set_state(context.get_state(lambda: 0) + int(json.loads(context._input)))
    if context.operation_name == "delete":
        context.destruct_on_exit()


@pytest.fixture
async def served(path):
    invoker = InProcessInvoker(
        {each.__name__: each for each in (echoes, waits, fails, shows_version)},
        {"Echo": lambda x: x},
        {"counter": counter},
    )
    options = HubOptions(hub_name="MyHub")
    async with running_hub(path, invoker, options=options) as hub, serving(hub) as served:
        yield served


async def ended(served, name="echoes", instance_id="one", **more):
    answer = await served.ask("POST", f"orchestrators/{name}/{instance_id}", **more)
    assert answer.status == 202
    await served.hub.ended(answer.json["id"])


async def test_start_answers_with_urls_that_work(served):
    answer = await served.ask("POST", "orchestrators/echoes/one", json={"a": 1})
    assert answer.status == 202
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Location"] == answer.json["statusQueryGetUri"]
    assert list(answer.json) == [
        "id", "statusQueryGetUri", "sendEventPostUri", "terminatePostUri", "purgeHistoryDeleteUri",
        "restartPostUri", "suspendPostUri", "resumePostUri",
    ]  # fmt: skip
    assert answer.json["statusQueryGetUri"] == (
        f"{served.origin}/runtime/webhooks/durabletask/instances/one"
        "?taskHub=MyHub&connection=Storage"
    )
    await served.hub.ended("one")
    async with served.session.get(answer.json["statusQueryGetUri"]) as response:
        assert response.status == 200
        body = await response.json()
    assert list(body) == [
        "name", "instanceId", "runtimeStatus", "input", "customStatus", "output", "createdTime",
        "lastUpdatedTime",
    ]  # fmt: skip
    assert (body["input"], body["output"]) == ({"a": 1}, {"a": 1})


@pytest.mark.parametrize("base", ["public", "rpc"])
async def test_routes_match_without_case_and_others_are_not_found(served, base):
    await ended(served)
    assert (await served.ask("GET", "INSTANCES/one", base=base)).status == 200
    assert (await served.ask("GET", "Instances/ONE", base=base)).status == 404
    for method, route in [
        ("GET", "nothing"), ("PUT", "instances/one"), ("GET", "orchestrators/echoes"),
        ("POST", "instances/one/dance"), ("POST", "instances"), ("PATCH", "entities/counter/k"),
        ("GET", "instances/one/more/of/it"),
        ("POST", "instances/one/restartWithOptions"),
    ]:  # fmt: skip
        answer = await served.ask(method, route, base=base)
        assert (answer.status, answer.text) == (404, "")


async def test_unknown_hub_or_connection_is_not_found(served):
    await ended(served)
    for query, status in [
        ("taskHub=myhub&connection=Storage", 200), ("connectionName=AzureWebJobsStorage", 200),
        ("taskHub=Other", 404), ("connection=Other", 404),
    ]:  # fmt: skip
        assert (await served.ask("GET", f"instances/one?{query}")).status == status


async def test_bad_starts(served):
    answer = await served.ask("POST", "orchestrators/Nope")
    assert answer.status == 400
    assert answer.json == {
        "Message": "One or more of the arguments submitted is incorrect",
        "ExceptionMessage": "The function 'Nope' doesn't exist, is disabled, or is not an "
        "orchestrator function. Additional info: The following are the known orchestrator "
        "functions: 'echoes', 'fails', 'shows_version', 'waits'.",
        "ExceptionType": "System.ArgumentException",
        "StackTrace": None,
    }
    assert (await served.ask("POST", "orchestrators/echoes/@no")).status == 400
    assert (await served.ask("POST", "orchestrators/echoes/a%2Fb")).status == 400
    broken = await served.ask("POST", "orchestrators/echoes", data=b"{no json")
    assert (broken.status, broken.json["Message"]) == (400, "Invalid JSON content")
    await served.ask("POST", "orchestrators/waits/same")
    twice = await served.ask("POST", "orchestrators/waits/same")
    assert twice.status == 500
    assert twice.json["Message"] == "Something went wrong while processing your request"
    assert "already exists" in twice.json["ExceptionMessage"]


async def test_version_of_a_start(served):
    await ended(served, "shows_version", "own?version=2.1")
    assert (await served.ask("GET", "instances/own")).json["output"] == "2.1"
    await ended(served, "shows_version", "none")
    assert (await served.ask("GET", "instances/none")).json["output"] == ""


async def test_start_that_waits(served):
    done = await served.ask(
        "POST", "orchestrators/echoes?timeout=10&pollingInterval=1", json={"a": 1}
    )
    assert (done.status, done.json) == (200, {"a": 1})
    failed = await served.ask("POST", "orchestrators/fails?timeout=10&pollingInterval=1")
    assert (failed.status, failed.json["runtimeStatus"]) == (200, "Failed")
    late = await served.ask("POST", "orchestrators/waits?timeout=0.01&pollingInterval=1")
    assert (late.status, "statusQueryGetUri" in late.json) == (202, True)


async def test_status_codes_of_a_status_query(served):
    await served.ask("POST", "orchestrators/waits/running")
    running = await served.ask("GET", "instances/running")
    assert running.status == 202
    assert running.headers["Retry-After"] == "5"
    assert running.headers["Location"].endswith("/instances/running")
    await ended(served, "fails", "failed")
    assert (await served.ask("GET", "instances/failed")).status == 200
    query = "returnInternalServerErrorOnFailure=TRUE"
    as_error = await served.ask("GET", f"instances/failed?{query}")
    assert as_error.status == 500
    assert as_error.json["output"] == "Orchestrator function 'fails' failed: no good"
    assert (await served.ask("GET", "instances/nobody")).status == 404


async def test_input_is_left_out_on_request(served):
    await ended(served, json={"a": 1})
    assert (await served.ask("GET", "instances/one?showInput=False")).json["input"] is None
    assert (await served.ask("GET", "instances/one")).json["input"] == {"a": 1}


async def test_stored_texts_are_shown_as_they_were_written(served):
    text = '{"b": 1.00, "a": 1E2,   "d": "2026-01-02T03:04:05.1000000Z"}'
    await ended(served, data=text, headers={"Content-Type": "application/json"})
    assert f'"input": {text}' in (await served.ask("GET", "instances/one")).text


async def test_history_without_outputs_and_inputs(served):
    await ended(served, json={"a": 1})
    body = (await served.ask("GET", "instances/one?showHistory=true&showInput=false")).json
    started, completed, done = body["historyEvents"]
    assert "Input" not in started
    assert "Result" not in completed
    assert done["OrchestrationStatus"] == "Completed"
    with_output = "instances/one?showHistory=true&showHistoryOutput=true"
    assert (await served.ask("GET", with_output)).json["historyEvents"][1]["Result"] == {"a": 1}


async def test_listing_pages(served):
    for number in range(5):
        await ended(served, instance_id=f"i{number}", json={"n": number})
    seen, token = [], None
    while True:
        headers = {"x-ms-continuation-token": token} if token else {}
        page = await served.ask("GET", "instances/?top=2", headers=headers)
        assert page.status == 200
        seen.append([each["instanceId"] for each in page.json])
        token = page.headers.get("x-ms-continuation-token")
        if token is None:
            break
    assert seen == [["i0", "i1"], ["i2", "i3"], ["i4"]]
    assert (await served.ask("GET", "instances?top=none")).status == 400
    bad = {"x-ms-continuation-token": "é"}
    assert (await served.ask("GET", "instances", headers=bad)).status == 400
    assert (await served.ask("GET", "instances?createdTimeFrom=yesterday")).status == 400
    found = await served.ask("GET", "instances?createdTimeFrom=2020-01-01T00:00:00Z&top=1")
    assert len(found.json) == 1
    no_inputs = await served.ask("GET", "instances?showInput=false&runtimeStatus=Failed,completed")
    assert [each["input"] for each in no_inputs.json] == [None] * 5
    assert (await served.ask("GET", "instances?createdTimeTo=2020-01-01T00:00:00Z")).json == []


async def test_events_of_the_webhook_arrive_as_objects(served):
    await served.ask("POST", "orchestrators/waits/one")
    refused = await served.ask("POST", "instances/one/raiseEvent/Go", data=b"x")
    assert refused.status == 400
    assert refused.json == {"Message": "Only application/json request content is supported"}
    kind = {"Content-Type": "application/json"}
    broken = await served.ask("POST", "instances/one/raiseEvent/Go", data=b"{", headers=kind)
    assert (broken.status, broken.json["Message"]) == (400, "Invalid JSON content")
    sent = await served.ask("POST", "instances/one/raiseEvent/Go", json={"a": 1})
    assert (sent.status, sent.text) == (202, "")
    assert await served.hub.output("one") == {"a": 1}
    assert (await served.ask("POST", "instances/one/raiseEvent/Go", json=1)).status == 410
    assert (await served.ask("POST", "instances/none/raiseEvent/Go", json=1)).status == 404


@pytest.mark.parametrize("word", ["terminate", "suspend", "resume", "rewind"])
async def test_changes_of_ended_and_unknown_instances(served, word):
    await ended(served)
    assert (await served.ask("POST", f"instances/one/{word}?reason=x")).status == 410
    unknown = await served.ask("POST", f"instances/nobody/{word}?reason=x")
    assert (unknown.status, unknown.text) == (404, "")


async def test_rewind_of_a_running_instance_is_an_invalid_operation(served):
    await served.ask("POST", "orchestrators/waits/one")
    answer = await served.ask("POST", "instances/one/rewind")
    assert (answer.status, answer.json["ExceptionType"]) == (
        500, "System.InvalidOperationException",
    )  # fmt: skip


async def test_restart(served):
    await ended(served, json={"a": 1})
    same = await served.ask("POST", "instances/one/restart?restartWithNewInstanceId=False")
    assert (same.status, same.json["id"]) == (202, "one")
    other = await served.ask("POST", "instances/one/restart")
    assert other.json["id"] != "one"
    assert await served.hub.output(other.json["id"]) == {"a": 1}
    unknown = await served.ask("POST", "instances/nobody/restart")
    assert unknown.status == 400
    assert unknown.json["ExceptionMessage"] == (
        "InstanceId does not match a valid orchestration instance."
    )


async def test_purge_needs_a_time(served):
    answer = await served.ask("DELETE", "instances?runtimeStatus=Completed")
    assert (answer.status, answer.json) == (
        400, "Please provide value for 'createdTimeFrom' parameter.",
    )  # fmt: skip
    await ended(served)
    query = "createdTimeFrom=2020-01-01T00:00:00Z"
    assert (await served.ask("DELETE", f"instances?{query}&runtimeStatus=Failed")).status == 404
    purged = await served.ask("DELETE", f"instances?{query}&runtimeStatus=Failed,completed")
    assert (purged.status, purged.json) == (200, {"instancesDeleted": 1})
    assert (await served.ask("DELETE", "instances/one")).status == 404


async def test_entities(served):
    async def state():
        return await served.ask("GET", "entities/Counter/a@b")

    assert (await state()).status == 404
    sent = await served.ask("POST", "entities/Counter/a@b?op=add", json=3)
    assert (sent.status, sent.text) == (202, "")
    await served.ask("POST", "entities/counter/z?op=add", data="4")
    await served.hub.idle()
    assert (await state()).json == 3
    page = await served.ask("GET", "entities?top=1&fetchState=true")
    assert page.json[0]["entityId"] == {"name": "counter", "key": "a@b"}
    assert page.json[0]["state"] == 3
    assert page.json[0]["lastOperationTime"].endswith("Z")
    token = {"x-ms-continuation-token": page.headers["x-ms-continuation-token"]}
    rest = await served.ask("GET", "entities/counter", headers=token)
    assert [each["entityId"]["key"] for each in rest.json] == ["z"]
    assert rest.json[0]["state"] is None
    later = "entities?lastOperationTimeFrom=2100-01-01T00:00:00Z"
    assert (await served.ask("GET", later)).json == []
    assert (await served.ask("GET", "instances")).json == []
    listed = await served.ask("GET", "instances?instanceIdPrefix=@counter@z")
    assert [each["instanceId"] for each in listed.json] == ["@counter@z"]
    assert (await served.ask("DELETE", "entities/counter/a@b")).status == 202
    await served.hub.idle()
    assert (await state()).status == 404
    assert (await served.ask("POST", "entities/nobody/k?op=x")).status == 400


async def test_public_base_asks_for_the_system_key_if_there_is_one(path):
    options = HubOptions(system_key="the key")
    invoker = InProcessInvoker({"waits": waits})
    async with running_hub(path, invoker, options=options) as hub, serving(hub) as served:
        assert (await served.ask("GET", "instances")).status == 401
        assert (await served.ask("GET", "instances?code=wrong")).status == 401
        assert (await served.ask("GET", "instances?code=the%20key")).status == 200
        headers = {"x-functions-key": "the key"}
        assert (await served.ask("GET", "instances", headers=headers)).status == 200
        assert (await served.ask("GET", "instances", base="rpc")).status == 200
        binding = json.loads(hub.hub.client_binding("http://h"))
        assert binding["managementUrls"]["statusQueryGetUri"].endswith("&code=the%20key")
        assert binding["requiredQueryStringParameters"] == "code=the%20key"


async def test_disk_that_refuses_is_an_error_and_nothing_was_started(path):
    invoker = InProcessInvoker({"waits": waits})
    async with running_hub(path, invoker) as hub, serving(hub) as served:
        hub.faults.add(FaultRule("taskhub.commit.before", "fail", message="disk is full"))
        answer = await served.ask("POST", "orchestrators/waits/one")
        assert answer.status == 500
        assert "the disk is full" in answer.json["ExceptionMessage"]
        assert (await served.ask("GET", "instances/one")).status == 404
