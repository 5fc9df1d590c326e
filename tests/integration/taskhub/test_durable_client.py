"""The real durable client against the real server: every method, with its good and bad outcomes."""

import json
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
import azure.functions as func
import pytest
from azure.durable_functions.models import OrchestrationRuntimeStatus as RuntimeStatus

from tests.support.hub_harness import running_hub
from tests.support.hub_server import serving
from tests.support.inprocess_invoker import InProcessInvoker


def echoes(ctx):
    got = yield ctx.call_activity("Echo", ctx.get_input())
    return got


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
        context.set_state(context.get_state(lambda: 0) + context.get_input())
    if context.operation_name == "clear":
        context.set_state(None)


class Point:
    """A custom object as the library's serialization knows it."""

    def __init__(self, x):
        self.x = x

    @staticmethod
    def to_json(point):
        return {"x": point.x}

    @staticmethod
    def from_json(data):
        return Point(data["x"])


def moves(ctx):
    point = ctx.get_input()
    moved = yield ctx.call_activity("Move", point)
    ctx.set_custom_status(moved)
    return moved.x


@pytest.fixture
async def served(path):
    functions = [echoes, waits, fails, shows_version, moves]
    invoker = InProcessInvoker(
        {each.__name__: each for each in functions},
        {"Echo": lambda x: x, "Move": lambda point: Point(point.x + 1)},
        {"counter": counter},
    )
    async with running_hub(path, invoker) as hub, serving(hub) as served:
        yield served


def a_request(url="http://orders.example/api/start"):
    return func.HttpRequest("POST", url, body=b"")


async def test_start_and_status(served):
    one = await served.client.start_new("echoes", None, {"a": [1, None, "é"]})
    assert len(one) == 32
    await served.hub.ended(one)
    status = await served.client.get_status(one)
    assert status.name == "echoes"
    assert status.runtime_status is RuntimeStatus.Completed
    assert status.output == {"a": [1, None, "é"]}
    assert json.loads(status.input_) == {"a": [1, None, "é"]}
    assert status.instance_id == one
    assert status.created_time.tzinfo is not None


@pytest.mark.parametrize("value", [0, "", False, [], "text", 1.5, 12345678901234567890, "\ud800"])
async def test_every_input_reaches_the_orchestrator(served, value):
    one = await served.client.start_new("echoes", None, value)
    assert await served.hub.output(one) == value


async def test_no_input_is_none(served):
    assert await served.hub.output(await served.client.start_new("echoes")) is None


async def test_large_input_goes_through(served):
    value = "x" * 5_000_000
    one = await served.client.start_new("echoes", "large", value)
    assert await served.hub.output(one) == value


async def test_custom_objects_go_round(served):
    one = await served.client.start_new("moves", None, Point(4))
    assert await served.hub.output(one) == 5
    status = await served.client.get_status(one)
    assert status.custom_status == {
        "__class__": "Point",
        "__module__": __name__,
        "__data__": {"x": 5},
    }


async def test_start_of_an_unknown_function_raises_what_is_known(served):
    with pytest.raises(Exception, match="'Nope' doesn't exist, is disabled, or is not an orch"):
        await served.client.start_new("Nope")


async def test_start_of_an_active_id_raises(served):
    await served.client.start_new("waits", "same")
    with pytest.raises(Exception, match="already exists"):
        await served.client.start_new("waits", "same")


async def test_version_goes_along(served):
    one = await served.client.start_new("shows_version", version="2.1 beta")
    assert await served.hub.output(one) == "2.1 beta"


async def test_status_of_an_unknown_instance_is_falsy(served):
    assert not await served.client.get_status("nobody")


async def test_status_with_history(served):
    one = await served.client.start_new("echoes", None, {"n": 1})
    await served.hub.ended(one)
    status = await served.client.get_status(
        one, show_history=True, show_history_output=True, show_input=True
    )
    started, completed, ended = status.historyEvents
    assert (started["EventType"], started["FunctionName"]) == ("ExecutionStarted", "echoes")
    assert completed["EventType"] == "TaskCompleted"
    assert completed["Result"] == {"n": 1}
    assert completed["FunctionName"] == "Echo"
    assert completed["ScheduledTime"] <= completed["Timestamp"]
    assert (ended["OrchestrationStatus"], ended["Result"]) == ("Completed", {"n": 1})
    assert not {"EventId", "IsPlayed", "TaskScheduledId"} & completed.keys()


