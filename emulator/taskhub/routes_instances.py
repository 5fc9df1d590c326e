"""The routes of orchestrations: `orchestrators/...` and `instances/...`.

Source: protocol specification, 9.
"""

from aiohttp import web

from emulator.taskhub.errors import Refused, gone, not_found
from emulator.taskhub.queries import FOREVER, Filter, Snapshot
from emulator.taskhub.requests import Request, respond, respond_text, token_of
from emulator.taskhub.state import TERMINAL, Status
from emulator.taskhub.status import as_json, body_of, history_for_readers

_STATUSES = {str(status).lower(): status for status in Status}
_RETRY_AFTER_START_S = "10"
_RETRY_AFTER_STATUS_S = "5"


async def route_orchestrators(request: Request) -> web.Response:
    """POST orchestrators/{name}[/{id}]."""
    if request.method != "POST" or not 1 <= len(request.segments) <= 2:
        raise not_found()
    name = request.segments[0]
    instance_id = request.segments[1] if len(request.segments) == 2 else None
    text = await request.json_text()
    started = await request.hub.client.start(name, instance_id, text, request.query("version"))
    timeout_s, interval_s = request.seconds("timeout"), request.seconds("pollingInterval")
    if timeout_s is not None and interval_s is not None:
        snapshot = await request.hub.client.wait_for_end(started, timeout_s)
        if snapshot is not None and snapshot.status in TERMINAL:
            if snapshot.status == Status.COMPLETED:
                return respond_text(200, as_json(snapshot.output))
            return respond_text(200, body_of(snapshot, show_input=True))
    return _accepted(request, started)


def _accepted(request: Request, instance_id: str) -> web.Response:
    """202 with the management URLs of an instance."""
    urls = request.hub.check_status_urls(request.public_base, instance_id)
    headers = {"Location": urls["statusQueryGetUri"], "Retry-After": _RETRY_AFTER_START_S}
    return respond(202, urls, headers)


async def route_instances(request: Request) -> web.Response:
    """Everything below instances."""
    match (request.method, request.segments):
        case ("GET", []):
            return await _list(request)
        case ("DELETE", []):
            return await _purge_many(request)
        case ("GET", [instance_id]):
            return await _get(request, instance_id)
        case ("DELETE", [instance_id]):
            if not await request.hub.client.purge(instance_id):
                raise not_found()
            return respond(200, {"instancesDeleted": 1})
        case ("POST", [instance_id, word]):
            return await _change(request, instance_id, word.lower())
        case ("POST", [instance_id, word, event]) if word.lower() == "raiseevent":
            return await _raise_event(request, instance_id, event)
    raise not_found()


async def _change(request: Request, instance_id: str, word: str) -> web.Response:
    client, reason = request.hub.client, request.query("reason")
    if word == "restart":
        with_new_id = request.flag("restartWithNewInstanceId", True)
        return _accepted(request, await client.restart(instance_id, with_new_id))
    changes = {
        "terminate": client.terminate,
        "suspend": client.suspend,
        "resume": client.resume,
        "rewind": client.rewind,
    }
    if word not in changes:
        raise not_found()
    await changes[word](instance_id, reason)
    return respond(202)


async def _raise_event(request: Request, instance_id: str, event: str) -> web.Response:
    snapshot = await request.hub.client.find(instance_id)
    if snapshot is None:
        raise not_found()
    if snapshot.status in TERMINAL:
        raise gone()
    if not request.is_json:
        raise Refused(400, {"Message": "Only application/json request content is supported"})
    await request.hub.client.raise_event(instance_id, event, await request.json_text())
    return respond(202)


async def _get(request: Request, instance_id: str) -> web.Response:
    show_input = request.flag("showInput", True)
    history = None
    snapshot: Snapshot | None
    if request.flag("showHistory", False):
        found = await request.hub.client.find_with_history(instance_id)
        snapshot = None if found is None else found[0]
        if found is not None and found[0].status != Status.PENDING:
            show_output = request.flag("showHistoryOutput", False)
            history = history_for_readers(found[1], show_input, show_output)
    else:
        snapshot = await request.hub.client.find(instance_id)
    if snapshot is None:
        raise not_found()
    body = body_of(snapshot, show_input, history)
    if snapshot.status not in TERMINAL:
        url = str(request.http.url)
        return respond_text(202, body, {"Location": url, "Retry-After": _RETRY_AFTER_STATUS_S})
    failed = snapshot.status == Status.FAILED
    as_error = failed and request.flag("returnInternalServerErrorOnFailure", False)
    return respond_text(500 if as_error else 200, body)


async def _list(request: Request) -> web.Response:
    wanted = Filter(
        created_from=request.instant("createdTimeFrom", 0),
        created_to=request.instant("createdTimeTo", FOREVER),
        statuses=_statuses(request),
        prefix=request.query("instanceIdPrefix") or "",
        after=request.after(),
    )
    top = request.top()
    page = await request.hub.client.list_page(wanted, top + 1)
    show_input = request.flag("showInput", True)
    bodies = [body_of(snapshot, show_input) for snapshot in page[:top]]
    headers = token_of(page[top - 1].id) if len(page) > top else None
    return respond_text(200, "[" + ", ".join(bodies) + "]", headers)


async def _purge_many(request: Request) -> web.Response:
    if not request.query("createdTimeFrom"):
        raise Refused(400, "Please provide value for 'createdTimeFrom' parameter.")
    ended = {str(status) for status in TERMINAL}
    statuses = _statuses(request)
    wanted = Filter(
        created_from=request.instant("createdTimeFrom", 0),
        created_to=request.instant("createdTimeTo", request.hub.engine.now()),
        statuses=ended & statuses if statuses else ended,
    )
    removed = await request.hub.client.purge_many(wanted) if wanted.statuses else 0
    if removed == 0:
        raise not_found()
    return respond(200, {"instancesDeleted": removed})


def _statuses(request: Request) -> set[str]:
    """The statuses asked for; what is none is passed over, as the extension does."""
    names = (request.query("runtimeStatus") or "").lower().split(",")
    return {str(_STATUSES[name.strip()]) for name in names if name.strip() in _STATUSES}
