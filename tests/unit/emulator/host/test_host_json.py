"""host.json: comments, overrides, durations, what makes no sense."""

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.host.comments import strip_comments
from emulator.host.durations import parse_time_span
from emulator.host.errors import SettingsError
from emulator.host.host_json import HostJson, read_host_json
from emulator.host.settings import LocalSettings, Settings


def read(tmp_path: Path, document: Any = None, **settings: str) -> HostJson:
    path = tmp_path / "host.json"
    if document is not None:
        path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_host_json(path, Settings({}, LocalSettings(values=settings)))


def test_missing_file_has_the_defaults(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.route_prefix == "api"
    assert found.function_timeout_s == 1800
    assert found.service_bus.auto_complete


def test_comments_are_tolerated_and_strings_left_alone() -> None:
    text = '{"a": "// no /* comment", /* x */ "b": 1 // y\n}'
    assert json.loads(strip_comments(text)) == {"a": "// no /* comment", "b": 1}


def test_settings_override_ignoring_case(tmp_path: Path) -> None:
    document = {"version": "2.0", "extensions": {"http": {"routePrefix": "api"}}}
    found = read(
        tmp_path,
        document,
        AzureFunctionsJobHost__extensions__HTTP__routeprefix="v1",
        AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls="3",
    )
    assert found.route_prefix == "v1"
    assert found.service_bus.max_concurrent_calls == 3


def test_older_service_bus_options_are_mapped(tmp_path: Path) -> None:
    old = {"messageHandlerOptions": {"autoComplete": False, "maxConcurrentCalls": 2}}
    found = read(tmp_path, {"version": "2.0", "extensions": {"serviceBus": old}})
    assert not found.service_bus.auto_complete
    assert found.service_bus.max_concurrent_calls == 2


@pytest.mark.parametrize(
    ("value", "seconds"), [("00:10:00", 600.0), ("1.00:00:00", 86400.0), ("-1", None)]
)
def test_function_timeout(tmp_path: Path, value: str, seconds: float | None) -> None:
    assert (
        read(tmp_path, {"version": "2.0", "functionTimeout": value}).function_timeout_s == seconds
    )


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("{nonsense", "Unable to parse host configuration file"),
        ("{} /* open", "Unable to parse"),
        ("[]", "not an object"),
        ({}, "'version'"),
        ({"version": "1.0"}, "'version'"),
        ({"functionTimeout": "soon"}, "functionTimeout"),
        ({"functionTimeout": "00:00:00"}, "functionTimeout"),
        ({"functions": "all"}, "functions"),
        ({"logging": {"logLevel": {"default": 3}}}, "logging.logLevel"),
        ({"logging": {"logLevel": {"default": "Chatty"}}}, "'Chatty' for category 'default'"),
        ({"extensions": []}, "'extensions' must be an object"),
        ({"extensions": {"http": "none"}}, "'extensions.http' must be an object"),
        ({"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}, "maxConcurrentCalls"),
        ({"extensions": {"serviceBus": {"maxConcurrentCalls": True}}}, "maxConcurrentCalls"),
        ({"extensions": {"serviceBus": {"autoCompleteMessages": "maybe"}}}, "autoCompleteMessages"),
        ({"extensions": {"http": {"routePrefix": 5}}}, "routePrefix"),
        ({"extensions": {"queues": {"batchSize": 33}}}, "batchSize"),
        ({"extensions": {"queues": {"visibilityTimeout": "soon"}}}, "visibilityTimeout"),
        ({"extensions": {"blobs": {"poisonBlobThreshold": 0}}}, "poisonBlobThreshold"),
        ({"extensions": {"http": {"customHeaders": {"a": 1}}}}, "customHeaders"),
    ],
)
def test_nonsense_is_refused_and_named(tmp_path: Path, document: Any, named: str) -> None:
    if isinstance(document, dict) and document and "version" not in document:
        document = {"version": "2.0", **document}
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, document)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:30", 30),
        ("1:30", 5400),
        ("14.00:00:00", 1209600),
        ("00:00:00.5", 0.5),
        ("2", 172800),
    ],
)
def test_time_span(text: str, seconds: float) -> None:
    assert parse_time_span(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "24:00:00", "00:60:00", "1h"])
def test_what_is_no_time_span(text: str) -> None:
    with pytest.raises(ValueError, match="time span"):
        parse_time_span(text)
