"""`return-response`: answers at once; nothing after it runs, the outbound section included."""

from multidict import CIMultiDict

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.expressions import ExpressionFailure
from emulator.apim.messages import Body, Response
from emulator.apim.policies import set_body, set_header, set_status
from emulator.apim.site import EVERYWHERE, Policy, Site, Step


def _compile(element: Element, site: Site) -> Step:
    variable = site.literal(element, "response-variable-name")
    status, body, headers = site.only(element, "set-status"), site.only(element, "set-body"), []
    set_the_status = set_the_body = None
    if status is not None and site.check(status, set_status.ATTRIBUTES, frozenset()):
        set_the_status = set_status.compile_action(status, site)
    if body is not None and site.check(body, set_body.ATTRIBUTES, frozenset()):
        set_the_body = set_body.compile_action(body, site)
    for child in element.children:
        if child.name == "set-header" and site.check(
            child, set_header.ATTRIBUTES, frozenset({"value"})
        ):
            headers.append(set_header.compile_action(child, site))

    async def step(context: Context) -> bool:
        response = _start(context, variable)
        if set_the_status is not None:
            set_the_status(context, response)
        for apply in headers:
            apply(context, response.headers)
        if set_the_body is not None:
            response.body = set_the_body(context)
        context.response = response
        return True

    return step


def _start(context: Context, variable: str) -> Response:
    """A new response, or a copy of the one in a variable."""
    if not variable:
        return Response(200, "OK")
    found = context.variables.get(variable)
    if not isinstance(found, Response):
        raise ExpressionFailure(f"The variable {variable!r} holds no response.")
    content = found.body.content
    return Response(found.status, found.reason, CIMultiDict(found.headers), Body(content))


POLICY = Policy(
    "return-response",
    EVERYWHERE,
    _compile,
    {"response-variable-name": False},
    frozenset({"set-status", "set-header", "set-body"}),
)
