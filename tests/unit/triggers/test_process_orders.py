"""A queue message becomes an orchestration, once, or says why not."""

import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import azure.functions as func
import pytest
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from domain import keys
from domain.batches import content_digest
from domain.errors import StepError
from domain.order import digest
from tests.support.fakes import FakeContainer, FakeHub, fake_store, status
from tests.support.orders import a_line, an_order
from triggers import process_orders as module
from triggers._hub import Hub
from triggers._starts import Conflict
from triggers.process_orders import UnusableMessage, hold_back_s, process_orders


class Message(func.ServiceBusMessage):  # type: ignore[misc]
    """A message as the queue trigger gives it: its time has no zone."""

    message_id = "m-1"
    delivery_count = 1
    enqueued_time_utc = datetime(2026, 11, 20, 9, 29, 59, 123456)  # noqa: DTZ001 - as the platform

    def __init__(self, body: Any) -> None:
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def get_body(self) -> bytes:
        return self._body


Message.__abstractmethods__ = frozenset()

SAME = {"digest": digest(an_order()), "attempt": 1}
OTHER = {"digest": "other", "attempt": 1}


async def test_a_new_order_starts_under_its_own_id() -> None:
    hub = FakeHub()
    await process_orders(Message(an_order()), hub)
    assert hub.started == [
        (
            "process_order",
            "ORD-1",
            {
                "order": an_order(),
                "digest": digest(an_order()),
                "attempt": 1,
                "source": {
                    "messageId": "m-1",
                    "enqueuedAt": "2026-11-20T09:29:59.123Z",
                    "batchId": None,
                },
            },
        )
    ]


@pytest.mark.parametrize("runtime_status", ["Pending", "Running", "Suspended", "Completed"])
async def test_the_same_order_does_not_start_again(runtime_status: str) -> None:
    hub = FakeHub(status("ORD-1", runtime_status, given=SAME))
    await process_orders(Message(dict(reversed(an_order().items()))), hub)
    assert hub.started == []


@pytest.mark.parametrize("runtime_status", ["Running", "Completed"])
async def test_other_content_with_the_id_is_refused(runtime_status: str) -> None:
    hub = FakeHub(status("ORD-1", runtime_status, given=OTHER))
    with pytest.raises(Conflict, match="ORD-1"):
        await process_orders(Message(an_order()), hub)
    assert hub.started == []


@pytest.mark.parametrize("runtime_status", ["Failed", "Terminated", "Canceled"])
async def test_after_a_failure_the_next_attempt_starts(runtime_status: str) -> None:
    hub = FakeHub(status("ORD-1", runtime_status, given={**OTHER, "attempt": 3}))
    await process_orders(Message(an_order()), hub)
    assert hub.started[0][2]["attempt"] == 4


async def test_an_order_that_ran_in_a_batch_does_not_start_again() -> None:
    child = keys.child_instance_id("ORD-1", "day-1", 1)
    hub = FakeHub(status(child, "Completed", given=SAME))
    await process_orders(Message(an_order()), hub)
    assert hub.started == []
    with pytest.raises(Conflict):
        await process_orders(Message(an_order(lines=[a_line(quantity=9)])), hub)


async def test_an_instance_of_another_make_with_the_prefix_is_no_run_of_the_order() -> None:
    hub = FakeHub(status("batch:batch:1:0", "Completed", name="process_chunk", given=OTHER))
    await process_orders(Message(an_order(id="batch")), hub)
    assert [instance_id for _, instance_id, _ in hub.started] == ["batch"]


@pytest.mark.parametrize("given", [SAME, OTHER])
async def test_a_faster_delivery_wins_and_the_slower_sees_what_it_started(given: Any) -> None:
    hub = FakeHub()

    def overtake(hub: FakeHub) -> None:
        hub.statuses["ORD-1"] = status("ORD-1", "Pending", given=given)

    hub.before_start = overtake
    if given is SAME:
        await process_orders(Message(an_order()), hub)
    else:
        with pytest.raises(Conflict):
            await process_orders(Message(an_order()), hub)
    assert hub.started == []


