"""The gateway's own doors, on loopback: named values, subscriptions, the OpenAPI document.

    GET   /emulator/apim/named-values            PUT /emulator/apim/named-values/{name}
    GET   /emulator/apim/subscriptions           PATCH /emulator/apim/subscriptions/{name}
    POST  /emulator/apim/subscriptions/{name}/regeneratePrimaryKey | regenerateSecondaryKey
    GET   /emulator/apim/openapi.yaml | openapi.json
    GET, PATCH /emulator/management/subscriptions/…/namedValues/{name}     as Azure's, with a token

The last is where `https://management.azure.com` is mapped to: it asks for a bearer token of the
gateway's identity, as the real one does. The others are for the user of this machine; they change
something only on a JSON request, which a page of another site cannot send unasked. Keys are never
shown: they are in the file.
"""

import json
from typing import Any

import yaml
from aiohttp import web

from emulator.apim.errors import JSON
from emulator.apim.gateway import Gateway
from emulator.apim.model import NamedValue
from emulator.apim.named_values import InvalidNamedValue, StaleEtag
from emulator.apim.openid import OpenIdUnavailable
from emulator.apim.subscriptions import STATES, describe
from emulator.apim.tokens import TokenRefused, TokenRules, check_claims, read_header, verify

_BODY_LIMIT = 64 * 1024
_RESOURCE = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement"
    "/service/{service}/namedValues/{name}"
)
_AUDIENCES = frozenset({"https://management.azure.com", "https://management.azure.com/"})
_METADATA = "https://login.microsoftonline.com/{}/v2.0/.well-known/openid-configuration"


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def management_routes(gateway: Gateway) -> list[web.RouteDef]:
    """The routes of the doors."""
    doors = _Doors(gateway)
    base = "/emulator/apim"
    return [
        web.get(f"{base}/named-values", doors.guarded(doors.list_named_values)),
        web.put(f"{base}/named-values/{{name}}", doors.guarded(doors.put_named_value)),
        web.get(f"{base}/subscriptions", doors.guarded(doors.list_subscriptions)),
        web.patch(f"{base}/subscriptions/{{name}}", doors.guarded(doors.patch_subscription)),
        web.post(
            f"{base}/subscriptions/{{name}}/regenerate{{which:Primary|Secondary}}Key",
            doors.guarded(doors.regenerate),
        ),
        web.get(f"{base}/openapi.{{form:yaml|json}}", doors.guarded(doors.openapi)),
        web.get(f"/emulator/management{_RESOURCE}", doors.guarded(doors.azure_get)),
        web.patch(f"/emulator/management{_RESOURCE}", doors.guarded(doors.azure_patch)),
    ]


