"""`set-header`: sets, adds to, or removes a header of the message that the section is about.

Inbound and backend change the request, outbound and on-error the response; inside `send-request`
and `return-response` it is the message being built (`compile_action`).
"""

import re
from collections.abc import Callable

from multidict import CIMultiDict

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.expressions import ExpressionFailure
from emulator.apim.site import BACKEND, EVERYWHERE, INBOUND, Policy, Site, Step

Action = Callable[[Context, CIMultiDict[str]], None]
ATTRIBUTES = {"name": True, "exists-action": False}
_ACTIONS = ("override", "skip", "append", "delete")
# The gateway sets these itself.
_FORBIDDEN = {"connection", "content-length", "keep-alive", "transfer-encoding"}
# Several values of these stay several headers; those of others are joined.
_SEPARATE = {
    "user-agent",
    "www-authenticate",
    "proxy-authenticate",
    "set-cookie",
    "cookie",
    "warning",
    "date",
}
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE = re.compile(r"[\r\n\0]")


def compile_action(element: Element, site: Site) -> Action:
    """What the element does to the headers of a message."""
    name = site.attribute(element, "name")
    if name.expression is None:
        _check_name(element, site, name.constant)
    action = site.literal(element, "exists-action", "override")
    if action not in _ACTIONS:
        site.problem(element, f"exists-action is one of {', '.join(_ACTIONS)}")
    values = []
    for child in element.children:
        site.check(child, {}, frozenset())
        values.append(site.content(child))
    if bool(values) == (action == "delete"):
        site.problem(element, "set-header has values, unless exists-action is delete")

    def apply(context: Context, headers: CIMultiDict[str]) -> None:
        header = name.text(context)
        if action == "delete":
            headers.popall(header, None)
            return
        if action == "skip" and header in headers:
            return
        texts = [_safe(value.text(context)) for value in values]
        if action == "append":
            texts = [*headers.getall(header, []), *texts]
        headers.popall(header, None)
        if header.lower() not in _SEPARATE:
            texts = [",".join(texts)]
        for text in texts:
            headers.add(header, text)

    return apply


def _check_name(element: Element, site: Site, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        site.problem(element, f"{name!r} is not the name of a header")
    elif name.lower() in _FORBIDDEN:
        site.problem(element, f"the header {name} cannot be set")
    elif name.lower() == "host":
        site.problem(element, "setting the header Host is not supported: it is the backend's")


def _safe(text: str) -> str:
    """A value without line breaks: those would begin a header of the caller's choice."""
    if _UNSAFE.search(text):
        raise ExpressionFailure("A header's value holds a line break.")
    return text


def _compile(element: Element, site: Site) -> Step:
    apply = compile_action(element, site)
    if site.section in (INBOUND, BACKEND):

        async def change_request(context: Context) -> bool:
            apply(context, context.request.headers)
            return False

        return change_request

    async def change_response(context: Context) -> bool:
        if context.response is not None:
            apply(context, context.response.headers)
        return False

    return change_response


POLICY = Policy("set-header", EVERYWHERE, _compile, ATTRIBUTES, frozenset({"value"}))
