"""main.parameters.json names declared parameters only, and what azd must fill is filled."""

import re

from tests.support.bicep_deploy import deploy
from tests.support.bicep_syntax import parse
from tests.support.infra import INFRA, read_json

DECLARED = parse(INFRA / "main.bicep").of("param")
FILE = read_json("infra/main.parameters.json")
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+)(=(?P<default>[^}]+))?\}")


def _default(name: str) -> str | None:
    """The default that Bicep knows, as azd would write it; None where there is none."""
    node = DECLARED[name].value
    if node is None:
        return None
    return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)


def test_only_declared_parameters_are_named() -> None:
    assert set(FILE["parameters"]) <= set(DECLARED)


def test_every_parameter_can_be_set_by_an_azd_variable() -> None:
    assert set(DECLARED) == set(FILE["parameters"])
    for name, entry in FILE["parameters"].items():
        assert _VARIABLE.fullmatch(entry["value"]), name


def test_the_two_defaults_of_a_parameter_are_the_same() -> None:
    for name, entry in FILE["parameters"].items():
        match = _VARIABLE.fullmatch(entry["value"])
        assert match
        assert (match["default"] or "") == (_default(name) or ""), name


def test_what_azd_would_pass_is_accepted() -> None:
    given = {"AZURE_ENV_NAME": "demo", "AZURE_LOCATION": "uksouth", "AZURE_PRINCIPAL_ID": "ME"}
    kinds = {"int": int, "bool": lambda text: text == "true", "string": str}
    parameters = {}
    for name, entry in FILE["parameters"].items():
        match = _VARIABLE.fullmatch(entry["value"])
        assert match
        text = given.get(match["name"]) or match["default"] or ""
        parameters[name] = kinds[DECLARED[name].type](text)
    assert deploy(INFRA / "main.bicep", parameters).outputs["AZURE_LOCATION"] == "uksouth"


def test_outputs_are_those_that_the_guide_and_the_hooks_use() -> None:
    assert set(parse(INFRA / "main.bicep").of("output")) == {
        "AZURE_LOCATION",
        "AZURE_TENANT_ID",
        "AZURE_RESOURCE_GROUP",
        "SERVICE_ORDERS_NAME",
        "SERVICE_ORDERS_URI",
        "APIM_NAME",
        "APIM_GATEWAY_URL",
        "API_AUDIENCE",
        "API_CLIENT_ID",
        "COSMOS_DB_ENDPOINT",
        "COSMOS_DB_DATABASE_NAME",
        "SERVICEBUS_NAMESPACE",
        "SERVICEBUS_QUEUE",
        "EVENT_GRID_TOPIC_ENDPOINT",
        "STORAGE_DATA_ACCOUNT",
        "DURABLE_BACKEND",
        "DTS_ENDPOINT",
        "TASKHUB_NAME",
        "APPLICATIONINSIGHTS_NAME",
    }
