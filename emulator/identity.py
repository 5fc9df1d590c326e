"""A managed identity for this machine, so that `DefaultAzureCredential` works unchanged.

Serves the token endpoint that App Service and Functions give to their apps. The tokens prove
nothing and are taken by the emulated services as they come; what is exercised is the app's way of
getting and sending them. Set the variables of `settings` in the app's environment.

Source: specification of the Cosmos DB REST protocol, section 3; App Service's managed identity
REST endpoint, version 2019-08-01.
"""

import hmac
import secrets
from datetime import timedelta

from aiohttp import web

from emulator.clock import Clock

PATH = "/msi/token"
_LIFETIME = timedelta(days=1)
_API_VERSION = "2019-08-01"


class Identity:
    """The endpoint and its secret.

    Args:
        secret: what callers must send in `X-IDENTITY-HEADER`; made up where none is given.
    """

    def __init__(self, clock: Clock | None = None, secret: str | None = None) -> None:
        self._clock = clock or Clock()
        self.secret = secret or secrets.token_hex(16)

    def settings(self, origin: str) -> dict[str, str]:
        """The environment of an app that shall find this identity at an origin."""
        return {
            "IDENTITY_ENDPOINT": f"{origin}{PATH}",
            "IDENTITY_HEADER": self.secret,
            # Whoever is signed in to Azure on this machine is not asked for a token for it.
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }

    def routes(self) -> list[web.RouteDef]:
        """The route to mount."""
        return [web.get(PATH, self._token)]

    async def _token(self, request: web.Request) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(given.encode(), self.secret.encode()):
            return _refusal(401, "The header X-IDENTITY-HEADER is missing or wrong.")
        if request.query.get("api-version") != _API_VERSION:
            return _refusal(400, f"The api-version must be {_API_VERSION}.")
        resource = request.query.get("resource")
        if not resource:
            return _refusal(400, "The parameter 'resource' is missing.")
        expires = int((self._clock.now() + _LIFETIME).timestamp())
        return web.json_response(
            {
                "access_token": f"local.{secrets.token_hex(16)}",
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": request.query.get("client_id", "local"),
            }
        )


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
