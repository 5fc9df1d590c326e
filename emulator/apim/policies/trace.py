"""`trace`: a line for whoever looks into the call."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.site import EVERYWHERE, Policy, Site, Step

_SEVERITIES = ("verbose", "information", "error")


def _compile(element: Element, site: Site) -> Step:
    source = site.literal(element, "source")
    severity = site.literal(element, "severity", "verbose")
    if severity not in _SEVERITIES:
        site.problem(element, f"severity is one of {', '.join(_SEVERITIES)}")
    message = site.only(element, "message")
    value = site.content(message) if message is not None else None
    if value is None:
        site.problem(element, "trace needs a message")
    for child in element.children:
        allowed = {"name": True, "value": True} if child.name == "metadata" else {}
        site.check(child, allowed, frozenset())

    async def step(context: Context) -> bool:
        if context.notes is not None and value is not None:
            context.note(f"{source}: {value.text(context)}")
        return False

    return step


POLICY = Policy(
    "trace",
    EVERYWHERE,
    _compile,
    {"source": True, "severity": False},
    frozenset({"message", "metadata"}),
)
