"""`/emulator/clock`: steps the clock of the services. Of the emulator only; Azure has no such door.

GET tells the time and how far it is from the machine's, POST steps it by `{"advanceSeconds": N}`,
which may be negative. What is due by then happens at once: durable timers, locks, scheduled
messages, deliveries of events, hidden messages of storage queues; timer triggers look at the clock
once a minute. The app's own process keeps the machine's time; an orchestrator's
`current_utc_datetime` follows the step. A restart goes back to it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from emulator.clock import SteppedClock

# A century either way; beyond it dates stop making sense.
_MOST_S = 3_155_760_000


def routes(clock: SteppedClock, stepped: Callable[[], None]) -> list[web.RouteDef]:
    """The routes to mount on the host.

    Args:
        stepped: called after each step.
    """

    async def show(_: web.Request) -> web.Response:
        return web.json_response(_told(clock))

    async def step(request: web.Request) -> web.Response:
        try:
            given = await request.json()
            seconds = given["advanceSeconds"]
        except (ValueError, TypeError, KeyError):
            seconds = None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return _refused('Send {"advanceSeconds": N}; N may be negative.')
        total_s = clock.offset.total_seconds() + seconds
        if not -_MOST_S <= total_s <= _MOST_S:
            return _refused("The clock can be a century from the machine's, and no more.")
        clock.offset = timedelta(seconds=total_s)
        stepped()
        return web.json_response(_told(clock))

    return [web.get("/emulator/clock", show), web.post("/emulator/clock", step)]


def _told(clock: SteppedClock) -> dict[str, Any]:
    return {"now": clock.now().isoformat(), "offsetSeconds": clock.offset.total_seconds()}


def _refused(text: str) -> web.Response:
    return web.json_response({"error": text}, status=400)
