"""`authentication-managed-identity`: a token of the gateway's identity for a resource.

Without a variable it becomes the request's `Authorization`, replacing the caller's. The token is
minted by the local identity provider and kept by it until shortly before it expires.
"""

from collections.abc import Awaitable, Callable

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.errors import INTERNAL, PolicyError
from emulator.apim.site import INBOUND, Policy, Site, Step

NAME = "authentication-managed-identity"
ATTRIBUTES = {
    "resource": True,
    "client-id": False,
    "output-token-variable-name": False,
    "ignore-error": False,
}


def compile_token(element: Element, site: Site) -> Callable[[Context], Awaitable[str | None]]:
    """What fetches the token; None where it cannot be had and errors are ignored."""
    resource = site.attribute(element, "resource")
    client_id = site.literal(element, "client-id")
    ignore = site.flag(element, "ignore-error", default=False)

    async def fetch(context: Context) -> str | None:
        try:
            return await context.services.identity.token(resource.text(context), client_id)
        except LookupError as error:
            if ignore:
                return None
            raise PolicyError(NAME, "ManagedIdentityTokenFailed", str(error), INTERNAL) from error

    return fetch


def _compile(element: Element, site: Site) -> Step:
    fetch = compile_token(element, site)
    variable = site.literal(element, "output-token-variable-name")

    async def step(context: Context) -> bool:
        token = await fetch(context)
        if variable:
            context.variables[variable] = token
        elif token is not None:
            context.request.headers.popall("Authorization", None)
            context.request.headers["Authorization"] = f"Bearer {token}"
        return False

    return step


POLICY = Policy(NAME, frozenset({INBOUND}), _compile, ATTRIBUTES)
