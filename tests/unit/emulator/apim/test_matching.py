"""Which API and operation a path is for."""

import pytest

from emulator.apim.matching import Router
from emulator.apim.model import Api, Operation, parse_url
from emulator.apim.openapi import operation_id, operations

URL = parse_url("http://127.0.0.1:7071/api")


def _api(name: str, path: str, *templates: str) -> Api:
    found = tuple(Operation(t, t, "GET", t) for t in templates)
    return Api(name, name, path, URL, operations=found)


ROUTER = Router(
    [
        _api(
            "orders",
            "",
            "/orders/{id}",
            "/orders/{*rest}",
            "/orders/dead-letters",
            "/orders/{id}/status",
            "/{any}/x/status",
        ),
        _api("health", "health", "/"),
        _api("deep", "health/deep", "/{id}"),
    ]
)


@pytest.mark.parametrize(
    ("path", "api", "operation"),
    [
        ("/orders/A", "orders", "/orders/{id}"),
        ("/orders/A/", "orders", "/orders/{id}"),
        ("/orders/dead-letters", "orders", "/orders/dead-letters"),
        ("/orders/dead%2Dletters", "orders", "/orders/dead-letters"),
        ("/orders/x/status", "orders", "/orders/{id}/status"),
        ("/other/x/status", "orders", "/{any}/x/status"),
        ("/orders/a/b/c", "orders", "/orders/{*rest}"),
        ("/health", "health", "/"),
        ("/health/", "health", "/"),
        ("/health/deep/1", "deep", "/{id}"),
        ("/health/other", "health", None),
        ("/healthy", "orders", None),
        ("/", "orders", None),
        ("/orders/a%2Fb", "orders", "/orders/{id}"),
    ],
)
def test_the_longest_api_and_the_most_literal_operation_win(
    path: str, api: str, operation: str | None
) -> None:
    found = ROUTER.api(path)
    assert found is not None
    assert found[0].id == api
    match = ROUTER.operation(*found, "GET")
    assert (match.operation.id if match else None) == operation


@pytest.mark.parametrize("path", ["/orders/..", "/./orders", "/orders/%2E%2e/x", "/orders/%2e"])
def test_segments_that_walk_match_nothing(path: str) -> None:
    assert ROUTER.api(path) is None


def test_parameters_are_decoded_and_the_path_is_not() -> None:
    found = ROUTER.api("/orders/a%20%C3%A9/status")
    assert found is not None
    match = ROUTER.operation(*found, "GET")
    assert match is not None
    assert match.parameters == {"id": "a é"}
    assert match.rest == "/orders/a%20%C3%A9/status"


def test_operation_ids_are_those_of_the_import() -> None:
    assert operation_id("ReplayOrder") == "replayorder"
    assert operation_id("--Get  all/orders!--") == "get-all-orders"
    assert len(operation_id("x" * 100)) == 76
    found = operations(
        {
            "paths": {
                "/a": {"get": {"operationId": "Same"}, "post": {"operationId": "same"}},
                "/b/{id}": {"get": {"summary": "B"}, "parameters": []},
            }
        }
    )
    assert [(o.id, o.name, o.method) for o in found] == [
        ("same", "Same", "GET"),
        ("same-1", "same", "POST"),
        ("get-b-id", "B", "GET"),
    ]
