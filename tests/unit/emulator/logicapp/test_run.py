"""A run: which action when, and what becomes of the others."""

import pytest

from emulator.faults import FaultRule, Faults
from emulator.logicapp.model import RetryPolicy
from emulator.logicapp.retries import delay_s
from tests.support.logicapp import WRITE, Documents, after, load, play

BAD = {"type": "Compose", "inputs": "@json('{')"}
ALWAYS = ("Succeeded", "Failed", "Skipped", "TimedOut")


def compose(value, **members):
    return {"type": "Compose", "inputs": value} | members


def variable(name, kind, value=None):
    entry = {"name": name, "type": kind} | ({} if value is None else {"value": value})
    return {"type": "InitializeVariable", "inputs": {"variables": [entry]}}


def change(kind, name, value, **members):
    return {"type": kind, "inputs": {"name": name, "value": value}} | members


def write(**members):
    return {"type": "ApiConnection", "inputs": WRITE | members.pop("inputs", {})} | members


async def test_actions_run_after_one_another_and_see_what_came_before():
    run = await play(
        load(
            {
                "B": compose("@add(outputs('A'), 1)", runAfter=after("A")),
                "A": compose(1),
            }
        )
    )
    assert run.order == ["A", "B"]
    assert run.outputs["B"] == 2
    assert run.outcome.status == "Succeeded"


async def test_what_waits_for_a_failure_only_is_skipped_after_a_success():
    run = await play(
        load({"A": compose(1), "B": compose(2, runAfter=after("A", statuses=("Failed",)))})
    )
    assert run.statuses == {"A": "Succeeded", "B": "Skipped"}
    assert run.outcome.status == "Succeeded"


async def test_a_failure_skips_what_waits_for_success_and_fails_the_run():
    run = await play(
        load(
            {
                "A": BAD,
                "B": compose(1, runAfter=after("A")),
                "C": compose(1, runAfter=after("B")),
            }
        )
    )
    assert run.statuses == {"A": "Failed", "B": "Skipped", "C": "Skipped"}
    assert run.outcome.status == "Failed"
    (failed,) = [each for each in run.results if each.name == "A"]
    assert failed.code == "InvalidTemplate"
    assert "in action 'A' inputs" in failed.error["message"]


async def test_a_failure_that_is_handled_is_none_of_the_runs():
    run = await play(load({"A": BAD, "B": compose(1, runAfter=after("A", statuses=("Failed",)))}))
    assert run.statuses == {"A": "Failed", "B": "Succeeded"}
    assert run.outcome.status == "Succeeded"


async def test_what_waits_for_a_skip_runs_after_one():
    run = await play(
        load(
            {
                "A": BAD,
                "B": compose(1, runAfter=after("A")),
                "C": compose(1, runAfter=after("B", statuses=("Skipped",))),
            }
        )
    )
    assert run.statuses["C"] == "Succeeded"
    assert run.outcome.status == "Succeeded"


async def test_branches_run_side_by_side_and_meet():
    run = await play(
        load(
            {
                "L": compose(1),
                "R": BAD,
                "End": compose("@outputs('L')", runAfter={"L": ["Succeeded"], "R": list(ALWAYS)}),
            }
        )
    )
    assert run.order[-1] == "End"
    assert run.statuses["End"] == "Succeeded"


async def test_a_scope_fails_with_what_is_in_it_and_its_inside_is_seen_from_outside():
    run = await play(
        load(
            {
                "S": {"type": "Scope", "actions": {"A": BAD, "B": compose(1, runAfter=after("A"))}},
                "Said": compose(
                    "@{actions('S')['status']}@{actions('A')['status']}@{actions('B')['status']}",
                    runAfter=after("S", statuses=("Failed",)),
                ),
                "Inside": compose(
                    "@result('S')[0]['name']", runAfter=after("S", statuses=("Failed",))
                ),
            }
        )
    )
    assert run.outputs["Said"] == "FailedFailedSkipped"
    assert run.outputs["Inside"] == "A"
    assert run.outcome.status == "Succeeded"


