"""What the azd hooks share: reading the environment, asking azd, one HTTPS call.

Standard library and the `azd` command only, so that a hook needs no installation. azd runs a hook
as a script, hence the plain imports between these files. Nothing here prints a token.

Called by the hooks beside it. Source: azd's hook documentation.
"""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0


class HookError(Exception):
    """What went wrong, in words for whoever ran azd."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `body` is None where there was no JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Call = Callable[[str, str, Mapping[str, str], object], Answer]


def say(text: str) -> None:
    """One line to whoever ran azd."""
    sys.stdout.write(text + "\n")


def setting(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """A variable of the azd environment.

    Raises:
        HookError: it is missing or empty.
    """
    value = environ.get(name, "")
    if not value:
        raise HookError(f"The azd environment has no {name}. Run `azd provision` first.")
    return value


def azd(*arguments: str) -> str:
    """What the azd command printed.

    Raises:
        HookError: azd failed; carries what it said.
    """
    done = subprocess.run(["azd", *arguments], capture_output=True, text=True, check=False)  # noqa: S607 - the azd that runs this hook
    if done.returncode:
        raise HookError(f"azd {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def token(resource: str) -> str:
    """An access token of whoever is signed in to azd, for one resource."""
    answer = azd("auth", "token", "--scope", f"{resource}/.default", "--output", "json")
    return str(json.loads(answer)["token"])


def remember(name: str, value: str) -> None:
    """Set a variable of the azd environment."""
    azd("env", "set", name, value)


def https(method: str, url: str, headers: Mapping[str, str], body: object = None) -> Answer:
    """One HTTPS request. Any status is an answer.

    Raises:
        HookError: the server could not be reached.
    """
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    content = None if body is None else json.dumps(body).encode()
    connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request(method, target, content, dict(headers))
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        return Answer(
            response.status, _json(text), {k.lower(): v for k, v in response.getheaders()}
        )
    except OSError as error:
        raise HookError(f"{parts.netloc} cannot be reached: {error}") from error
    finally:
        connection.close()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def run(main: Callable[[], None]) -> None:
    """Run a hook: a HookError becomes one line and exit code 1."""
    try:
        main()
    except HookError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
