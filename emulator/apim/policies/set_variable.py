"""`set-variable`: keeps a value of any type for later policies of the call."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.site import EVERYWHERE, Policy, Site, Step


def _compile(element: Element, site: Site) -> Step:
    name = site.literal(element, "name")
    value = site.attribute(element, "value")

    async def step(context: Context) -> bool:
        context.variables[name] = value.get(context)
        return False

    return step


POLICY = Policy("set-variable", EVERYWHERE, _compile, {"name": True, "value": True})
