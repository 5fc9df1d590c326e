"""Where a change feed begins, waits and goes on; what an app publishes; timers over a restart."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.cosmos.aio import CosmosClient

from emulator.cosmos import EMULATOR_KEY
from tests.support.emulator import Emulator, running, until, write_app
from tests.support.reports import REPORT, Reports

HEAD = f"""
    import json, os
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
{REPORT}"""
FEEDS = (
    HEAD
    + """
    def feed(prefix, **more):
        return app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
            container_name="items", lease_container_name=more.pop("leases", "leases"),
            lease_container_prefix=prefix, **more)

    @feed("new")
    def new(docs: func.DocumentList):
        report(fn="new", ids=[d["id"] for d in docs])

    @feed("old", start_from_beginning=True)
    def old(docs: func.DocumentList):
        report(fn="old", ids=[d["id"] for d in docs])

    @feed("since", start_from_time=os.environ["SINCE"])
    def since(docs: func.DocumentList):
        report(fn="since", ids=[d["id"] for d in docs])

    @feed("texts", start_from_beginning=True)
    def texts(docs: str):
        report(fn="texts", ids=[d["id"] for d in json.loads(docs)])

    @feed("none", leases="no-leases")
    def unleased(docs: func.DocumentList): ...

    @feed("both", start_from_beginning=True, start_from_time="2024-01-01T00:00:00Z")
    def contradictory(docs: func.DocumentList): ...

    @feed("stubborn", start_from_beginning=True)
    @app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:01")
    def stubborn(docs: func.DocumentList, context: func.Context):
        attempt = context.retry_context.retry_count
        report(fn="stubborn", ids=[d["id"] for d in docs], attempt=attempt)
        if os.path.exists(os.environ["REPORT"] + ".broken"):
            raise ValueError("told to fail")
