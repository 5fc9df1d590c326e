"""`set-method`: another method for the backend."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.site import INBOUND, ON_ERROR, Policy, Site, Step


def _compile(element: Element, site: Site) -> Step:
    method = site.content(element)
    if method.expression is None and not method.constant.isalpha():
        site.problem(element, "set-method needs a method")

    async def step(context: Context) -> bool:
        context.request.method = method.text(context)
        return False

    return step


POLICY = Policy("set-method", frozenset({INBOUND, ON_ERROR}), _compile)
