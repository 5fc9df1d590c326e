"""`set-query-parameter`: sets, adds or removes a parameter; the others keep their encoding."""

from urllib.parse import quote, unquote_plus

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.messages import Url
from emulator.apim.site import BACKEND, INBOUND, Policy, Site, Step

_ACTIONS = ("override", "skip", "append", "delete")


def _compile(element: Element, site: Site) -> Step:
    name = site.attribute(element, "name")
    action = site.literal(element, "exists-action", "override")
    if action not in _ACTIONS:
        site.problem(element, f"exists-action is one of {', '.join(_ACTIONS)}")
    values = []
    for child in element.children:
        site.check(child, {}, frozenset())
        values.append(site.content(child))
    if bool(values) == (action == "delete"):
        site.problem(element, "set-query-parameter has values, unless exists-action is delete")

    async def step(context: Context) -> bool:
        key = name.text(context)
        pieces = [p for p in context.request.url.query_string[1:].split("&") if p]
        others = [p for p in pieces if unquote_plus(p.partition("=")[0]) != key]
        if action == "skip" and len(others) != len(pieces):
            return False
        if action == "append":
            others = pieces
        made = [f"{quote(key, safe='')}={quote(v.text(context), safe='')}" for v in values]
        context.request.url = with_query(context.request.url, "&".join([*others, *made]))
        return False

    return step


def with_query(url: Url, query: str) -> Url:
    """The URL with another query string, given without its `?`."""
    return Url(url.scheme, url.host, url.port, url.path, f"?{query}" if query else "")


POLICY = Policy(
    "set-query-parameter",
    frozenset({INBOUND, BACKEND}),
    _compile,
    {"name": True, "exists-action": False},
    frozenset({"value"}),
)
