"""`make lab` on an empty data folder: every step is green."""

import subprocess
import sys
from pathlib import Path

from tests.support.emulator import REPOSITORY


def test_every_step_of_the_lab_is_green(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab", "--data-dir", str(tmp_path / "lab")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("GREEN") > 20
