"""Who may do what: the template grants this table, no more and no less."""

import pytest

from tests.support.infra import DEPLOYER, plan

FUNC, LOGIC, APIM, TOPIC = "id-func-token", "id-logic-token", "id-apim-token", "egst-token"
HOST, DATA, BUS, COSMOS = "sthosttoken", "stdatatoken", "sbns-token", "cosmos-token"

# Names as the product's role list has them.
ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "090c5cfd-751d-490a-894a-3ce6f1109419": "Azure Service Bus Data Owner",
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": "Azure Service Bus Data Receiver",
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "Azure Service Bus Data Sender",
    "d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender",
    "0ad04412-c4d5-4796-b79c-f76d14c8d402": "Durable Task Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "312a565d-c81f-4fd8-895a-4e21e48d571c": "API Management Service Contributor",
    "00000000-0000-0000-0000-000000000002": "Cosmos DB Built-in Data Contributor",
}

Grant = tuple[str, str, str]

ALWAYS: set[Grant] = {
    (FUNC, HOST, "Storage Blob Data Owner"),
    (FUNC, HOST, "Storage Table Data Contributor"),
    (FUNC, f"{BUS}/orders", "Azure Service Bus Data Owner"),
    (FUNC, "evgt-orders-token", "EventGrid Data Sender"),
    (FUNC, "appi-token", "Monitoring Metrics Publisher"),
    (FUNC, f"{COSMOS}/dbs/orders", "Cosmos DB Built-in Data Contributor"),
    (LOGIC, f"{DATA}/default/inputfiles", "Storage Blob Data Reader"),
    (LOGIC, f"{BUS}/order-files", "Azure Service Bus Data Receiver"),
    (LOGIC, f"{COSMOS}/dbs/orders/colls/toprocess", "Cosmos DB Built-in Data Contributor"),
    (TOPIC, f"{BUS}/order-files", "Azure Service Bus Data Sender"),
    (TOPIC, f"{DATA}/default/event-deadletters", "Storage Blob Data Contributor"),
    (APIM, "appi-token", "Monitoring Metrics Publisher"),
}
WITH_DTS: set[Grant] = {(FUNC, "dts-token", "Durable Task Data Contributor")}
WITH_STORAGE: set[Grant] = {(FUNC, HOST, "Storage Queue Data Contributor")}
WITH_LEDGER: set[Grant] = {
    (APIM, f"{COSMOS}/dbs/orders/colls/credits", "Cosmos DB Built-in Data Contributor")
}
WITH_NAMED_VALUE: set[Grant] = {(APIM, "apim-token", "API Management Service Contributor")}
WITH_DEPLOYER: set[Grant] = {
    (DEPLOYER, DATA, "Storage Blob Data Contributor"),
    (DEPLOYER, BUS, "Azure Service Bus Data Owner"),
    (DEPLOYER, COSMOS, "Cosmos DB Built-in Data Contributor"),
}
DEPLOYER_WITH_DTS: set[Grant] = {(DEPLOYER, "dts-token", "Durable Task Data Contributor")}


def _principal(text: str) -> str:
    return text.removeprefix("<").partition(":")[0]


def _granted(**choices: str) -> set[Grant]:
    found = plan(**choices)
    grants = []
    for role in found.of("Microsoft.Authorization/roleAssignments"):
        assert role.scope
        properties = role.properties
        guid = properties["roleDefinitionId"].rpartition("/")[2]
        grants.append((_principal(properties["principalId"]), role.scope.path, ROLES[guid]))
        assert role.name == f"guid({role.scope.id}|{properties['principalId']}|{guid})"
        deployer = properties["principalId"] == DEPLOYER
        assert properties["principalType"] == ("User" if deployer else "ServicePrincipal")
    for role in found.of("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"):
        properties = role.properties
        account, _, guid = properties["roleDefinitionId"].partition("/sqlRoleDefinitions/")
        assert role.parent
        assert account == role.parent.id
        scope = properties["scope"].replace(role.parent.id, role.parent.path)
        grants.append((_principal(properties["principalId"]), scope, ROLES[guid]))
    assert len(grants) == len(set(grants)), "granted twice"
    return set(grants)


def test_default_deployment_grants_the_table() -> None:
    assert _granted() == ALWAYS | WITH_DTS | WITH_LEDGER | WITH_DEPLOYER | DEPLOYER_WITH_DTS


def test_storage_backend_exchanges_the_scheduler_roles_for_the_queue_role() -> None:
    assert _granted(durableBackend="storage") == (
        ALWAYS | WITH_STORAGE | WITH_LEDGER | WITH_DEPLOYER
    )


def test_named_value_mode_exchanges_the_ledger_for_the_gateway_itself() -> None:
    assert _granted(creditMode="named-value") == (
        ALWAYS | WITH_DTS | WITH_NAMED_VALUE | WITH_DEPLOYER | DEPLOYER_WITH_DTS
    )


def test_nobody_is_granted_a_deployer_role_where_nobody_deploys() -> None:
    assert _granted(principalId="") == ALWAYS | WITH_DTS | WITH_LEDGER


def test_a_pipeline_gets_the_deployer_roles_as_a_service_principal() -> None:
    found = plan(principalType="ServicePrincipal")
    kinds = {
        r.properties["principalType"] for r in found.of("Microsoft.Authorization/roleAssignments")
    }
    assert kinds == {"ServicePrincipal"}


@pytest.mark.parametrize("type_", ["roleDefinitions", "sqlRoleDefinitions"])
def test_no_role_is_defined_here(type_: str) -> None:
    assert [r for r in plan().resources if r.type.endswith(f"/{type_}")] == []
