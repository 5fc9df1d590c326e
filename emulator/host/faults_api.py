"""`/emulator/faults`: injects faults from outside. Of the emulator only; Azure has no such door.

GET tells the rules and how often each point was passed, POST adds one rule or a list of them,
DELETE takes all of them out of force, or with `?point=` those of one point.
"""

from typing import Any

from aiohttp import web

from emulator import jsontext
from emulator.faults import Faults, InvalidFault, parse_rule


def routes(faults: Faults) -> list[web.RouteDef]:
    """The routes to mount on the host."""

    async def show(_: web.Request) -> web.Response:
        return web.json_response(faults.describe())

    async def add(request: web.Request) -> web.Response:
        try:
            rules = parse_rules(await request.read())
        except InvalidFault as error:
            return web.json_response({"error": str(error)}, status=400)
        for rule in rules:
            faults.add(rule)
        return web.json_response(faults.describe(), status=201)

    async def clear(request: web.Request) -> web.Response:
        faults.clear(request.query.get("point"))
        return web.Response(status=204)

    return [
        web.get("/emulator/faults", show),
        web.post("/emulator/faults", add),
        web.delete("/emulator/faults", clear),
    ]


def parse_rules(text: bytes | str) -> list[Any]:
    """The rules of a JSON text: one, or a list of them.

    Raises:
        InvalidFault: the text is not JSON, or a rule cannot be understood.
    """
    try:
        value = jsontext.read(text)
    except ValueError as error:
        raise InvalidFault(f"The faults are not JSON: {error}.") from error
    return [parse_rule(rule) for rule in (value if isinstance(value, list) else [value])]
