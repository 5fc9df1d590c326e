"""A caller who waits: the message goes at once, and the answer is what became of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from domain.batches import content_digest
from domain.errors import StepError
from domain.order import digest
from tests.support.fakes import Context, FakeContainer, FakeHub, Out, fake_store, request, status
from tests.support.orders import a_line, an_order
from triggers import submit_orders as module
from triggers.submit_orders import submit_orders

SAME = {"digest": digest(an_order()), "attempt": 1}
AGAIN = {"digest": digest(an_order()), "attempt": 2}
BATCH = {"batchId": "day-1", "orders": [an_order()]}
PROCESSED = {"status": "processed"}


class World:
    """The services behind a call; `handled` is what the message's arrival changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *statuses: Any) -> None:
        self.hub = FakeHub(*statuses)
        self.handled: Callable[[], None] = lambda: None
        self.sent: list[Any] = []
        self.bound = Out()
        monkeypatch.setattr(module, "send_message", self._send)

    async def _send(self, body: str) -> None:
        self.sent.append(json.loads(body))
        self.handled()

    def becomes(self, *statuses: Any) -> None:
        """The message, once it is sent, leads to these runs."""
        self.handled = lambda: self.hub.statuses.update({s.instance_id: s for s in statuses})

    async def post(self, body: Any, prefer: str = "wait=1") -> Any:
        wanted = request("POST", body=json.dumps(body).encode(), headers={"Prefer": prefer})
        with fake_store(processed=FakeContainer(), submissions=FakeContainer()):
            return await submit_orders(wanted, self.hub, self.bound, Context())


def told(response: Any) -> Any:
    return json.loads(response.get_body())


async def test_the_final_status_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.becomes(status("ORD-1", "Completed", given=SAME, output=PROCESSED))
    response = await world.post(an_order())
    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "wait=1"
    assert told(response)["state"] == "processed"
    assert told(response)["links"]["self"] == "/api/orders/ORD-1/status"
    assert world.sent == [an_order()]
    # Sent once: a binding that is set too would send it a second time.
    assert world.bound.value is None


async def test_an_order_that_takes_longer_is_taken_as_usual(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.becomes(status("ORD-1", "Running", given=SAME))
    response = await world.post(an_order(), "wait=1, return=representation")
    assert response.status_code == 202
    assert response.headers["Location"] == "/api/orders/ORD-1/status"
    assert response.headers["Preference-Applied"] == "wait=1"
    assert told(response)["state"] == "running"
    assert told(response)["digest"] == digest(an_order())


async def test_a_failure_of_an_earlier_attempt_is_not_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed = status("ORD-1", "Failed", given=SAME)
    waiting = World(monkeypatch, failed)
    response = await waiting.post(an_order())
    assert (response.status_code, told(response)["state"]) == (202, "queued")
    world = World(monkeypatch, failed)
    world.becomes(status("ORD-1", "Completed", given=AGAIN, output=PROCESSED))
    response = await world.post(an_order())
    assert (response.status_code, told(response)["attempt"]) == (200, 2)


async def test_an_order_that_is_there_already_is_waited_for_and_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, status("ORD-1", "Completed", given=SAME, output=PROCESSED))
    response = await world.post(an_order())
    assert (response.status_code, told(response)["state"]) == (200, "processed")
    assert (await world.post(an_order(lines=[a_line(quantity=9)]))).status_code == 409
    assert world.sent == []


async def test_a_batch_is_waited_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"digest": content_digest([an_order()]), "attempt": 1}
    summary = {"batchId": "day-1", "total": 1, "processed": 1, "running": 0, "notProcessed": []}
    world = World(monkeypatch)
    world.becomes(
        status("batch:day-1", "Completed", name="process_batch", given=given, output=summary)
    )
    response = await world.post(BATCH)
    assert (response.status_code, told(response)["summary"]) == (200, summary)
    assert told(response)["links"] == {"self": "/api/batches/day-1/status"}
    assert world.sent == [BATCH]


async def test_a_queue_that_does_not_answer_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise StepError("QUEUE_UNAVAILABLE", "The queue does not answer.")

    world = World(monkeypatch)
    world.handled = refuse
    response = await world.post(an_order())
    assert response.status_code == 503
    assert world.bound.value is None


async def test_what_is_on_the_queue_is_not_denied_when_it_cannot_be_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.handled = lambda: world.hub.failures.append(TimeoutError())
    response = await world.post(an_order())
    assert (response.status_code, told(response)["state"]) == (202, "queued")
    assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize("prefer", ["wait=0", "wait=-1", "wait", "respond-async"])
async def test_a_caller_who_does_not_wait_goes_by_the_binding(
    monkeypatch: pytest.MonkeyPatch, prefer: str
) -> None:
    world = World(monkeypatch)
    assert (await world.post(an_order(), prefer)).status_code == 202
    assert [json.loads(text) for text in world.bound.value] == [an_order()]
    assert world.sent == []
