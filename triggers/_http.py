"""Requests and responses of the HTTP functions: links, problems, ETags.

Links are relative references, so that they hold wherever the caller came in: without the host's
route prefix when a gateway forwarded the request (it says so by `X-Forwarded-Host`), with it
otherwise. No response names the Functions host or carries a key of it.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import azure.functions as func

from domain.errors import StepError
from domain.jsontext import NotJson, decode, encode
from domain.problem import CONTENT_TYPE, Problem

_log = logging.getLogger("orders.http")

# As in host.json: extensions.http.routePrefix.
ROUTE_PREFIX = "/api"
RETRY_AFTER_S = 1
MAX_WAIT_S = 30
_JSON = "application/json"
_READS = frozenset({"GET", "HEAD"})
# Sent by the operators' console with everything it writes.
CONSOLE_HEADER = "X-Orders-Console"
_UNAVAILABLE = frozenset(
    {"STORE_UNAVAILABLE", "STORE_BUSY", "HUB_UNAVAILABLE", "QUEUE_UNAVAILABLE", "QUEUE_REFUSED"}
)


class Refused(Exception):
    """The request is answered with a problem."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})


async def answered(
    request: func.HttpRequest, context: func.Context, answer: Callable[[], Awaitable[Any]]
) -> func.HttpResponse:
    """What `answer` comes to, or the problem it was refused with.

    A service that does not answer is a 503; anything else that goes wrong is left to the host.
    """
    try:
        _refuse_other_sites(request)
        response: func.HttpResponse = await answer()
    except Refused as refused:
        return problem_response(request, context, refused.problem, refused.headers)
    except StepError as error:
        if error.code not in _UNAVAILABLE:
            raise
        _log.warning("%s", error)
        problem = Problem("unavailable", error.message)
        return problem_response(request, context, problem, {"Retry-After": "5"})
    return response


def problem_response(
    request: func.HttpRequest,
    context: func.Context,
    problem: Problem,
    headers: Mapping[str, str] | None = None,
) -> func.HttpResponse:
    """The problem as the caller sees it."""
    body = problem.to_dict(own_path(request), trace_id(request, context))
    return func.HttpResponse(
        encode(body),
        status_code=problem.status,
        headers={"Content-Type": CONTENT_TYPE, **(headers or {})},
        mimetype=CONTENT_TYPE,
    )


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """The value as JSON."""
    return func.HttpResponse(
        encode(value), status_code=status, headers=dict(headers or {}), mimetype=_JSON
    )


def tagged_response(
    request: func.HttpRequest,
    value: Any,
    headers: Mapping[str, str] | None = None,
    *,
    status: int = 200,
) -> func.HttpResponse:
    """The value as JSON with an ETag of its content; 304 when the caller has it already."""
    body = encode(value)
    tag = f'"{hashlib.sha256(body.encode("utf-8")).hexdigest()[:32]}"'
    told = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    if _matches(request.headers.get("If-None-Match"), tag):
        return func.HttpResponse(status_code=304, headers=told)
    return func.HttpResponse(body, status_code=status, headers=told, mimetype=_JSON)


def link(request: func.HttpRequest, path: str) -> str:
    """A reference to `path` ("/orders/..."), as the caller can follow it."""
    return path if "X-Forwarded-Host" in request.headers else ROUTE_PREFIX + path


def order_links(request: func.HttpRequest, order_id: str) -> dict[str, str]:
    """The links of an order's status."""
    own = link(request, f"/orders/{quote(order_id)}")
    return {"self": own + "/status", "order": own}


def batch_links(request: func.HttpRequest, batch_id: str) -> dict[str, str]:
    """The links of a batch's status."""
    return {"self": link(request, f"/batches/{quote(batch_id)}/status")}


def own_path(request: func.HttpRequest) -> str:
    """The path of the request as the caller knows it."""
    path: str = urlsplit(request.url).path
    if "X-Forwarded-Host" in request.headers and path.startswith(ROUTE_PREFIX + "/"):
        return path.removeprefix(ROUTE_PREFIX)
    return path


def trace_id(request: func.HttpRequest, context: func.Context) -> str | None:
    """The W3C trace id of this invocation, else of the request."""
    parent = getattr(context.trace_context, "trace_parent", None)
    for text in (parent, request.headers.get("traceparent")):
        parts = (text or "").split("-")
        if len(parts) == 4 and len(parts[1]) == 32:
            return parts[1]
    return None


def prefers_minimal(request: func.HttpRequest) -> bool:
    """Whether the caller wants no body (`Prefer: return=minimal`, RFC 7240)."""
    wishes = (request.headers.get("Prefer") or "").split(",")
    return any(wish.split(";")[0].strip().lower() == "return=minimal" for wish in wishes)


def read_json(request: func.HttpRequest) -> Any:
    """The body.

    Raises:
        Refused: it is not JSON, or packed.
    """
    coding = request.headers.get("Content-Encoding") or "identity"
    if coding.strip().lower() != "identity":
        detail = "Send the body as it is, without Content-Encoding."
        raise Refused(Problem("media-type", detail), {"Accept-Encoding": "identity"})
    try:
        return decode(request.get_body())
    except NotJson as error:
        raise Refused(Problem("malformed", f"The body is not JSON: {error}.")) from None


def limit_of(request: func.HttpRequest, default: int, most: int) -> int:
    """The parameter `limit`.

    Raises:
        Refused: it is no whole number from 1 to `most`.
    """
    text = request.params.get("limit", str(default))
    # No more digits than count: Python refuses to read thousands of them.
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= most:
        raise Refused(Problem("invalid-parameter", f"limit: a whole number from 1 to {most}."))
    return int(text[:9])


def wait_s(request: func.HttpRequest) -> int:
    """Seconds that the caller would wait for an answer (`Prefer: wait=N`, RFC 7240); 0 for none.

    No more than `MAX_WAIT_S`, below what a gateway lets a request take.
    """
    for wish in (request.headers.get("Prefer") or "").split(","):
        name, _, value = wish.split(";")[0].partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "wait" and value.isascii() and value.isdigit():
            return min(int(value[:6]), MAX_WAIT_S)
    return 0


def _refuse_other_sites(request: func.HttpRequest) -> None:
    """A browser writes only from a page that could set a header of its own.

    A form, or a script of another site, can send a signed-in operator's cookie along, and neither
    this header nor JSON without asking first; a browser always says that it is one.
    """
    is_browser = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
    if request.method in _READS or not is_browser:
        return
    media_type = (request.headers.get("Content-Type") or "").split(";")[0].strip().lower()
    if media_type != _JSON or CONSOLE_HEADER not in request.headers:
        detail = f"From a browser, send {_JSON} and the header {CONSOLE_HEADER}."
        raise Refused(Problem("cross-site", detail))


def _matches(header: str | None, tag: str) -> bool:
    tags = [text.strip().removeprefix("W/") for text in (header or "").split(",")]
    return tag in tags or "*" in tags
