"""The app of this repository on the emulator, and a client of it.

One process serves all tests of a module. A module that wants another has a fixture `process` of its
own; `emulator` is a client of whichever it is.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, connected
from tests.support.pipeline import pipeline


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Doors]]:
    running = pipeline(tmp_path_factory.mktemp("pipeline"))
    doors = running.start()
    yield running, doors
    assert running.stop() == 0


@pytest.fixture
async def emulator(process: tuple[EmulatorProcess, Doors]) -> AsyncIterator[Emulator]:
    async with connected(*process) as client:
        yield client
