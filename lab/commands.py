"""Carries out the commands of the page: `curl`, what is in `.venv/bin`, and `eval` of exports.

The page's commands are for a shell; here they are run without one, so that nothing but Python is
needed. Of curl the options that the page uses are understood, and no others.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

_EVAL = re.compile(r'eval "\$\((.+)\)"')
_EXPORT = re.compile(r"export (\w+)=(.*)")
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_TIMEOUT_S = 60


class CannotRun(Exception):
    """A command of the page that is not understood, or that failed; the text says which."""


@dataclass
class Shell:
    """The variables of the page's shell, and where its commands run."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> str:
        """What a command prints.

        Raises:
            CannotRun: it is not understood, or ends with an error.
        """
        evaluated = _EVAL.fullmatch(command.strip())
        if evaluated is not None:
            self._export(self.run(evaluated[1]))
            return ""
        words = [self._expand(word) for word in shlex.split(command)]
        if words[0] == "curl":
            return curl(words[1:])
        if words[0].startswith(".venv/bin/"):
            return self._program(words)
        raise CannotRun(f"{words[0]}: the lab runs curl and what is in .venv/bin.")

    def _export(self, text: str) -> None:
        for line in text.splitlines():
            match = _EXPORT.fullmatch(line)
            if match is None:
                raise CannotRun("eval takes lines of export NAME=VALUE.")
            self.variables[match[1]] = shlex.split(match[2])[0]

    def _expand(self, word: str) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in self.variables:
                raise CannotRun(f"The variable {name} is not set.")
            return self.variables[name]

        return _VARIABLE.sub(value, word)

    def _program(self, words: list[str]) -> str:
        # The interpreter that runs the lab stands for .venv, wherever that is.
        program = Path(sys.executable).parent / words[0].removeprefix(".venv/bin/")
        done = subprocess.run(
            [str(program), *words[1:]],
            cwd=self.root,
            env={**os.environ, **self.variables, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise CannotRun(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def curl(words: list[str]) -> str:
    """What `curl` would print.

    Raises:
        CannotRun: an option that is not understood, or no answer.
    """
    method, url, data, shows_head = None, "", None, False
    headers: list[tuple[str, str]] = []
    rest = iter(words)
    for word in rest:
        if word == "-i":
            shows_head = True
        elif word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(":")
            headers.append((name.strip(), value.strip()))
        elif word == "-d":
            data = next(rest)
        elif not word.startswith("-"):
            url = word
        elif word != "-s":
            raise CannotRun(f"curl {word} is not understood by the lab.")
    method = method or ("GET" if data is None else "POST")
    try:
        answer = httpx.request(method, url, headers=headers, content=data, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise CannotRun(f"{url} gives no answer: {error}") from error
    return (_head(answer) if shows_head else "") + answer.text + "\n"


def _head(answer: httpx.Response) -> str:
    lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"]
    # As the server spelt them: a reader compares them with the page.
    lines += [f"{name.decode()}: {value.decode()}" for name, value in answer.headers.raw]
    return "\n".join(lines) + "\n\n"
