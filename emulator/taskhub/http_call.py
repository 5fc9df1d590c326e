"""Performs the HTTP requests of `context.call_http`.

Every status is a success; what cannot be sent at all fails the task. A 202 is handed on as it is,
since this SDK asks for no polling (Azure/azure-functions-durable-python#380): the app polls. The
result leaves out content headers, as Azure does.

Source: protocol specification, 5 (HTTP activity).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from emulator.taskhub import events
from emulator.taskhub.errors import activity_refused
from emulator.taskhub.model import Event
from emulator.taskhub.state import Task

_NAME = "BuiltIn::HttpActivity"
_TIMEOUT = aiohttp.ClientTimeout(total=100)
# Headers of the content, which .NET keeps apart from those of the response.
_CONTENT_HEADERS = frozenset(
    {
        "allow",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "expires",
        "last-modified",
    }
)


class HttpCalls:
    """One HTTP client for all calls; it is opened by the first.

    Args:
        token: a bearer token for requests with a `tokenSource`; None refuses those.
    """

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def perform(self, task: Task, now: Callable[[], int]) -> Event:
        """Do a task's request; returns the event that completes the task."""
        assert task.input is not None
        request: dict[str, Any] = json.loads(task.input)
        try:
            headers = self._headers(request)
            result = await self._send(request, headers)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            text = str(error) or type(error).__name__
            _, details = activity_refused(_NAME, text)
            return events.task_failed(now(), task.id, text, details)
        return events.task_completed(now(), task.id, json.dumps(result))

    def _headers(self, request: Mapping[str, Any]) -> dict[str, str]:
        headers = {name: str(value) for name, value in (request.get("headers") or {}).items()}
        if request.get("content") is not None and "content-type" not in map(str.lower, headers):
            headers["Content-Type"] = "text/plain; charset=utf-8"
        if request.get("tokenSource") is not None:
            if self._token is None:
                raise ValueError(
                    "The emulator has no managed identity to get a token from: set "
                    "EMULATOR_HTTP_TOKEN to the token that is to be sent."
                )
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    async def _send(self, request: Mapping[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        content = request.get("content")
        body = None if content is None else str(content).encode()
        async with self._session.request(
            str(request["method"]), str(request["uri"]), data=body, headers=headers
        ) as response:
            received: dict[str, Any] = {}
            for name in dict.fromkeys(response.headers):
                if name.lower() not in _CONTENT_HEADERS:
                    values = response.headers.getall(name)
                    received[name] = values[0] if len(values) == 1 else values
            text = await response.text(errors="replace")
            return {"statusCode": response.status, "headers": received, "content": text}
