"""Malformed messages on the queue and malformed files: none is lost, none holds up the others, and
each is told with its reason.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from domain.messages import MAX_ORDERS, OrderBatch, SingleOrder, interpret
from tests.hostile import corpus
from tests.support.emulator import Emulator, connected, until
from tests.support.hostile import Target, target
from tests.support.orders import an_order
from tests.support.pipeline import final_status

ODD = [*corpus.NOT_JSON, *corpus.NO_ORDER, *corpus.WRONG_IDS]
UNUSABLE = [sent for sent in ODD if not isinstance(interpret(sent.data), SingleOrder | OrderBatch)]
# Batches of nothing usable: each comes to an end that counts what is wrong.
USELESS = [sent for sent in ODD if isinstance(interpret(sent.data), OrderBatch)]
# The workflow reads JSON as its makers' reader does, which passes over these, and looks for a text
# as an id. What is then an order, by the id it has.
USABLE_FROM_FILES = {
    "half a surrogate pair": "A",
    "half a surrogate pair as a name": "A",
    "a byte order mark": "A",
    "a member told twice": "B",
    "a member told twice within": "HOSTILE",
    "a batch with an id of its own kind": "A",
}
IDS_FROM_FILES = {
    order_id
    for order_id in corpus.IDS
    # The store refuses the others itself.
    if isinstance(order_id, str)
    and 0 < len(order_id.strip()) <= 255
    and not set(order_id) & set("/\\?#\0\r\n")
}
TAKEN_FROM_FILES = {*USABLE_FROM_FILES, *map(corpus.id_name, IDS_FROM_FILES)}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("messages")) as found:
        yield found


@pytest.fixture
async def emulator(running: Target) -> AsyncIterator[Emulator]:
    async with connected(running.process, running.doors) as found:
        yield found


async def test_no_message_is_lost_and_none_holds_up_the_others(emulator: Emulator) -> None:
    good = [f"QUEUED-{number}" for number in range(len(UNUSABLE))]
    for sent, order in zip(UNUSABLE, good, strict=True):
        await emulator.send("orders", sent.data)
        await emulator.send("orders", json.dumps(an_order(id=order)))
    for order in good:
        assert (await final_status(emulator, order))["state"] == "processed"

    await until(lambda: _dead(emulator, "orders", len(UNUSABLE)), "each of them is dead-lettered")
    answer = await emulator.get("/api/orders/dead-letters?limit=100")
    letters = answer.json()
    assert len(letters) == len(UNUSABLE)
    for letter, sent in zip(letters, UNUSABLE, strict=True):
        expected = interpret(sent.data)
        assert letter["refusal"]["code"] == expected.code, sent.name
        assert letter["bodyBytes"] == len(sent.data)
        assert len(letter["bodyPreview"]) <= 200
    assert len(answer.body) < 100_000


async def test_a_batch_of_nothing_usable_ends_and_counts_it(emulator: Emulator) -> None:
    assert USELESS
    for number, sent in enumerate(USELESS):
        body = {"batchId": f"USELESS-{number}", "orders": json.loads(sent.data)}
        await emulator.send("orders", json.dumps(body))
    for number, sent in enumerate(USELESS):
        status = await _batch(emulator, f"USELESS-{number}")
        total = len(json.loads(sent.data))
        assert (status["state"], status["invalid"]) == ("completed", total)


async def test_the_largest_batch_of_the_shortest_orders_ends(emulator: Emulator) -> None:
    # One order told again and again: all but the first are named as duplicates.
    body = {"batchId": "LARGEST", "orders": [{"id": "L"}] * MAX_ORDERS}
    await emulator.send("orders", json.dumps(body, separators=(",", ":")))
    status = await _batch(emulator, "LARGEST")
    assert (status["rejected"], status["duplicates"]) == (1, MAX_ORDERS - 1)


async def _batch(emulator: Emulator, batch_id: str) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        answer = await emulator.get(f"/api/batches/{batch_id}/status")
        return answer.json() if answer.status == 200 else None

    return await until(ended, f"{batch_id} has ended")


async def test_no_file_is_lost_and_none_holds_up_the_others(emulator: Emulator) -> None:
    while await emulator.receive("orders/$deadletterqueue") is not None:
        pass  # what other tests have left there
    for number, sent in enumerate(ODD):
        await _drop(emulator, f"odd-{number}.json", sent.data)
    for number in range(10):
        await _drop(emulator, f"{number} \u202e.json", json.dumps(an_order(id=f"FILE-{number}")))
    for number in range(10):
        assert (await final_status(emulator, f"FILE-{number}"))["state"] == "processed"

    refused = [sent.name for sent in ODD if sent.name not in TAKEN_FROM_FILES]
    await until(lambda: _dead(emulator, "order-files", len(refused)), "each other file is refused")
    letters = await emulator.peek("order-files/$deadletterqueue")
    told = [letter["applicationProperties"] for letter in letters]
    assert {each["DeadLetterReason"] for each in told} <= {"NotJson", "NotOrders", "OrdersRefused"}
    assert all(len(each["DeadLetterErrorDescription"]) > 10 for each in told)
    # An id that a file may have and an order may not is refused at the queue.
    await until(lambda: _refused(emulator, IDS_FROM_FILES), "their orders are dead-lettered")
    for order in USABLE_FROM_FILES.values():
        await final_status(emulator, order)


async def _dead(emulator: Emulator, queue: str, count: int) -> bool:
    return (await emulator.counts(queue))["dead_letter"] == count


async def _refused(emulator: Emulator, order_ids: set[str]) -> bool:
    letters = await emulator.peek("orders/$deadletterqueue")
    return order_ids <= {json.loads(letter["body"])["id"] for letter in letters}


async def _drop(emulator: Emulator, name: str, content: bytes | str) -> None:
    url = f"{emulator.doors.blob}/devstoreaccount1/inputfiles/{quote(name)}"
    headers = {"x-ms-blob-type": "BlockBlob"}
    async with emulator.http.put(url, data=content, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
