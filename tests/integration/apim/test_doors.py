"""The gateway's own doors and the identity provider, over the wire."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml

from tests.support.gateway import CLIENT, OPERATOR, Stage, entities_with, running_gateway

VALUES = "/emulator/apim/named-values"
JSON = {"Content-Type": "application/json"}
AZURE = (
    "/emulator/management/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement"
    "/service/n/namedValues/{}?api-version=2022-08-01"
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with running_gateway(tmp_path) as found:
        yield found


async def _put(stage: Stage, name: str, value: Any) -> Any:
    data = json.dumps({"value": value})
    return await stage.send("PUT", f"{VALUES}/{name}", JSON, data)


# --- Named values ---------------------------------------------------------------------------------


async def test_a_named_value_is_read_changed_and_kept(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as stage:
        shown = {entry["name"]: entry for entry in (await stage.send("GET", VALUES)).json()}
        assert shown["credit"]["value"] == "0"
        changed = await _put(stage, "credit", "7")
        assert (changed.status, changed.json()["value"]) == (200, "7")
        assert changed.headers["ETag"] != shown["credit"]["etag"]
    async with running_gateway(tmp_path) as stage:
        shown = {entry["name"]: entry for entry in (await stage.send("GET", VALUES)).json()}
        assert shown["credit"]["value"] == "7"


@pytest.mark.parametrize("value", ["", None, 7, "x" * 4097])
async def test_a_value_that_the_service_would_not_store_is_refused(
    stage: Stage, value: Any
) -> None:
    refused = await _put(stage, "credit", value)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "ValidationError")
    assert stage.gateway.named_values.texts()["credit"] == "0"


async def test_a_secret_is_used_and_not_shown(tmp_path: Path) -> None:
    def secret(management: dict[str, Any]) -> None:
        for entry in management["namedValues"]:
            entry["secret"] = entry["name"] == "credit"

    async with running_gateway(tmp_path, entities=entities_with(secret)) as stage:
        assert (await _put(stage, "credit", "7654321")).json()["value"] is None
        assert "7654321" not in (await stage.send("GET", VALUES)).text
        azure = await stage.send("GET", AZURE.format("credit"), await _identity(stage))
        assert azure.json()["properties"] == {"displayName": "credit", "secret": True}
        assert stage.gateway.named_values.texts()["credit"] == "7654321"


async def test_a_value_that_breaks_a_policy_is_refused_and_nothing_changes(stage: Stage) -> None:
    refused = await _put(stage, "operator-operations", '" + nonsense + "')
    assert refused.status == 400
    assert "policies/api-orders.xml" in refused.json()["error"]["message"]
    assert (await stage.call(product="basic")).status == 200


async def test_a_page_of_another_site_cannot_change_anything(stage: Stage) -> None:
    # Without a preflight request, a browser sends none but these types to another origin.
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        for method, path in (
            ("PUT", f"{VALUES}/credit"),
            ("POST", "/emulator/apim/subscriptions/basic-subscription/regeneratePrimaryKey"),
            ("POST", "/emulator/identity/rotate-keys"),
        ):
            reply = await stage.send(
                method, path, {"Content-Type": content_type}, json.dumps({"value": "9"}).encode()
            )
            assert reply.status == 415
    preflight = await stage.send(
        "OPTIONS",
        f"{VALUES}/credit",
        {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"},
    )
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert stage.gateway.named_values.texts()["credit"] == "0"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
async def test_a_body_that_is_no_object_is_refused(stage: Stage, body: bytes) -> None:
    assert (await stage.send("PUT", f"{VALUES}/credit", JSON, body)).status == 400


# --- The management API of Azure ------------------------------------------------------------------


async def _identity(stage: Stage, audience: str = "https://management.azure.com") -> dict[str, str]:
    client_id = stage.provider.tenant.identity_client_id
    return {"Authorization": f"Bearer {await stage.provider.token(audience, client_id)}"}


async def test_the_management_api_wants_the_identitys_token(stage: Stage) -> None:
    path = AZURE.format("credit")
    for headers in (
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Bearer {stage.token()}"},
        await _identity(stage, "https://vault.azure.net"),
    ):
        for method in ("GET", "PATCH"):
            refused = await stage.send(method, path, {**headers, **JSON, "If-Match": "*"}, b"{}")
            assert refused.status == 401
            assert refused.json()["error"]["code"] == "AuthenticationFailed"
    assert (await stage.send("GET", path, await _identity(stage))).status == 200


async def test_the_management_api_patches_with_an_etag(stage: Stage) -> None:
    identity, path = await _identity(stage), AZURE.format("credit")
    body = json.dumps({"properties": {"value": "3"}})

    async def patch(**headers: str) -> Any:
        return await stage.send("PATCH", path, {**identity, **JSON, **headers}, body)

    assert (await patch()).json()["error"]["code"] == "MissingIfMatchHeader"
    found = await stage.send("GET", path, identity)
    assert found.json()["properties"]["value"] == "0"
    etag = found.headers["ETag"]
    changed = await patch(**{"If-Match": etag})
    assert (changed.status, changed.json()["properties"]["value"]) == (200, "3")
    assert (await patch(**{"If-Match": etag})).status == 412
    assert (await patch(**{"If-Match": "*"})).status == 200


async def test_the_management_api_knows_what_it_has(stage: Stage) -> None:
    identity = await _identity(stage)
    assert (await stage.send("GET", AZURE.format("nothing"), identity)).status == 404
    without = AZURE.format("credit").partition("?")[0]
    refused = await stage.send("GET", without, identity)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "MissingApiVersionParameter")


# --- Subscriptions --------------------------------------------------------------------------------


async def test_a_regenerated_key_replaces_the_old_one_and_keeps_the_other(stage: Stage) -> None:
    base = "/emulator/apim/subscriptions/basic-subscription"
    old, secondary = stage.key("basic"), stage.key("basic", "secondary")
    assert (await stage.send("POST", f"{base}/regeneratePrimaryKey", JSON)).status == 204
    for key, status in ((old, 401), (stage.key("basic"), 200), (secondary, 200)):
        reply = await stage.call(product=None, headers={"Ocp-Apim-Subscription-Key": key})
        assert reply.status == status
    kept = json.loads(stage.running.subscriptions_path.read_text())
    assert stage.key("basic") in {entry["primaryKey"] for entry in kept}


async def test_a_subscription_is_suspended_and_activated(stage: Stage) -> None:
    path = "/emulator/apim/subscriptions/basic-subscription"
    for state, status in (("suspended", 401), ("active", 200)):
        changed = await stage.send("PATCH", path, JSON, json.dumps({"state": state}))
        assert changed.json()["state"] == state
        assert (await stage.call(product="basic")).status == status
    assert (await stage.send("PATCH", path, JSON, b'{"state": "gone"}')).status == 400
    assert (await stage.send("PATCH", path + "x", JSON, b'{"state": "active"}')).status == 404


async def test_keys_are_kept_over_a_restart(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as stage:
        before, token = stage.key("basic"), stage.token()
    async with running_gateway(tmp_path) as stage:
        assert stage.key("basic") == before
        reply = await stage.call(
            product="basic", client=None, headers={"Authorization": f"Bearer {token}"}
        )
        assert reply.status == 200


async def test_a_damaged_key_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "apim").mkdir()
    (tmp_path / "apim" / "subscriptions.json").write_text("{")
    with pytest.raises(ValueError, match=r"subscriptions\.json holds no JSON"):
        async with running_gateway(tmp_path):
            pass


# --- OpenAPI --------------------------------------------------------------------------------------


async def test_the_openapi_document_is_served_with_the_gateways_address(stage: Stage) -> None:
    text = await stage.send("GET", "/emulator/apim/openapi.yaml")
    document = yaml.safe_load(text.body)
    assert document["servers"] == [{"url": stage.url}]
    assert (await stage.send("GET", "/emulator/apim/openapi.json")).json() == document


# --- The identity provider ------------------------------------------------------------------------


def _clients(stage: Stage) -> dict[str, dict[str, Any]]:
    entries = json.loads(stage.running.clients_path.read_text())
    return {entry["displayName"]: entry for entry in entries}


async def _token(stage: Stage, headers: dict[str, str] | None = None, **form: str) -> Any:
    endpoint = stage.running.describe()["tokenEndpoint"]
    return await stage.send("POST", endpoint, headers, form)


@pytest.mark.parametrize(
    ("client", "roles"),
    [
        (CLIENT, ["Orders.Read", "Orders.Write"]),
        (OPERATOR, ["Orders.Read", "Orders.Write", "Orders.Operate"]),
    ],
)
async def test_client_credentials_give_a_token_that_opens_the_api(
    stage: Stage, client: str, roles: list[str]
) -> None:
    entry = _clients(stage)[client]
    form = {"grant_type": "client_credentials", "scope": entry["scope"]}
    posted = await _token(stage, **form, client_id=entry["appId"], client_secret=entry["password"])
    pair = base64.b64encode(f"{entry['appId']}:{entry['password']}".encode()).decode()
    basic = await _token(stage, {"Authorization": f"Basic {pair}"}, **form)
    for reply in (posted, basic):
        assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-store")
        token = reply.json()["access_token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["roles"] == roles
        assert claims["ver"] == "2.0"
        opened = await stage.call(
            product="basic", client=None, headers={"Authorization": f"Bearer {token}"}
        )
        assert opened.status == 200


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 400, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope"),
        ({"scope": ""}, 400, "invalid_request"),
        ({"client_secret": ""}, 400, "invalid_request"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
async def test_a_token_request_that_is_wrong_is_refused_as_the_vendor_does(
    stage: Stage, change: dict[str, str], status: int, error: str
) -> None:
    entry = _clients(stage)[CLIENT]
    form = {
        "grant_type": "client_credentials",
        "client_id": entry["appId"],
        "client_secret": entry["password"],
        "scope": entry["scope"],
    }
    reply = await _token(stage, **{**form, **change})
    body = reply.json()
    assert (reply.status, body["error"]) == (status, error)
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert entry["password"] not in reply.text


async def test_another_tenant_is_unknown(stage: Stage) -> None:
    base = f"{stage.running.identity_url}/other"
    for method, path in (
        ("GET", "/v2.0/.well-known/openid-configuration"),
        ("GET", "/discovery/v2.0/keys"),
        ("POST", "/oauth2/v2.0/token"),
    ):
        assert (await stage.send(method, base + path)).json()["error_codes"] == [90002]


async def test_the_metadata_names_the_real_issuer_and_local_addresses(stage: Stage) -> None:
    tenant = stage.provider.tenant.id
    base = f"{stage.running.identity_url}/{tenant}"
    for version, issuer in (
        ("/v2.0", f"https://login.microsoftonline.com/{tenant}/v2.0"),
        ("", f"https://sts.windows.net/{tenant}/"),
    ):
        path = f"{base}{version}/.well-known/openid-configuration"
        document = (await stage.send("GET", path)).json()
        assert document["issuer"] == issuer
        keys = (await stage.send("GET", document["jwks_uri"])).json()["keys"]
        assert set(keys[0]) == {"kty", "use", "alg", "kid", "n", "e"}


async def test_keys_rotate_by_a_door_and_the_last_one_stays(stage: Stage) -> None:
    before = stage.token()
    rotate = f"{stage.running.identity_url}/rotate-keys"
    kid = (await stage.send("POST", rotate, JSON, b"{}")).json()["kid"]
    assert jwt.get_unverified_header(stage.token())["kid"] == kid
    kids = [entry["kid"] for entry in stage.provider.key_set()["keys"]]
    assert kids == [kid, jwt.get_unverified_header(before)["kid"]]
    await stage.send("POST", rotate, JSON, b"{}")
    assert len(stage.provider.key_set()["keys"]) == 2
