"""Event Grid's publish door, and the emulator's own doors on what was published.

Mounted by the host beside Service Bus'. A key or token is taken as it is, never checked; with
`require_authorization` a request without any is refused as the service does.

Source: Event Grid documentation, "Post to custom topic for Azure Event Grid" and "Authenticate
clients publishing events".
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from string import Template

from aiohttp import web

from emulator.database import StorageError
from emulator.eventgrid.errors import EventGridError, InvalidQuery, MissingKey, TooLarge
from emulator.eventgrid.sink import Sink
from emulator.eventgrid.store import Query
from emulator.eventgrid.wire import entry, read_events, render
from emulator.faults import InjectedFault

_Handler = Callable[[Sink, web.Request], Awaitable[web.StreamResponse]]
# The service's bound for a request and for one event.
_MAX_BYTES = 1024 * 1024
_LIST_LIMIT = 1000
_PAGE_EVENTS = 100
_PAGE = Path(__file__).parent / "page.html"
_QUERY = {"topic", "type", "subject", "since", "after", "limit", "order"}


def routes(sink: Sink, *, require_authorization: bool = False) -> list[web.RouteDef]:
    """Every operation of the doors."""

    async def publish(sink: Sink, request: web.Request) -> web.StreamResponse:
        _authorize(request, require_authorization)
        return await _publish(sink, request)

    table: list[tuple[str, str, _Handler]] = [
        ("POST", "/topics/{topic}/api/events", publish),
        ("GET", "/emulator/events", _list),
        ("GET", "/emulator/events/page", _page),
        ("GET", "/emulator/events/deliveries", _deliveries),
    ]
    return [web.route(method, path, _guarded(sink, handler)) for method, path, handler in table]


def _guarded(
    sink: Sink, handler: _Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(sink, request)
        except EventGridError as error:
            return web.json_response(error.body(), status=error.status)
        except (InjectedFault, StorageError) as error:
            body = {"error": {"code": "InternalServerError", "message": str(error)}}
            return web.json_response(body, status=500)

    return handle


def _authorize(request: web.Request, is_required: bool) -> None:
    if not is_required or request.headers.get("aeg-sas-key"):
        return
    authorization = request.headers.get("Authorization", "").lower()
    if request.headers.get("aeg-sas-token"):
        return
    if not authorization.startswith(("bearer ", "sharedaccesssignature ")):
        raise MissingKey


async def _publish(sink: Sink, request: web.Request) -> web.StreamResponse:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > _MAX_BYTES:
            raise TooLarge(_MAX_BYTES)
        chunks.append(chunk)
    events, schema = read_events(b"".join(chunks), request.content_type, request.headers)
    await sink.publish(request.match_info["topic"], events, schema)
    return web.Response(status=200)


async def _list(sink: Sink, request: web.Request) -> web.StreamResponse:
    query = _query(request)
    events = await sink.list(query)
    following = events[-1].sequence if len(events) == query.limit else None
    return web.json_response(
        {
            "count": await sink.count(query),
            "events": [entry(published) for published in events],
            "next": following,
        }
    )


def _query(request: web.Request) -> Query:
    given = request.query
    unknown = sorted(set(given) - _QUERY)
    if unknown:
        known = ", ".join(sorted(_QUERY))
        raise InvalidQuery(f"Unknown parameter '{unknown[0]}'; known: {known}.")
    limit, after = given.get("limit", "100"), given.get("after", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= _LIST_LIMIT:
        raise InvalidQuery(f"'limit' must be a number from 1 to {_LIST_LIMIT}.")
    if not after.isdecimal():
        raise InvalidQuery("'after' must be the sequence number of an event.")
    if given.get("order", "oldest") not in ("oldest", "latest"):
        raise InvalidQuery("'order' must be 'oldest' or 'latest'.")
    return Query(
        topic=given.get("topic"),
        event_type=given.get("type"),
        subject=given.get("subject"),
        since=_since(given.get("since")),
        after=int(after) if "after" in given else None,
        limit=int(limit),
        is_latest=given.get("order") == "latest",
    )


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # A plus that was not encoded arrives as a space.
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise InvalidQuery("'since' must be a date such as 2026-11-20T09:30:00Z.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


async def _deliveries(sink: Sink, _: web.Request) -> web.StreamResponse:
    found = await sink.deliveries.pending()
    return web.json_response(
        {
            "deliveries": [
                {
                    "subscription": each.subscription,
                    "attempts": each.attempts,
                    "deadLetterReason": each.reason,
                    **entry(each.published),
                }
                for each in found
            ]
        }
    )


async def _page(sink: Sink, _: web.Request) -> web.StreamResponse:
    events = await sink.list(Query(limit=_PAGE_EVENTS, is_latest=True))
    text = render(Template(_PAGE.read_text(encoding="utf-8")), events, await sink.count())
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)
