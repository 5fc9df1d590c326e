"""A hub's file for each test, and both ways to run an orchestrator."""

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the hub keeps its data."""
    return tmp_path / "taskhub.db"


@pytest.fixture(params=["replay", "live"])
def live(request: pytest.FixtureRequest) -> bool:
    """Whether generators are kept between episodes, or every episode is a full replay."""
    return str(request.param) == "live"
