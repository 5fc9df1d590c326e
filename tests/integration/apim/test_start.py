"""The gateway as part of `python -m emulator start`: what it prints, and when it refuses to."""

import json
from pathlib import Path

import httpx
import pytest

from emulator.launch import EmulatorProcess, StartFailed
from tests.support.gateway import ENTITIES, infra_with
from tests.support.pipeline import pipeline


def _started(data: Path, *arguments: str) -> EmulatorProcess:
    return pipeline(data, arguments)


def test_the_start_names_the_keys_place_and_never_a_key(tmp_path: Path) -> None:
    emulator = _started(tmp_path)
    doors = emulator.start()
    try:
        assert httpx.get(f"{doors.gateway}/health").status_code == 200
        assert httpx.get(f"{doors.gateway}/orders").status_code == 401
    finally:
        assert emulator.stop() == 0
    log = emulator.log_path.read_text(encoding="utf-8")
    folder = tmp_path / "apim"
    assert str(folder / "subscriptions.json") in log
    assert "curl" in log
    kept = json.loads((folder / "subscriptions.json").read_text())
    clients = json.loads((folder / "identity-clients.json").read_text())
    secrets = [e[k] for e in kept for k in ("primaryKey", "secondaryKey")]
    secrets += [entry["password"] for entry in clients]
    assert not [secret for secret in secrets if secret in log]
    about = json.loads((folder / "gateway.json").read_text())
    assert about["gateway"] == doors.gateway
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_policy_that_cannot_be_carried_out_ends_the_start(tmp_path: Path) -> None:
    files = {"api-orders.xml": "<policies>\n<inbound>\n<quota />\n<odd /></inbound></policies>"}
    infra = infra_with(tmp_path, files)
    (infra / "entities.json").write_text(json.dumps(ENTITIES), encoding="utf-8")
    emulator = _started(tmp_path / "data", "--entities", str(infra / "entities.json"))
    with pytest.raises(StartFailed) as caught:
        emulator.start()
    assert "policies/api-orders.xml:3: the policy quota is not supported" in str(caught.value)
    assert "policies/api-orders.xml:4: the policy odd is not supported" in str(caught.value)


def test_credit_and_limit_modes_are_options(tmp_path: Path) -> None:
    emulator = _started(
        tmp_path, "--credit-mode", "named-value", "--gateway-tier", "v2", "--verbose"
    )
    doors = emulator.start()
    try:
        values = httpx.get(f"{doors.gateway}/emulator/apim/named-values").json()
        assert "subscription" in {value["name"] for value in values}
        assert httpx.get(f"{doors.gateway}/orders").status_code == 401
    finally:
        assert emulator.stop() == 0
    assert "error=authorization/SubscriptionKeyNotFound" in emulator.log_path.read_text()
