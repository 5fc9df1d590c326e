"""The states of one queue, without a disk or an event loop."""

from itertools import count

import pytest

from emulator.servicebus.deadlines import Deadlines
from emulator.servicebus.errors import MessageLockLost, MessageNotFound, SessionLockLost
from emulator.servicebus.model import Fate, QueueModel, Slot, State

LOCK_US = 60_000_000


@pytest.fixture
def tokens():
    numbers = count(1)
    return lambda: f"token-{next(numbers)}"


def queue_of(*sequence_numbers: int, limit: int | None = 10, **slot) -> QueueModel:
    model = QueueModel(LOCK_US, limit)
    for number in sequence_numbers:
        model.add(Slot(number, **slot))
    return model


def numbers(slots):
    return [slot.sequence_number for slot in slots]


def test_messages_are_taken_in_order_with_their_first_delivery(tokens):
    model = queue_of(3, 1, 2)
    taken = model.take(0, 2, tokens)
    assert numbers(taken) == [1, 2]
    assert [slot.delivery_count for slot in taken] == [1, 1]
    assert model.count(State.LOCKED) == 2
    assert model.count(State.ACTIVE) == 1


def test_an_abandoned_message_returns_to_its_place(tokens):
    model = queue_of(1, 2)
    slot = model.settle(model.take(0, 1, tokens)[0].lock_token, 1)
    assert model.put_back(slot, 1) is Fate.RETURNED
    assert numbers(model.take(1, 2, tokens)) == [1, 2]
    assert slot.delivery_count == 2


def test_every_delivery_has_a_token_of_its_own(tokens):
    model = queue_of(1)
    first = model.take(0, 1, tokens)[0].lock_token
    model.put_back(model.settle(first, 1), 1)
    assert model.take(1, 1, tokens)[0].lock_token != first


def test_a_token_cannot_be_used_twice(tokens):
    model = queue_of(1)
    token = model.take(0, 1, tokens)[0].lock_token
    model.settle(token, 1)
    with pytest.raises(MessageLockLost):
        model.settle(token, 1)


def test_a_token_is_worthless_at_the_very_instant_it_runs_out(tokens):
    model = queue_of(1)
    token = model.take(0, 1, tokens)[0].lock_token
    with pytest.raises(MessageLockLost):
        model.settle(token, LOCK_US)
    with pytest.raises(MessageLockLost):
        model.renew(token, LOCK_US)


def test_a_lock_that_ran_out_releases_its_message(tokens):
    model = queue_of(1)
    model.take(0, 1, tokens)
    assert model.next_due_us() == LOCK_US
    assert model.advance(LOCK_US - 1).released == []
    assert numbers(model.advance(LOCK_US).released) == [1]


def test_a_renewed_lock_holds_from_the_renewal(tokens):
    model = queue_of(1)
    token = model.take(0, 1, tokens)[0].lock_token
    assert model.renew(token, 40_000_000) == 40_000_000 + LOCK_US
    assert model.advance(LOCK_US).released == []
    model.settle(token, LOCK_US + 1)


def test_a_message_in_transit_is_in_nobodys_hands(tokens):
    model = queue_of(1)
    model.settle(model.take(0, 1, tokens)[0].lock_token, 1)
    assert model.take(1, 1, tokens) == []
    assert model.count(State.IN_TRANSIT) == 1
    assert model.next_due_us() is None


def test_the_last_delivery_exhausts_a_message(tokens):
    model = queue_of(1, limit=2)
    for expected in (Fate.RETURNED, Fate.EXHAUSTED):
        slot = model.settle(model.take(0, 1, tokens)[0].lock_token, 1)
        assert model.put_back(slot, 1) is expected


def test_nothing_is_exhausted_in_a_dead_letter_queue(tokens):
    model = queue_of(1, limit=None)
    for _ in range(50):
        slot = model.settle(model.take(0, 1, tokens)[0].lock_token, 1)
        assert model.put_back(slot, 1) is Fate.RETURNED


