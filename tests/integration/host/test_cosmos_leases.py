"""Owners of a change feed's lease: one reads at a time, a killed one is replaced, none doubles."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient

from emulator.clock import ManualClock
from emulator.cosmos import EMULATOR_KEY, CosmosService
from emulator.faults import Faults
from emulator.host.cosmos_lease import Lease, LeaseLost, may_take
from emulator.host.cosmos_source import FeedSource, LeaseTimes
from emulator.host.errors import FunctionInError
from emulator.host.functions import Binding
from tests.support.emulator import Emulator, running, until, write_app
from tests.support.reports import REPORT, Reports

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ENTITIES = {
    "cosmos": {
        "database": "db",
        "containers": [
            {"name": "items", "partitionKey": "/id"},
            {"name": "leases", "partitionKey": "/id"},
        ],
    }
}
SOURCE = FeedSource("db", "items", "db", "leases")


@pytest.mark.parametrize(
    ("holder", "age", "taken"),
    [
        (None, timedelta(0), True),
        ("me", timedelta(0), True),
        ("other", MINUTE - timedelta(microseconds=1), False),
        ("other", MINUTE, True),
        # The wall clock was set back since.
        ("other", -MINUTE, False),
    ],
)
def test_lease_is_taken_when_it_is_free_own_or_expired(
    holder: str | None, age: timedelta, taken: bool
) -> None:
    lease = {"Owner": holder, "timestamp": (NOON - age).isoformat()}
    assert may_take(lease, "me", NOON, MINUTE) is taken


class Leases:
    """A lease container, and owners of one feed's lease in it."""

    def __init__(self, cosmos: CosmosService, clock: ManualClock) -> None:
        self.cosmos = cosmos
        self.clock = clock

    def owner(self, name: str) -> Lease:
        return Lease(SOURCE, name, self.cosmos, self.clock)

    async def item(self) -> dict[str, Any]:
        return await self.cosmos.read_item("db", "leases", SOURCE.lease_id, [SOURCE.lease_id])


@pytest.fixture
async def leases(tmp_path: Path) -> AsyncIterator[Leases]:
    clock = ManualClock(NOON)
    cosmos = CosmosService(tmp_path / "cosmos.db", clock, Faults())
    await cosmos.start(ENTITIES)
    yield Leases(cosmos, clock)
    await cosmos.stop()


async def test_lease_that_is_given_back_goes_on_where_it_stood(leases: Leases) -> None:
    first, second = leases.owner("first"), leases.owner("second")
    assert await first.acquire(7) == 7
    await first.checkpoint(9)
    assert await second.acquire(0) is None
    assert second.holder == "first"
    await first.release()
    assert await second.acquire(0) == 9
    assert (await leases.item())["Owner"] == "second"


async def test_owner_that_was_replaced_cannot_move_the_checkpoint(leases: Leases) -> None:
    dead, living = leases.owner("dead"), leases.owner("living")
    await dead.acquire(0)
    leases.clock.advance(MINUTE)
    assert await living.acquire(0) == 0
    await living.checkpoint(5)
    with pytest.raises(LeaseLost):
        await dead.checkpoint(3)
    with pytest.raises(LeaseLost):
        await dead.keep()
    await dead.release()
    item = await leases.item()
    assert (item["Owner"], item["ContinuationToken"]) == ("living", "5")


async def test_lease_that_is_kept_does_not_expire(leases: Leases) -> None:
    first, second = leases.owner("first"), leases.owner("second")
    await first.acquire(0)
    for _ in range(10):
        leases.clock.advance(timedelta(seconds=20))
        await first.keep()
        assert await second.acquire(0) is None


async def test_keeping_writes_only_when_it_is_time(leases: Leases) -> None:
    owner = leases.owner("one")
    await owner.acquire(0)
    before = await leases.item()
    leases.clock.advance(timedelta(seconds=16))
    await owner.keep()
    assert await leases.item() == before
    leases.clock.advance(timedelta(seconds=1))
    await owner.keep()
    assert (await leases.item())["timestamp"] == leases.clock.now().isoformat()


async def test_owner_that_comes_back_under_its_name_need_not_wait(leases: Leases) -> None:
    before = leases.owner("one")
    await before.acquire(0)
    await before.checkpoint(4)
    assert await leases.owner("one").acquire(0) == 4


async def test_one_of_many_that_ask_at_once_has_the_lease(leases: Leases) -> None:
    async def ask(owner: Lease) -> bool:
        try:
            return await owner.acquire(0) is not None
        except LeaseLost:
            return False

    owners = [leases.owner(f"owner {number}") for number in range(20)]
    assert sum(await asyncio.gather(*map(ask, owners))) == 1
    leases.clock.advance(MINUTE)
    assert sum(await asyncio.gather(*map(ask, owners))) == 1


async def test_checkpoint_and_renewal_at_once_do_not_disturb_one_another(leases: Leases) -> None:
    owner = leases.owner("one")
    await owner.acquire(0)
    leases.clock.advance(timedelta(seconds=30))
    await asyncio.gather(*(owner.checkpoint(lsn) for lsn in (1, 2, 3)), owner.keep())
    assert (await leases.item())["ContinuationToken"] == "3"


