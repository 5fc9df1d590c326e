"""The wire of the identity provider: metadata, key set, token endpoint, key rotation.

    GET  /{tenant}/v2.0/.well-known/openid-configuration   and the same without /v2.0
    GET  /{tenant}/discovery/v2.0/keys                     and the same without /v2.0
    POST /{tenant}/oauth2/v2.0/token
    POST /rotate-keys                                      emulator only

DIFFERS: addresses inside the metadata are this server's own (http, loopback); issuers keep Azure's
form.
"""

import base64
import binascii
import uuid
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from emulator.clock import Clock
from emulator.idp.errors import Refusal, missing, unknown_tenant
from emulator.idp.provider import IdentityProvider

_FORM = "application/x-www-form-urlencoded"
_BODY_LIMIT = 64 * 1024


def routes(provider: IdentityProvider, clock: Clock, prefix: str = "") -> list[web.RouteDef]:
    """The routes, below a prefix such as `/emulator/identity`."""
    doors = _Doors(provider, clock, prefix)
    base = f"{prefix}/{{tenant}}"
    return [
        web.get(f"{base}/v2.0/.well-known/openid-configuration", doors.configuration_v2),
        web.get(f"{base}/.well-known/openid-configuration", doors.configuration_v1),
        web.get(f"{base}/discovery/v2.0/keys", doors.keys),
        web.get(f"{base}/discovery/keys", doors.keys),
        web.post(f"{base}/oauth2/v2.0/token", doors.token),
        web.post(f"{prefix}/rotate-keys", doors.rotate),
    ]


class _Doors:
    def __init__(self, provider: IdentityProvider, clock: Clock, prefix: str) -> None:
        self._provider = provider
        self._clock = clock
        self._prefix = prefix

    async def configuration_v2(self, request: web.Request) -> web.Response:
        return self._configuration(request, self._provider.tenant.issuer_v2, "/v2.0")

    async def configuration_v1(self, request: web.Request) -> web.Response:
        return self._configuration(request, self._provider.tenant.issuer_v1, "")

    def _configuration(self, request: web.Request, issuer: str, version: str) -> web.Response:
        tenant = request.match_info["tenant"]
        if tenant != self._provider.tenant.id:
            return self._refused(unknown_tenant(tenant))
        base = f"{request.scheme}://{request.host}{self._prefix}/{tenant}"
        return web.json_response(
            {
                "issuer": issuer,
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery{version}/keys",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "client_secret_basic",
                ],
                "response_types_supported": ["token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "tenant_region_scope": "Local",
            }
        )

    async def keys(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        if tenant != self._provider.tenant.id:
            return self._refused(unknown_tenant(tenant))
        return web.json_response(self._provider.key_set())

    async def token(self, request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        try:
            if request.match_info["tenant"] != self._provider.tenant.id:
                raise unknown_tenant(request.match_info["tenant"])
            form = await _form(request)
            return web.json_response(self._provider.grant(form), headers=headers)
        except Refusal as refusal:
            return self._refused(refusal)

    async def rotate(self, request: web.Request) -> web.Response:
        # A page of another site cannot send JSON unasked.
        if request.content_type != "application/json":
            return web.json_response({"error": "Send application/json."}, status=415)
        return web.json_response({"kid": await self._provider.rotate()})

    def _refused(self, refusal: Refusal) -> web.Response:
        body = refusal.body(self._clock.now(), str(uuid.uuid4()))
        return web.json_response(body, status=refusal.status, headers={"Cache-Control": "no-store"})


async def _form(request: web.Request) -> dict[str, str]:
    """The form of a token request, with the client's name and secret from where they may stand."""
    if request.content_type != _FORM:
        raise missing("grant_type")
    data = bytearray()
    async for piece in request.content.iter_any():
        data += piece
        if len(data) > _BODY_LIMIT:
            raise Refusal(413, "invalid_request", 900144, "The request is too large.")
    form = dict(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise missing("client_id") from error
        form |= {"client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}
    return form
