"""An emulator that is started again on the same data whenever it died, and its patient client.

A client that was not answered does what any client does: it asks again, under the same ids. A
process that ends although nothing asked it to is a failure of its own.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from azure.core.exceptions import ServiceRequestError, ServiceResponseError

from emulator.launch import Doors, EmulatorProcess, StartFailed

T = TypeVar("T")
Rule = Mapping[str, Any]

_GONE = (httpx.TransportError, ServiceRequestError, ServiceResponseError)
# How long a process that does not answer any more may take to be seen as ended.
_DYING_S = 5.0


class Broken(Exception):
    """The emulator ended by itself, does not answer, or answers what it should not."""


@dataclass(frozen=True)
class App:
    """What is started.

    Attributes:
        root: the function app's folder.
        arguments: more of the command line.
        environment: more of the environment.
    """

    root: Path
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


class Supervised:
    """One emulator over its lives.

    Args:
        lives: the rules of the first start, of the second, and so on; later starts have none.

    Attributes:
        standing: rules that every start has; who changes them tells the running one, too.
        deaths: how often it died of a rule, or of `kill`.
        recoveries_s: of each start but the first, from its exec until all was served again.
    """

    def __init__(self, app: App, data_dir: Path, lives: Sequence[Sequence[Rule]] = ()) -> None:
        self._app = app
        self._data_dir = data_dir
        self._lives = [list(rules) for rules in lives]
        self._process: EmulatorProcess | None = None
        self._doors: Doors | None = None
        self._reviving = asyncio.Lock()
        self._may_die = False
        self._cut_start_s: float | None = None
        self.standing: list[Rule] = []
        self.deaths = 0
        self.recoveries_s: list[float] = []
        self.http = httpx.AsyncClient(timeout=30.0)

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            await asyncio.to_thread(self._process.kill)
        await self.http.aclose()

    @property
    def doors(self) -> Doors:
        """Where the present life is reached."""
        assert self._doors is not None
        return self._doors

    @property
    def log(self) -> str:
        """All that was printed, over every life."""
        path = self._data_dir / "emulator.log"
        return path.read_text(encoding="utf-8", errors="replace")

    async def call(self, do: Callable[[Doors], Awaitable[T]]) -> T:
        """Do something at the doors, again after each death that cuts it off.

        Raises:
            Broken: it does not answer although it lives, or died without being asked to.
        """
        while True:
            doors = self.doors
            try:
                return await do(doors)
            except _GONE as error:
                await self._revive(doors, error)

    async def get(self, path: str, **options: Any) -> Any:
        """The JSON of a GET at the Functions host."""
        return (await self.ask("GET", path, **options)).json()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        door: str = "host",
        fine: Sequence[int] = (),
        **options: Any,
    ) -> httpx.Response:
        """A request at a door.

        Args:
            fine: statuses that are no failure, beside those below 400.
        Raises:
            Broken: it answers with another status.
        """
        answer = await self.call(
            lambda doors: self.http.request(method, getattr(doors, door) + path, **options)
        )
        if answer.status_code >= 400 and answer.status_code not in fine:
            raise Broken(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def kill(self, cut_start_s: float | None = None) -> None:
        """SIGKILL in the midst of whatever it does, then start it again.

        Args:
            cut_start_s: kill the start, too, so long after it began.
        """
        doors, process = self.doors, self._process
        assert process is not None
        self._may_die = True
        self._cut_start_s = cut_start_s
        await asyncio.to_thread(process.kill)
        await self._revive(doors, Broken("killed"))

    async def _revive(self, doors: Doors, error: Exception) -> None:
        async with self._reviving:
            if doors is not self._doors:
                return
            assert self._process is not None
            deadline = time.monotonic() + _DYING_S
            while self._process.running:
                if time.monotonic() > deadline:
                    raise Broken(f"It lives and does not answer: {error!r}") from error
                await asyncio.sleep(0.005)
            self._count_death()
            await self._start()

    def _count_death(self) -> None:
        if not self._may_die:
            raise Broken(f"The emulator ended by itself:\n{self.log[-3000:]}")
        self.deaths += 1

    async def _start(self) -> None:
        """Start it, again and again where it dies in its start, until it serves."""
        while True:
            rules = self._lives.pop(0) if self._lives else []
            self._may_die = any(rule["action"] == "die" for rule in rules)
            process = self._process = self._made([*self.standing, *rules])
            began = time.monotonic()
            starting = asyncio.create_task(asyncio.to_thread(process.start))
            if self._cut_start_s is not None:
                await self._cut(process, starting, self._cut_start_s)
                continue
            try:
                doors = await starting
            except StartFailed:
                self._count_death()
                continue
            if self.deaths:
                self.recoveries_s.append(time.monotonic() - began)
            self._doors = doors
            return

    async def _cut(
        self, process: EmulatorProcess, starting: "asyncio.Task[Doors]", after_s: float
    ) -> None:
        self._cut_start_s = None
        await asyncio.wait({starting}, timeout=after_s)
        while not starting.done() or process.running:
            await asyncio.to_thread(process.kill)
            await asyncio.sleep(0.01)
        await asyncio.gather(starting, return_exceptions=True)
        self.deaths += 1

    def _made(self, rules: Sequence[Rule]) -> EmulatorProcess:
        return EmulatorProcess(
            self._data_dir,
            script_root=self._app.root,
            arguments=(*self._app.arguments, "--faults", json.dumps(list(rules))),
            environment=dict(self._app.environment),
        )