async def test_a_refusal_of_the_task_hub_is_not_swallowed() -> None:
    hub = FakeHub()

    def refuse(hub: FakeHub) -> None:
        raise Exception("One or more of the arguments submitted is incorrect")

    hub.before_start = refuse
    with pytest.raises(Exception, match="arguments"):
        await process_orders(Message(an_order()), hub)


async def test_a_task_hub_that_cannot_start_anything_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: list[float] = []

    async def sleep(seconds: float) -> None:
        held.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    hub = FakeHub()

    def fail(hub: FakeHub) -> None:
        raise Exception({"Message": "Something went wrong", "ExceptionMessage": "disk is full"})

    hub.before_start = fail
    with pytest.raises(StepError, match=r"HUB_UNAVAILABLE.*disk is full"):
        await process_orders(Message(an_order()), hub)
    assert held == [1]


async def test_a_status_that_cannot_be_read_is_not_an_unknown_order() -> None:
    class BrokenHub(FakeHub):
        async def get_status(self, instance_id: str) -> DurableOrchestrationStatus:
            return DurableOrchestrationStatus.from_json({"ExceptionMessage": "disk is full"})

    with pytest.raises(StepError, match="HUB_UNAVAILABLE"):
        await Hub(BrokenHub()).run("ORD-1")


async def test_a_batch_starts_under_its_id_or_else_the_messages() -> None:
    entries = [an_order(id="A"), "rubbish"]
    hub = FakeHub()
    await process_orders(Message({"batchId": "day-1", "orders": entries}), hub)
    await process_orders(Message(entries), hub)
    assert [(name, instance_id) for name, instance_id, _ in hub.started] == [
        ("process_batch", "batch:day-1"),
        ("process_batch", "batch:m-1"),
    ]
    assert hub.started[0][2]["orders"] == entries
    assert hub.started[0][2]["digest"] == content_digest(entries)


async def test_a_batch_starts_once_too() -> None:
    entries = [an_order(id="A")]
    given = {"digest": content_digest(entries), "attempt": 1}
    hub = FakeHub(status("batch:day-1", "Running", name="process_batch", given=given))
    await process_orders(Message({"batchId": "day-1", "orders": entries}), hub)
    with pytest.raises(Conflict, match="batch day-1"):
        await process_orders(Message({"batchId": "day-1", "orders": [an_order(id="B")]}), hub)
    assert hub.started == []


@pytest.mark.parametrize("body", [b"", b"\xff", b"ORD-1;C-1", b'"ORD-1"', b"{}", b"[]"])
async def test_what_is_no_order_raises_with_its_code(body: bytes) -> None:
    hub = FakeHub()
    with pytest.raises(UnusableMessage, match=r"^\[[a-z_]+\] .+\.$"):
        await process_orders(Message(body), hub)
    assert hub.started == []


async def test_a_claim_check_is_cashed() -> None:
    hub = FakeHub()
    document = {**an_order(), "_rid": "r", "_ts": 1}
    with fake_store(to_process=FakeContainer(document)):
        await process_orders(Message({"storedOrder": "ORD-1"}), hub)
        with pytest.raises(UnusableMessage, match="stored_order_gone"):
            await process_orders(Message({"storedOrder": "ORD-2"}), hub)
    assert hub.started[0][2]["order"] == an_order()


async def test_a_message_is_held_when_the_task_hub_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: list[float] = []

    async def sleep(seconds: float) -> None:
        held.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    hub = FakeHub()
    hub.failures.append(aiohttp.ClientConnectionError())
    with pytest.raises(StepError, match="HUB_UNAVAILABLE"):
        await process_orders(Message(an_order()), hub)
    assert held == [1]


def test_messages_are_held_longer_at_each_delivery_up_to_half_a_minute() -> None:
    assert [hold_back_s(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert hold_back_s(None) == 1
    assert hold_back_s(10_000) == 30


def test_a_time_that_tells_its_zone_is_taken_at_its_word() -> None:
    message = Message(b"")
    message.enqueued_time_utc = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert module.source_of(message).enqueued_at == "2026-11-20T09:30:00.000Z"
    message.enqueued_time_utc = None
    assert module.source_of(message).enqueued_at is None