class _Doors:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def guarded(self, door: Any) -> Any:
        """The door, its refusals in the form of the management API."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                response: web.StreamResponse = await door(request)
            except _Refused as refused:
                body = {"error": {"code": refused.code, "message": str(refused)}}
                return web.json_response(body, status=refused.status)
            return response

        return handle

    # For the user of this machine

    async def list_named_values(self, _: web.Request) -> web.Response:
        values = self._gateway.named_values.all()
        return web.json_response([_described(value) for value in values])

    async def put_named_value(self, request: web.Request) -> web.Response:
        body = await _json_body(request)
        changed = await self._change(request.match_info["name"], body.get("value"), "*")
        return web.json_response(_described(changed), headers={"ETag": changed.etag})

    async def list_subscriptions(self, _: web.Request) -> web.Response:
        found = self._gateway.subscriptions
        shown = [describe(subscription) for subscription in found.all()]
        return web.json_response({"keys": str(found.path), "subscriptions": shown})

    async def patch_subscription(self, request: web.Request) -> web.Response:
        state = (await _json_body(request)).get("state")
        if state not in STATES:
            raise _Refused(400, "ValidationError", f"state is one of {', '.join(STATES)}")
        name = self._subscription(request)
        changed = await self._gateway.subscriptions.set_state(name, str(state))
        return web.json_response(describe(changed))

    async def regenerate(self, request: web.Request) -> web.Response:
        await _json_body(request)
        which = request.match_info["which"].lower()
        await self._gateway.subscriptions.regenerate(self._subscription(request), which)
        return web.Response(status=204)

    def _subscription(self, request: web.Request) -> str:
        name = request.match_info["name"]
        if self._gateway.subscriptions.get(name) is None:
            raise _Refused(404, "ResourceNotFound", "Subscription not found.")
        return name

    async def openapi(self, request: web.Request) -> web.Response:
        documents = list(self._gateway.definitions.openapi.values())
        if not documents:
            raise _Refused(404, "ResourceNotFound", "No API has an OpenAPI document.")
        served = {**documents[0], "servers": [{"url": f"{request.scheme}://{request.host}"}]}
        if request.match_info["form"] == "json":
            return web.json_response(served)
        text = yaml.safe_dump(served, sort_keys=False, allow_unicode=True)
        return web.Response(text=text, content_type="application/yaml")

    # As the management API of Azure

    async def azure_get(self, request: web.Request) -> web.Response:
        await self._authorize(request)
        return self._resource(request, self._known(request))

    async def azure_patch(self, request: web.Request) -> web.Response:
        await self._authorize(request)
        if_match = request.headers.get("If-Match")
        if if_match is None:
            # Assumed: the code; that the header is required is the documented contract.
            raise _Refused(400, "MissingIfMatchHeader", "The If-Match header is required.")
        self._known(request)
        properties = (await _json_body(request)).get("properties")
        value = properties.get("value") if isinstance(properties, dict) else None
        changed = await self._change(request.match_info["name"], value, if_match)
        return self._resource(request, changed)

    async def _change(self, name: str, value: object, if_match: str) -> NamedValue:
        if not isinstance(value, str):
            raise _Refused(400, "ValidationError", "value is a string")
        try:
            return await self._gateway.set_named_value(name, value, if_match)
        except InvalidNamedValue as error:
            raise _Refused(400, "ValidationError", str(error)) from error
        except StaleEtag as error:
            text = "The named value has been changed since it was read."
            raise _Refused(412, "PreconditionFailed", text) from error

    def _known(self, request: web.Request) -> NamedValue:
        if "api-version" not in request.query:
            text = "The api-version query parameter (?api-version=) is required for all requests."
            raise _Refused(400, "MissingApiVersionParameter", text)
        found = self._gateway.named_values.get(request.match_info["name"])
        if found is None:
            raise _Refused(404, "ResourceNotFound", "Named value not found.")
        return found

    def _resource(self, request: web.Request, value: NamedValue) -> web.Response:
        identifier = _RESOURCE.format(**request.match_info)
        body = {
            "id": identifier,
            "type": "Microsoft.ApiManagement/service/namedValues",
            "name": value.name,
            "properties": {"displayName": value.name, "value": value.value, "secret": value.secret},
        }
        if value.secret:
            body["properties"] = {"displayName": value.name, "secret": True}
        return web.json_response(body, headers={"ETag": value.etag})

    async def _authorize(self, request: web.Request) -> None:
        """Let only a token of this tenant for the management API in."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        values, services = self._gateway.named_values.texts(), self._gateway.services
        tenant = values.get("tenant", "")
        try:
            if scheme.lower() != "bearer":
                raise TokenRefused("TokenNotPresent", "no bearer token")
            header = read_header(token)
            rules = TokenRules(
                audiences=_AUDIENCES, issuers=frozenset({f"https://sts.windows.net/{tenant}/"})
            )
            metadata = await services.openid.metadata(_METADATA.format(tenant))
            check_claims(verify(token, header, rules, metadata.keys), rules, services.clock.now())
        except (TokenRefused, OpenIdUnavailable) as error:
            text = "Authentication failed. The access token is missing or invalid."
            raise _Refused(401, "AuthenticationFailed", text) from error


def _described(value: NamedValue) -> dict[str, Any]:
    shown = None if value.secret else value.value
    return {"name": value.name, "value": shown, "secret": value.secret, "etag": value.etag}


async def _json_body(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request; the content type is what keeps other sites' pages out."""
    if request.content_type != JSON:
        raise _Refused(415, "UnsupportedMediaType", f"Send {JSON}.")
    text = bytearray()
    async for piece in request.content.iter_any():
        text += piece
        if len(text) > _BODY_LIMIT:
            raise _Refused(413, "RequestEntityTooLarge", "The body is too large.")
    try:
        body = json.loads(text or b"{}")
    except ValueError as error:
        raise _Refused(400, "InvalidRequestContent", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise _Refused(400, "InvalidRequestContent", "The body is not a JSON object.")
    return body
