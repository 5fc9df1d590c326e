"""`make lint-infra`: the policy checks of infra/, by checkov in an environment of its own.

checkov pins old libraries, so it does not go beside the app's. It also pins an old Bicep parser,
which drops files it cannot read without failing; ours is newer, and a file that was dropped is a
failure here. Which checks are skipped is in infra/.checkov.yaml, why in docs/decisions/.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv-infra"
CHECKOV = "checkov==3.3.30"
PARSER = "pycep-parser==0.7.1"
MARK = ENVIRONMENT / "installed.txt"


def install() -> None:
    """Make the environment, unless it holds exactly these versions already."""
    wanted = f"{CHECKOV} {PARSER} {sys.version_info[:2]}"
    if MARK.exists() and MARK.read_text() == wanted:
        return
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, CHECKOV], check=True)
    subprocess.run([*pip, "--no-deps", PARSER], check=True)
    MARK.write_text(wanted)


def check() -> dict[str, Any]:
    """checkov's report."""
    command = [str(ENVIRONMENT / "bin" / "checkov"), "--config-file", "infra/.checkov.yaml"]
    done = subprocess.run(
        [*command, "--output", "json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"checkov gave no report:\n{done.stdout}\n{done.stderr}")
    return report


def faults(report: dict[str, Any]) -> list[str]:
    """What must be put right, a line each; none when empty."""
    summary = report["summary"]
    found = [
        f"{item['check_id']} {item['resource']} ({item['file_path']}): {item['check_name']}"
        for item in report.get("results", {}).get("failed_checks", [])
    ]
    if summary["parsing_errors"]:
        found.append(f"{summary['parsing_errors']} files could not be read and were not checked")
    if not summary["passed"]:
        found.append("nothing was checked at all")
    return found


def main() -> None:
    install()
    report = check()
    found = faults(report)
    sys.stdout.write("\n".join([*found, f"checkov: {report['summary']}"]) + "\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
