"""The crash matrix's own eyes: a death that nobody asked for is a failure, one that was is not."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from chaos import storage_day
from chaos.supervised import Broken, Supervised


async def test_only_a_death_that_was_asked_for_is_borne(tmp_path: Path) -> None:
    # A rule that is met in the start, before anything is served: then a start that lives.
    dies = [{"point": "*.commit.before", "action": "die"}]
    async with Supervised(storage_day.app(tmp_path), tmp_path / "data", [dies]) as system:
        assert system.deaths == 1
        assert (await system.get("/emulator/faults"))["rules"] == []
        await system.kill()
        assert (await system.ask("GET", "/admin/host/status")).status_code == 200
        assert (system.deaths, len(system.recoveries_s)) == (2, 2)
        with pytest.raises(Broken, match="404"):
            await system.ask("GET", "/nowhere")
        os.kill(system.doors.pid, signal.SIGKILL)
        await asyncio.sleep(0)
        with pytest.raises(Broken, match="ended by itself"):
            await system.ask("GET", "/admin/host/status")
