"""The run history over HTTP: the emulator's own doors, in the form of the service's management API.

Mounted by the host beside Service Bus' and Event Grid's.

Source: REST reference, "Logic Apps: Workflow Runs, Workflow Run Actions" (the form of the answers).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from emulator.logicapp.service import LogicApp
from emulator.logicapp.store import ActionRow, RunRow

_LIMIT = 250
_Handler = Callable[[LogicApp, web.Request], Awaitable[web.StreamResponse]]


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


def routes(apps: Sequence[LogicApp]) -> list[web.RouteDef]:
    """The doors on the histories of these workflows."""
    by_name = {app.workflow.name.lower(): app for app in apps}

    async def workflows(_: web.Request) -> web.StreamResponse:
        listed = [{"name": app.workflow.name, "running": app.running} for app in apps]
        return web.json_response({"value": listed})

    def guarded(handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                app = by_name.get(request.match_info["workflow"].lower())
                if app is None:
                    name = request.match_info["workflow"]
                    text = f"The workflow '{name}' could not be found."
                    raise _Refused(404, "WorkflowNotFound", text)
                return await handler(app, request)
            except _Refused as refusal:
                body = {"error": {"code": refusal.code, "message": str(refusal)}}
                return web.json_response(body, status=refusal.status)

        return handle

    base = "/emulator/workflows"
    return [
        web.get(base, workflows),
        web.get(base + "/{workflow}/runs", guarded(_runs)),
        web.get(base + "/{workflow}/runs/{run}", guarded(_run)),
        web.get(base + "/{workflow}/runs/{run}/actions", guarded(_actions)),
        web.get(base + "/{workflow}/runs/{run}/actions/{action}", guarded(_action)),
    ]


async def _runs(app: LogicApp, request: web.Request) -> web.StreamResponse:
    limit, before = _number(request, "top", 30), _number(request, "before", 0)
    rows = await app.runs(
        status=request.query.get("status"), before=before or None, limit=min(limit, _LIMIT)
    )
    following = rows[-1].number if len(rows) == limit else None
    return web.json_response({"value": [_shown(app, row) for row in rows], "next": following})


async def _run(app: LogicApp, request: web.Request) -> web.StreamResponse:
    return web.json_response(_shown(app, await _found(app, request)))


async def _actions(app: LogicApp, request: web.Request) -> web.StreamResponse:
    run = await _found(app, request)
    return await _listed(app, request, run, None)


async def _action(app: LogicApp, request: web.Request) -> web.StreamResponse:
    run = await _found(app, request)
    return await _listed(app, request, run, request.match_info["action"])


async def _listed(
    app: LogicApp, request: web.Request, run: RunRow, name: str | None
) -> web.StreamResponse:
    limit = min(_number(request, "top", 100), _LIMIT)
    after, status = _number(request, "after", 0), request.query.get("status")
    rows = await app.run_actions(run, name=name, status=status, after=after, limit=limit)
    following = rows[-1].number if len(rows) == limit else None
    return web.json_response({"value": [_entry(row) for row in rows], "next": following})


async def _found(app: LogicApp, request: web.Request) -> RunRow:
    run = await app.find_run(request.match_info["run"])
    if run is None:
        text = f"The workflow run '{request.match_info['run']}' could not be found."
        raise _Refused(404, "WorkflowRunNotFound", text)
    return run


def _shown(app: LogicApp, run: RunRow) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "startTime": run.started_at,
        "status": run.status,
        "trigger": run.trigger,
    }
    if run.ended_at is not None:
        properties["endTime"] = run.ended_at
    if run.error is not None:
        properties["error"] = run.error
    return {
        "id": f"/workflows/{app.workflow.name}/runs/{run.id}",
        "name": run.id,
        "properties": properties,
    }


def _entry(action: ActionRow) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": action.name, "properties": action.result}
    return entry | ({"repetition": action.repetition} if action.repetition else {})


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        raise _Refused(400, "InvalidRequest", f"'{name}' must be a whole number.")
    return int(text)
