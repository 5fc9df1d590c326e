"""Queue storage: messages are hidden, shown, expired, moved; what it refuses."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.clock import ManualClock
from emulator.database import Database
from emulator.faults import FaultRule, Faults
from emulator.storagequeue import SCHEMA, SCHEMA_VERSION, QueueService
from emulator.storagequeue.errors import MessageNotFound, MessageTooLarge, QueueNotFound

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def queues(tmp_path: Path, clock: ManualClock, faults: Faults) -> AsyncIterator[QueueService]:
    database = Database(
        tmp_path / "storagequeue.db", schema=SCHEMA, version=SCHEMA_VERSION, name="storagequeue"
    )
    database.open()
    service = QueueService(database, clock, faults)
    await service.start()
    await service.ensure_queue("work")
    yield service
    database.close()


async def take(queues: QueueService, count: int = 32) -> list[tuple[bytes, int]]:
    found = await queues.receive("work", count, 30, 0)
    return [(message.body, message.dequeue_count) for message in found]


async def test_hidden_message_shows_by_itself_and_is_counted(
    queues: QueueService, clock: ManualClock
) -> None:
    await queues.put("work", [b"a", b"b"])
    assert await take(queues, 1) == [(b"a", 1)]
    assert await take(queues) == [(b"b", 1)]
    assert await take(queues) == []
    clock.advance(timedelta(seconds=30))
    assert await take(queues) == [(b"a", 2), (b"b", 2)]


async def test_message_belongs_to_whoever_dequeued_it_last(
    queues: QueueService, clock: ManualClock
) -> None:
    await queues.put("work", [b"a"])
    [late] = await queues.receive("work", 1, 30, 0)
    clock.advance(timedelta(seconds=30))
    [mine] = await queues.receive("work", 1, 30, 0)
    for act in (queues.delete, queues.release, lambda m: queues.hold(m, 5)):
        with pytest.raises(MessageNotFound):
            await act(late)
    with pytest.raises(MessageNotFound):
        await queues.move(late, "elsewhere")
    await queues.delete(mine)
    assert await queues.counts() == [("work", 0, 0)]


async def test_message_is_held_for_longer_or_given_back_with_a_delay(
    queues: QueueService, clock: ManualClock
) -> None:
    await queues.put("work", [b"a"])
    [message] = await queues.receive("work", 1, 30, 0)
    clock.advance(timedelta(seconds=29))
    await queues.hold(message, 30)
    clock.advance(timedelta(seconds=29))
    assert await take(queues) == []
    await queues.release(message, 5)
    assert await take(queues) == []
    clock.advance(timedelta(seconds=5))
    assert await take(queues) == [(b"a", 2)]


async def test_message_expires_after_seven_days(queues: QueueService, clock: ManualClock) -> None:
    await queues.put("work", [b"a"])
    clock.advance(timedelta(days=7))
    assert await take(queues) == []
    assert await queues.counts() == [("work", 0, 0)]


async def test_moved_message_begins_anew_in_the_other_queue(queues: QueueService) -> None:
    await queues.put("work", [b"a"])
    [message] = await queues.receive("work", 1, 30, 0)
    await queues.move(message, "work-poison")
    [moved] = await queues.list_messages("work-poison")
    assert (moved.body, moved.dequeue_count) == (b"a", 0)
    assert await queues.list_messages("work") == []


async def test_start_shows_what_was_being_handled_and_leaves_delays_alone(
    queues: QueueService,
) -> None:
    await queues.put("work", [b"handled", b"delayed"])
    _, delayed = await queues.receive("work", 2, 30, 0)
    await queues.release(delayed, 60)
    await queues.start()
    assert await take(queues) == [(b"handled", 2)]


async def test_what_does_not_fit_is_refused(queues: QueueService) -> None:
    with pytest.raises(QueueNotFound):
        await queues.put("nowhere", [b"a"])
    await queues.put("work", [b"x" * 49_152])
    with pytest.raises(MessageTooLarge):
        await queues.put("work", [b"fits", b"x" * 49_153])
    assert len(await queues.list_messages("work")) == 1
    for name in ("ab", "Work", "a--b", "-ab", "ab-", "a_b", "x" * 64):
        with pytest.raises(ValueError, match="cannot be the name of a storage queue"):
            await queues.ensure_queue(name)


async def test_injected_duplicate_puts_messages_twice(queues: QueueService, faults: Faults) -> None:
    faults.add(FaultRule(point="storagequeue.put", action="duplicate"))
    await queues.put("work", [b"a", b"b"])
    bodies = [message.body for message in await queues.list_messages("work")]
    assert bodies == [b"a", b"b", b"a", b"b"]
