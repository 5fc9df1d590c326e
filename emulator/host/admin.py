"""`/admin`: what the host is, which functions it has, and running one by hand.

Source: the host's admin API. Keys are managed here when `--enableAuth` is given. Left out on
purpose and answered with 404: extensions, VFS, drain, state and processes, which only deployment
needs.
"""

import asyncio
import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from emulator import jsontext
from emulator.host.functions import Function
from emulator.host.http_front import given_key
from emulator.host.invocations import Request
from emulator.host.keys import Key, Keys, Level

VERSION = "4.1037.0.23568"


@dataclass
class HostState:
    """What the host says of itself; `state` is one of the host's own words.

    Attributes:
        restart: stops the host, and starts it with the app and its files as they are by then.
    """

    instance_id: str
    state: str = "Starting"
    errors: tuple[str, ...] = ()
    started_s: float = 0.0
    restart: Callable[[], None] = lambda: None


@dataclass
class AdminApi:
    """The admin routes.

    Attributes:
        manual: makes the invocation of a function from the `input` text.
        run: runs an invocation in the background.
        keys: None when keys are not checked.
        config: host.json, with what settings override in it.
    """

    host: HostState
    script_root: str
    route_prefix: str
    functions: Callable[[], Mapping[str, Function]]
    manual: Callable[[Function, str], Request]
    run: Callable[[Request], None]
    keys: Callable[[], Keys | None]
    config: Mapping[str, Any]

    def routes(self) -> list[web.RouteDef]:
        """The routes to mount on the host."""
        guarded = self._guarded
        return [
            web.get("/admin/host/ping", self.ping),
            web.post("/admin/host/ping", self.ping),
            web.get("/admin/host/status", guarded(self.status)),
            web.get("/admin/host/config", guarded(self.show_config)),
            web.post("/admin/host/restart", guarded(self.restart)),
            web.post("/admin/host/synctriggers", guarded(self.sync_triggers)),
            web.get("/admin/warmup", guarded(self.ping)),
            web.post("/admin/warmup", guarded(self.ping)),
            web.get("/admin/functions", guarded(self.list_functions)),
            web.get("/admin/functions/{name}", guarded(self.show_function)),
            web.get("/admin/functions/{name}/status", guarded(self.function_status)),
            web.post("/admin/functions/{name}", guarded(self.invoke)),
            *self._key_routes("/admin/host/{scope:keys|functionkeys|systemkeys}"),
            *self._key_routes("/admin/functions/{function}/keys"),
            web.route("*", "/admin/{rest:.*}", guarded(self.unknown)),
        ]

    def _key_routes(self, base: str) -> list[web.RouteDef]:
        guarded = self._guarded
        return [
            web.get(base, guarded(self.list_keys)),
            web.get(base + "/{key}", guarded(self.show_key)),
            web.put(base + "/{key}", guarded(self.put_key)),
            web.post(base + "/{key}", guarded(self.put_key)),
            web.delete(base + "/{key}", guarded(self.delete_key)),
        ]

    def _guarded(self, handler: Any) -> Any:
        """The handler behind the master key, where keys are checked."""

        async def guard(request: web.Request) -> web.StreamResponse:
            keys = self.keys()
            if keys is not None and keys.level(given_key(request)) < Level.ADMIN:
                return web.Response(status=401)
            return await handler(request)  # type: ignore[no-any-return]  # handlers are ours

        return guard

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response()

    async def unknown(self, _: web.Request) -> web.Response:
        return web.Response(status=404)

    async def status(self, _: web.Request) -> web.Response:
        body: dict[str, Any] = {
            "id": self.host.instance_id,
            "state": self.host.state,
            "version": VERSION,
            "versionDetails": f"{VERSION} (durable-orders local emulator)",
            "platformVersion": "",
            "instanceId": self.host.instance_id,
            "computerName": platform.node(),
            "processUptime": round((time.monotonic() - self.host.started_s) * 1000),
            "functionAppContentEditingState": "NotAllowed",
        }
        if self.host.errors:
            body["errors"] = list(self.host.errors)
        return web.json_response(body)

    async def show_config(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self.config))

    async def restart(self, _: web.Request) -> web.Response:
        # The answer goes out first: the stop waits for requests that are let in.
        asyncio.get_running_loop().call_soon(self.host.restart)
        return web.Response(status=202)

    async def sync_triggers(self, _: web.Request) -> web.Response:
        # There is no scale controller that would have to be told.
        return web.json_response({"status": "success"})

    async def list_functions(self, request: web.Request) -> web.Response:
        return web.json_response(
            [self._describe(request, each) for each in self.functions().values()]
        )

    async def show_function(self, request: web.Request) -> web.Response:
        function = self._find(request.match_info["name"])
        if function is None:
            return web.Response(status=404)
        return web.json_response(self._describe(request, function))

    async def function_status(self, request: web.Request) -> web.Response:
        function = self._find(request.match_info["name"])
        if function is None:
            return web.Response(status=404)
        return web.json_response({"errors": [function.error]} if function.error else {})

    def _find(self, name: str) -> Function | None:
        return next((f for f in self.functions().values() if f.name.lower() == name.lower()), None)

    def _describe(self, request: web.Request, function: Function) -> dict[str, Any]:
        origin = f"{request.scheme}://{request.host}"
        base = f"{origin}/admin/functions/{function.name}"
        trigger = function.trigger
        is_http = trigger.type == "httpTrigger"
        route = trigger.text("route") or function.name
        url = "/".join(part for part in (origin, self.route_prefix, route) if part)
        return {
            "name": function.name,
            "script_root_path_href": f"{origin}/admin/vfs/{function.name}/",
            "script_href": f"{origin}/admin/vfs/{function.script_file}",
            "config_href": f"{origin}/admin/vfs/{function.name}/function.json",
            "test_data_href": None,
            "href": base,
            "invoke_url_template": url.lower() if is_http else None,
            "language": "python",
            "config": {
                "name": function.name,
                "entryPoint": function.name,
                "scriptFile": function.script_file,
                "language": "python",
                "functionDirectory": self.script_root,
                "bindings": [dict(binding.raw) for binding in function.bindings],
            },
            "files": None,
            "test_data": None,
            "isDisabled": function.disabled,
            "isDirect": is_http,
            "isProxy": False,
        }

    async def invoke(self, request: web.Request) -> web.Response:
        function = self._find(request.match_info["name"])
        if function is None or not function.runs:
            return web.Response(status=404)
        if request.content_type != "application/json":
            return web.Response(status=415)
        try:
            document = jsontext.read(await request.read())
        except ValueError:
            return web.Response(status=400)
        given = document.get("input") if isinstance(document, dict) else None
        text = given if isinstance(given, str) else "" if given is None else json.dumps(given)
        try:
            self.run(self.manual(function, text))
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        return web.Response(status=202)

    async def list_keys(self, request: web.Request) -> web.Response:
        found = self._scope(request)
        if found is None:
            return web.Response(status=404)
        keys, scope = found
        entries = [_entry(key) for key in keys.listed(scope)]
        links = [{"rel": "self", "href": str(request.url.with_query(None))}]
        return web.json_response({"keys": entries, "links": links})

    async def show_key(self, request: web.Request) -> web.Response:
        found = self._scope(request)
        name = request.match_info["key"]
        if found is None:
            return web.Response(status=404)
        keys, scope = found
        if name == "_master":
            return web.json_response(_entry(Key(name, keys.master)))
        key = next((key for key in keys.listed(scope) if key.name == name), None)
        return web.Response(status=404) if key is None else web.json_response(_entry(key))

    async def put_key(self, request: web.Request) -> web.Response:
        found = self._scope(request)
        if found is None:
            return web.Response(status=404)
        keys, scope = found
        value = None
        if request.method == "PUT":
            try:
                value = str(jsontext.read(await request.read())["value"])
            except (ValueError, KeyError, TypeError):
                return web.Response(status=400)
        key, is_new = await asyncio.to_thread(keys.put, scope, request.match_info["key"], value)
        return web.json_response(_entry(key), status=201 if is_new else 200)

    async def delete_key(self, request: web.Request) -> web.Response:
        found = self._scope(request)
        if found is None:
            return web.Response(status=404)
        keys, scope = found
        name = request.match_info["key"]
        deleted = await asyncio.to_thread(keys.delete, scope, name)
        return web.Response(status=204 if deleted else 404)

    def _scope(self, request: web.Request) -> tuple[Keys, str] | None:
        keys = self.keys()
        if keys is None:
            return None
        function = request.match_info.get("function")
        if function is not None:
            known = self._find(function)
            return None if known is None else (keys, known.name)
        scope = request.match_info["scope"]
        return keys, "functionkeys" if scope == "keys" else scope


def _entry(key: Key) -> dict[str, str]:
    return {"name": key.name, "value": key.value}
