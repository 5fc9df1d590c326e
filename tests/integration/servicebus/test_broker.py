"""The broker on a real file: what is durable, who is woken, when a lock is lost."""

import asyncio
from datetime import timedelta

import pytest

from emulator.clock import Clock, ManualClock
from emulator.database import StorageError
from emulator.faults import FaultRule, Faults, InjectedFault
from emulator.servicebus import (
    InvalidOperation,
    MessageLockLost,
    MessageNotFound,
    MessageTooLarge,
    QueueNotFound,
    QueueSettings,
)
from tests.support.servicebus import START, running_broker, text_message, until_waiting

DEAD = "orders/$DeadLetterQueue"


@pytest.fixture
def clock():
    return ManualClock(START)


async def bodies(broker, path="orders", count=100):
    return [m.body.decode() for m in await broker.receive(path, count)]


async def test_a_message_goes_through_with_everything_its_sender_gave(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        sent = text_message(
            "hello",
            message_id="m-1",
            content_type="text/plain",
            subject="s",
            correlation_id="c",
            to="t",
            reply_to="r",
            application_properties={"a": 1, "b": "x", "c": True, "d": 1.5},
        )
        assert await broker.send("orders", [sent]) == [1]
        (got,) = await broker.receive("ORDERS")
        assert (got.body, got.message_id, got.content_type) == (b"hello", "m-1", "text/plain")
        assert (got.subject, got.correlation_id, got.to, got.reply_to) == ("s", "c", "t", "r")
        assert got.application_properties == {"a": 1, "b": "x", "c": True, "d": 1.5}
        assert (got.delivery_count, got.enqueued_time, got.expires_at) == (1, START, None)
        assert got.locked_until == START + timedelta(seconds=60)
        await broker.complete("orders", got.lock_token)
        assert set(broker.counts("orders").values()) == {0}


async def test_a_waiting_receiver_is_woken_by_the_arrival(tmp_path):
    async with running_broker(tmp_path) as broker:
        waiting = asyncio.create_task(broker.receive("orders", 10, wait_s=None))
        await until_waiting(broker)
        await broker.send("orders", [text_message("a"), text_message("b")])
        assert [m.body for m in await waiting] == [b"a", b"b"]


async def test_an_arrival_is_not_lost_with_a_receiver_that_gave_up(tmp_path):
    async with running_broker(tmp_path) as broker:
        queue = broker._engine.resolve("orders")
        first = asyncio.create_task(broker.receive("orders", 1, wait_s=None))
        await until_waiting(broker, 1)
        second = asyncio.create_task(broker.receive("orders", 1, wait_s=None))
        await until_waiting(broker, 2)
        queue.waiters[0].add_done_callback(lambda _: first.cancel())
        await broker.send("orders", [text_message("a")])
        assert [m.body for m in await second] == [b"a"]


async def test_an_empty_queue_answers_when_the_wait_is_over(tmp_path):
    async with running_broker(tmp_path) as broker:
        assert await broker.receive("orders", 1, wait_s=0.01) == []
        assert not broker._engine.resolve("orders").waiters


async def test_stopping_sends_waiting_receivers_home(tmp_path):
    async with running_broker(tmp_path) as broker:
        waiting = asyncio.create_task(broker.receive("orders", 1, wait_s=None))
        await until_waiting(broker)
        await broker.stop()
        assert await waiting == []


async def test_ten_failed_deliveries_end_in_the_dead_letter_queue(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        await broker.send("orders", [text_message("bad", application_properties={"n": 1})])
        counts = []
        for _ in range(10):
            (got,) = await broker.receive("orders", wait_s=5)
            counts.append(got.delivery_count)
            await broker.abandon("orders", got.lock_token)
        assert counts == list(range(1, 11))
        (dead,) = await broker.receive(DEAD, wait_s=5)
        assert (dead.sequence_number, dead.body, dead.enqueued_time) == (1, b"bad", START)
        assert dead.dead_letter_source == "orders"
        assert dead.application_properties == {
            "n": 1,
            "DeadLetterReason": "MaxDeliveryCountExceeded",
            "DeadLetterErrorDescription": (
                "Message could not be consumed after 10 delivery attempts."
            ),
        }
        await broker.complete(DEAD, dead.lock_token)
        assert set(broker.counts("orders").values()) == {0}


async def test_a_lock_that_ran_out_cannot_complete_and_its_message_comes_again(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        await broker.send("orders", [text_message("a")])
        (first,) = await broker.receive("orders")
        clock.advance(timedelta(seconds=60))
        with pytest.raises(MessageLockLost):
            await broker.complete("orders", first.lock_token)
        (second,) = await broker.receive("orders", wait_s=5)
        assert second.delivery_count == 2
        with pytest.raises(MessageLockLost):
            await broker.abandon("orders", first.lock_token)
        await broker.complete("orders", second.lock_token)


async def test_the_timer_frees_a_message_that_nobody_asks_about(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        await broker.send("orders", [text_message("a")])
        await broker.receive("orders")
        waiting = asyncio.create_task(broker.receive("orders", wait_s=None))
        await until_waiting(broker)
        clock.advance(timedelta(seconds=60))
        broker.poke()
        (again,) = await waiting
        assert again.delivery_count == 2


async def test_a_scheduled_message_comes_by_itself_on_the_real_clock(tmp_path):
    clock = Clock()
    async with running_broker(tmp_path, clock=clock) as broker:
        due = clock.now() + timedelta(milliseconds=50)
        await broker.send("orders", [text_message("later", scheduled_enqueue_time=due)])
        assert broker.counts("orders")["scheduled"] == 1
        (got,) = await broker.receive("orders", wait_s=None)
        assert got.enqueued_time >= due


async def test_a_scheduled_message_can_be_taken_back(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        due = START + timedelta(hours=1)
        (number,) = await broker.send("orders", [text_message("x", scheduled_enqueue_time=due)])
        await broker.cancel_scheduled("orders", number)
        with pytest.raises(MessageNotFound):
            await broker.cancel_scheduled("orders", number)
        clock.advance(timedelta(hours=2))
        assert await broker.receive("orders") == []


async def test_renewing_holds_the_lock(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        await broker.send("orders", [text_message("a")])
        (got,) = await broker.receive("orders")
        clock.advance(timedelta(seconds=59))
        assert await broker.renew("orders", got.lock_token) == clock.now() + timedelta(seconds=60)
        clock.advance(timedelta(seconds=59))
        await broker.complete("orders", got.lock_token)


@pytest.mark.parametrize("is_dead_lettered", [True, False])
async def test_an_expired_message_is_dead_lettered_or_dropped(tmp_path, clock, is_dead_lettered):
    settings = QueueSettings("orders", dead_letter_on_expiration=is_dead_lettered)
    async with running_broker(tmp_path, [settings], clock=clock) as broker:
        await broker.send("orders", [text_message("a", time_to_live_s=30), text_message("b")])
        clock.advance(timedelta(seconds=30))
        assert await bodies(broker) == ["b"]
        dead = await broker.receive(DEAD, wait_s=5 if is_dead_lettered else 0)
        assert [m.dead_letter_reason for m in dead] == ["TTLExpiredException"] * is_dead_lettered


async def test_the_shorter_time_to_live_counts(tmp_path, clock):
    settings = QueueSettings("orders", default_ttl_s=60)
    async with running_broker(tmp_path, [settings], clock=clock) as broker:
        for ttl in (None, 30, 90):
            await broker.send("orders", [text_message("a", time_to_live_s=ttl)])
        got = await broker.receive("orders", 3)
        assert [(m.expires_at - START).seconds for m in got] == [60, 30, 60]


async def test_a_repeated_message_id_is_accepted_and_dropped_inside_the_window(tmp_path, clock):
    settings = QueueSettings("orders", requires_duplicate_detection=True, duplicate_window_s=60)
    async with running_broker(tmp_path, [settings], clock=clock) as broker:
        first = await broker.send("orders", [text_message("a", message_id="1")])
        (got,) = await broker.receive("orders")
        await broker.complete("orders", got.lock_token)
        assert await broker.send("orders", [text_message("b", message_id="1")]) == first
        assert await broker.receive("orders") == []
        clock.advance(timedelta(seconds=60))
        await broker.send("orders", [text_message("c", message_id="1")])
        assert await bodies(broker) == ["c"]


async def test_deferred_messages_are_had_by_number_and_survive(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        await broker.send("orders", [text_message("a"), text_message("b")])
        (got, _) = await broker.receive("orders", 2)
        await broker.defer("orders", got.lock_token)
    async with running_broker(tmp_path, clock=clock) as broker:
        assert await bodies(broker) == ["b"]
        with pytest.raises(MessageNotFound):
            await broker.receive_deferred("orders", [1, 2])
        (again,) = await broker.receive_deferred("orders", [1])
        assert (again.body, again.delivery_count) == (b"a", 2)


async def test_dead_lettering_by_the_receiver_keeps_its_words(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        await broker.send("orders", [text_message("a")])
        (got,) = await broker.receive("orders")
        await broker.dead_letter("orders", got.lock_token, "NotAnOrder", "It has no id.")
        (dead,) = await broker.peek("orders/$deadletterqueue")
        assert (dead.dead_letter_reason, dead.dead_letter_error_description) == (
            "NotAnOrder",
            "It has no id.",
        )
        (locked,) = await broker.receive(DEAD)
        with pytest.raises(InvalidOperation):
            await broker.dead_letter(DEAD, locked.lock_token)


async def test_everything_acknowledged_is_there_after_a_restart(tmp_path, clock):
    async with running_broker(tmp_path, clock=clock) as broker:
        await broker.send("orders", [text_message(str(n)) for n in range(5)])
        first, second, third = await broker.receive("orders", 3)
        await broker.complete("orders", first.lock_token)
        await broker.dead_letter("orders", second.lock_token, "r", "d")
    async with running_broker(tmp_path, clock=clock) as broker:
        with pytest.raises(MessageLockLost):
            await broker.complete("orders", third.lock_token)
        got = await broker.receive("orders", 10)
        assert [(m.body, m.delivery_count) for m in got] == [(b"2", 2), (b"3", 1), (b"4", 1)]
        assert [m.body for m in await broker.receive(DEAD)] == [b"1"]
        assert await broker.send("orders", [text_message("5")]) == [6]


async def test_a_message_held_for_the_last_time_is_dead_lettered_at_the_next_start(tmp_path, clock):
    settings = [QueueSettings("orders", max_delivery_count=1)]
    async with running_broker(tmp_path, settings, clock=clock) as broker:
        await broker.send("orders", [text_message("a")])
        await broker.receive("orders")
    async with running_broker(tmp_path, settings, clock=clock) as broker:
        (dead,) = await broker.receive(DEAD, wait_s=5)
        assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
        assert await broker.receive("orders") == []


async def test_a_queue_of_an_earlier_run_is_not_forgotten(tmp_path):
    async with running_broker(tmp_path) as broker:
        await broker.ensure_queue("Extra")
        await broker.send("extra", [text_message("a")])
    async with running_broker(tmp_path) as broker:
        assert broker.queue_names() == ["orders", "Extra"]
        assert await bodies(broker, "extra") == ["a"]


async def test_opening_a_queue_twice_at_once_opens_it_once(tmp_path):
    async with running_broker(tmp_path) as broker:
        await broker.ensure_queue("extra")
        await broker.send("extra", [text_message("a")])
        await asyncio.gather(*[broker.ensure_queue("EXTRA") for _ in range(3)])
        assert await bodies(broker, "extra") == ["a"]


async def test_what_does_not_exist_or_does_not_fit_is_refused(tmp_path):
    async with running_broker(tmp_path) as broker:
        with pytest.raises(QueueNotFound, match="nowhere"):
            await broker.send("nowhere", [text_message("a")])
        with pytest.raises(InvalidOperation):
            await broker.send(DEAD, [text_message("a")])
        with pytest.raises(MessageTooLarge):
            await broker.send("orders", [text_message("ok"), text_message("x" * 300_000)])
        assert await broker.receive("orders") == []


async def test_received_and_deleted_messages_are_gone_at_once(tmp_path):
    async with running_broker(tmp_path) as broker:
        await broker.send("orders", [text_message("a")])
        (got,) = await broker.receive_and_delete("orders")
        assert (got.body, got.lock_token) == (b"a", "")
    async with running_broker(tmp_path) as broker:
        assert await broker.receive("orders") == []


async def test_peeking_pages_through_locked_and_free_messages(tmp_path):
    async with running_broker(tmp_path) as broker:
        await broker.send("orders", [text_message(str(n)) for n in range(5)])
        await broker.receive("orders", 1)
        assert [m.body for m in await broker.peek("orders", 0, 2)] == [b"0", b"1"]
        assert [m.body for m in await broker.peek("orders", 3, 9)] == [b"2", b"3", b"4"]


async def test_bodies_that_are_not_kept_in_memory_are_read_back(tmp_path):
    async with running_broker(tmp_path) as broker:
        big = "x" * 200_000
        for n in range(100):
            await broker.send("orders", [text_message(f"{n}{big}")])
        assert broker._engine.recent.size_bytes <= 16 * 1024 * 1024
        got = await broker.receive("orders", 100)
        assert [m.body.decode() for m in got] == [f"{n}{big}" for n in range(100)]


async def test_a_completion_that_cannot_be_written_is_an_error_and_leaves_the_lock(tmp_path, clock):
    faults = Faults()
    async with running_broker(tmp_path, clock=clock, faults=faults) as broker:
        await broker.send("orders", [text_message("a"), text_message("b")])
        first, second = await broker.receive("orders", 2)
        await broker.peek("orders")
        await broker._database.write(lambda _: None)
        faults.add(FaultRule("servicebus.commit.before", "fail", times=2))
        for got in (first, second):
            with pytest.raises(StorageError):
                await broker.complete("orders", got.lock_token)
        assert broker.counts("orders")["locked"] == 2
        # The same lock completes it, or runs out in its time, and one delivery has been used up.
        await broker.complete("orders", first.lock_token)
        clock.advance(timedelta(seconds=61))
        broker.poke()
        (again,) = await broker.receive("orders", 2, wait_s=5)
        assert (again.body, again.delivery_count) == (b"b", 2)


async def test_a_sender_that_goes_away_does_not_lose_its_message(tmp_path):
    async with running_broker(tmp_path) as broker:
        sending = asyncio.create_task(broker.send("orders", [text_message("a")]))
        await asyncio.sleep(0)
        sending.cancel()
        assert [m.body for m in await broker.receive("orders", wait_s=5)] == [b"a"]
        assert sending.cancelled()


async def test_an_injected_duplicate_is_a_redelivery_whose_first_lock_is_lost(tmp_path):
    faults = Faults([FaultRule("servicebus.deliver", "duplicate", {"queue": "orders"})])
    async with running_broker(tmp_path, faults=faults) as broker:
        await broker.send("orders", [text_message("a")])
        (first,) = await broker.receive("orders")
        (second,) = await broker.receive("orders", wait_s=5)
        assert (second.sequence_number, second.delivery_count) == (first.sequence_number, 2)
        with pytest.raises(MessageLockLost):
            await broker.complete("orders", first.lock_token)
        await broker.complete("orders", second.lock_token)


async def test_an_injected_failure_of_a_delivery_gives_the_messages_back(tmp_path):
    faults = Faults([FaultRule("servicebus.deliver", "fail", after=1)])
    async with running_broker(tmp_path, faults=faults) as broker:
        await broker.send("orders", [text_message("a"), text_message("b")])
        with pytest.raises(InjectedFault):
            await broker.receive("orders", 2)
        got = await broker.receive("orders", 2, wait_s=5)
        assert {m.delivery_count for m in got} == {2}


@pytest.mark.parametrize(("is_detecting", "copies"), [(False, 2), (True, 1)])
async def test_an_injected_second_send_is_dropped_where_duplicates_are(
    tmp_path, is_detecting, copies
):
    faults = Faults([FaultRule("servicebus.send", "duplicate")])
    settings = QueueSettings("orders", requires_duplicate_detection=is_detecting)
    async with running_broker(tmp_path, [settings], faults=faults) as broker:
        assert await broker.send("orders", [text_message("a")]) == [1]
        assert await bodies(broker) == ["a"] * copies


async def test_a_session_is_received_in_order_by_its_holder_only(tmp_path, clock):
    settings = QueueSettings("orders", requires_session=True)
    async with running_broker(tmp_path, [settings], clock=clock) as broker:
        for n, session in enumerate("abab"):
            await broker.send("orders", [text_message(f"{session}{n}", session_id=session)])
        with pytest.raises(InvalidOperation):
            await broker.receive("orders")
        session = await broker.accept_session("orders")
        assert session is not None
        got = await broker.receive("orders", 10, session=session)
        assert [m.body for m in got] == [b"a0", b"a2"]
        other = await broker.accept_session("orders", wait_s=5)
        assert other is not None
        assert other.session_id == "b"
        await broker.abandon("orders", got[0].lock_token)
        (again,) = await broker.receive("orders", session=session)
        assert (again.body, again.delivery_count) == (b"a0", 2)
        await broker.release_session("orders", session)
        with pytest.raises(MessageLockLost):
            await broker.complete("orders", again.lock_token)


async def test_who_waits_for_a_session_gets_one_that_is_given_up(tmp_path, clock):
    settings = QueueSettings("orders", requires_session=True)
    async with running_broker(tmp_path, [settings], clock=clock) as broker:
        await broker.send("orders", [text_message("a", session_id="s")])
        held = await broker.accept_session("orders", "s")
        assert held is not None
        waiting = asyncio.create_task(broker.accept_session("orders", "s", wait_s=None))
        await until_waiting(broker)
        clock.advance(timedelta(seconds=60))
        broker.poke()
        taken = await waiting
        assert taken is not None
        assert taken.token != held.token
