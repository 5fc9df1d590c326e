"""What is not supported is refused when the workflow is loaded, with its place."""

import copy

import pytest

from emulator.logicapp import InvalidDefinition
from emulator.logicapp.load import load_workflow
from tests.support.logicapp import (
    CONNECTIONS,
    INGEST,
    PARAMETERS,
    TRIGGER,
    WRITE,
    after,
    load,
)

COMPOSE = {"type": "Compose", "inputs": 1}


def test_the_deployed_workflow_is_loaded_as_it_stands():
    workflow = load_workflow("w", INGEST, {"$connections": CONNECTIONS, **PARAMETERS})
    assert workflow.trigger.queue == "order-files"
    assert workflow.trigger.runs == 10
    assert list(workflow.block.actions) == [
        "Problems",
        "Ingest",
        "Reason",
        "Explanations",
        "Is_all_taken",
    ]


@pytest.mark.parametrize(
    ("actions", "pointer"),
    [
        ({"A": {"type": "Http", "inputs": {}}}, "/actions/A/type"),
        ({"A": {"type": "Response", "inputs": {}}}, "/actions/A/type"),
        ({"A": {"type": "Until", "actions": {}}}, "/actions/A/type"),
        ({"A": {"inputs": 1}}, "/actions/A/type"),
        ({"A": 1}, "/actions/A"),
        ({"A": COMPOSE | {"trackedProperties": {}}}, "/actions/A/trackedProperties"),
        ({"A": COMPOSE | {"operationOptions": "x"}}, "/actions/A/operationOptions"),
        ({"A": {"type": "Compose"}}, "/actions/A"),
        ({"A": {"type": "Compose", "inputs": {"x~/y": ["@no()"]}}}, "/actions/A/inputs/x~0~1y/0"),
        ({"A": COMPOSE | {"runAfter": after("B")}}, "/actions/A/runAfter/B"),
        ({"A": COMPOSE, "B": COMPOSE | {"runAfter": {"A": ["Done"]}}}, "/actions/B/runAfter/A"),
        ({"A": COMPOSE, "B": COMPOSE | {"runAfter": {"A": []}}}, "/actions/B/runAfter/A"),
        (
            {"A": COMPOSE | {"runAfter": after("B")}, "B": COMPOSE | {"runAfter": after("A")}},
            "/actions",
        ),
        ({"A": {"type": "Scope", "actions": {"a": COMPOSE}}}, "/actions/A/actions/a"),
        ({"A": {"type": "Compose", "inputs": "@body('B')"}}, "/actions/A/inputs"),
        ({"A": {"type": "Compose", "inputs": "@parameters('x')"}}, "/actions/A/inputs"),
        ({"A": {"type": "Compose", "inputs": "@variables('x')"}}, "/actions/A/inputs"),
        ({"A": {"type": "Compose", "inputs": "@items('A')"}}, "/actions/A/inputs"),
        ({"A": {"type": "Compose", "inputs": "@body(concat('A'))"}}, "/actions/A/inputs"),
        (
            {"A": {"type": "SetVariable", "inputs": {"name": "x", "value": 1}}},
            "/actions/A/inputs/name",
        ),
        (
            {"A": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "x"}]}}},
            "/actions/A/inputs/variables/0/type",
        ),
        (
            {
                "S": {
                    "type": "Scope",
                    "actions": {
                        "A": {
                            "type": "InitializeVariable",
                            "inputs": {"variables": [{"name": "x", "type": "Array"}]},
                        }
                    },
                }
            },
            "/actions/S/actions/A",
        ),
        (
            {
                "F": {
                    "type": "Foreach",
                    "foreach": [],
                    "actions": {"T": {"type": "Terminate", "inputs": {"runStatus": "Failed"}}},
                }
            },
            "/actions/F/actions/T",
        ),
        (
            {"T": {"type": "Terminate", "inputs": {"runStatus": "Done"}}},
            "/actions/T/inputs/runStatus",
        ),
        (
            {"I": {"type": "If", "expression": {"xor": []}, "actions": {}}},
            "/actions/I/expression/xor",
        ),
        (
            {"I": {"type": "If", "expression": {"and": [{"equals": [1]}]}, "actions": {}}},
            "/actions/I/expression/and/0/equals",
        ),
        (
            {
                "F": {
                    "type": "Foreach",
                    "foreach": [],
                    "actions": {},
                    "runtimeConfiguration": {"concurrency": {"repetitions": 51}},
                }
            },
            "/actions/F/runtimeConfiguration/concurrency/repetitions",
        ),
        (
            {"C": {"type": "ApiConnection", "inputs": WRITE | {"authentication": {}}}},
            "/actions/C/inputs/authentication",
        ),
        (
            {"C": {"type": "ApiConnection", "inputs": WRITE | {"method": "put"}}},
            "/actions/C/inputs/path",
        ),
        (
            {"C": {"type": "ApiConnection", "inputs": WRITE | {"path": "/dbs/d/colls/c/docs"}}},
            "/actions/C/inputs/path",
        ),
        (
            {
                "C": {
                    "type": "ApiConnection",
                    "inputs": WRITE | {"host": {"connection": {"name": "/c/other"}}},
                }
            },
            "/actions/C/inputs/host/connection/name",
        ),
        (
            {
                "C": {
                    "type": "ApiConnection",
                    "inputs": WRITE | {"retryPolicy": {"type": "fixed", "count": 91}},
                }
            },
            "/actions/C/inputs/retryPolicy/count",
        ),
        (
            {"C": {"type": "ApiConnection", "inputs": WRITE, "limit": {"timeout": "soon"}}},
            "/actions/C/limit/timeout",
        ),
    ],
)
def test_an_action_that_is_not_supported_is_refused_with_its_place(actions, pointer):
    with pytest.raises(InvalidDefinition) as refused:
        load(actions)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"outputs": {"x": {}}}, "/outputs"),
        ({"staticResults": {}}, "/staticResults"),
        ({"triggers": {}}, "/triggers"),
        ({"triggers": {"T": TRIGGER | {"splitOn": "@triggerBody()"}}}, "/triggers/T/splitOn"),
        ({"triggers": {"T": TRIGGER | {"conditions": []}}}, "/triggers/T/conditions"),
        (
            {"triggers": {"T": TRIGGER | {"type": "Request"}}},
            "/triggers/T/type",
        ),
        (
            {"triggers": {"T": TRIGGER | {"inputs": WRITE}}},
            "/triggers/T/inputs/path",
        ),
        (
            {
                "triggers": {
                    "T": TRIGGER
                    | {"inputs": TRIGGER["inputs"] | {"queries": {"queueType": "DeadLetter"}}}
                }
            },
            "/triggers/T/inputs/queries",
        ),
        (
            {"parameters": {"$connections": {"type": "Object"}, "x": {"type": "String"}}},
            "/parameters/x",
        ),
        ({"parameters": {}}, "/parameters"),
    ],
)
def test_a_workflow_that_is_not_supported_is_refused_with_its_place(members, pointer):
    with pytest.raises(InvalidDefinition) as refused:
        load({}, **members)
    assert refused.value.pointer == pointer


def test_a_misspelt_function_in_the_deployed_workflow_is_refused_with_its_place():
    changed = copy.deepcopy(INGEST)
    changed["actions"]["Ingest"]["actions"]["Event"]["inputs"] = "@jsn('x')"
    with pytest.raises(InvalidDefinition) as refused:
        load_workflow("w", changed, {"$connections": CONNECTIONS, **PARAMETERS})
    assert refused.value.pointer == "/actions/Ingest/actions/Event/inputs"
