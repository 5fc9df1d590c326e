"""An app of the module's own, which its fixture `folder` writes into `folder / "app"`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import started
from tests.support.reports import Reports


@pytest.fixture(scope="module")
def process(folder: Path) -> Iterator[tuple[EmulatorProcess, Doors]]:
    with started(folder / "app", folder / "data") as running:
        yield running


@pytest.fixture
def reports(folder: Path) -> Reports:
    """What the app's functions have written down of their calls."""
    return Reports(folder / "report")
