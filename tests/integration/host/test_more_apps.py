"""Whole apps of other people's kinds: ASGI, an empty prefix, long calls, shared leases."""

import json
from pathlib import Path

from azure.cosmos.aio import CosmosClient

from emulator.cosmos import EMULATOR_KEY
from tests.support.emulator import running, until, write_app

ASGI = """
    import azure.functions as func

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            return
        await send({"type": "http.response.start", "status": 203,
            "headers": [(b"content-type", b"text/plain"), (b"x-path", scope["path"].encode())]})
        await send({"type": "http.response.body", "body": scope["method"].encode()})

    app = func.AsgiFunctionApp(app=application, http_auth_level=func.AuthLevel.ANONYMOUS)
"""


async def test_asgi_app_serves_every_path_with_an_empty_prefix(tmp_path: Path) -> None:
    host = {"extensions": {"http": {"routePrefix": ""}}}
    app = write_app(tmp_path / "app", ASGI, host=host)
    async with running(app, tmp_path / "data") as emulator:
        answer = await emulator.ask("PATCH", "/some/where")
        assert (answer.status, answer.text) == (203, "PATCH")
        assert answer.headers["X-Path"] == "/some/where"
        assert (await emulator.get("/admin/host/status")).json()["state"] == "Running"


async def test_asgi_app_under_a_prefix_is_in_error(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", ASGI)
    async with running(app, tmp_path / "data") as emulator:
        await emulator.logged("The 'http_app_func' function is in error: The route template")
        assert (await emulator.get("/api/x")).status == 404


async def test_lock_that_is_not_renewed_any_more_is_lost(tmp_path: Path) -> None:
    source = """
    import asyncio
    import azure.functions as func

    app = func.FunctionApp()

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="slow", connection="SB")
    async def slow(msg: func.ServiceBusMessage):
        print("delivered", msg.delivery_count)
        if msg.delivery_count == 1:
            await asyncio.sleep(6)

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="renewed", connection="SB")
    async def renewed(msg: func.ServiceBusMessage):
        print("renewed", msg.delivery_count)
        await asyncio.sleep(6)
    """
    entities = {
        "serviceBus": {
            "queues": [
                {"name": "slow", "lockDuration": "PT5S"},
                {"name": "renewed", "lockDuration": "PT5S"},
            ]
        }
    }
    app = write_app(tmp_path / "app", source, entities=entities)
    renewal = {"extensions": {"serviceBus": {"maxAutoLockRenewalDuration": "00:00:01"}}}
    (app / "host.json").write_text(json.dumps({"version": "2.0", **renewal}))
    async with running(app, tmp_path / "data", arguments=["--functions", "slow"]) as emulator:
        await emulator.send("slow", "x")
        await emulator.logged("delivered 2")
        # The first call succeeded, and could not complete a message that was not its any more.
        await emulator.logged("MessageLockLost")
    (app / "host.json").write_text('{"version": "2.0"}')
    async with running(app, tmp_path / "data", arguments=["--functions", "renewed"]) as emulator:
        await emulator.send("renewed", "x")

        async def done() -> bool:
            counts = await emulator.counts("renewed")
            return not counts["active"] and not counts["locked"]

        await until(done, "the message is completed")
        assert "renewed 2" not in emulator.log


async def test_functions_that_share_a_lease_split_the_feed(tmp_path: Path) -> None:
    source = """
    import azure.functions as func

    app = func.FunctionApp()

    def trigger(name):
        return app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
            container_name="items", lease_container_name="leases",
            create_lease_container_if_not_exists=True)

    @app.function_name("first")
    @trigger("first")
    def first(docs: func.DocumentList):
        print("seen", [d["id"] for d in docs])

    @app.function_name("second")
    @trigger("second")
    def second(docs: func.DocumentList):
        print("seen", [d["id"] for d in docs])
    """
    entities = {
        "cosmos": {"database": "db", "containers": [{"name": "items", "partitionKey": "/id"}]}
    }
    app = write_app(tmp_path / "app", source, entities=entities)
    async with (
        running(app, tmp_path / "data") as emulator,
        CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client,
    ):
        items = client.get_database_client("db").get_container_client("items")
        for name in ("a", "b"):
            await items.upsert_item({"id": name})
            await emulator.logged(f"'{name}'")
        assert emulator.log.count("seen ") == 2
        await emulator.logged("shares its lease with another function")


async def test_update_between_two_reads_is_seen_once_at_its_last_version(tmp_path: Path) -> None:
    source = """
    import azure.functions as func

    app = func.FunctionApp()

    @app.cosmos_db_trigger(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="items", lease_container_name="leases", start_from_beginning=True,
        create_lease_container_if_not_exists=True, max_items_per_invocation=2)
    def feed(docs: func.DocumentList):
        print("batch", [(d["id"], d["n"]) for d in docs])
    """
    entities = {
        "cosmos": {"database": "db", "containers": [{"name": "items", "partitionKey": "/id"}]}
    }
    app = write_app(tmp_path / "app", source, entities=entities)
    # The feed does not run while the changes are made.
    values = json.loads((app / "local.settings.json").read_text())
    values["Values"]["AzureWebJobs.feed.Disabled"] = "true"
    (app / "local.settings.json").write_text(json.dumps(values))
    async with (
        running(app, tmp_path / "data") as emulator,
        CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client,
    ):
        items = client.get_database_client("db").get_container_client("items")
        for number, name in enumerate(("a", "b", "c", "a")):
            await items.upsert_item({"id": name, "n": number})
    del values["Values"]["AzureWebJobs.feed.Disabled"]
    (app / "local.settings.json").write_text(json.dumps(values))
    async with running(app, tmp_path / "data") as emulator:
        await emulator.logged("batch [('b', 1), ('c', 2)]")
        await emulator.logged("batch [('a', 3)]")
