"""The routes of entities: `entities/...`.

Source: protocol specification, 9.
"""

import json

from aiohttp import web

from emulator.taskhub.entities import entity_id, split_entity_id
from emulator.taskhub.errors import not_found
from emulator.taskhub.queries import FOREVER
from emulator.taskhub.requests import Request, respond, respond_text, token_of
from emulator.taskhub.status import as_json
from emulator.taskhub.times import stamp


async def route_entities(request: Request) -> web.Response:
    """Everything below entities."""
    match (request.method, request.segments):
        case ("GET", []):
            return await _list(request, "@")
        case ("GET", [name]):
            return await _list(request, entity_id(name, ""))
        case ("GET", [name, key]):
            entity = await request.hub.client.read_entity(name, key)
            if entity is None:
                raise not_found()
            return respond_text(200, as_json(entity.state))
        case ("POST", [name, key]):
            text = await _input(request)
            await request.hub.client.signal_entity(name, key, request.query("op") or "", text)
            return respond(202)
        case ("DELETE", [name, key]):
            await request.hub.client.signal_entity(name, key, "delete", None)
            return respond(202)
    raise not_found()


async def _input(request: Request) -> str | None:
    """A signal's input: JSON as it came, any other text as a JSON string."""
    if request.is_json:
        return await request.json_text()
    text = await request.text()
    return json.dumps(text) if text else None


async def _list(request: Request, prefix: str) -> web.Response:
    span = (
        request.instant("lastOperationTimeFrom", 0),
        request.instant("lastOperationTimeTo", FOREVER),
    )
    top = request.top()
    page = await request.hub.client.list_entities(prefix, request.after(), top + 1, span)
    fetch_state = request.flag("fetchState", False)
    entries = []
    for identity, state, last in page[:top]:
        name, key = split_entity_id(identity)
        entries.append(
            f'{{"entityId": {json.dumps({"name": name, "key": key})}, '
            f'"lastOperationTime": "{stamp(last)}", '
            f'"state": {as_json(state) if fetch_state else "null"}}}'
        )
    headers = token_of(page[top - 1][0]) if len(page) > top else None
    return respond_text(200, "[" + ", ".join(entries) + "]", headers)
