"""`set-backend-service`: where the call goes; path and query stay."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.model import parse_url
from emulator.apim.site import BACKEND, INBOUND, Policy, Site, Step


def _compile(element: Element, site: Site) -> Step:
    if ("backend-id" in element.attributes) == ("base-url" in element.attributes):
        site.problem(element, "set-backend-service needs either backend-id or base-url")
    if "backend-id" in element.attributes:
        return _named(element, site)
    base = site.attribute(element, "base-url")
    if base.expression is None:
        try:
            parse_url(base.constant)
        except ValueError as error:
            site.problem(element, str(error))

    async def step(context: Context) -> bool:
        # At load it is refused where an inherited policy names a backend.
        context.backend, context.backend_url = None, parse_url(base.text(context))
        return False

    return step


def _named(element: Element, site: Site) -> Step:
    name = site.literal(element, "backend-id")
    backend = site.environment.backends.get(name)
    if backend is None:
        site.problem(element, f"there is no backend {name}")

    async def step(context: Context) -> bool:
        if backend is not None:
            context.backend, context.backend_url = backend, backend.url
        return False

    return step


POLICY = Policy(
    "set-backend-service",
    frozenset({INBOUND, BACKEND}),
    _compile,
    {"backend-id": False, "base-url": False},
)
