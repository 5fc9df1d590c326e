"""The lab reads what the page says, carries it out, and is red when the answer is another."""

import sys
from pathlib import Path

import pytest

from lab.__main__ import PAGE, carry_out, steps
from lab.commands import CannotRun, Shell
from lab.page import Step, missing_line, read_steps

TEXT = """
# Title
## First
words
```sh azure
az login
```
```sh
curl -s one
curl -s two
```
```text expect
HTTP/1.1 200 OK
…"a": 1…
```
### Only words
### Second
```sh
.venv/bin/python -V
```
"""
OUTPUT = (
    'HTTP/1.1 200 OK\nX-One: 1\n\n{"b": 0, "a": 1, "c": 2}\nHTTP/1.1 404 Not Found\nlast line\n'
)


def test_steps_are_headings_with_their_local_commands() -> None:
    assert read_steps(TEXT) == [
        Step("First", ["curl -s one", "curl -s two"], ["HTTP/1.1 200 OK", '…"a": 1…']),
        Step("Second", [".venv/bin/python -V"]),
    ]


@pytest.mark.parametrize(
    ("expected", "missing"),
    [
        (["HTTP/1.1 200 OK", '…"a": 1…', "HTTP/1.1 404 Not Found"], None),
        (["…last line"], None),
        (['{"b"…2}'], None),
        (["HTTP/1.1 404 Not Found", "X-One: 1"], "X-One: 1"),
        (["HTTP/1.1 200"], "HTTP/1.1 200"),
        (["1.1 200 OK"], "1.1 200 OK"),
        (['"a": 1'], '"a": 1'),
        (["HTTP/1.1 200…404 Not Found"], "HTTP/1.1 200…404 Not Found"),
        (["X-One: ."], "X-One: ."),
    ],
)
def test_expected_lines_are_looked_for_in_order(expected: list[str], missing: str | None) -> None:
    assert missing_line(OUTPUT, expected) == missing


def test_every_step_of_the_page_says_what_to_expect_or_sets_variables() -> None:
    found = steps()
    assert len(found) > 20
    for step in found:
        assert step.expected or all(command.startswith("eval ") for command in step.commands)


def test_the_page_is_where_the_links_lead() -> None:
    assert PAGE.is_file()


def _shell(**variables: str) -> Shell:
    return Shell(Path.cwd(), variables)


def test_variables_are_put_in_and_programs_of_the_environment_run() -> None:
    shell = _shell(TEXT="a b")
    printed = shell.run('.venv/bin/python -c "import sys; print(sys.argv[1])" "<$TEXT>"')
    assert printed == "<a b>\n"
    assert Path(sys.executable).is_file()


def test_exports_are_taken_over() -> None:
    shell = _shell()
    shell.run('eval "$(.venv/bin/python -c "print(\'export NAME=value\')")"')
    assert shell.variables == {"NAME": "value"}


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("rm -rf x", "the lab runs curl"),
        ("curl -o file http://127.0.0.1:9/", "not understood"),
        ("curl http://127.0.0.1:9/", "gives no answer"),
        ("curl $NOTHING", "NOTHING is not set"),
        ('.venv/bin/python -c "raise SystemExit(3)"', "ended with 3"),
        ('eval "$(.venv/bin/python -c "print(1)")"', "export NAME=VALUE"),
    ],
)
def test_what_cannot_be_run_is_an_error(command: str, says: str) -> None:
    with pytest.raises(CannotRun, match=says):
        _shell().run(command)


def test_a_step_is_red_when_its_answer_is_another() -> None:
    commands = ['.venv/bin/python -c "print(1)"']
    assert carry_out(Step("good", commands, ["1"]), _shell()).fault == ""
    assert "2" in carry_out(Step("bad", commands, ["2"]), _shell()).fault
    assert "not set" in carry_out(Step("broken", ["curl $X"]), _shell()).fault
