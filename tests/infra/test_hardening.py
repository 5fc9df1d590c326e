"""Keys are off wherever there are keys, connections are encrypted, and nobody anonymous gets in."""

from typing import Any

import pytest

from tests.support.infra import CHOICES, plan

# Type, and the properties that must hold, as paths.
SWITCHES: list[tuple[str, dict[str, Any]]] = [
    (
        "Microsoft.Storage/storageAccounts",
        {
            "allowSharedKeyAccess": False,
            "allowBlobPublicAccess": False,
            "allowCrossTenantReplication": False,
            "defaultToOAuthAuthentication": True,
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": True,
        },
    ),
    (
        "Microsoft.ServiceBus/namespaces",
        {"disableLocalAuth": True, "minimumTlsVersion": "1.2"},
    ),
    (
        "Microsoft.DocumentDB/databaseAccounts",
        {
            "disableLocalAuth": True,
            "disableKeyBasedMetadataWriteAccess": True,
            "minimalTlsVersion": "Tls12",
        },
    ),
    (
        "Microsoft.EventGrid/topics",
        {"disableLocalAuth": True, "minimumTlsVersionAllowed": "1.2"},
    ),
    ("Microsoft.Insights/components", {"DisableLocalAuth": True}),
    ("Microsoft.OperationalInsights/workspaces", {"features.disableLocalAuth": True}),
    (
        "Microsoft.Storage/storageAccounts/blobServices",
        {"deleteRetentionPolicy.enabled": True, "deleteRetentionPolicy.days": 7},
    ),
    ("Microsoft.Storage/storageAccounts/blobServices/containers", {"publicAccess": "None"}),
    ("Microsoft.Web/sites/basicPublishingCredentialsPolicies", {"allow": False}),
    (
        "Microsoft.Web/sites",
        {
            "httpsOnly": True,
            "siteConfig.minTlsVersion": "1.2",
            "siteConfig.ftpsState": "Disabled",
        },
    ),
    ("Microsoft.ApiManagement/service/namedValues", {"secret": False}),
    (
        "Microsoft.ApiManagement/service/backends",
        {"tls.validateCertificateChain": True, "tls.validateCertificateName": True},
    ),
]


def _at(values: Any, path: str) -> Any:
    for step in path.split("."):
        values = values[step]
    return values


@pytest.mark.parametrize("choices", CHOICES, ids=str)
@pytest.mark.parametrize(
    ("type_", "wanted"), SWITCHES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_resource_of_a_type_is_closed(
    type_: str, wanted: dict[str, Any], choices: dict[str, Any]
) -> None:
    found = plan(**choices).of(type_)
    assert found
    for resource in found:
        assert {path: _at(resource.properties, path) for path in wanted} == wanted


def test_only_the_gateway_may_call_the_app() -> None:
    site = "Microsoft.Web/sites/config"
    door = plan().named(site, "authsettingsV2").properties
    directory = door["identityProviders"]["azureActiveDirectory"]
    assert door["platform"]["enabled"] is True
    assert door["globalValidation"] == {
        "requireAuthentication": True,
        "unauthenticatedClientAction": "Return401",
    }
    assert directory["registration"]["openIdIssuer"] == (
        "https://login.microsoftonline.com/TENANT/v2.0"
    )
    assert directory["validation"] == {
        "allowedAudiences": ["<backendPrincipal:appId>", "api://TENANT/orders-backend-token"],
        "defaultAuthorizationPolicy": {
            "allowedApplications": ["<id-apim-token:properties.clientId>"],
            "allowedPrincipals": {"identities": ["<id-apim-token:properties.principalId>"]},
        },
    }


def test_registrations_have_no_secret_and_ask_for_current_tokens() -> None:
    found = plan().of("Microsoft.Graph/applications")
    assert [r.body["uniqueName"] for r in found] == ["orders-api-token", "orders-backend-token"]
    for registration in found:
        assert "passwordCredentials" not in registration.body
        assert "keyCredentials" not in registration.body
        assert registration.body["api"]["requestedAccessTokenVersion"] == 2


def test_the_app_uses_nothing_that_its_plan_refuses() -> None:
    refused = {
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_EXTENSION_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTSHARE",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "ENABLE_ORYX_BUILD",
    }
    settings = plan().named("Microsoft.Web/sites/config", "appsettings").properties
    app = plan().one("Microsoft.Web/sites").properties
    assert refused & set(settings) == set()
    assert {"appSettings", "linuxFxVersion", "alwaysOn"} & set(app["siteConfig"]) == set()


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_what_happens_is_logged(choices: dict[str, Any]) -> None:
    found = plan(**choices)
    logged = {r.scope.type for r in found.of("Microsoft.Insights/diagnosticSettings") if r.scope}
    wanted = {
        "Microsoft.ServiceBus/namespaces",
        "Microsoft.DocumentDB/databaseAccounts",
        "Microsoft.EventGrid/topics",
        "Microsoft.EventGrid/systemTopics",
        "Microsoft.Logic/workflows",
        "Microsoft.Storage/storageAccounts/blobServices",
        "Microsoft.Web/sites",
    }
    if choices.get("apimSku") != "Consumption":
        wanted.add("Microsoft.ApiManagement/service")
    assert logged == wanted
    for setting in found.of("Microsoft.Insights/diagnosticSettings"):
        assert setting.properties["logs"] == [{"categoryGroup": "allLogs", "enabled": True}]
        assert setting.properties["metrics"] == [{"category": "AllMetrics", "enabled": True}]


def test_the_gateway_logs_no_header_and_no_body() -> None:
    telemetry = plan().one("Microsoft.ApiManagement/service/diagnostics").properties
    nothing = {"headers": [], "body": {"bytes": 0}}
    for side in ("frontend", "backend"):
        assert telemetry[side] == {"request": nothing, "response": nothing}
