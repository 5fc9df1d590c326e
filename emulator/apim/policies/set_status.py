"""`set-status`: the status line of the response, or of the one being built."""

from collections.abc import Callable

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.expressions import ExpressionFailure
from emulator.apim.messages import Response
from emulator.apim.site import EVERYWHERE, Policy, Site, Step

ATTRIBUTES = {"code": True, "reason": True}


def compile_action(element: Element, site: Site) -> Callable[[Context, Response], None]:
    """What the element does to a response."""
    code = site.number(element, "code", 200, low=100, high=999)
    reason = site.attribute(element, "reason")

    def apply(context: Context, response: Response) -> None:
        status = code.integer(context)
        if not 100 <= status <= 999:
            raise ExpressionFailure(f"{status} is not a status code.")
        response.status = status
        response.reason = reason.text(context).replace("\r", " ").replace("\n", " ")

    return apply


def _compile(element: Element, site: Site) -> Step:
    apply = compile_action(element, site)

    async def step(context: Context) -> bool:
        if context.response is None:
            context.response = Response(200)
        apply(context, context.response)
        return False

    return step


POLICY = Policy("set-status", EVERYWHERE, _compile, ATTRIBUTES)
