"""Switching the durable backend changes what it must and nothing else."""

from typing import Any

from tests.support.bicep_deploy import Plan
from tests.support.infra import INFRA, ROOT, plan, read_json

SCHEDULER = "DURABLE_TASK_SCHEDULER_CONNECTION_STRING"


def _shape(found: Plan) -> dict[tuple[str, str, str], Any]:
    """Every resource by where it is, with its body."""
    return {
        (r.type, r.path, r.scope.path if r.scope else ""): r.body
        for r in found.resources
        if not r.existing
    }


def test_only_the_scheduler_its_roles_and_one_setting_differ() -> None:
    dts, storage = _shape(plan()), _shape(plan(durableBackend="storage"))
    gone = {key[:1] + key[2:] if "guid(" in key[1] else key for key in dts.keys() - storage.keys()}
    come = {key[:1] + key[2:] for key in storage.keys() - dts.keys()}
    assert gone == {
        ("Microsoft.DurableTask/schedulers", "dts-token", ""),
        ("Microsoft.DurableTask/schedulers/taskHubs", "dts-token/orders", ""),
        ("Microsoft.DurableTask/schedulers/retentionPolicies", "dts-token/default", ""),
        ("Microsoft.Authorization/roleAssignments", "dts-token"),
    }
    assert come == {("Microsoft.Authorization/roleAssignments", "sthosttoken")}
    changed = {key for key in dts.keys() & storage.keys() if dts[key] != storage[key]}
    settings = ("Microsoft.Web/sites/config", "func-token/appsettings", "")
    assert changed == {settings}
    lost = dict(dts[settings]["properties"])
    assert lost.pop(SCHEDULER) == (
        "Endpoint=<dts-token:properties.endpoint>;Authentication=ManagedIdentity;"
        "ClientID=<id-func-token:properties.clientId>"
    )
    assert lost == storage[settings]["properties"]


def test_outputs_tell_the_two_apart() -> None:
    dts, storage = plan().outputs, plan(durableBackend="storage").outputs
    assert {k for k in dts if dts[k] != storage[k]} == {"DURABLE_BACKEND", "DTS_ENDPOINT"}
    assert storage["DTS_ENDPOINT"] == ""


def test_host_files_differ_in_the_storage_provider_only() -> None:
    dts = read_json("infra/hooks/host.dts.json")
    storage = read_json("infra/hooks/host.storage.json")
    assert dts["extensions"]["durableTask"].pop("storageProvider") == {
        "type": "azureManaged",
        "connectionStringName": SCHEDULER,
    }
    assert storage["extensions"]["durableTask"].pop("storageProvider") == {"type": "AzureStorage"}
    assert dts == storage


def test_the_committed_host_file_is_the_schedulers() -> None:
    assert (ROOT / "host.json").read_bytes() == (INFRA / "hooks" / "host.dts.json").read_bytes()


def test_host_file_obeys_what_the_platform_asks() -> None:
    host = read_json("host.json")
    durable, queue = host["extensions"]["durableTask"], host["extensions"]["serviceBus"]
    assert host["functionTimeout"] == "00:10:00"
    assert host["extensionBundle"] == {
        "id": "Microsoft.Azure.Functions.ExtensionBundle",
        "version": "[4.*, 5.0.0)",
    }
    assert durable["hubName"] == "%TASKHUB_NAME%"
    assert durable["tracing"] == {"distributedTracingEnabled": True, "version": "V2"}
    assert queue["autoCompleteMessages"] is True
    assert queue["maxAutoLockRenewalDuration"] == "00:05:00"
    assert queue["maxConcurrentCalls"] > 0
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]
    assert set(sampling["excludedTypes"].split(";")) == {"Request", "Exception"}


def test_the_task_hub_can_be_called_so_by_either_backend() -> None:
    name = plan().outputs["TASKHUB_NAME"]
    assert name.isalnum()
    assert name[0].isalpha()
    assert 3 <= len(name) <= 45
