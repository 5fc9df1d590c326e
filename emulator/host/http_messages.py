"""A request as the function sees it, and the response of what it returned.

Between aiohttp and datums, nothing else: who may call, and which function it is, is decided before.

Source: the host's HTTP request and response conversion.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from emulator.host.rendering import response_of_text
from emulator.worker.protocol import UNSET, Datum

# Set by the server for each response; a function's own would contradict it.
_HOP_HEADERS = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"}


def origin_of(request: web.BaseRequest) -> str:
    """Scheme and authority as the caller used them, without a trailing slash."""
    return f"{request.scheme}://{request.host}"


def request_url(request: web.BaseRequest) -> str:
    """The whole URL as it was received, path and query still encoded."""
    target = request.raw_path
    return target if target.startswith(("http://", "https://")) else origin_of(request) + target


def request_datum(
    request: web.BaseRequest, params: Mapping[str, str], body: bytes
) -> tuple[Datum, dict[str, Any]]:
    """The trigger's datum, and what binding expressions can name."""
    headers = _joined((name.lower(), value) for name, value in request.headers.items())
    query = _joined((name, value) for name, value in request.query.items() if value)
    value = {
        "method": request.method,
        "url": request_url(request),
        "headers": headers,
        "params": dict(params),
        "query": query,
        "body": body,
    }
    return Datum("http", value), {"headers": headers, "query": query, "params": dict(params)}


def binding_values(parts: Mapping[str, Any], body: bytes, content_type: str) -> dict[str, Any]:
    """What the expressions of an HTTP function's bindings can name."""
    data: dict[str, Any] = {"Query": parts["query"], "Headers": parts["headers"]}
    if body and "json" in content_type.lower():
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if isinstance(document, dict):
            data |= document
    data.update(parts["query"])
    data.update(parts["params"])
    return data


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def response_of(datum: Datum) -> web.Response:
    """The HTTP response of a function's output; an unset one is 200 without a body."""
    if datum == UNSET:
        return web.Response()
    if datum.kind == "http":
        return _http_response(datum.value)
    if datum.kind == "bytes":
        return web.Response(body=datum.value, content_type="application/octet-stream")
    text = datum.value if isinstance(datum.value, str) else str(datum.value)
    described = response_of_text(text) if datum.kind in ("string", "json") else None
    if described is not None:
        return _described_response(described)
    if datum.kind == "json":
        return web.Response(text=text, content_type="application/json")
    return web.Response(text=text, content_type="text/plain")


def _http_response(value: Mapping[str, Any]) -> web.Response:
    status = _status(value["status_code"])
    headers: CIMultiDict[str] = CIMultiDict()
    for name, text in value["headers"].items():
        if name.lower() not in _HOP_HEADERS:
            headers[name] = text
    for cookie in value.get("cookies") or ():
        headers.add("Set-Cookie", cookie)
    return web.Response(status=status, headers=headers, body=value["body"])


def _status(value: Any) -> int:
    """A status code; raises ValueError for what the real server refuses to send as well."""
    status = int(value)
    if not 100 <= status <= 999:
        raise ValueError(f"{status} is not a status code: 100 to 999.")
    return status


def _described_response(value: Mapping[str, Any]) -> web.Response:
    status = _status(value.get("status") or value.get("statusCode") or 200)
    given = value.get("headers")
    headers = (
        {str(name): str(text) for name, text in given.items()} if isinstance(given, dict) else {}
    )
    body = value["body"]
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    if not any(name.lower() == "content-type" for name in headers):
        kind = "text/plain" if isinstance(body, str) else "application/json"
        headers["Content-Type"] = f"{kind}; charset=utf-8"
    return web.Response(status=status, headers=headers, body=text.encode())
