"""How clients get in: keys, tokens, http, https, and where they are sent on to."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import azure.identity
import azure.identity.aio
import pytest
from aiohttp import ClientSession, web
from azure.core.exceptions import ServiceRequestError
from azure.cosmos import CosmosClient, exceptions

from emulator.cosmos import EMULATOR_KEY
from emulator.identity import Identity
from tests.support.cosmos import Server, running_server, sdk_client

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
BOTH = pytest.mark.parametrize("kind", ["sync", "aio"])


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path, with_tls=True) as running:
        yield running


@pytest.fixture
async def identity(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Identity]:
    """A managed identity that the environment points to, and nothing else does."""
    given = Identity()
    app = web.Application()
    app.add_routes(given.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for name, value in given.settings(origin).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    yield given
    await runner.cleanup()


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
async def test_key_over_https(secure: Server, kind: str) -> None:
    assert secure.listener.https is not None
    await use(secure.listener.https, kind, EMULATOR_KEY)


@BOTH
async def test_default_credential_over_https(secure: Server, identity: Identity, kind: str) -> None:
    assert secure.listener.https is not None
    if kind == "aio":
        async with azure.identity.aio.DefaultAzureCredential() as credential:
            await use(secure.listener.https, kind, credential)
    else:
        await use(secure.listener.https, kind, azure.identity.DefaultAzureCredential())


async def test_token_over_http_is_refused_by_the_client(server: Server, identity: Identity) -> None:
    async with azure.identity.aio.DefaultAzureCredential() as credential:
        with pytest.raises(ServiceRequestError, match="non-TLS"):
            await use(server.url, "aio", credential)


async def test_connection_string(server: Server) -> None:
    text = f"AccountEndpoint={server.url}/;AccountKey={EMULATOR_KEY};"
    client = CosmosClient.from_connection_string(text)
    assert [database["id"] for database in client.list_databases()] == ["shop"]


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


async def test_identity_with_a_wrong_secret_gets_no_token(identity: Identity) -> None:
    url = os.environ["IDENTITY_ENDPOINT"]
    query = {"api-version": "2019-08-01", "resource": "https://localhost"}
    async with ClientSession() as session:
        async with session.get(url, params=query) as answer:
            assert answer.status == 401
        headers = {"X-IDENTITY-HEADER": identity.secret}
        async with session.get(url, params=query, headers=headers) as answer:
            token = await answer.json()
    assert token["resource"] == "https://localhost"
    assert token["access_token"]
    assert int(token["expires_on"]) > time.time()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_account_sends_clients_where_they_came_in(secure: Server, host: str) -> None:
    assert secure.listener.https is not None
    bearer = {"authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken"}
    async with ClientSession() as session:
        for origin in (secure.listener.http, secure.listener.https):
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
