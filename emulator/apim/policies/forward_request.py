"""`forward-request`: sends the call to its backend; the answer becomes the response."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.site import BACKEND, Policy, Site, Step

# The vendor's documented default.
_TIMEOUT_S = 300
# What they ask for is how the gateway works anyway (true or false), or is refused (true).
_INDIFFERENT = ("buffer-request-body", "buffer-response")
_REFUSED = ("follow-redirects", "fail-on-error-status-code")


def _compile(element: Element, site: Site) -> Step:
    timeout = site.number(element, "timeout", _TIMEOUT_S, low=1, high=3600)
    for name in _INDIFFERENT:
        site.flag(element, name, default=False)
    for name in _REFUSED:
        if site.flag(element, name, default=False):
            site.problem(element, f'forward-request {name}="true" is not supported')

    async def step(context: Context) -> bool:
        await context.services.forwarder.forward(context, float(timeout.integer(context)))
        return False

    return step


POLICY = Policy(
    "forward-request",
    frozenset({BACKEND}),
    _compile,
    {"timeout": False, **dict.fromkeys((*_INDIFFERENT, *_REFUSED), False)},
)
