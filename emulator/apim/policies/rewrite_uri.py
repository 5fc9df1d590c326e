"""`rewrite-uri`: another path and query for the backend; `{name}` is a matched parameter."""

import re
from urllib.parse import quote, unquote_plus

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.messages import Url
from emulator.apim.site import INBOUND, Policy, Site, Step

_PLACE = re.compile(r"\{\*?(\w+)\}")


def _compile(element: Element, site: Site) -> Step:
    template = site.attribute(element, "template")
    copy = site.flag(element, "copy-unmatched-params", default=True)
    if template.expression is None and not template.constant.startswith("/"):
        site.problem(element, "template begins with /")

    async def step(context: Context) -> bool:
        url = context.request.url
        text = template.text(context)
        used = set(_PLACE.findall(text))
        known = {**dict(url.query), **context.request.matched}
        filled = _PLACE.sub(lambda m: quote(known.get(m[1], ""), safe=""), text)
        path, _, query = filled.partition("?")
        kept = [p for p in url.query_string[1:].split("&") if p and copy and _name(p) not in used]
        query = "&".join([*([query] if query else []), *kept])
        path = path if path.startswith("/") else f"/{path}"
        context.request.url = Url(
            url.scheme, url.host, url.port, path, f"?{query}" if query else ""
        )
        return False

    return step


def _name(piece: str) -> str:
    return unquote_plus(piece.partition("=")[0])


POLICY = Policy(
    "rewrite-uri",
    frozenset({INBOUND}),
    _compile,
    {"template": True, "copy-unmatched-params": False},
)
