"""A request to the task hub's API, read: its segments, flags, times and body; and how to answer.

Called by the routes.
"""

import base64
import json
from dataclasses import dataclass

from aiohttp import web

from emulator.taskhub.errors import bad_argument, invalid_json, not_found
from emulator.taskhub.hub import PUBLIC_BASE, TaskHub
from emulator.taskhub.times import parse

TOKEN_HEADER = "x-ms-continuation-token"  # noqa: S105 - a header's name
_DEFAULT_TOP = 100
# What a page's length is told in by the service; and more digits than that has.
_MAX_TOP = 2**31 - 1
_DIGITS = 11


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        segments: the path after the family's name, decoded.
    """

    hub: TaskHub
    http: web.Request
    segments: list[str]

    @property
    def method(self) -> str:
        return self.http.method

    @property
    def public_base(self) -> str:
        """Where the caller reaches the public API."""
        return f"{self.http.scheme}://{self.http.host}{PUBLIC_BASE}"

    def query(self, name: str) -> str | None:
        """A parameter whose name matches without regard to case."""
        lower = name.lower()
        return next((v for key, v in self.http.query.items() if key.lower() == lower), None)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean; anything but true or false counts as the default."""
        value = (self.query(name) or "").lower()
        return value == "true" if value in ("true", "false") else default

    def instant(self, name: str, default: int) -> int:
        """A time in microseconds."""
        text = self.query(name)
        if not text:
            return default
        try:
            return parse(text.replace(" ", "+"))
        except ValueError as error:
            raise bad_argument(f"'{name}' is not a time: '{text}'.") from error

    def seconds(self, name: str) -> float | None:
        """A span in seconds, or None."""
        text = self.query(name)
        if not text:
            return None
        try:
            return max(0.0, float(text))
        except ValueError as error:
            raise bad_argument(f"'{name}' is not a number of seconds: '{text}'.") from error

    def top(self) -> int:
        """How many entries a page has."""
        text = self.query("top")
        if not text:
            return _DEFAULT_TOP
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:_DIGITS]) <= _MAX_TOP):
            raise bad_argument(f"'top' is not a whole number from 1 to {_MAX_TOP}: '{text}'.")
        return int(text)

    def after(self) -> str:
        """What the page before ended with."""
        token = self.http.headers.get(TOKEN_HEADER)
        if not token or token.lower() == "null":
            return ""
        try:
            return base64.urlsafe_b64decode(token.encode("ascii")).decode()
        except ValueError as error:
            raise bad_argument(f"'{TOKEN_HEADER}' is not a token of this hub.") from error

    def check_hub(self) -> None:
        """Raises: Refused: 404 for another task hub or connection."""
        connection = self.query("connection") or self.query("connectionName")
        if not self.hub.options.has(self.query("taskHub"), connection):
            raise not_found()

    async def json_text(self) -> str | None:
        """The body as it came, or None where there is none.

        Raises:
            Refused: 400, it is not JSON.
        """
        text = await self.text()
        if not text.strip():
            return None
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise invalid_json(str(error)) from error
        return text

    async def text(self) -> str:
        """The body; it may be of any size."""
        body = await self.http.content.read()
        try:
            return body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise invalid_json(str(error)) from error

    @property
    def is_json(self) -> bool:
        """Whether the body says that it is JSON."""
        return self.http.content_type.lower() == "application/json"


def respond(
    status: int, body: object = None, headers: dict[str, str] | None = None
) -> web.Response:
    """An answer with a JSON body, or an empty one for None."""
    if body is None:
        return web.Response(status=status, headers=headers)
    return respond_text(status, json.dumps(body), headers)


def respond_text(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    """An answer with a JSON text."""
    # Lone surrogates, which some apps do store, must not break the encoding of the body.
    body = text.encode("utf-8", "backslashreplace")
    return web.Response(
        status=status, body=body, content_type="application/json", charset="utf-8", headers=headers
    )


def token_of(last: str) -> dict[str, str]:
    """The header that says that there is another page."""
    return {TOKEN_HEADER: base64.urlsafe_b64encode(last.encode()).decode("ascii")}
