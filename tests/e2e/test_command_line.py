"""`orders`, as an operator types it, against the running app."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import exit_codes
from emulator.launch import Doors
from tests.support.orders import an_order
from tests.support.pipeline import pipeline


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    running = pipeline(tmp_path_factory.mktemp("cli"))
    yield running.start()
    assert running.stop() == 0


@pytest.fixture
def url(doors: Doors) -> str:
    return f"{doors.host}/api"


def orders(url: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with nobody at a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "ORDERS_URL": url},
    )


def told(result: subprocess.CompletedProcess[str]) -> Any:
    """The JSON on stdout of a run that ended well."""
    assert result.returncode == exit_codes.OK, result.stderr
    return json.loads(result.stdout)


def test_submit_wait_show_list_and_status(url: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.ndjson"
    path.write_text("".join(json.dumps(an_order(id=f"CLI-{n}")) + "\n" for n in range(3)))
    accepted = told(orders(url, "--json", "submit", str(path), "--wait"))
    assert [result["id"] for result in accepted] == ["CLI-0", "CLI-1", "CLI-2"]
    assert told(orders(url, "show", "CLI-1"))["status"] == "processed"
    assert told(orders(url, "--json", "status", "CLI-1"))["state"] == "processed"
    listed = told(orders(url, "--json", "list", "--limit", "2"))
    assert len(listed) == 2
    lines = orders(url, "list").stdout.splitlines()
    assert {line.split("\t")[0] for line in lines} >= {"CLI-0", "CLI-1", "CLI-2"}


def test_a_batch_is_submitted_from_standard_input_and_waited_for(url: str) -> None:
    batch = json.dumps([an_order(id=f"CLIB-{n}") for n in range(5)])
    [accepted] = told(orders(url, "--json", "submit", "-", "--batch-size", "10", given=batch))
    assert accepted["id"].startswith("batch:")
    [status] = told(orders(url, "--json", "wait", accepted["id"]))
    assert (status["state"], status["processed"]) == ("completed", 5)


def test_a_failed_order_is_found_planned_and_replayed(url: str) -> None:
    rule = {
        "point": "activity.before",
        "action": "fail",
        "match": {"function": "persist_order", "instance": "CLI-BAD"},
        "message": "[STORE_REFUSED] injected",
    }
    httpx.post(f"{url.removesuffix('/api')}/emulator/faults", json=rule).raise_for_status()
    order = json.dumps(an_order(id="CLI-BAD"))
    failed = orders(url, "submit", "-", "--wait", given=order)
    assert failed.returncode == exit_codes.NOT_ALL_WELL
    plan = told(orders(url, "--json", "replay-failed", "--reason", "x", "--dry-run"))
    assert [entry["run"] for entry in plan["orders"]] == [["persist", "notify"]]
    refused = orders(url, "replay-failed", "--reason", "x")
    assert refused.returncode == exit_codes.USAGE
    assert "--yes" in refused.stderr
    assert told(orders(url, "--json", "replay", "CLI-BAD", "--reason", "x"))["attempt"] == 2
    assert orders(url, "wait", "CLI-BAD").returncode == exit_codes.OK


def test_terminated_orders_are_planned_only_where_they_are_asked_for(url: str) -> None:
    rule = {
        "point": "activity.before",
        "action": "delay",
        "match": {"instance": "CLI-STOPPED"},
        "seconds": 3,
    }
    host = url.removesuffix("/api")
    httpx.post(f"{host}/emulator/faults", json=rule).raise_for_status()
    orders(url, "submit", "-", given=json.dumps(an_order(id="CLI-STOPPED")))
    deadline = time.monotonic() + 30
    place = f"{host}/runtime/webhooks/durabletask/instances/CLI-STOPPED/terminate?reason=x"
    while httpx.post(place).status_code != httpx.codes.ACCEPTED:
        assert time.monotonic() < deadline, "the order did not start"
    assert orders(url, "wait", "CLI-STOPPED").returncode == exit_codes.NOT_ALL_WELL
    plan = ("--json", "replay-failed", "--reason", "x", "--id", "CLI-STOPPED", "--dry-run")
    assert told(orders(url, *plan))["orders"] == []
    (entry,) = told(orders(url, *plan, "--terminated"))["orders"]
    assert (entry["orderId"], entry["state"]) == ("CLI-STOPPED", "terminated")


def test_a_file_is_uploaded_and_its_orders_are_processed(
    url: str, doors: Doors, tmp_path: Path
) -> None:
    path = tmp_path / "today.json"
    path.write_text(json.dumps([an_order(id="CLI-FILE-1"), an_order(id="CLI-FILE-2")]))
    place = ("--container-url", f"{doors.blob}/devstoreaccount1/inputfiles")
    assert told(orders(url, "--json", "ingest", str(path), *place))["url"].endswith("/today.json")
    deadline = time.monotonic() + 30
    while orders(url, "show", "CLI-FILE-2").returncode != exit_codes.OK:
        assert time.monotonic() < deadline, "the file was not taken up"
    refused = orders(url, "ingest", str(path), "--name", "today.csv", *place)
    assert refused.returncode == exit_codes.USAGE
    assert ".json" in refused.stderr


def test_dead_letters_are_listed_and_sent_back(url: str) -> None:
    assert told(orders(url, "--json", "dead-letters")) == []
    refused = orders(url, "dead-letters", "resubmit")
    assert refused.returncode == exit_codes.USAGE
    assert told(orders(url, "--json", "dead-letters", "resubmit", "--all", "--yes")) == {
        "resubmitted": 0,
        "sequenceNumbers": [],
    }


@pytest.mark.parametrize(
    ("arguments", "given", "code", "says"),
    [
        (("show", "NOBODY"), "", exit_codes.NOT_FOUND, "404"),
        (("submit", "-"), "id;CLI", exit_codes.USAGE, "not JSON"),
        (("submit", "-"), '{"customerId": "C"}', exit_codes.REFUSED, "refused"),
        (("submit", "no-such-file"), "", exit_codes.USAGE, "Cannot read"),
        (("--url", "http://127.0.0.1:9", "list"), "", exit_codes.UNAVAILABLE, "No answer"),
        (("--url", "localhost", "list"), "", exit_codes.USAGE, "http"),
    ],
)
def test_what_goes_wrong_has_its_exit_code_and_a_sentence(
    url: str, arguments: tuple[str, ...], given: str, code: int, says: str
) -> None:
    result = orders(url, *arguments, given=given)
    assert result.returncode == code, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_doctor_tells_what_it_saw(url: str) -> None:
    checks = {check["name"]: check for check in told(orders(url, "--json", "doctor"))}
    assert checks["reach"]["ok"]
    assert checks["orderStore"]["ok"]
    assert checks["credentials"]["ok"]
