"""What the host makes of the worker's functions, and which of them are in error."""

from typing import Any

import pytest

from emulator.host.errors import FunctionInError
from emulator.host.functions import (
    Function,
    RetryPolicy,
    read_functions,
    read_retry,
    unknown_names,
)
from emulator.host.host_json import HostJson
from emulator.host.settings import LocalSettings, Settings
from emulator.host.worker_model import FunctionMetadata

HTTP = {"type": "httpTrigger", "direction": "IN", "name": "req", "authLevel": "ANONYMOUS"}


def loaded(name: str, *bindings: dict[str, Any], retry: Any = None) -> FunctionMetadata:
    found = bindings or (HTTP,)
    return FunctionMetadata(
        name, found, retry, False, "function", "function_app.py", found[0]["type"], "req"
    )


def read(*functions: FunctionMetadata, only: tuple[str, ...] = (), **values: str) -> list[Function]:
    settings = Settings({}, LocalSettings(values=values))
    return read_functions(functions, settings, HostJson({}), only)


def test_functions_are_in_the_order_of_their_names_ignoring_case() -> None:
    assert [f.name for f in read(loaded("b"), loaded("A"), loaded("c"))] == ["A", "b", "c"]


def test_only_the_named_ones_are_kept() -> None:
    assert [f.name for f in read(loaded("a"), loaded("B"), only=("b",))] == ["B"]


def test_host_json_names_those_that_run_unless_the_command_line_does() -> None:
    functions, settings = [loaded("a"), loaded("B")], Settings({}, LocalSettings())
    host_json = HostJson({}, allow_list=("b", "nowhere"))
    assert [f.name for f in read_functions(functions, settings, host_json)] == ["B"]
    assert [f.name for f in read_functions(functions, settings, host_json, ["a"])] == ["a"]
    assert read_functions(functions, settings, HostJson({}, allow_list=())) == []
    assert unknown_names(functions, host_json.allow_list or ()) == ["nowhere"]


@pytest.mark.parametrize("value", ["true", "1", "TRUE"])
def test_function_is_disabled_by_a_setting(value: str) -> None:
    [function] = read(loaded("a"), **{"AzureWebJobs.a.Disabled": value})
    assert function.disabled
    assert not function.runs


def test_settings_are_put_into_bindings() -> None:
    trigger = {"type": "serviceBusTrigger", "direction": "IN", "name": "m", "queueName": "%Q%"}
    [function] = read(loaded("a", trigger), Q="orders")
    assert function.trigger.text("queueName") == "orders"
    assert function.trigger.raw["queueName"] == "%Q%"


def test_older_cosmos_names_are_aliases() -> None:
    trigger = {
        "type": "cosmosDBTrigger",
        "direction": "IN",
        "name": "d",
        "collectionName": "c",
        "connectionStringSetting": "X",
        "leaseCollectionName": "l",
    }
    [function] = read(loaded("a", trigger))
    assert function.trigger.text("containerName") == "c"
    assert function.trigger.text("connection") == "X"
    assert function.trigger.text("leaseContainerName") == "l"


@pytest.mark.parametrize(
    ("name", "binding", "reason"),
    [
        ("1st", HTTP, "not a valid function name"),
        ("host", HTTP, "not a valid function name"),
        ("a", {**HTTP, "name": "a__b"}, "The binding name a__b is invalid"),
        ("a", {**HTTP, "name": "9a"}, "The binding name 9a is invalid"),
        ("a", {**HTTP, "route": "%NOPE%"}, "'%NOPE%' does not resolve to a value."),
        (
            "a",
            {"type": "eventHubTrigger", "direction": "IN", "name": "b"},
            "The binding type(s) 'eventHubTrigger' are not registered.",
        ),
    ],
)
def test_function_in_error_does_not_stop_another(
    name: str, binding: dict[str, Any], reason: str
) -> None:
    found = {function.name: function for function in read(loaded(name, binding), loaded("good"))}
    assert reason in (found[name].error or "")
    assert found["good"].runs


def test_fixed_retry() -> None:
    policy = read_retry(
        {"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "00:00:05"}
    )
    assert policy == RetryPolicy(2, 5.0)
    assert [policy.allows(attempt) for attempt in (1, 2, 3)] == [True, True, False]
    assert policy.delay_before(2) == 5


def test_exponential_retry_without_end() -> None:
    policy = read_retry(
        {
            "strategy": "exponential_backoff",
            "max_retry_count": "-1",
            "minimum_interval": "00:00:01",
            "maximum_interval": "00:00:05",
        }
    )
    assert policy is not None
    assert [policy.delay_before(attempt) for attempt in (1, 2, 3, 4, 99)] == [1, 2, 4, 5, 5]
    assert policy.allows(10**9)


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "fixed_delay", "max_retry_count": "-2", "delay_interval": "00:00:05"},
        {"strategy": "fixed_delay", "max_retry_count": "x", "delay_interval": "00:00:05"},
        {"strategy": "fixed_delay", "max_retry_count": "1", "delay_interval": "soon"},
    ],
)
def test_retry_that_makes_no_sense(settings: dict[str, str]) -> None:
    with pytest.raises(FunctionInError, match="retry policy"):
        read_retry(settings)
