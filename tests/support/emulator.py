"""The real emulator as a process, for tests: free ports, apps of the test's own, polls."""

import asyncio
import json
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from emulator.launch import Doors, EmulatorProcess

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[2]
CONNECTIONS = {
    "SB": "Endpoint=sb://localhost:5300;SharedAccessKeyName=n;SharedAccessKey=k;"
    "UseDevelopmentEmulator=true",
    "COSMOS": "AccountEndpoint=http://localhost:8081/;AccountKey=a2V5;",
    "EG__topicEndpointUri": "http://localhost:5300/topics/things/api/events",
}
_TOKEN = {"Authorization": "SharedAccessSignature sr=x&sig=x&se=1&skn=x"}


def write_app(
    folder: Path,
    source: str,
    *,
    host: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
    entities: Mapping[str, Any] | None = None,
) -> Path:
    """Write a function app with its settings; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(textwrap.dedent(source), encoding="utf-8")
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **(host or {})}))
    settings = {"IsEncrypted": False, "Values": {**CONNECTIONS, **(values or {})}}
    (folder / "local.settings.json").write_text(json.dumps(settings))
    if entities is not None:
        (folder / "infra").mkdir(exist_ok=True)
        (folder / "infra" / "entities.json").write_text(json.dumps(entities))
    return folder


async def until(check: Callable[[], Awaitable[T]], what: str, timeout_s: float = 30.0) -> T:
    """Ask again and again until the answer is true; returns it."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = await check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"It did not come true within {timeout_s:g} s: {what}")
        await asyncio.sleep(0.02)


class Emulator:
    """A running emulator and a client for its doors."""

    def __init__(self, process: EmulatorProcess, doors: Doors, http: aiohttp.ClientSession) -> None:
        self.process = process
        self.doors = doors
        self.http = http

    @property
    def log(self) -> str:
        """Everything it printed so far."""
        return self.process.log_path.read_text(encoding="utf-8", errors="replace")

    async def logged(self, text: str) -> None:
        """Wait until a text is in the log, which is written a moment later."""

        async def found() -> bool:
            return text in self.log

        await until(found, f"the log holds: {text}")

    async def get(self, path: str, **options: Any) -> "Answer":
        """GET at the Functions host."""
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> "Answer":
        """POST at the Functions host."""
        return await self.ask("POST", path, **options)

    async def ask(self, method: str, path: str, **options: Any) -> "Answer":
        """Any request at the Functions host."""
        async with self.http.request(method, self.doors.host + path, **options) as response:
            return await Answer.of(response)

    async def send(
        self, queue: str, body: str | bytes, properties: Mapping[str, Any] | None = None
    ) -> None:
        """Put a message on a queue."""
        headers = dict(_TOKEN)
        if properties is not None:
            headers["BrokerProperties"] = json.dumps(properties)
        url = f"{self.doors.servicebus}/{queue}/messages"
        data = body.encode() if isinstance(body, str) else body
        async with self.http.post(url, data=data, headers=headers) as response:
            assert response.status == 201, await response.text()

    async def receive(self, path: str) -> tuple[bytes, dict[str, Any]] | None:
        """Take a message off a queue for good; its body and broker properties."""
        url = f"{self.doors.servicebus}/{path}/messages/head?timeout=0"
        async with self.http.delete(url, headers=_TOKEN) as response:
            if response.status == 204:
                return None
            assert response.status == 200, await response.text()
            return await response.read(), json.loads(response.headers["BrokerProperties"])

    async def counts(self, queue: str) -> dict[str, int]:
        """How many messages of a queue are where."""
        async with self.http.get(self.doors.servicebus + "/$emulator/queues") as response:
            listed = (await response.json())["queues"]
        return next(entry["counts"] for entry in listed if entry["name"] == queue)

    async def peek(self, path: str) -> list[dict[str, Any]]:
        """The messages of a queue, without taking them."""
        url = f"{self.doors.servicebus}/$emulator/queues/{path}/messages"
        async with self.http.get(url) as response:
            messages: list[dict[str, Any]] = (await response.json())["messages"]
            return messages

    async def events(self) -> list[dict[str, Any]]:
        """Every event that was published, in order."""
        found: list[dict[str, Any]] = []
        start = 0
        while True:
            url = f"{self.doors.servicebus}/emulator/events?after={start}&limit=1000"
            async with self.http.get(url) as response:
                page = await response.json()
            found += [entry["event"] for entry in page["events"]]
            if page["next"] is None:
                return found
            start = page["next"]


class Answer:
    """A response that was read."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @classmethod
    async def of(cls, response: aiohttp.ClientResponse) -> "Answer":
        return cls(response.status, response.headers, await response.read())

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def connected(process: EmulatorProcess, doors: Doors) -> AsyncIterator[Emulator]:
    """A client for an emulator that runs already."""
    async with aiohttp.ClientSession() as http:
        yield Emulator(process, doors, http)


@contextmanager
def started(
    app: Path,
    data_dir: Path,
    *,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[EmulatorProcess, Doors]]:
    """An emulator for an app; stopped at the end, with exit code 0 if it still ran."""
    process = EmulatorProcess(
        data_dir, script_root=app, arguments=arguments, environment=environment
    )
    doors = process.start()
    try:
        yield process, doors
        was_running = process.running
    finally:
        code = process.stop()
    assert not was_running or code == 0, f"The emulator ended with exit code {code}."


@asynccontextmanager
async def running(
    app: Path,
    data_dir: Path,
    *,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Emulator]:
    """As `started` and `connected` in one, for a test that has the emulator to itself."""
    with started(app, data_dir, arguments=arguments, environment=environment) as (process, doors):
        async with connected(process, doors) as emulator:
            yield emulator
