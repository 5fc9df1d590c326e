"""local.settings.json, the environment, %NAME% and connections."""

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.host.errors import FunctionInError, SettingsError
from emulator.host.settings import (
    LocalSettings,
    Settings,
    follow_ports,
    names_https,
    read_local_settings,
)


def read(tmp_path: Path, document: Any) -> LocalSettings:
    path = tmp_path / "local.settings.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_local_settings(path)


def settings(process: dict[str, str] | None = None, **values: str) -> Settings:
    return Settings(process or {}, LocalSettings(values=values))


def test_values_become_text(tmp_path: Path) -> None:
    found = read(
        tmp_path, {"IsEncrypted": False, "Values": {"A": 1, "B": True, "C": None, "D": ""}}
    )
    assert found.values == {"A": "1", "B": "True", "D": ""}
    assert found.warnings == ()


def test_comments_are_tolerated(tmp_path: Path) -> None:
    document = """// mine
    {"IsEncrypted": false, /* two
    lines */ "Values": {"URL": "http://not/a/comment"} // the end
    }"""
    assert read(tmp_path, document).values == {"URL": "http://not/a/comment"}


def test_absent_is_encrypted_is_read_as_plain_text_with_a_warning(tmp_path: Path) -> None:
    found = read(tmp_path, {"Values": {"A": "x"}})
    assert found.values == {"A": "x"}
    assert "IsEncrypted" in found.warnings[0]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"IsEncrypted": True}, "encrypted"),
        ({"Values": {"A": {"nested": 1}}}, "'A'"),
        ({"Values": {"A": [1]}}, "'A'"),
        ({"Values": []}, "'Values'"),
        ({"Host": {"LocalHttpPort": "many"}}, "LocalHttpPort"),
        ({"Host": {"CORS": 5}}, "CORS"),
        ({"ConnectionStrings": {"Sql": 5}}, "Sql"),
        ("{nonsense", "Failed to read app settings file"),
        ("[]", "not a JSON object"),
    ],
)
def test_unusable_file_is_refused_and_named(tmp_path: Path, document: Any, reason: str) -> None:
    with pytest.raises(SettingsError, match="Failed to read app settings file at") as caught:
        read(tmp_path, document)
    assert reason in str(caught.value)


def test_environment_wins_over_the_file_unless_it_is_empty() -> None:
    found = settings({"A": "env", "B": ""}, A="file", B="file")
    assert (found.get("A"), found.get("B")) == ("env", "file")
    assert found.environment["B"] == "file"
    assert found.skipped == ["A"]


def test_lookups_ignore_case_and_take_both_separators() -> None:
    found = settings(Section__Key="v")
    assert found.get("section:KEY") == "v"
    assert found.section("SECTION") == {"key": "v"}


def test_names_are_put_in() -> None:
    assert settings(Q="orders").resolve("x-%q%-y") == "x-orders-y"


@pytest.mark.parametrize(
    ("text", "error"), [("%NOPE%", "'%NOPE%' does not resolve to a value."), ("a%Q", "closing")]
)
def test_name_without_a_value_is_an_error(text: str, error: str) -> None:
    with pytest.raises(FunctionInError, match=error):
        settings(Q="orders").resolve(text)


@pytest.mark.parametrize(
    "values",
    [
        {"SB": "Endpoint=x"},
        {"AzureWebJobsSB": "Endpoint=x"},
        {"ConnectionStrings__SB": "Endpoint=x"},
    ],
)
def test_connection_string_is_found(values: dict[str, str]) -> None:
    assert settings(**values).connection("SB", "serviceBus").text == "Endpoint=x"


def test_connection_of_an_identity_is_a_section() -> None:
    found = settings(SB__fullyQualifiedNamespace="x.servicebus.windows.net")
    connection = found.connection("SB", "serviceBus")
    assert connection.text is None
    assert connection.part("FullyQualifiedNamespace") == "x.servicebus.windows.net"


def test_connection_named_by_a_setting_and_the_default_one() -> None:
    found = settings(WHICH="SB", SB="one", AzureWebJobsServiceBus="two")
    assert found.connection("%WHICH%", "serviceBus").text == "one"
    assert found.connection(None, "serviceBus").text == "two"


def test_missing_connection_has_the_vendors_text() -> None:
    with pytest.raises(FunctionInError, match="connection 'SB' does not exist"):
        settings().connection("SB", "serviceBus")


def test_loopback_urls_follow_the_ports_that_are_used() -> None:
    moved = follow_ports(
        {
            "A": "AccountEndpoint=http://localhost:8081/;AccountKey=x",
            "B": "sb://127.0.0.1:5300",
            "C": "https://example.com:8081",
            "D": "http://localhost:80810",
        },
        {8081: 1234, 5300: 99},
    )
    assert moved == {
        "A": "AccountEndpoint=http://localhost:1234/;AccountKey=x",
        "B": "sb://127.0.0.1:99",
        "C": "https://example.com:8081",
        "D": "http://localhost:80810",
    }


@pytest.mark.parametrize(
    ("value", "is_https"),
    [
        ("https://localhost:8081/", True),
        ("AccountEndpoint=HTTPS://127.0.0.1:8081/;AccountKey=x", True),
        ("http://localhost:8081/", False),
        ("https://localhost:9999/", False),
        ("https://orders.documents.azure.com:8081/", False),
    ],
)
def test_settings_tell_whether_the_endpoint_is_wanted_by_https(value: str, is_https: bool) -> None:
    assert names_https({"A": "x", "B": value}, 8081) is is_https
