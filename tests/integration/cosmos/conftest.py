"""A fresh endpoint for each test, and clients of both SDKs over both ways in.

A test that takes `sdk` (or a container of it), or `way`, runs four times: with the synchronous and
the asynchronous client, by key over http and by managed identity over https.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import azure.identity
import azure.identity.aio
import pytest

from emulator.cosmos import EMULATOR_KEY
from emulator.identity import Identity
from tests.support.cosmos import Face, Sdk, Server, running_server, sdk_client

Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the endpoint's certificate is kept, made by the first test that needs it."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def identity() -> Identity:
    """The managed identity that is served beside the endpoint."""
    return Identity()


@pytest.fixture
def serve(tmp_path: Path, certificates: Path, identity: Identity) -> Serve:
    """Starts an endpoint with http and https on the test's folder; takes a `clock`."""
    return partial(running_server, tmp_path, certificates=certificates, identity=identity)


@pytest.fixture
def server(serve: Serve) -> Iterator[Server]:
    """An endpoint with http and https."""
    with serve() as running:
        yield running


@pytest.fixture
def by_identity(server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The endpoint, in an environment whose only identity is the one served beside it."""
    _know(identity, server, monkeypatch)
    return server


def _know(identity: Identity, server: Server, environment: pytest.MonkeyPatch) -> None:
    for name, value in identity.settings(server.url).items():
        environment.setenv(name, value)


class Way:
    """A kind of client and how it gets in."""

    def __init__(self, name: str, identity: Identity, environment: pytest.MonkeyPatch) -> None:
        self.kind, scheme, _ = name.split("-")
        self._is_by_identity = scheme == "https"
        self._identity = identity
        self._environment = environment

    @asynccontextmanager
    async def into(self, server: Server) -> AsyncIterator[Sdk]:
        """A new client of an endpoint."""
        async with AsyncExitStack() as stack:
            credential: Any = EMULATOR_KEY
            url = server.url
            if self._is_by_identity:
                _know(self._identity, server, self._environment)
                url = server.https
                if self.kind == "aio":
                    made = azure.identity.aio.DefaultAzureCredential()
                    credential = await stack.enter_async_context(made)
                else:
                    credential = stack.enter_context(azure.identity.DefaultAzureCredential())
            yield await stack.enter_async_context(sdk_client(self.kind, url, credential))


@pytest.fixture(
    params=["sync-http-key", "aio-http-key", "sync-https-identity", "aio-https-identity"]
)
def way(request: pytest.FixtureRequest, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> Way:
    """Each kind of client, over each way in: for tests that start an endpoint of their own."""
    return Way(request.param, identity, monkeypatch)


@pytest.fixture
async def sdk(way: Way, server: Server) -> AsyncIterator[Sdk]:
    """A client of each kind, over each way in."""
    async with way.into(server) as client:
        yield client


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
