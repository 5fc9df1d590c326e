"""How clients get in: keys, tokens, http, https, and where they are sent on to."""

import asyncio
import os
import time
from typing import Any

import azure.cosmos.aio
import azure.identity
import azure.identity.aio
import pytest
from aiohttp import ClientSession
from azure.core.exceptions import ServiceRequestError
from azure.cosmos import CosmosClient, exceptions

from emulator.cosmos import EMULATOR_KEY
from emulator.identity import Identity
from tests.support.cosmos import Server, sdk_client

BOTH = pytest.mark.parametrize("kind", ["sync", "aio"])


async def use(url: str, kind: str, credential: object) -> None:
    """Write and read an item; the synchronous client does it on a thread."""

    async def calls() -> None:
        async with sdk_client(kind, url, credential) as sdk:
            things = sdk.container("things")
            await things.do("upsert_item", {"id": "a"})
            assert (await things.do("read_item", "a", "a"))["id"] == "a"

    if kind == "sync":
        await asyncio.to_thread(asyncio.run, calls())
    else:
        await calls()


@BOTH
async def test_key_over_http(server: Server, kind: str) -> None:
    await use(server.url, kind, EMULATOR_KEY)


@BOTH
async def test_key_over_http_by_address(server: Server, kind: str) -> None:
    await use(server.url.replace("localhost", "127.0.0.1"), kind, EMULATOR_KEY)


@BOTH
async def test_key_over_https(server: Server, kind: str) -> None:
    await use(server.https, kind, EMULATOR_KEY)


@BOTH
async def test_default_credential_over_https(
    by_identity: Server, identity: Identity, kind: str
) -> None:
    if kind == "aio":
        async with azure.identity.aio.DefaultAzureCredential() as credential:
            await use(by_identity.https, kind, credential)
    else:
        await use(by_identity.https, kind, azure.identity.DefaultAzureCredential())


async def test_token_over_http_is_refused_by_the_client(by_identity: Server) -> None:
    async with azure.identity.aio.DefaultAzureCredential() as credential:
        with pytest.raises(ServiceRequestError, match="non-TLS"):
            await use(by_identity.url, "aio", credential)
    with (
        azure.identity.DefaultAzureCredential() as credential,
        pytest.raises(ServiceRequestError, match="non-TLS"),
    ):
        await use(by_identity.url, "sync", credential)


async def test_connection_string(server: Server) -> None:
    text = f"AccountEndpoint={server.url}/;AccountKey={EMULATOR_KEY};"
    with CosmosClient.from_connection_string(text) as client:
        assert [database["id"] for database in client.list_databases()] == ["shop"]
    async with azure.cosmos.aio.CosmosClient.from_connection_string(text) as client:
        assert [database["id"] async for database in client.list_databases()] == ["shop"]


@BOTH
async def test_wrong_key_is_unauthorized(server: Server, kind: str) -> None:
    wrong = "d3Jvbmc=" if kind == "sync" else "d3Jvbmcy"
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await use(server.url, kind, wrong)
    assert refused.value.status_code == 401
    assert "payload to sign" in str(refused.value)


async def test_missing_authorization_is_unauthorized(server: Server) -> None:
    async with ClientSession() as session, session.get(server.url) as answer:
        assert answer.status == 401
        body = await answer.json()
    assert body["code"] == "Unauthorized"
    assert "Required Header authorization is missing" in body["message"]


async def test_identity_gives_tokens_to_who_knows_its_secret(
    by_identity: Server, identity: Identity
) -> None:
    url = os.environ["IDENTITY_ENDPOINT"]
    query = {"api-version": "2019-08-01", "resource": "https://localhost"}
    known = {"X-IDENTITY-HEADER": identity.secret}

    async def ask(headers: dict[str, str], **changes: str | None) -> tuple[int, Any]:
        params = {name: v for name, v in {**query, **changes}.items() if v is not None}
        async with (
            ClientSession() as session,
            session.get(url, params=params, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    assert (await ask({}))[0] == 401
    assert (await ask({"X-IDENTITY-HEADER": "wrong"}))[0] == 401
    assert (await ask(known, **{"api-version": "2000-01-01"}))[0] == 400
    assert (await ask(known, resource=None))[0] == 400
    status, token = await ask(known)
    assert status == 200
    assert token["resource"] == "https://localhost"
    assert token["access_token"]
    assert int(token["expires_on"]) > time.time()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_account_sends_clients_where_they_came_in(by_identity: Server, host: str) -> None:
    bearer = {"authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken"}
    async with ClientSession() as session:
        for origin in (by_identity.url, by_identity.https):
            url = origin.replace("localhost", host)
            async with session.get(url, headers=bearer, ssl=False) as answer:
                account = await answer.json()
            place = account["writableLocations"][0]["databaseAccountEndpoint"]
            assert place == f"{url}/"
            assert account["readableLocations"] == account["writableLocations"]


async def test_every_answer_carries_the_vendors_headers(server: Server) -> None:
    bearer = {
        "authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken",
        "x-ms-activity-id": "11111111-2222-3333-4444-555555555555",
    }
    async with ClientSession() as session:
        async with session.get(f"{server.url}/dbs/shop/colls/orders", headers=bearer) as answer:
            assert answer.status == 200
            assert answer.headers["x-ms-activity-id"] == bearer["x-ms-activity-id"]
            assert answer.headers["x-ms-session-token"] == "0:-1#0"
            assert answer.headers["x-ms-alt-content-path"] == "dbs/shop/colls/orders"
            for name in ("x-ms-request-charge", "x-ms-gatewayversion", "x-ms-serviceversion"):
                assert answer.headers[name]
        async with session.get(f"{server.url}/dbs/shop/nothing", headers=bearer) as answer:
            assert answer.status == 400
            assert "Request url is invalid" in (await answer.json())["message"]
        async with session.put(f"{server.url}/dbs/shop", headers=bearer) as answer:
            assert answer.status == 405
            assert (await answer.json())["code"] == "MethodNotAllowed"
