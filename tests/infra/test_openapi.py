"""The HTTP surface: the OpenAPI file, the app's functions and requests.http agree."""

import re
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from tests.support.infra import ROOT, entities, functions

API: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "apim" / "openapi.yaml").read_text("utf-8"))
METHODS = ("get", "post", "put", "patch", "delete")
# API Management's rule for the name of an imported operation.
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


def _operations() -> dict[str, tuple[str, str]]:
    return {
        operation["operationId"]: (method, path)
        for path, item in API["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def _routes() -> dict[str, tuple[str, str]]:
    """Method and route of every HTTP function, without route constraints."""
    found = {}
    for name, bindings in functions().items():
        for binding in bindings:
            if binding["type"] == "httpTrigger":
                (method,) = [getattr(m, "value", m).lower() for m in binding["methods"]]
                found[name] = (method, "/" + re.sub(r"\{(\w+):.*\)\}", r"{\1}", binding["route"]))
    return found


def _imported(operation_id: str) -> str:
    return _NOT_IN_A_NAME.sub("-", operation_id.lower()).strip("-")[:76]


def test_file_is_openapi() -> None:
    assert API["openapi"].startswith("3.0")
    validate(API)


def test_operations_are_the_functions() -> None:
    routes = _routes()
    operations = _operations()
    assert operations == {name: routes.get(name) for name in operations}
    # The operators' page is no API.
    assert set(routes) - set(operations) == {"Console"}


def test_names_of_imported_operations_are_distinct() -> None:
    names = [_imported(o) for o in _operations()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["operator-operations"])
def test_operator_operations_exist(name: str) -> None:
    (value,) = [v["value"] for v in entities()["apiManagement"]["namedValues"] if v["name"] == name]
    named = value.strip(",").split(",")
    assert value == f",{','.join(named)},"
    assert set(named) <= {_imported(o) for o in _operations()}
    assert set(named) == {
        "replayorder",
        "replayfailedorders",
        "listdeadletters",
        "resubmitdeadletters",
        "consoledata",
    }


def test_nothing_is_imported_that_names_the_host() -> None:
    """The gateway's address is not known here, and the app's must not be shown."""
    for server in API.get("servers", []):
        assert "azurewebsites" not in server["url"]


def test_requests_of_the_editor_file_go_to_operations() -> None:
    text = (ROOT / "requests.http").read_text(encoding="utf-8")
    asked = re.findall(r"^(GET|POST) \{\{gateway\}\}(/[^?\s]*)", text, re.MULTILINE)
    known = [
        (method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)))
        for method, path in [*_operations().values(), ("get", "/health")]
    ]
    assert len(asked) > 5
    for method, path in asked:
        assert any(m == method.lower() and p.fullmatch(path) for m, p in known), path
