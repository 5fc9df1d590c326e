"""The HTTP API as Python sees it: one method a route, problem+json as an exception.

Knows nothing of terminals. The base URL is the gateway's (`/orders` below it) or the Functions
host's (`.../api`): the paths below are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from cli.inputs import BadInput

Json = dict[str, Any]


class ApiError(Exception):
    """The API refused.

    Attributes:
        status: the HTTP status.
        problem: the problem+json body, or what could be made of another one.
        retry_after_s: what `Retry-After` asks for, where it was sent.
    """

    def __init__(self, status: int, problem: Json, retry_after_s: float | None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after_s = retry_after_s
        super().__init__(problem.get("detail") or problem.get("title") or f"HTTP {status}")


class Unreachable(Exception):
    """No answer came; the text says from where and why."""


@dataclass(frozen=True)
class Reply:
    """One answer: status, JSON body (None where there is none), headers by lower-case name."""

    status: int
    body: Any
    headers: Mapping[str, str]


class OrdersApi:
    """A client of the orders API.

    Args:
        url: base URL, with or without a trailing slash.
        key: a subscription key of API Management; sent as a header, never in the URL.
        token: a bearer token.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        token: str | None = None,
        timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Accept": "application/json"}
        self._credentials: dict[str, str] = {}
        if key:
            self._credentials["Ocp-Apim-Subscription-Key"] = key
        if token:
            self._credentials["Authorization"] = f"Bearer {token}"
        self.url = url.rstrip("/")
        self._http = httpx.Client(headers=headers, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        is_open: bool = False,
    ) -> Reply:
        """One request.

        Args:
            is_open: the operation asks for no credentials, and a gateway refuses a key that does
                not belong to it.
        Raises:
            ApiError: the answer is 4xx or 5xx.
            Unreachable: there was no answer.
        """
        given = {k: v for k, v in (query or {}).items() if v not in (None, "", [])}
        sent = {**({} if is_open else self._credentials), **(headers or {})}
        try:
            answer = self._http.request(
                method, f"{self.url}{path}", json=body, params=given, headers=sent
            )
        except httpx.HTTPError as error:
            raise Unreachable(
                f"No answer from {self.url}: {error or type(error).__name__}. Is it running, and "
                "is --url (ORDERS_URL) right?"
            ) from error
        parsed = _parse(answer)
        if answer.status_code >= 400:
            raise ApiError(answer.status_code, _as_problem(answer, parsed), _seconds(answer))
        return Reply(answer.status_code, parsed, {k.lower(): v for k, v in answer.headers.items()})

    def submit(self, body: Any, *, wait_s: int | None = None, key: str | None = None) -> Reply:
        """POST an order or a batch; `key` becomes the batch's idempotency key."""
        headers: dict[str, str] = {}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        if key:
            headers["Idempotency-Key"] = key
        return self.call("POST", "/orders", body=body, headers=headers)

    def orders(self, *, limit: int, status: str | None = None) -> Iterator[Json]:
        """The latest orders, newest first, page after page, at most `limit`."""
        left, continuation = limit, None
        while left > 0:
            reply = self.call(
                "GET",
                "/orders",
                query={"limit": min(left, 100), "status": status, "continuation": continuation},
            )
            yield from reply.body[:left]
            left -= len(reply.body)
            continuation = _continuation(reply)
            if continuation is None:
                return

    def order(self, order_id: str) -> Json:
        """The stored item of an order."""
        return dict(self.call("GET", f"/orders/{_segment(order_id)}").body)

    def order_status(self, order_id: str, *, wait_s: int | None = None) -> Json:
        """The state of an order's orchestration (schema `OrderStatus` of the OpenAPI file)."""
        return self._status(f"/orders/{_segment(order_id)}/status", wait_s)

    def batch_status(self, batch_id: str, *, wait_s: int | None = None) -> Json:
        """The state of a batch, with its counts and, at the end, its summary."""
        return self._status(f"/batches/{_segment(batch_id)}/status", wait_s)

    def _status(self, path: str, wait_s: int | None) -> Json:
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        return dict(self.call("GET", path, headers=headers).body)

    def replay(self, order_id: str, *, reason: str, order: Json | None = None) -> Json:
        """A new attempt of a failed order, with a corrected body where one is given."""
        body: Json = {"reason": reason}
        if order is not None:
            body["order"] = order
        return dict(self.call("POST", f"/orders/{_segment(order_id)}/replay", body=body).body)

    def replay_failed(self, selection: Json) -> Reply:
        """Replay what the selection finds; with `dryRun` the answer is the plan."""
        return self.call("POST", "/orders/replay", body=selection)

    def dead_letters(self, *, limit: int = 50) -> list[Json]:
        """What is in the dead-letter queue, and why."""
        return list(self.call("GET", "/orders/dead-letters", query={"limit": limit}).body)

    def resubmit(self, selection: Json) -> Json:
        """Send dead letters back to the queue: `{"sequenceNumbers": [...]}` or `{"all": true}`."""
        return dict(self.call("POST", "/orders/dead-letters/resubmit", body=selection).body)

    def health(self) -> Reply:
        """Each dependency's state."""
        return self.call("GET", "/health", is_open=True)


def chunks(items: Sequence[Json], size: int) -> Iterator[Sequence[Json]]:
    """The items in groups of at most `size`, in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _segment(identifier: str) -> str:
    if not identifier:
        # It would name the list of all.
        raise BadInput("An id must not be empty.")
    return quote(identifier, safe="")


def _parse(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        return answer.text


def _as_problem(answer: httpx.Response, parsed: Any) -> Json:
    """A problem body of whatever refused: the app, or the gateway, which has other shapes."""
    if isinstance(parsed, dict):
        inner = parsed.get("error")
        if isinstance(inner, dict):
            return {"title": inner.get("code", ""), "detail": inner.get("message", "")}
        if "title" in parsed or "detail" in parsed:
            return parsed
        if "message" in parsed:
            return {"title": answer.reason_phrase, "detail": parsed["message"]}
    return {"title": answer.reason_phrase, "detail": parsed if isinstance(parsed, str) else ""}


def _seconds(answer: httpx.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _continuation(reply: Reply) -> str | None:
    """The `continuation` of the `Link: <...>; rel="next"` header."""
    for link in httpx.Response(200, headers={"Link": reply.headers.get("link", "")}).links.values():
        if link.get("rel") == "next":
            return str(httpx.URL(link["url"]).params["continuation"])
    return None