async def test_lease_that_somebody_deletes_is_lost_and_begins_anew(leases: Leases) -> None:
    owner = leases.owner("one")
    await owner.acquire(3)
    await leases.cosmos.delete_item("db", "leases", SOURCE.lease_id, SOURCE.lease_id)
    with pytest.raises(LeaseLost):
        await owner.checkpoint(4)
    assert await owner.acquire(0) == 0


def test_intervals_are_the_extensions_where_none_are_told() -> None:
    seconds = [each.total_seconds() for each in vars(LeaseTimes()).values()]
    assert seconds == [13, 17, 60]


@pytest.mark.parametrize("value", [0, -1, "soon"])
def test_interval_that_cannot_be_waited_for_is_refused(value: object) -> None:
    values = {"leaseRenewInterval": value}
    trigger = Binding("cosmosDBTrigger", "in", "docs", None, values, values)
    with pytest.raises(FunctionInError, match="'leaseRenewInterval' must be"):
        LeaseTimes.of(trigger)


# Three functions that share one lease are three owners, as three hosts would be.
SHARING = (
    f"""
    import json, os, time
    import azure.functions as func

    app = func.FunctionApp()
{REPORT}"""
    + """
    def sharing(name):
        def decorated(work):
            made = app.cosmos_db_trigger(arg_name="docs", connection="COSMOS",
                database_name="db", container_name="items", lease_container_name="leases",
                start_from_beginning=True, max_items_per_invocation=5, lease_acquire_interval=100,
                lease_renew_interval=200, lease_expiration_interval=EXPIRATION)(work)
            return app.function_name(name)(made)
        return decorated

    def seen(name, docs):
        report(fn=name, ids=[d["id"] for d in docs])
        if any(d["id"].startswith("slow") for d in docs):
            time.sleep(2.5)

    @sharing("first")
    def first(docs: func.DocumentList):
        seen("first", docs)

    @sharing("second")
    def second(docs: func.DocumentList):
        seen("second", docs)

    @sharing("third")
    def third(docs: func.DocumentList):
        seen("third", docs)
"""
)
NAMES = ("first", "second", "third")


class Shared:
    """An app whose functions share a lease, started with some of them."""

    def __init__(self, folder: Path, *, expiration_ms: int) -> None:
        self.report = folder / "report"
        self._data = folder / "data"
        source = SHARING.replace("EXPIRATION", str(expiration_ms))
        values = {"REPORT": str(self.report)}
        self._app = write_app(folder / "app", source, values=values, entities=ENTITIES)

    @asynccontextmanager
    async def with_functions(self, *names: str) -> AsyncIterator[tuple[Emulator, ContainerProxy]]:
        async with (
            running(self._app, self._data, arguments=["--functions", *names]) as emulator,
            CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client,
        ):
            yield emulator, client.get_database_client("db").get_container_client("items")

    def batches(self) -> list[list[str]]:
        """What the functions were given, in order, whichever they were."""
        lines = self.report.read_text().splitlines() if self.report.exists() else []
        return [json.loads(line)["ids"] for line in lines]

    def given(self) -> list[str]:
        return [identity for batch in self.batches() for identity in batch]

    async def until_given(self, identity: str) -> None:
        async def is_given() -> bool:
            return identity in self.given()

        await until(is_given, f"{identity} is delivered")


async def test_owners_share_a_feed_and_none_of_them_doubles(tmp_path: Path) -> None:
    shared = Shared(tmp_path, expiration_ms=1000)
    async with shared.with_functions(*NAMES) as (emulator, items):
        # Longer than a lease is good for: its owner keeps it meanwhile.
        await items.create_item({"id": "slow"})
        await shared.until_given("slow")
        for number in range(30):
            await items.create_item({"id": f"item {number}"})
        await shared.until_given("item 29")
        await emulator.logged("waits: the lease 'db_items..0' is held by '")
    assert shared.given() == ["slow", *(f"item {number}" for number in range(30))]
    # It was given back at the end, so that another need not wait for it to expire.
    async with (
        shared.with_functions("none") as (emulator, _),
        CosmosClient(emulator.doors.cosmos, EMULATOR_KEY) as client,
    ):
        leases = client.get_database_client("db").get_container_client("leases")
        assert (await leases.read_item("db_items..0", "db_items..0"))["Owner"] is None
    async with shared.with_functions("third") as (_, items):
        await items.create_item({"id": "last"})
        await shared.until_given("last")
    assert shared.given()[-1] == "last"
    assert len(shared.given()) == 32


async def test_lease_of_a_killed_owner_passes_to_another_with_its_position(tmp_path: Path) -> None:
    shared = Shared(tmp_path, expiration_ms=3000)
    async with shared.with_functions("first") as (emulator, items):
        for number in range(40):
            await items.create_item({"id": f"item {number:02d}"})
        await shared.until_given("item 10")
        emulator.process.kill()
    before = shared.batches()
    async with shared.with_functions("second") as (_, items):
        await items.create_item({"id": "last"})
        await shared.until_given("last")
    after = shared.batches()[len(before) :]
    doubled = {each for batch in before for each in batch} & {e for batch in after for e in batch}
    # What was in flight when it was killed comes again, and nothing that was behind a checkpoint.
    assert doubled <= set(before[-1])
    assert set(shared.given()) == {"last", *(f"item {number:02d}" for number in range(40))}
    assert not Reports(shared.report).of("first")[len(before) :]