async def test_listing_by_prefix_time_and_status(served):
    for name in ("a-1", "a-2", "b-1"):
        await served.hub.output(await served.client.start_new("echoes", name, 1))
    await served.client.start_new("waits", "a-3")
    await served.hub.status_is("a-3", "Running")
    now = datetime.now(UTC)

    async def ids(*args, **kwargs):
        return [each.instance_id for each in await served.client.get_status_by(*args, **kwargs)]

    assert [each.instance_id for each in await served.client.get_status_all()] == [
        "a-1", "a-2", "a-3", "b-1",
    ]  # fmt: skip
    assert await ids(instance_id_prefix="a-") == ["a-1", "a-2", "a-3"]
    assert await ids(runtime_status=[RuntimeStatus.Running, RuntimeStatus.Failed]) == ["a-3"]
    assert await ids(created_time_from=now + timedelta(hours=1)) == []
    assert len(await ids(now - timedelta(hours=1), now + timedelta(hours=1))) == 4


async def test_listing_of_all_is_the_first_page_alone(served):
    for number in range(103):
        await served.hub.start("waits", instance_id=f"i-{number:03}")
    assert len(await served.client.get_status_all()) == 100
    assert len(await served.client.get_status_by(instance_id_prefix="i-1")) == 3


async def test_hub_and_connection_are_named_or_not_found(served):
    names = ("TestHubName", "Storage")
    key = df.EntityId("counter", "k")
    one = await served.client.start_new("waits")
    with pytest.raises(Exception, match=f"No instance with ID {one} found"):
        await served.client.raise_event(one, "Go", 1, "OtherHub", "Storage")
    with pytest.raises(Exception, match=f"No instance with ID {one} found"):
        await served.client.rewind(one, "x", "TestHubName", "OtherConnection")
    with pytest.raises(Exception, match="unexpected status code 404"):
        await served.client.signal_entity(key, "add", 1, "OtherHub", "Storage")
    await served.client.signal_entity(key, "add", 1, *names)
    await served.hub.idle()
    assert (await served.client.read_entity_state(key, *names)).entity_state == 1
    assert not (await served.client.read_entity_state(key, "OtherHub", "Storage")).entity_exists
    await served.client.raise_event(one, "Go", 1, *names)
    assert await served.hub.output(one) == "1"


async def test_event_arrives_as_the_text_that_the_client_sent(served):
    one = await served.client.start_new("waits")
    await served.client.raise_event(one, "Go", {"a": 1})
    assert await served.hub.output(one) == '{"a": 1}'
    with pytest.raises(Exception, match="is gone"):
        await served.client.raise_event(one, "Go", 1)
    with pytest.raises(Exception, match="No instance with ID nobody found"):
        await served.client.raise_event("nobody", "Go", 1)


async def test_terminate(served):
    one = await served.client.start_new("waits")
    await served.client.terminate(one, "a reason, with blanks & signs")
    ended = await served.hub.ended(one)
    assert (ended.status, ended.output) == ("Terminated", "a reason, with blanks & signs")
    await served.client.terminate(one, "again")  # 410 counts as done
    with pytest.raises(Exception, match="No instance with ID 'nobody' found"):
        await served.client.terminate("nobody", "x")


async def test_suspend_and_resume(served):
    one = await served.client.start_new("waits")
    await served.client.suspend(one, "pause")
    await served.hub.status_is(one, "Suspended")
    with pytest.raises(Exception, match="unexpected status code 500"):
        await served.client.suspend(one, "pause")
    await served.client.resume(one, "go")
    await served.hub.status_is(one, "Running")
    with pytest.raises(Exception, match="'nobody' found"):
        await served.client.suspend("nobody", "x")
    await served.client.terminate(one, "enough")
    await served.hub.ended(one)
    await served.client.suspend(one, "too late")  # 410 counts as done
    await served.client.resume(one, "too late")


async def test_rewind(served):
    one = await served.client.start_new("fails")
    await served.hub.ended(one)
    await served.client.rewind(one, "try again")
    await served.hub.status_is(one, "Failed")
    done = await served.client.start_new("echoes")
    await served.hub.ended(done)
    with pytest.raises(Exception, match="only supported on failed orchestration instances"):
        await served.client.rewind(done, "x")
    with pytest.raises(Exception, match="No instance with ID nobody found"):
        await served.client.rewind("nobody", "x")
    waiting = await served.client.start_new("waits")
    with pytest.raises(Exception, match="unexpected payload"):
        await served.client.rewind(waiting, "x")


