"""A fresh endpoint for each test, and a client of each SDK."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.cosmos import Face, Sdk, Server, running_server, sdk_client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as running:
        yield running


@pytest.fixture(params=["sync", "aio"])
async def sdk(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Sdk]:
    async with sdk_client(request.param, server.url) as client:
        yield client


@pytest.fixture
async def aio(server: Server) -> AsyncIterator[Sdk]:
    async with sdk_client("aio", server.url) as client:
        yield client


@pytest.fixture
def orders(sdk: Sdk) -> Face:
    return sdk.container("orders")


@pytest.fixture
def things(sdk: Sdk) -> Face:
    return sdk.container("things")
