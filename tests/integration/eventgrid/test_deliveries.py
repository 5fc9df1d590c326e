"""Events reach those who subscribed: filters, attempts, dead letters, restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.clock import ManualClock
from emulator.database import Database
from emulator.eventgrid import SCHEMA, SCHEMA_VERSION, Sink, Subscription
from emulator.faults import FaultRule, Faults
from tests.support.emulator import until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Taker:
    """Takes events, but for those whose ids begin with `refuses`."""

    def __init__(self, refuses: str | None = None) -> None:
        self.given: list[tuple[str, str]] = []
        self._refuses = refuses

    async def __call__(self, subscription: Subscription, event: Any) -> None:
        self.given.append((subscription.name, event["id"]))
        if self._refuses is not None and event["id"].startswith(self._refuses):
            raise RuntimeError("not now")

    def of(self, start: str) -> list[str]:
        """Those given whose ids begin so."""
        return [identity for _, identity in self.given if identity.startswith(start)]


@asynccontextmanager
async def topics(
    folder: Path, *subscriptions: Subscription, clock: ManualClock, faults: Faults | None = None
) -> AsyncIterator[Sink]:
    database = Database(
        folder / "eventgrid.db", schema=SCHEMA, version=SCHEMA_VERSION, name="eventgrid"
    )
    database.open()
    sink = Sink(database, clock, faults, subscriptions=subscriptions)
    yield sink
    await sink.deliveries.stop()
    database.close()


def event(identity: str, kind: str = "T", subject: str = "/s") -> dict[str, Any]:
    return {
        "id": identity,
        "subject": subject,
        "eventType": kind,
        "eventTime": "2026-01-01T00:00:00Z",
        "data": {},
    }


async def count(check: Callable[[], int], wanted: int) -> None:
    async def reached() -> bool:
        return check() == wanted

    await until(reached, f"{wanted} deliveries")


async def test_each_subscription_is_given_what_it_wants(tmp_path: Path) -> None:
    taker = Taker()
    every = Subscription("every", "Things", "f")
    some = Subscription("some", "things", "g", ("A",), "/ORDERS/", ".json")
    async with topics(tmp_path, every, some, clock=ManualClock(NOW)) as sink:
        sink.deliveries.start(taker)
        await sink.publish("things", [event("1", "A", "/orders/x.JSON"), event("2", "B")])
        await sink.publish("others", [event("3", "A", "/orders/x.json")])
        await count(lambda: len(taker.given), 3)

        async def done() -> bool:
            return await sink.deliveries.pending() == []

        await until(done, "nothing is pending")
    assert sorted(taker.given) == [("every", "1"), ("every", "2"), ("some", "1")]


async def test_event_that_is_not_taken_is_tried_again_on_the_services_schedule(
    tmp_path: Path,
) -> None:
    clock, taker = ManualClock(NOW), Taker(refuses="stubborn")
    async with topics(tmp_path, Subscription("s", "t", "f"), clock=clock) as sink:
        sink.deliveries.start(taker)
        await sink.publish("t", [event("stubborn")])
        for attempt, pause_s in enumerate((10, 30, 60, 300), start=1):

            async def put_off(attempt: int = attempt) -> bool:
                attempts = [each.attempts for each in await sink.deliveries.pending()]
                return attempts == [attempt]

            await until(put_off, f"attempt {attempt} is noted")
            clock.advance(timedelta(seconds=pause_s - 1))
            # Whatever is due by then is delivered in one go, the oldest first.
            await sink.publish("t", [event(f"probe {attempt}")])
            await count(lambda: len(taker.of("probe")), attempt)
            assert len(taker.of("stubborn")) == attempt
            clock.advance(timedelta(seconds=1))
            sink.deliveries.poke()
        await count(lambda: len(taker.of("stubborn")), 5)


@pytest.mark.parametrize(
    ("limits", "passes", "reason"),
    [
        ({"max_attempts": 1}, 0, "MaxDeliveryAttemptsExceeded"),
        ({"time_to_live_min": 1}, 60, "TimeToLiveExceeded"),
    ],
)
async def test_event_that_is_never_taken_becomes_a_dead_letter(
    tmp_path: Path, limits: dict[str, int], passes: int, reason: str
) -> None:
    clock, taker = ManualClock(NOW), Taker(refuses="")
    async with topics(tmp_path, Subscription("s", "t", "f", **limits), clock=clock) as sink:
        await sink.publish("t", [event("1")])
        clock.advance(timedelta(seconds=passes))
        sink.deliveries.start(taker)

        async def dead() -> bool:
            [letter] = await sink.deliveries.pending()
            return (letter.reason, letter.attempts) == (reason, 1)

        await until(dead, "it is a dead letter")
        clock.advance(timedelta(days=2))
        sink.deliveries.poke()
        await sink.publish("t", [event("2")])
        await count(lambda: len(taker.given), 2)
    assert taker.given == [("s", "1"), ("s", "2")]


async def test_slow_taker_holds_up_no_other_event(tmp_path: Path) -> None:
    gate, given = asyncio.Event(), []

    async def take(_: Subscription, event: Any) -> None:
        if event["id"] == "slow":
            await gate.wait()
        given.append(event["id"])

    async with topics(tmp_path, Subscription("s", "t", "f"), clock=ManualClock(NOW)) as sink:
        sink.deliveries.start(take)
        others = [event(str(number)) for number in range(40)]
        await sink.publish("t", [event("slow"), *others])
        await count(lambda: len(given), 40)
        gate.set()
        await count(lambda: len(given), 41)
    assert given[-1] == "slow"


async def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    clock, taker = ManualClock(NOW), Taker()
    subscription = Subscription("s", "t", "f")
    async with topics(tmp_path, subscription, clock=clock) as sink:
        await sink.publish("t", [event("1")])
    async with topics(tmp_path, subscription, clock=clock) as sink:
        sink.deliveries.start(taker)
        await count(lambda: len(taker.given), 1)
    async with topics(tmp_path, subscription, clock=clock) as sink:
        sink.deliveries.start(taker)
        await sink.publish("t", [event("2")])
        await count(lambda: len(taker.given), 2)
    assert taker.given == [("s", "1"), ("s", "2")]


async def test_injected_duplicate_is_delivered_twice(tmp_path: Path) -> None:
    faults, taker = Faults(), Taker()
    faults.add(FaultRule(point="eventgrid.deliver", action="duplicate"))
    clock = ManualClock(NOW)
    async with topics(tmp_path, Subscription("s", "t", "f"), clock=clock, faults=faults) as sink:
        sink.deliveries.start(taker)
        await sink.publish("t", [event("1")])
        await count(lambda: len(taker.given), 2)


@pytest.mark.parametrize(
    ("entity", "word"),
    [
        ({"name": "s", "topic": "t"}, "'function'"),
        ({"name": "s", "topic": "t", "function": "f", "color": 1}, "color"),
        ({"name": "s", "topic": "t", "function": "f", "maxDeliveryAttempts": 31}, "maxDelivery"),
        ({"name": "s", "topic": "t", "function": "f", "eventTimeToLiveInMinutes": 0}, "TimeToLive"),
    ],
)
def test_subscription_that_azure_or_the_emulator_would_not_take_is_refused(
    entity: dict[str, Any], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        Subscription.from_entity(entity)
