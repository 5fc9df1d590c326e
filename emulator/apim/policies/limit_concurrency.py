"""`limit-concurrency`: lets no more than `max-count` calls of a key into what it encloses."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.errors import too_many_inside
from emulator.apim.site import EVERYWHERE, Policy, Site, Step, run


def _compile(element: Element, site: Site) -> Step:
    key = site.attribute(element, "key")
    limit = site.number(element, "max-count", 1, low=1, high=100_000)
    steps = site.steps(element.children)

    async def step(context: Context) -> bool:
        inside, name = context.services.inside, key.text(context)
        if inside.get(name, 0) >= limit.integer(context):
            raise too_many_inside(element.name)
        inside[name] = inside.get(name, 0) + 1
        try:
            return await run(steps, context)
        finally:
            inside[name] -= 1
            if not inside[name]:
                del inside[name]

    return step


POLICY = Policy(
    "limit-concurrency", EVERYWHERE, _compile, {"key": True, "max-count": True}, children=None
)
