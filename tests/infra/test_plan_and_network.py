"""The plan the app runs on, the identity it runs as, and the network option."""

from typing import Any

import pytest

from tests.support.infra import plan

ENDPOINT = "Microsoft.Network/privateEndpoints"
HOST = "/Microsoft.Storage/storageAccounts/sthosttoken"


def _app(**choices: Any) -> dict[str, Any]:
    return plan(**choices).one("Microsoft.Web/sites").properties


def _scale(**choices: Any) -> dict[str, Any]:
    found: dict[str, Any] = _app(**choices)["functionAppConfig"]["scaleAndConcurrency"]
    return found


def test_plan_is_flex_consumption_on_linux() -> None:
    found = plan().one("Microsoft.Web/serverfarms")
    assert found.body["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert found.properties == {"reserved": True}
    assert plan().one("Microsoft.Web/sites").body["kind"] == "functionapp,linux"


def test_one_instance_is_ready_for_the_durable_triggers() -> None:
    assert _scale() == {
        "instanceMemoryMB": 2048,
        "maximumInstanceCount": 100,
        "alwaysReady": [{"name": "durable", "instanceCount": 1}],
        "triggers": {"http": {"perInstanceConcurrency": 16}},
    }


def test_the_plan_can_scale_to_zero() -> None:
    assert _scale(alwaysReadyDurable=0)["alwaysReady"] == []
    assert _scale(alwaysReadyDurable=3)["alwaysReady"] == [{"name": "durable", "instanceCount": 3}]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_runtime_is_the_chosen_python(version: str) -> None:
    runtime = _app(pythonVersion=version)["functionAppConfig"]["runtime"]
    assert runtime == {"name": "python", "version": version}


def test_package_is_read_by_the_same_identity_that_the_app_runs_as() -> None:
    site = plan().one("Microsoft.Web/sites")
    (identity,) = site.body["identity"]["userAssignedIdentities"]
    storage = site.properties["functionAppConfig"]["deployment"]["storage"]
    assert identity.endswith("/id-func-token")
    assert storage["authentication"] == {
        "type": "UserAssignedIdentity",
        "userAssignedIdentityResourceId": identity,
    }
    assert storage["value"] == "<sthosttoken:properties.primaryEndpoints.blob>app-package"


def test_without_the_option_there_is_no_network() -> None:
    assert [r for r in plan().resources if r.type.startswith("Microsoft.Network/")] == []
    assert _app()["virtualNetworkSubnetId"] is None


def test_with_the_option_the_host_storage_is_private_and_the_rest_is_not() -> None:
    found = plan(vnetEnabled=True)
    accounts = found.of("Microsoft.Storage/storageAccounts")
    assert {a.name: a.properties.get("publicNetworkAccess") for a in accounts} == {
        "sthosttoken": "Disabled",
        "stdatatoken": None,
    }
    cosmos = found.one("Microsoft.DocumentDB/databaseAccounts").properties
    assert cosmos["publicNetworkAccess"] == "Enabled"


def test_every_service_of_the_host_storage_is_reached_privately() -> None:
    found = plan(vnetEnabled=True)
    services = []
    for endpoint in found.of(ENDPOINT):
        (link,) = endpoint.properties["privateLinkServiceConnections"]
        assert link["properties"]["privateLinkServiceId"] == HOST
        services += link["properties"]["groupIds"]
    assert services == ["blob", "queue", "table"]
    zones = [r.name for r in found.of("Microsoft.Network/privateDnsZones")]
    assert zones == [f"privatelink.{service}.core.windows.net" for service in services]
    links = found.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks")
    groups = found.of(f"{ENDPOINT}/privateDnsZoneGroups")
    assert len(links) == len(groups) == len(services)


def test_the_app_joins_the_subnet_that_is_delegated_to_it() -> None:
    found = plan(vnetEnabled=True)
    (network,) = found.of("Microsoft.Network/virtualNetworks")
    subnets = {s["name"]: s["properties"] for s in network.properties["subnets"]}
    (delegation,) = subnets["func"]["delegations"]
    assert delegation["properties"] == {"serviceName": "Microsoft.App/environments"}
    assert _app(vnetEnabled=True)["virtualNetworkSubnetId"] == f"{network.id}/subnets/func"