async def test_what_is_inside_of_a_skipped_scope_is_skipped():
    inner = {"type": "If", "expression": "@true", "actions": {"X": compose(1)}}
    run = await play(
        load(
            {
                "A": BAD,
                "S": {"type": "Scope", "actions": {"I": inner}, "runAfter": after("A")},
                "Said": compose(
                    "@actions('X')['status']", runAfter=after("S", statuses=("Skipped",))
                ),
            }
        )
    )
    assert run.outputs["Said"] == "Skipped"


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ({"and": [{"equals": ["@add(1,1)", 2]}, {"not": {"contains": ["abc", "x"]}}]}, "Yes"),
        ({"or": [{"greater": [1, 2]}, {"startsWith": ["abc", "b"]}]}, "No"),
        ("@equals(1, 1)", "Yes"),
        ({"less": [2, "@length('a')"]}, "No"),
    ],
)
async def test_one_of_two_branches_is_taken(expression, taken):
    run = await play(
        load(
            {
                "I": {
                    "type": "If",
                    "expression": expression,
                    "actions": {"Yes": compose(1)},
                    "else": {"actions": {"No": compose(1)}},
                }
            }
        )
    )
    other = {"Yes": "No", "No": "Yes"}[taken]
    assert (run.statuses[taken], run.statuses[other]) == ("Succeeded", "Skipped")


@pytest.mark.parametrize(("value", "taken"), [("b", "B"), ("z", "Other")])
async def test_one_of_several_cases_is_taken(value, taken):
    cases = {name: {"case": name.lower(), "actions": {name: compose(1)}} for name in ("A", "B")}
    run = await play(
        load(
            {
                "S": {
                    "type": "Switch",
                    "expression": f"@toLower('{value}')",
                    "cases": cases,
                    "default": {"actions": {"Other": compose(1)}},
                }
            }
        )
    )
    assert [name for name in ("A", "B", "Other") if run.statuses[name] == "Succeeded"] == [taken]


async def test_a_loop_runs_for_each_item_and_no_more_at_once_than_it_may():
    documents = Documents()
    loop = {
        "type": "Foreach",
        "foreach": "@range(1, 20)",
        "runtimeConfiguration": {"concurrency": {"repetitions": 3}},
        "actions": {
            "W": write(
                inputs={
                    "body": {"id": "@{items('F')}"},
                    "headers": {
                        "x-ms-documentdb-is-upsert": True,
                        "x-ms-documentdb-raw-partitionkey": "\"@{items('F')}\"",
                    },
                }
            )
        },
    }
    run = await play(load({"F": loop}), documents)
    assert sorted(map(int, documents.items)) == list(range(1, 21))
    assert documents.most_at_once == 3
    assert {each.repetition for each in run.results if each.name == "W"} == {
        f"{number:06}" for number in range(20)
    }


async def test_a_failed_iteration_fails_the_loop_but_no_other_iteration():
    documents = Documents()
    documents.refusals["b"] = [400]
    body = {
        "body": {"id": "@item()"},
        "headers": {
            "x-ms-documentdb-is-upsert": "true",
            "x-ms-documentdb-raw-partitionkey": '"@{item()}"',
        },
    }
    loop = {"type": "Foreach", "foreach": ["a", "b", "c"], "actions": {"W": write(inputs=body)}}
    failed = {
        "type": "Query",
        "inputs": {"from": "@result('F')", "where": "@equals(item()['status'], 'Failed')"},
        "runAfter": after("F", statuses=("Failed",)),
    }
    names = {
        "type": "Select",
        "inputs": {"from": "@body('Failed')", "select": "@item()['inputs']['body']['id']"},
        "runAfter": after("Failed"),
    }
    run = await play(load({"F": loop, "Failed": failed, "Names": names}), documents)
    assert set(documents.items) == {"a", "c"}
    assert run.outputs["Names"]["body"] == ["b"]


async def test_loops_inside_of_loops_see_both_items():
    inner = {
        "type": "Foreach",
        "foreach": "@items('Outer')",
        "actions": {
            "Note": change(
                "AppendToArrayVariable", "seen", "@{length(items('Outer'))}-@{items('Inner')}"
            )
        },
    }
    outer = {
        "type": "Foreach",
        "foreach": [[1, 2], [3]],
        "operationOptions": "Sequential",
        "actions": {"Inner": inner},
        "runAfter": after("V"),
    }
    run = await play(load({"V": variable("seen", "Array", []), "Outer": outer}))
    assert sorted(run.variables["seen"]) == ["1-3", "2-1", "2-2"]
    assert {each.repetition for each in run.results if each.name == "Note"} == {
        "000000-000000",
        "000000-000001",
        "000001-000000",
    }


async def test_what_a_loop_is_over_must_be_an_array():
    run = await play(load({"F": {"type": "Foreach", "foreach": "text", "actions": {}}}))
    (loop,) = run.results
    assert loop.code == "ExpressionEvaluationFailed"


