"""What is registered: names, routes, bindings."""

import importlib
import re
from typing import Any

import pytest

import function_app
from domain import payloads


@pytest.fixture(scope="module")
def functions() -> dict[str, Any]:
    # An app lists its functions once; a fresh module has a fresh app.
    app = importlib.reload(function_app).app
    return {f.get_function_name(): f for f in app.get_functions()}


def binding(function: Any, kind: str) -> dict[str, Any]:
    return next(
        dict(b.get_dict_repr())
        for b in function.get_bindings()
        if b.get_dict_repr()["type"] == kind
    )


def test_every_name_that_an_orchestrator_uses_is_registered(functions: dict[str, Any]) -> None:
    named = {
        value for name, value in vars(payloads).items() if name.isupper() and isinstance(value, str)
    }
    durable = {name for name in functions if name.islower()}
    assert named == durable


def test_the_change_feed_is_retried_without_end(functions: dict[str, Any]) -> None:
    retry = functions["QueueOrders"].get_settings_dict("retry_policy")
    assert retry["max_retry_count"] == "-1"
    feed = binding(functions["QueueOrders"], "cosmosDBTrigger")
    assert feed["createLeaseContainerIfNotExists"] is False
    assert feed["startFromBeginning"] is True


def test_the_route_of_an_order_leaves_fixed_places_to_others(functions: dict[str, Any]) -> None:
    route = binding(functions["GetOrder"], "httpTrigger")["route"]
    found = re.fullmatch(r"orders/\{id:regex\((.+)\)\}", route)
    assert found is not None
    constraint = re.compile(found[1])
    assert constraint.search("dead-letters") is None
    assert constraint.search("dead-letters-2") is not None
    assert constraint.search("ORD-1") is not None


def test_http_functions_leave_authorization_to_the_platform(functions: dict[str, Any]) -> None:
    triggers = [
        b.get_dict_repr()
        for function in functions.values()
        for b in function.get_bindings()
        if b.get_dict_repr()["type"] == "httpTrigger"
    ]
    assert {(t["authLevel"].value, t["route"].split("/")[0]) for t in triggers} == {
        *(("anonymous", "orders"), ("anonymous", "batches")),
        *(("anonymous", "health"), ("anonymous", "console")),
        ("anonymous", "console-data"),
    }
