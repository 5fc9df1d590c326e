"""The command line, as a value."""

from pathlib import Path

import pytest

from emulator.config import Options, UsageError, parse


def read(here: Path, *words: str) -> Options:
    options = parse(["start", *words], here)
    assert options is not None
    return options


def test_defaults(tmp_path: Path) -> None:
    options = read(tmp_path)
    assert options.script_root == tmp_path
    assert options.data_dir == tmp_path / ".local"
    assert options.port is None
    assert (options.gateway_port, options.cosmos_port, options.servicebus_port) == (
        8080,
        8081,
        5300,
    )


@pytest.mark.parametrize("words", [["--version"], ["-v"], ["version"], ["host", "version"]])
def test_version_is_all_that_is_asked_for(tmp_path: Path, words: list[str]) -> None:
    assert parse(words, tmp_path) is None


def test_host_start_is_start(tmp_path: Path) -> None:
    assert parse(["host", "start", "-p", "0"], tmp_path) == read(tmp_path, "--port", "0")


def test_app_is_looked_for_upwards(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert read(below).script_root == tmp_path


def test_paths_are_relative_to_where_the_command_was_given(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "s.json").write_text("{}")
    options = read(tmp_path, "--script-root", "app", "--data-dir", "data", "--settings", "s.json")
    assert options.script_root == tmp_path / "app"
    assert options.data_dir == tmp_path / "data"
    assert options.settings == tmp_path / "s.json"


def test_faults_are_a_text_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text("[]")
    assert read(tmp_path, "--faults", ' {"a": 1}').faults == ' {"a": 1}'
    assert read(tmp_path, "--faults", "faults.json").faults == "[]"


def test_options_of_func_start_are_accepted(tmp_path: Path) -> None:
    options = read(
        tmp_path,
        *("--no-build", "--language-worker", "x", "--user-log-level", "debug", "--verbose"),
        *("--functions", "a", "b", "--cors", "*", "--enableAuth", "--timeout", "5"),
    )
    assert options.functions == ("a", "b")
    assert options.cors == "*"
    assert options.enable_auth
    assert options.verbose
    assert options.timeout_s == 5


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "start"),
        (["run"], "Unknown command 'run'"),
        (["start", "--po", "5"], "--po"),
        (["start", "extra"], "extra"),
        (["start", "--port", "-1"], "port"),
        (["start", "--settings", "nope.json"], "nope.json"),
        (["start", "--faults", "nope.json"], "nope.json"),
        (["start", "--address", "0.0.0.0"], "127.0.0.1"),
        (["start", "--useHttps"], "--useHttps"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    tmp_path: Path, words: list[str], text: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words, tmp_path)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
