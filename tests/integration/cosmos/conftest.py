"""A fresh endpoint for each test, and clients of both SDKs over both ways in.

A test that takes `sdk` (or a container of it) runs four times: with the synchronous and the
asynchronous client, by key over http and by managed identity over https.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import azure.identity
import azure.identity.aio
import pytest

from emulator.cosmos import EMULATOR_KEY
from emulator.identity import Identity
from tests.support.cosmos import Face, Sdk, Server, running_server, sdk_client


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the endpoint's certificate is kept, made by the first test that needs it."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def identity() -> Identity:
    """The managed identity that is served beside the endpoint."""
    return Identity()


@pytest.fixture
def server(tmp_path: Path, certificates: Path, identity: Identity) -> Iterator[Server]:
    """An endpoint with http and https."""
    with running_server(tmp_path, certificates=certificates, identity=identity) as running:
        yield running


@pytest.fixture
def by_identity(server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The endpoint, in an environment whose only identity is the one served beside it."""
    for name, value in identity.settings(server.url).items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture(
    params=["sync-http-key", "aio-http-key", "sync-https-identity", "aio-https-identity"]
)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    """A client of each SDK, over each way in."""
    kind, scheme, _ = request.param.split("-")
    server: Server = request.getfixturevalue("server" if scheme == "http" else "by_identity")
    async with AsyncExitStack() as stack:
        credential: Any = EMULATOR_KEY
        url = server.url
        if scheme == "https":
            url = server.https
            if kind == "aio":
                made = azure.identity.aio.DefaultAzureCredential()
                credential = await stack.enter_async_context(made)
            else:
                credential = stack.enter_context(azure.identity.DefaultAzureCredential())
        yield await stack.enter_async_context(sdk_client(kind, url, credential))


@pytest.fixture
async def aio(server: Server) -> AsyncIterator[Sdk]:
    """The asynchronous client, for what is the server's matter alone."""
    async with sdk_client("aio", server.url) as client:
        yield client


@pytest.fixture
def orders(sdk: Sdk) -> Face:
    return sdk.container("orders")


@pytest.fixture
def things(sdk: Sdk) -> Face:
    return sdk.container("things")
