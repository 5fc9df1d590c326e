"""What the tests of infra/ stand on: its files, and the template worked out for some choices."""

import json
import runpy
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.bicep_deploy import Plan, deploy

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
BICEP = sorted([INFRA / "main.bicep", *(INFRA / "app").glob("*.bicep")])
DEPLOYER = "DEPLOYER"
REQUIRED = {"environmentName": "demo", "location": "uksouth"}

# Every choice that changes what is deployed, one at a time and where they meet.
CHOICES: list[dict[str, Any]] = [
    {},
    {"durableBackend": "storage"},
    {"durableSku": "Dedicated"},
    {"apimSku": "Consumption"},
    {"creditMode": "named-value"},
    {"creditInitialised": "true"},
    {"entraMode": "existing", "apiClientId": "A", "apiAudience": "api://A", "backendClientId": "B"},
    {"principalId": ""},
    {"alertEmail": "operators@example.com"},
    {"vnetEnabled": True},
    {"durableBackend": "storage", "vnetEnabled": True, "creditMode": "named-value"},
]


@cache
def _plan(choices: str) -> Plan:
    return deploy(
        INFRA / "main.bicep", {**REQUIRED, "principalId": DEPLOYER, **json.loads(choices)}
    )


def plan(**choices: Any) -> Plan:
    """The deployment for these parameters; worked out once."""
    return _plan(json.dumps(choices, sort_keys=True))


def read_json(path: str) -> Any:
    """A JSON file of the repository."""
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


def entities() -> dict[str, Any]:
    """infra/entities.json."""
    found: dict[str, Any] = read_json("infra/entities.json")
    return found


@cache
def functions() -> dict[str, list[dict[str, Any]]]:
    """The bindings of every function of the app, by the function's name.

    From a fresh run of function_app.py: an app can be asked for its functions once.
    """
    app = runpy.run_path(str(ROOT / "function_app.py"))["app"]
    return {f.get_function_name(): f.get_bindings_dict()["bindings"] for f in app.get_functions()}