"""
)
ENTITIES = {
    "cosmos": {
        "database": "db",
        "containers": [
            {"name": "items", "partitionKey": "/kind"},
            {"name": "leases", "partitionKey": "/id"},
        ],
    },
    "eventGrid": {
        "topics": ["things"],
        "subscriptions": [
            {"name": "mine", "topic": "things", "function": "GRANTED", "subjectBeginsWith": "S"},
            {"name": "lost", "topic": "things", "function": "nowhere", "maxDeliveryAttempts": 1},
        ],
    },
}


async def reported(path: Path, function: str, *ids: str) -> list[str]:
    """Wait until a function was given all of these; returns everything it was given."""

    async def seen() -> list[str] | None:
        found = [each for entry in Reports(path).of(function) for each in entry["ids"]]
        return found if set(ids) <= set(found) else None

    return await until(seen, f"{function} was given {ids}")


async def put(emulator: Emulator, *ids: str) -> None:
    async with CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client:
        items = client.get_database_client("db").get_container_client("items")
        for number, identity in enumerate(ids):
            await items.upsert_item({"id": identity, "kind": f"k{number % 2}"})


async def test_a_feed_begins_where_it_is_told_to(tmp_path: Path) -> None:
    report = tmp_path / "report"
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    values = {"REPORT": str(report), "SINCE": tomorrow.isoformat()}
    app = write_app(tmp_path / "app", FEEDS, values=values, entities=ENTITIES)
    # Nothing listens yet.
    async with running(app, tmp_path / "data", arguments=["--functions", "none"]) as emulator:
        await put(emulator, "a", "b", "c")
    every = ("new", "old", "since", "texts", "unleased", "contradictory")
    async with running(app, tmp_path / "data", arguments=["--functions", *every]) as emulator:
        assert await reported(report, "old", "a", "b", "c") == ["a", "b", "c"]
        assert await reported(report, "texts", "c") == ["a", "b", "c"]
        await put(emulator, "d", "e", "f", "g")
        assert await reported(report, "new", "g") == ["d", "e", "f", "g"]
        assert Reports(report).of("since") == []
        # The lease container is not made unless the trigger says so.
        await emulator.logged(
            "The listener for function 'Functions.unleased' was unable to start. Either the source "
            "container 'items' (in database 'db')  or the lease container 'no-leases' (in database "
            "'db') does not exist."
        )
        await emulator.logged("Only one of StartFromBeginning or StartFromTime can be used.")


async def test_batch_that_fails_for_ever_is_not_skipped_and_comes_again_after_a_stop(
    tmp_path: Path,
) -> None:
    report, broken = tmp_path / "report", tmp_path / "report.broken"
    values = {"REPORT": str(report), "SINCE": "2024-01-01"}
    app = write_app(tmp_path / "app", FEEDS, values=values, entities=ENTITIES)
    only = ["--functions", "stubborn"]
    broken.touch()
    async with running(app, tmp_path / "data", arguments=only) as emulator:
        await put(emulator, "first")
        await emulator.logged("Next attempt: '1'. Max retry count: '-1'")
        await put(emulator, "second")
        # The partition is blocked meanwhile, and the stop does not wait for the delay.
        assert await reported(report, "stubborn", "first") == ["first"]
    broken.unlink()
    async with running(app, tmp_path / "data", arguments=only):
        found = await reported(report, "stubborn", "second")
    assert found[:2] == ["first", "first"]
    assert Reports(report).of("stubborn")[1]["attempt"] == 0


PUBLISHING = (
    HEAD
    + """
    import datetime
    from typing import List

    def event(identity, **more):
        return func.EventGridOutputEvent(id=identity, data={"a": 1}, subject="s", event_type="T",
            event_time=datetime.datetime(2024, 1, 2, 3, 4, 5), data_version="1", **more)

    @app.route(route="typed")
    @app.event_grid_output(arg_name="out", connection="EG")
    def typed(req: func.HttpRequest, out: func.Out[func.EventGridOutputEvent]) -> str:
        out.set(event("typed"))
        return "ok"

    @app.route(route="list")
    @app.event_grid_output(arg_name="out", topic_endpoint_uri="EG_URI", topic_key_setting="EG_KEY")
    def listed(req: func.HttpRequest, out: func.Out[List[func.EventGridOutputEvent]]) -> str:
        out.set([event("one"), event("two")])
        return "ok"

    @app.route(route="dict")
    @app.event_grid_output(arg_name="out", connection="EG")
    def wrong(req: func.HttpRequest, out: func.Out[func.EventGridOutputEvent]) -> str:
        out.set({"id": "a dict"})
        return "never said"

    @app.event_grid_trigger(arg_name="event")
    def granted(event: func.EventGridEvent):
        report(fn="granted", ids=[event.id])
        if event.id == "bad" and os.path.exists(os.environ["REPORT"] + ".broken"):
            raise ValueError("told to fail")

    @app.timer_trigger(arg_name="timer", schedule="0 0 4 1 1 *")
    def yearly(timer: func.TimerRequest):
        report(fn="yearly", past_due=timer.past_due, status=timer.schedule_status)

    @app.timer_trigger(arg_name="timer", schedule="0 0 5 1 JAN *", run_on_startup=True)
    @app.retry(strategy="exponential_backoff", max_retry_count="2",
        minimum_interval="00:00:00", maximum_interval="00:00:01")
    def flaky(timer: func.TimerRequest, context: func.Context):
        report(fn="flaky", attempt=context.retry_context.retry_count, id=context.invocation_id,
            before=context.retry_context.exception and context.retry_context.exception.message)
        raise ValueError("told to fail")
