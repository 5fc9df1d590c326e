"""Lifetimes, unique keys, and injected faults."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.cosmos import PartitionKey, exceptions

from emulator.clock import ManualClock
from emulator.faults import FaultRule
from tests.integration.cosmos.conftest import Serve, Way
from tests.support.cosmos import Face, Sdk, Server, new_container

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class Timed:
    """An endpoint whose clock is moved by hand."""

    def __init__(self, server: Server, clock: ManualClock, sdk: Sdk) -> None:
        self.server, self.clock, self.sdk = server, clock, sdk
        self.sessions = sdk.container("sessions")

    def later(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def stored(self) -> int:
        """Rows in the table, visible or not."""
        table = self.server.service.catalogue.container("shop", "sessions").container.table
        count: int = self.server.run(
            self.server.service.storage.read(
                lambda c: c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            )
        )
        return count


@pytest.fixture
async def timed(serve: Serve, way: Way) -> AsyncIterator[Timed]:
    clock = ManualClock(START)
    with serve(clock=clock) as server:
        async with way.into(server) as sdk:
            yield Timed(server, clock, sdk)


async def test_lifetimes_of_the_container_and_of_items(timed: Timed) -> None:
    for item in (
        {"id": "default"},
        {"id": "short", "ttl": 10},
        {"id": "long", "ttl": 1000},
        {"id": "never", "ttl": -1},
    ):
        await timed.sessions.do("create_item", item)
    query = "SELECT VALUE c.id FROM c"
    timed.later(9)
    assert len(await timed.sessions.query(query)) == 4
    timed.later(1)
    assert await timed.sessions.query(query) == ["default", "long", "never"]
    timed.later(50)
    assert await timed.sessions.query(query) == ["long", "never"]
    timed.later(100_000)
    assert await timed.sessions.query(query) == ["never"]


async def test_expired_item_is_gone_for_every_operation(timed: Timed) -> None:
    sessions = timed.sessions
    first = await sessions.do("create_item", {"id": "a"})
    timed.later(60)
    for call in (
        ("read_item", "a", "a"),
        ("replace_item", "a", {"id": "a"}),
        ("delete_item", "a", "a"),
        ("patch_item", "a", "a", [{"op": "add", "path": "/n", "value": 1}]),
    ):
        with pytest.raises(exceptions.CosmosResourceNotFoundError):
            await sessions.do(*call)
    assert await sessions.all("query_items_change_feed", start_time="Beginning") == []
    assert await sessions.all("read_all_items") == []
    second = await sessions.do("create_item", {"id": "a"})
    assert second["_rid"] != first["_rid"]


async def test_write_starts_the_lifetime_anew(timed: Timed) -> None:
    await timed.sessions.do("create_item", {"id": "a"})
    timed.later(50)
    await timed.sessions.do("upsert_item", {"id": "a"})
    timed.later(50)
    assert (await timed.sessions.do("read_item", "a", "a"))["id"] == "a"


async def test_expired_items_are_purged_behind_the_scenes(timed: Timed) -> None:
    for number in range(3):
        await timed.sessions.do("create_item", {"id": str(number)})
    await timed.sessions.do("create_item", {"id": "never", "ttl": -1})
    before = timed.server.run(timed.server.service.current_lsn("shop", "sessions"))
    timed.later(60)
    assert timed.stored() == 4
    timed.server.run(timed.server.service.purge())
    assert timed.stored() == 1
    after = timed.server.run(timed.server.service.current_lsn("shop", "sessions"))
    assert after == before


@pytest.mark.parametrize("ttl", [0, -2, None, "10", 1.5, True])
async def test_wrong_lifetimes_are_refused(things: Face, ttl: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await things.do("create_item", {"id": "a", "ttl": ttl})
    assert refused.value.status_code == 400
    assert "ttl" in str(refused.value)


async def test_item_lifetime_has_no_effect_where_the_container_has_none(timed: Timed) -> None:
    things = timed.sdk.container("things")
    await things.do("create_item", {"id": "a", "ttl": 5})
    timed.later(100)
    assert (await things.do("read_item", "a", "a"))["ttl"] == 5
    # Switched on for items only: now it counts from the last write.
    await timed.sdk.database().do(
        "replace_container", "things", PartitionKey(path="/id"), default_ttl=-1
    )
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await things.do("read_item", "a", "a")


UNIQUE = {"uniqueKeys": [{"paths": ["/email"]}, {"paths": ["/first", "/last"]}]}


async def test_unique_keys_hold_within_one_partition(sdk: Sdk) -> None:
    people = await new_container(sdk, "people", "/team", unique_key_policy=UNIQUE)
    await people.do("create_item", {"id": "1", "team": "a", "email": "x", "first": "F"})
    for item in (
        {"id": "2", "team": "a", "email": "x", "first": "G"},
        {"id": "2", "team": "a", "email": "y", "first": "F"},
        {"id": "2", "team": "a", "email": "y", "first": "F", "last": None},
    ):
        with pytest.raises(exceptions.CosmosResourceExistsError) as refused:
            await people.do("create_item", item)
        assert "Unique index" in str(refused.value)
        with pytest.raises(exceptions.CosmosResourceExistsError):
            await people.do("upsert_item", item)
    await people.do("create_item", {"id": "2", "team": "b", "email": "x", "first": "F"})
    other = await people.do("create_item", {"id": "3", "team": "a", "email": 1, "first": "G"})
    # Types are told apart.
    await people.do("create_item", {"id": "4", "team": "a", "email": "1", "first": "H"})
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await people.do("replace_item", other, {**other, "email": "x"})
    await people.do("replace_item", other, {**other, "email": "z"})


async def test_throttled_calls_are_tried_again_by_the_client(sdk: Sdk, server: Server) -> None:
    things = sdk.container("things")
    await things.do("upsert_item", {"id": "warm"})
    throttled = FaultRule(
        "cosmos.request",
        "fail",
        {"method": "POST", "container": "things"},
        times=3,
        message='{"status": 429, "headers": '
        '{"x-ms-retry-after-ms": "5", "x-ms-substatus": "3200"}}',
    )
    server.fault(throttled)
    await things.do("upsert_item", {"id": "a"})
    assert throttled.seen == 4
    assert (await things.do("read_item", "a", "a"))["id"] == "a"


async def test_fault_without_more_is_an_unavailable_service(sdk: Sdk, server: Server) -> None:
    things = sdk.container("things")
    await things.do("upsert_item", {"id": "a"})
    server.fault(FaultRule("cosmos.request", "fail", {"id": "a"}, times=None))
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await things.do("read_item", "a", "a")
    assert refused.value.status_code == 503
    server.service.faults.clear()
    assert (await things.do("read_item", "a", "a"))["id"] == "a"


async def test_duplicated_request_has_the_answer_of_the_second(sdk: Sdk, server: Server) -> None:
    things = sdk.container("things")
    await things.do("upsert_item", {"id": "warm"})
    server.fault(FaultRule("cosmos.request", "duplicate", {"method": "POST"}))
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await things.do("create_item", {"id": "a"})
    assert (await things.do("read_item", "a", "a"))["id"] == "a"


async def test_failed_commit_is_unavailable_and_leaves_nothing(sdk: Sdk, server: Server) -> None:
    things = sdk.container("things")
    await things.do("upsert_item", {"id": "a", "n": 1})
    server.fault(FaultRule("cosmos.commit.before", "fail", times=None, message="disk full"))
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await things.do("upsert_item", {"id": "a", "n": 2})
    assert refused.value.status_code == 503
    assert (await things.do("read_item", "a", "a"))["n"] == 1
    server.service.faults.clear()
    stored = await things.do("upsert_item", {"id": "a", "n": 3})
    assert stored["n"] == 3
    assert server.run(server.service.current_lsn("shop", "things")) == 2


async def test_caller_that_goes_away_does_not_hide_a_change(server: Server) -> None:
    service = server.service

    async def abandon() -> bool:
        writing = asyncio.create_task(service.upsert("shop", "things", {"id": "a"}))
        await asyncio.sleep(0)
        writing.cancel()
        return await service.wait_for_change("shop", "things", 0, 10)

    assert server.run(abandon())
