"""`cors`: which pages of which origins may call from a browser.

A preflight request is answered from the rule alone, without key or token, by the gateway; a simple
request goes on, and its answer carries the headers.
"""

from dataclasses import dataclass

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.messages import Response
from emulator.apim.site import INBOUND, Policy, Site, Step

_LISTS = {
    "allowed-origins": "origin",
    "allowed-methods": "method",
    "allowed-headers": "header",
    "expose-headers": "header",
}
_MAX_AGE = "preflight-result-max-age"


@dataclass(frozen=True)
class CorsRule:
    """Who may call how; `*` in a list stands for anything."""

    origins: frozenset[str]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    credentials: bool
    terminates: bool
    max_age: str

    def origin(self, origin: str) -> str | None:
        """What `Access-Control-Allow-Origin` says to an origin; None to one that is not allowed."""
        if "*" in self.origins and not self.credentials:
            return "*"
        return origin if origin in self.origins or "*" in self.origins else None

    def preflight(self, origin: str, method: str, headers: str) -> dict[str, str] | None:
        """The headers for a preflight request; None if the rule does not allow it."""
        allowed = self.origin(origin)
        wanted = [name.strip().lower() for name in headers.split(",") if name.strip()]
        known = {name.lower() for name in self.headers}
        if allowed is None or not ("*" in self.methods or method in self.methods):
            return None
        if "*" not in known and not known.issuperset(wanted):
            return None
        answer = {
            **self._common(allowed),
            "Access-Control-Allow-Methods": method
            if "*" in self.methods
            else ",".join(self.methods),
        }
        if wanted:
            answer["Access-Control-Allow-Headers"] = ",".join(
                wanted if "*" in known else self.headers
            )
        if self.max_age:
            answer["Access-Control-Max-Age"] = self.max_age
        return answer

    def simple(self, origin: str) -> dict[str, str] | None:
        """The headers for the answer to a call; None if the origin is not allowed."""
        allowed = self.origin(origin)
        if allowed is None:
            return None
        answer = self._common(allowed)
        if self.exposed:
            answer["Access-Control-Expose-Headers"] = ",".join(self.exposed)
        return answer

    def _common(self, allowed: str) -> dict[str, str]:
        answer = {"Access-Control-Allow-Origin": allowed}
        if allowed != "*":
            answer["Vary"] = "Origin"
        if self.credentials:
            answer["Access-Control-Allow-Credentials"] = "true"
        return answer


def _compile(element: Element, site: Site) -> Step:
    found: dict[str, tuple[str, ...]] = {}
    max_age = ""
    for child in element.children:
        allowed = {_MAX_AGE: False} if child.name == "allowed-methods" else {}
        if not site.check(child, allowed, frozenset({_LISTS[child.name]})):
            continue
        found[child.name] = tuple(site.content(item).constant for item in child.children)
        if _MAX_AGE in child.attributes:
            max_age = site.number(child, _MAX_AGE, 0, low=0, high=86_400).constant
    if not found.get("allowed-origins"):
        site.problem(element, "cors needs allowed-origins")
    rule = CorsRule(
        frozenset(found.get("allowed-origins", ())),
        found.get("allowed-methods", ("GET", "POST")),
        found.get("allowed-headers", ()),
        found.get("expose-headers", ()),
        site.flag(element, "allow-credentials", default=False),
        site.flag(element, "terminate-unmatched-request", default=False),
        max_age,
    )

    async def step(context: Context) -> bool:
        origin = context.request.headers.get("Origin")
        if origin is None:
            return False
        headers = rule.simple(origin)
        if headers is not None:
            context.reply_headers.update(headers)
        elif rule.terminates:
            context.response = Response(200, "OK")
            return True
        return False

    site.environment.cors[step] = rule
    return step


POLICY = Policy(
    "cors",
    frozenset({INBOUND}),
    _compile,
    {"allow-credentials": False, "terminate-unmatched-request": False},
    frozenset(_LISTS),
)