def test_a_message_expires_while_it_waits_but_not_while_it_is_locked(tokens):
    model = queue_of(1, 2, expires_us=100)
    token = model.take(0, 1, tokens)[0].lock_token
    assert numbers(model.advance(100).expired) == [2]
    slot = model.settle(token, 101)
    assert model.put_back(slot, 101) is Fate.EXPIRED


def test_a_scheduled_message_is_invisible_until_it_is_due(tokens):
    model = queue_of(1, scheduled_us=100, state=State.SCHEDULED)
    assert model.take(99, 1, tokens) == []
    (slot,) = model.advance(100).activated
    model.put_back(slot, 100)
    assert numbers(model.take(100, 1, tokens)) == [1]


def test_a_scheduled_message_can_be_cancelled_once(tokens):
    model = queue_of(1, scheduled_us=100, state=State.SCHEDULED)
    model.remove(model.cancel_scheduled(1))
    with pytest.raises(MessageNotFound):
        model.cancel_scheduled(1)


def test_a_deferred_message_is_only_had_by_its_number(tokens):
    model = queue_of(1)
    model.defer(model.settle(model.take(0, 1, tokens)[0].lock_token, 1))
    assert model.take(1, 1, tokens) == []
    (slot,) = model.take_deferred(1, [1], tokens)
    assert slot.delivery_count == 2
    model.put_back(model.settle(slot.lock_token, 2), 2)
    assert model.state_of(1) is State.DEFERRED


def test_an_active_message_cannot_be_had_by_its_number(tokens):
    with pytest.raises(MessageNotFound):
        queue_of(1).take_deferred(0, [1], tokens)


@pytest.fixture
def sessions():
    model = QueueModel(LOCK_US, 10, requires_session=True)
    for number, session in ((1, "a"), (2, "b"), (3, "a")):
        model.add(Slot(number, session_id=session))
    return model


def test_the_session_with_the_oldest_message_is_had_first(sessions):
    assert sessions.accept_session(None, "t1", 0).session_id == "a"
    assert sessions.accept_session(None, "t2", 0).session_id == "b"
    assert sessions.accept_session(None, "t3", 0) is None


def test_a_failed_message_of_a_session_comes_before_the_rest_of_it(sessions, tokens):
    sessions.accept_session("a", "t1", 0)
    (slot,) = sessions.take(0, 1, tokens, "a")
    sessions.put_back(sessions.settle(slot.lock_token, 1), 1)
    assert numbers(sessions.take(1, 2, tokens, "a")) == [1, 3]


def test_a_session_that_ran_out_releases_what_was_locked_in_it(sessions, tokens):
    sessions.accept_session("a", "t1", 0)
    sessions.take(0, 2, tokens, "a")
    due = sessions.advance(LOCK_US)
    assert sorted(numbers(due.released)) == [1, 3]
    assert due.has_free_session
    with pytest.raises(SessionLockLost):
        sessions.check_session("a", "t1", LOCK_US)


def test_a_renewed_session_keeps_its_messages(sessions, tokens):
    sessions.accept_session("a", "t1", 0)
    (slot,) = sessions.take(0, 1, tokens, "a")
    sessions.renew_session("a", "t1", LOCK_US - 1)
    assert sessions.advance(LOCK_US).released == []
    assert sessions.settle(slot.lock_token, LOCK_US + 1) is slot


def test_a_stranger_cannot_give_up_a_session(sessions):
    sessions.accept_session("a", "t1", 0)
    assert sessions.release_session("a", "other") == []
    assert sessions.accept_session("a", "t2", 0) is None


def test_deadlines_called_off_do_not_pile_up():
    deadlines = Deadlines()
    for key in range(10_000):
        deadlines.set(key, 1_000_000 + key)
        deadlines.set(key, None)
    assert len(deadlines._heap) < 200
    assert deadlines.next_us() is None


def test_deadlines_come_up_in_order_and_only_the_latest_of_a_key():
    deadlines = Deadlines()
    deadlines.set(1, 30)
    deadlines.set(2, 20)
    deadlines.set(1, 10)
    assert list(deadlines.pop_due(25)) == [1, 2]
    assert len(deadlines) == 0