async def test_variables_change_and_keep_their_type():
    run = await play(
        load(
            {
                "V": variable("n", "Integer", 1),
                "Up": change("IncrementVariable", "n", 4, runAfter=after("V")),
                "Down": change("DecrementVariable", "n", 2, runAfter=after("Up")),
                "T": variable("t", "String") | {"runAfter": after("Down")},
                "Add": change("AppendToStringVariable", "t", "x", runAfter=after("T")),
                "Bad": change("SetVariable", "n", "text", runAfter=after("Add")),
            }
        )
    )
    assert run.variables == {"n": 3, "t": "x"}
    assert run.statuses["Bad"] == "Failed"


async def test_a_run_can_be_ended_by_an_action():
    run = await play(
        load(
            {
                "T": {
                    "type": "Terminate",
                    "inputs": {
                        "runStatus": "Failed",
                        "runError": {"code": "Mine", "message": "@{concat('a', 'b')}"},
                    },
                },
                "B": compose(1, runAfter=after("T", statuses=ALWAYS)),
            }
        )
    )
    assert run.outcome.status == "Failed"
    assert run.outcome.error == {"code": "Mine", "message": "ab"}
    assert run.results == []


async def test_a_transient_answer_is_called_for_again_and_a_refusal_is_not():
    documents, pauses = Documents(), []
    documents.refusals["x"] = [503, 429, 500]
    policy = {"type": "fixed", "count": 3, "interval": "PT2S"}
    run = await play(load({"W": write(inputs={"retryPolicy": policy})}), documents, pauses=pauses)
    assert run.statuses["W"] == "Succeeded"
    assert (run.results[0].retries, pauses) == (3, [2, 2, 2])
    documents.refusals["x"] = [400]
    run = await play(load({"W": write()}), documents)
    assert (run.results[0].code, run.results[0].retries) == ("BadRequest", 0)
    assert run.outputs["W"]["statusCode"] == 400


async def test_retries_end():
    documents = Documents()
    documents.refusals["x"] = [503] * 10
    run = await play(load({"W": write()}), documents)
    assert (run.statuses["W"], len(documents.calls)) == ("Failed", 5)
    run = await play(load({"W": write(inputs={"retryPolicy": {"type": "none"}})}), documents)
    assert len(documents.calls) == 6


async def test_a_door_that_breaks_is_an_answer_of_500():
    class Broken(Documents):
        async def upsert(self, database, container, document):
            self.calls.append("x")
            raise ZeroDivisionError

    documents = Broken()
    run = await play(load({"W": write()}), documents)
    assert (run.results[0].code, len(documents.calls)) == ("InternalServerError", 5)


async def test_an_injected_failure_is_a_failed_call():
    faults = Faults([FaultRule("logicapp.action", "fail", {"action": "W"}, times=2)])
    documents = Documents()
    run = await play(load({"W": write()}), documents, faults=faults)
    assert (run.statuses["W"], documents.calls) == ("Succeeded", ["x"])


@pytest.mark.parametrize(
    "inputs",
    [
        {"headers": {}},
        {"headers": WRITE["headers"] | {"x-ms-documentdb-is-upsert": False}},
        {"headers": WRITE["headers"] | {"x-ms-documentdb-raw-partitionkey": "x"}},
        {"headers": WRITE["headers"] | {"x-ms-documentdb-raw-partitionkey": '"y"'}},
        {"body": "text"},
    ],
)
async def test_a_write_that_the_connector_does_not_take_is_a_bad_request(inputs):
    run = await play(load({"W": write(inputs=inputs)}))
    assert run.results[0].code == "BadRequest"


async def test_an_array_is_filtered_shaped_and_joined():
    run = await play(
        load(
            {
                "Q": {
                    "type": "Query",
                    "inputs": {"from": "@range(1, 4)", "where": "@greater(item(), 2)"},
                },
                "S": {
                    "type": "Select",
                    "inputs": {"from": "@body('Q')", "select": {"n": "@item()"}},
                    "runAfter": after("Q"),
                },
                "J": {
                    "type": "Join",
                    "inputs": {"from": "@body('Q')", "joinWith": ", "},
                    "runAfter": after("S"),
                },
            }
        )
    )
    assert run.outputs["S"]["body"] == [{"n": 3}, {"n": 4}]
    assert run.outputs["J"]["body"] == "3, 4"


@pytest.mark.parametrize(
    ("number", "fraction", "expected"),
    [(1, 0.0, 1), (1, 0.5, 1.5), (2, 0.0, 2), (3, 0.5, 6), (9, 0.9, 30)],
)
def test_exponential_delays_double_within_their_bounds(number, fraction, expected):
    policy = RetryPolicy(4, 2, True, 1, 30)
    assert delay_s(policy, number, fraction) == expected