"""
)


def topic_app(folder: Path) -> Path:
    values = {
        "REPORT": str(folder / "report"),
        "EG_URI": "http://localhost:5300/topics/things/api/events",
        "EG_KEY": "key",
    }
    return write_app(folder / "app", PUBLISHING, values=values, entities=ENTITIES)


async def deliver(emulator: Emulator, *ids: str) -> int:
    events = [
        {"id": name, "topic": "t", "subject": "s", "eventType": "T", "data": {}}
        | {"eventTime": "2024-01-01T00:00:00Z", "dataVersion": "1"}
        for name in ids
    ]
    answer = await emulator.post(
        "/runtime/webhooks/eventgrid?functionName=granted",
        json=events,
        headers={"aeg-event-type": "Notification"},
    )
    return answer.status


async def test_events_go_out_by_both_kinds_of_connection_and_failed_ones_come_again_together(
    tmp_path: Path,
) -> None:
    app, report = topic_app(tmp_path), tmp_path / "report"
    only = ["--functions", "typed", "listed", "wrong", "granted"]
    async with running(app, tmp_path / "data", arguments=only) as emulator:
        assert (await emulator.get("/api/typed")).status == 200
        assert (await emulator.get("/api/list")).status == 200
        published = await emulator.events()
        assert [event["id"] for event in published] == ["typed", "one", "two"]
        assert published[0]["eventTime"] == "2024-01-02T03:04:05"
        # The library makes a list of its keys of it, which is no event.
        assert (await emulator.get("/api/dict")).status == 500

        (tmp_path / "report.broken").touch()
        assert await deliver(emulator, "x", "bad", "y") == 500
        (tmp_path / "report.broken").unlink()
        # As the service does: the whole payload once more.
        assert await deliver(emulator, "x", "bad", "y") == 202
        # What was published here has come too, by the subscription.
        await reported(report, "granted", "typed", "one", "two")
        given = sorted(each for entry in Reports(report).of("granted") for each in entry["ids"])
        assert given == sorted(["typed", "one", "two", *("x", "bad", "y") * 2])
        (tmp_path / "report.broken").touch()
        topic = f"{emulator.doors.servicebus}/topics/things/api/events"
        async with emulator.http.post(topic, json=[{**published[0], "id": "bad"}]) as answer:
            assert answer.status == 200
        await emulator.logged("'mine' was not taken and is tried again in 10 s: ValueError: told")
        (tmp_path / "report.broken").unlink()
        await emulator.post("/emulator/clock", json={"advanceSeconds": 10})
        await Reports(report).until("granted", 11)
        await emulator.logged("names 'nowhere', and no function with an Event Grid trigger")
        await emulator.logged("is dead-lettered (MaxDeliveryAttemptsExceeded)")


async def test_timer_that_was_missed_is_past_due_and_a_failing_one_is_retried(
    tmp_path: Path,
) -> None:
    app, report = topic_app(tmp_path), tmp_path / "report"
    last_year = datetime.now(UTC).replace(month=1, day=1, hour=4) - timedelta(days=365)
    state = {"Last": last_year.isoformat(), "Next": last_year.isoformat(), "LastUpdated": ""}
    (tmp_path / "data" / "timers").mkdir(parents=True)
    (tmp_path / "data" / "timers" / "yearly.json").write_text(json.dumps(state))
    arguments = ["--functions", "yearly", "flaky"]
    async with running(app, tmp_path / "data", arguments=arguments) as emulator:
        [missed] = await Reports(report).until("yearly")
        assert missed["past_due"] is True
        assert missed["status"]["Last"] == last_year.isoformat()
        attempts = await Reports(report).until("flaky", 3)
        assert [each["attempt"] for each in attempts] == [0, 1, 2]
        assert len({each["id"] for each in attempts}) == 3
        assert attempts[0]["before"] is None
        assert "told to fail" in attempts[2]["before"]
        for each in attempts:
            ended = f"Executed 'Functions.flaky' (Failed, Id={each['id']}, Duration="
            await emulator.logged(ended)
    kept = json.loads((tmp_path / "data" / "timers" / "yearly.json").read_text())
    assert datetime.fromisoformat(kept["Next"]) > datetime.now(UTC)
