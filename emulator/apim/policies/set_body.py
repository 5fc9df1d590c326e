"""`set-body`: the body of the message that the section is about, or of the one being built.

Literal text is sent as written. Liquid templates are refused: they work on the current body and
know no variables, so what policies want of them is an expression.
"""

from collections.abc import Callable

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.expressions.values import to_text
from emulator.apim.messages import Body
from emulator.apim.site import BACKEND, INBOUND, OUTBOUND, Policy, Site, Step

ATTRIBUTES = {"template": False}


def compile_action(element: Element, site: Site) -> Callable[[Context], Body]:
    """The body that the element makes."""
    if "template" in element.attributes:
        site.problem(
            element, 'set-body template is not supported: write an expression, as in @("…" + …)'
        )
    value = site.content(element, trim=False)

    def make(context: Context) -> Body:
        content = value.get(context)
        return Body(content if isinstance(content, bytes) else to_text(content).encode())

    return make


def _compile(element: Element, site: Site) -> Step:
    make = compile_action(element, site)
    on_request = site.section in (INBOUND, BACKEND)

    async def step(context: Context) -> bool:
        target = context.request if on_request else context.response
        if target is not None:
            target.body = make(context)
        return False

    return step


POLICY = Policy("set-body", frozenset({INBOUND, BACKEND, OUTBOUND}), _compile, ATTRIBUTES)