async def test_restart_answers_with_the_urls_of_the_new_instance(served):
    one = await served.client.start_new("echoes", None, 5)
    await served.hub.ended(one)
    answer = await served.client.restart(one)
    assert answer["id"] != one
    assert await served.hub.output(answer["id"]) == 5
    assert (await served.client.restart(one, restart_with_new_instance_id=False))["id"] == one
    with pytest.raises(Exception, match="unexpected status code 400"):
        await served.client.restart("nobody")
    await served.client.start_new("waits", "busy")
    with pytest.raises(Exception, match="unexpected status code 500"):
        await served.client.restart("busy", restart_with_new_instance_id=False)


async def test_purge(served):
    one = await served.client.start_new("echoes")
    await served.hub.ended(one)
    assert (await served.client.purge_instance_history(one)).instances_deleted == 1
    assert (await served.client.purge_instance_history(one)).instances_deleted == 0
    for _ in range(3):
        await served.hub.ended(await served.client.start_new("echoes"))
    await served.client.start_new("waits")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    purged = await served.client.purge_instance_history_by(hour_ago)
    assert purged.instances_deleted == 3
    assert (await served.client.purge_instance_history_by(hour_ago)).instances_deleted == 0
    await served.hub.ended(await served.client.start_new("fails"))
    await served.hub.ended(await served.client.start_new("echoes"))
    failed = [RuntimeStatus.Failed]
    purged = await served.client.purge_instance_history_by(hour_ago, runtime_status=failed)
    assert purged.instances_deleted == 1
    hour_hence = datetime.now(UTC) + timedelta(hours=1)
    purged = await served.client.purge_instance_history_by(hour_ago, hour_hence)
    assert purged.instances_deleted == 1


async def test_entities(served):
    key = df.EntityId("Counter", "k")
    assert not (await served.client.read_entity_state(key)).entity_exists
    await served.client.signal_entity(key, "add", 3)
    await served.client.signal_entity(key, "add", 4)

    async def is_seven():
        state = await served.client.read_entity_state(key)
        return state.entity_exists and state.entity_state == 7

    await served.hub.until(is_seven)
    with pytest.raises(Exception, match="unexpected status code 400"):
        await served.client.signal_entity(df.EntityId("nobody", "k"), "add", 1)
    await served.client.signal_entity(key, "clear")
    await served.hub.idle()
    cleared = await served.client.read_entity_state(key)
    assert (cleared.entity_exists, cleared.entity_state) == (True, "")


async def test_check_status_response_points_to_where_the_request_came_in(served):
    response = served.client.create_check_status_response(a_request(), "one")
    urls = json.loads(response.get_body())
    assert response.status_code == 202
    assert response.headers["Location"] == urls["statusQueryGetUri"]
    assert list(urls) == [
        "id", "statusQueryGetUri", "sendEventPostUri", "terminatePostUri", "rewindPostUri",
        "purgeHistoryDeleteUri", "restartPostUri", "suspendPostUri", "resumePostUri",
    ]  # fmt: skip
    assert urls["id"] == "one"
    for name, url in urls.items():
        if name != "id":
            assert url.startswith(
                "http://orders.example/runtime/webhooks/durabletask/instances/one"
            )
    local = served.client.create_http_management_payload("two")
    assert local["statusQueryGetUri"].startswith(served.origin + "/runtime/webhooks/durabletask/")


async def test_wait_for_completion(served):
    wait = served.client.wait_for_completion_or_create_check_status_response
    one = await served.client.start_new("echoes", None, {"a": 1})
    done = await wait(a_request(), one, 5000, 10)
    assert (done.status_code, done.get_body()) == (200, b'{"a": 1}')
    two = await served.client.start_new("fails")
    assert (await wait(a_request(), two, 5000, 10)).status_code == 500
    three = await served.client.start_new("waits")
    assert (await wait(a_request(), three, 30, 10)).status_code == 202
    await served.client.terminate(three, "enough")
    stopped = await wait(a_request(), three, 5000, 10)
    assert stopped.status_code == 200
    assert json.loads(stopped.get_body())["runtimeStatus"] == "Terminated"
    # The library sends text as it is, without quotes, though it says JSON.
    for value, body in [("text", b"text"), (None, b"null"), (0, b"0")]:
        one = await served.client.start_new("echoes", None, value)
        assert (await wait(a_request(), one, 5000, 10)).get_body() == body
