"""A Cosmos DB endpoint beside the test, and the vendor's SDK in both its forms behind one face.

The server runs on a thread and loop of its own, so that the synchronous SDK can be used in tests,
too. `Sdk` gives the synchronous and the asynchronous client the same awaitable calls; one test then
holds for both.
"""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import azure.cosmos
import azure.cosmos.aio
from azure.cosmos import PartitionKey

from emulator.clock import Clock
from emulator.cosmos import EMULATOR_KEY, CosmosService, Listener, listen
from emulator.faults import FaultRule, Faults
from emulator.identity import Identity

T = TypeVar("T")
SHOP: dict[str, Any] = {
    "cosmos": {
        "database": "shop",
        "containers": [
            {"name": "orders", "partitionKey": "/customer"},
            {"name": "things", "partitionKey": "/id"},
            {"name": "visits", "partitionKey": ["/tenant", "/user"]},
            {"name": "sessions", "partitionKey": "/id", "defaultTtl": 60},
        ],
    }
}


SYSTEM = ["_rid", "_self", "_etag", "_attachments", "_ts"]


def own(item: dict[str, Any]) -> dict[str, Any]:
    """An item without its system properties."""
    return {name: value for name, value in item.items() if name not in SYSTEM}


class Server:
    """A running endpoint."""

    def __init__(self, service: CosmosService, loop: asyncio.AbstractEventLoop) -> None:
        self.service = service
        self._loop = loop
        self.listener: Listener

    @property
    def url(self) -> str:
        return self.listener.http

    @property
    def https(self) -> str:
        """The other way in, of a server that has a certificate."""
        assert self.listener.https is not None
        return self.listener.https

    def run(self, work: Awaitable[T]) -> T:
        """Run something on the server's loop and wait for it."""

        async def awaited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(30)

    def fault(self, rule: FaultRule) -> None:
        """Put a fault in force."""
        self.service.faults.add(rule)


@contextmanager
def running_server(
    folder: Path,
    entities: Mapping[str, Any] = SHOP,
    *,
    clock: Clock | None = None,
    certificates: Path | None = None,
    identity: Identity | None = None,
) -> Iterator[Server]:
    """An endpoint on free ports; stopped, without any clean-up of its data, at the end.

    Args:
        certificates: where its certificate is kept; without, it has no https.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(CosmosService(folder / "cosmos.db", clock or Clock(), Faults()), loop)

    async def start() -> None:
        await server.service.start(entities)
        server.listener = await listen(
            server.service,
            port=0,
            tls_port=0 if certificates is not None else None,
            certificates=certificates,
            identity=identity,
        )

    async def stop() -> None:
        await server.listener.close()
        await server.service.stop()
        # Connections that were being opened when the listener closed.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    server.run(start())
    try:
        yield server
    finally:
        server.run(stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Face:
    """A client, database or container of either SDK."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method that gives one answer."""
        result = getattr(self.raw, name)(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def at_once(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """As `do`, and others may be under way: the synchronous client's call has a thread."""
        method = getattr(self.raw, name)
        if inspect.iscoroutinefunction(method):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def all(self, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call a method that gives a list, and go through all of it."""
        is_async = type(self.raw).__module__.startswith("azure.cosmos.aio")
        if is_async:
            # The asynchronous client crosses partitions by itself.
            kwargs.pop("enable_cross_partition_query", None)
        found = getattr(self.raw, name)(*args, **kwargs)
        if is_async:
            return [entry async for entry in found]
        return list(found)

    async def query(self, text: str, *values: Any, **kwargs: Any) -> list[Any]:
        """All results over all partitions; values are named `@0`... as `@p0`, `@p1`."""
        parameters = [{"name": f"@p{n}", "value": value} for n, value in enumerate(values)]
        if "partition_key" not in kwargs:
            kwargs["enable_cross_partition_query"] = True
        return await self.all("query_items", text, parameters=parameters, **kwargs)

    async def pages(self, name: str, *args: Any, token: str | None = None, **kwargs: Any) -> Any:
        """The pages of a list, and the token behind each."""
        is_async = type(self.raw).__module__.startswith("azure.cosmos.aio")
        if is_async:
            kwargs.pop("enable_cross_partition_query", None)
        pager = getattr(self.raw, name)(*args, **kwargs).by_page(token)
        pages: list[tuple[list[Any], str | None]] = []
        if is_async:
            async for page in pager:
                pages.append(([entry async for entry in page], pager.continuation_token))
        else:
            for page in pager:
                pages.append((list(page), pager.continuation_token))
        return pages


class Sdk(Face):
    """A client."""

    def container(self, name: str, database: str = "shop") -> Face:
        return Face(self.raw.get_database_client(database).get_container_client(name))

    def database(self, name: str = "shop") -> Face:
        return Face(self.raw.get_database_client(name))


@asynccontextmanager
async def sdk_client(
    kind: str, url: str, credential: Any = EMULATOR_KEY, **kwargs: Any
) -> AsyncIterator[Sdk]:
    """A client of the `sync` or `aio` SDK."""
    if kind == "aio":
        async with azure.cosmos.aio.CosmosClient(url, credential, **kwargs) as client:
            yield Sdk(client)
    else:
        with azure.cosmos.CosmosClient(url, credential, **kwargs) as client:
            yield Sdk(client)


async def new_container(sdk: Sdk, name: str, *paths: str, **kwargs: Any) -> Face:
    """A container made through the SDK."""
    key = (
        PartitionKey(path=paths[0])
        if len(paths) == 1
        else PartitionKey(path=list(paths), kind="MultiHash")
    )
    return Face(await sdk.database().do("create_container", name, key, **kwargs))
