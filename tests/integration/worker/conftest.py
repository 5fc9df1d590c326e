"""Workers for tests: real child processes that run the small apps of `tests/apps`."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from emulator.host.worker_process import LogLine, WorkerOptions, WorkerProcess

APPS = Path(__file__).parents[2] / "apps"

Start = Callable[..., Awaitable[WorkerProcess]]


def environment(**settings: str) -> dict[str, str]:
    """What a worker's environment holds in tests; no byte code is left beside the apps."""
    kept = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return values | {"PYTHONDONTWRITEBYTECODE": "1"} | settings


async def _starter() -> AsyncIterator[Start]:
    """Starts workers and ends them; `worker.lines` holds what they logged."""
    workers: list[WorkerProcess] = []

    async def start_worker(
        app: str | Path, *, bindings: Any = None, options: WorkerOptions | None = None, **env: str
    ) -> WorkerProcess:
        lines: list[LogLine] = []
        worker = WorkerProcess(options, on_log=lines.append, bindings=bindings)
        worker.lines = lines  # type: ignore[attr-defined]  # for the test to read
        workers.append(worker)
        worker.functions = await worker.start(APPS / app, environment(**env))  # type: ignore[attr-defined]  # as above
        return worker

    yield start_worker
    for worker in workers:
        await worker.stop()


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    """Starts workers for one test."""
    async for starter in _starter():
        yield starter


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def start_shared() -> AsyncIterator[Start]:
    """Starts workers for the tests of a module, which share one event loop."""
    async for starter in _starter():
        yield starter
