"""A batch and its chunks through the real library."""

from typing import Any

from orchestrators.process_batch import process_batch
from orchestrators.process_chunk import failure_of, outcome_of, process_chunk
from tests.support.orders import an_order
from tests.support.recording import Answer, Asked, Driver, Failed, first
from tests.support.stories import FAULT, batch_answers, chunk_answers, chunk_input, last


def batch_of(count: int) -> dict[str, Any]:
    return {
        "batchId": "day-1",
        "orders": [an_order(id=f"ORD-{n}") for n in range(count)],
        "digest": "d",
        "attempt": 1,
        "source": {"messageId": "m", "enqueuedAt": "t", "batchId": None},
    }


def batch(count: int, answer: Answer = batch_answers) -> Driver:
    return Driver(process_batch, batch_of(count), answer, instance_id="batch:day-1", pick=last)


def test_one_failed_child_takes_nothing_from_its_siblings() -> None:
    for pick in (first, last):
        driver = Driver(process_chunk, chunk_input(5), chunk_answers, pick=pick)
        reply = driver.run()
        told = {o["id"]: (o["status"], o.get("error")) for o in reply.output["outcomes"]}
        failure = {"stage": "persist", "code": "STORE_UNAVAILABLE", "message": "No answer."}
        assert told == {
            "ORD-0": ("processed", None),
            "ORD-1": ("failed", failure),
            "ORD-2": (
                "rejected",
                {"code": "rejected", "message": "currency: No such currency.", "errors": [FAULT]},
            ),
            "ORD-3": ("processed", None),
            "ORD-4": ("processed", None),
        }


def test_all_children_of_a_chunk_are_asked_for_at_once_under_their_own_ids() -> None:
    driver = Driver(process_chunk, chunk_input(50), chunk_answers)
    driver.run()
    assert [task.instance_id for task in driver.asked] == [f"ORD-{n}:batch:x" for n in range(50)]
    assert {task.name for task in driver.asked} == {"process_order"}
    assert driver.statuses[0]["running"] == 50
    assert [status["running"] for status in driver.statuses] == list(range(50, -1, -1))


def test_a_child_is_told_which_batch_it_is_for() -> None:
    driver = Driver(process_chunk, chunk_input(1), chunk_answers)
    driver.run()
    assert driver.asked[0].input["source"]["batchId"] == "day-1"
    assert driver.asked[0].input["attempt"] == 1


def test_a_batch_runs_in_waves_of_chunks_and_tells_a_summary() -> None:
    driver = batch(210)
    reply = driver.run()
    assert [task.name for task in driver.asked] == ["admit_batch", *["process_chunk"] * 5]
    assert [task.instance_id for task in driver.asked[1:]] == [
        f"batch:day-1:1:{n}" for n in range(5)
    ]
    # The fifth chunk is asked for when the four of the first wave have ended.
    assert [len(status.get("chunks", [])) for status in driver.statuses] == [0, 4, 3, 2, 1, 1, 0]
    assert reply.output["processed"] == 210
    assert reply.output["notProcessed"] == []
    assert driver.statuses[-1]["running"] == 0


def test_a_chunk_that_fails_as_a_whole_fails_its_orders_only() -> None:
    def answer(task: Asked) -> Any:
        return (
            Failed("Non-Deterministic")
            if task.instance_id == "batch:day-1:1:1"
            else (batch_answers(task))
        )

    reply = batch(120, answer).run()
    assert (reply.output["processed"], reply.output["failed"]) == (70, 50)
    assert len(reply.output["notProcessed"]) == 50
    assert reply.output["notProcessed"][0]["error"]["code"] == "UNEXPECTED"


def test_what_is_settled_at_admission_is_counted_and_not_run() -> None:
    def answer(task: Asked) -> Any:
        if task.name != "admit_batch":
            return batch_answers(task)
        settled = [{"id": "ORD-1", "status": "duplicate", "error": {"code": "c", "message": "m"}}]
        return {"admitted": [{"index": 0, "digest": "d"}], "settled": settled}

    driver = batch(2, answer)
    reply = driver.run()
    assert (reply.output["total"], reply.output["processed"], reply.output["duplicates"]) == (
        2,
        1,
        1,
    )
    assert [o["id"] for o in reply.output["notProcessed"]] == ["ORD-1"]
    assert len(driver.asked[1].input["orders"]) == 1


def test_a_batch_with_nothing_to_run_ends_at_once() -> None:
    def answer(task: Asked) -> Any:
        return {"admitted": [], "settled": [{"id": "A", "status": "duplicate"}]}

    driver = batch(1, answer)
    assert driver.run().output["duplicates"] == 1
    assert len(driver.asked) == 1


def test_a_batch_that_cannot_be_admitted_fails_with_its_reason() -> None:
    driver = batch(1, lambda task: Failed("StepError: [STORE_REFUSED] The store refuses."))
    reply = driver.run()
    assert (
        reply.error == "BATCH_FAILED stage=admit code=STORE_REFUSED attempts=1: The store refuses."
    )


def test_what_a_terminated_child_means() -> None:
    assert failure_of("by ops") == {"code": "UNEXPECTED", "message": "by ops"}
    outcome = outcome_of("A", {"status": "rejected", "errors": []})
    assert (outcome.status, outcome.error) == (
        "rejected",
        {"code": "rejected", "message": "It was refused.", "errors": []},
    )
