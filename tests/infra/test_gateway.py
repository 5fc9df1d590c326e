"""The gateway: entities.json = what Bicep asks for, and every policy finds what it mentions."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from emulator.apim.definitions import Variant, load_definitions
from emulator.apim.snapshot import build_snapshot
from tests.support.bicep_deploy import Plan, Resource
from tests.support.bicep_syntax import parse
from tests.support.infra import CHOICES, INFRA, entities, plan

SERVICE = "Microsoft.ApiManagement/service"
GATEWAY = entities()["apiManagement"]
# loadTextContent takes no more.
LONGEST = 131_072
OPERATOR_OPERATIONS = (
    ",replayorder,replayfailedorders,listdeadletters,resubmitdeadletters,consoledata,"
)


def _policies(found: Plan) -> list[Resource]:
    return [r for r in found.resources if r.type.startswith(SERVICE) and r.name == "policy"]


def _named_values(found: Plan) -> dict[str, str]:
    return {r.name: r.properties["value"] for r in found.of(f"{SERVICE}/namedValues")}


def _listed(mode: str) -> set[str]:
    return {v["name"] for v in GATEWAY["namedValues"] if v.get("creditMode", mode) == mode}


@pytest.mark.parametrize("mode", ["ledger", "named-value"])
def test_named_values_are_those_of_the_file(mode: str) -> None:
    assert set(_named_values(plan(creditMode=mode))) == _listed(mode)


def test_named_values_hold_what_the_policies_expect() -> None:
    values = _named_values(plan(creditMode="named-value"))
    assert values == {
        "tenant": "TENANT",
        "api-audience": "api://TENANT/orders-token",
        "api-client-id": "<apiPrincipal:appId>",
        "backend-audience": "api://TENANT/orders-backend-token",
        "apim-client-id": "<id-apim-token:properties.clientId>",
        "cosmos-endpoint": "<cosmos-token:properties.documentEndpoint>",
        "operator-operations": OPERATOR_OPERATIONS,
        "credit": "0",
        "subscription": "SUB",
        "resourcegroup": "rg-demo",
        "apim": "apim-token",
    }


def test_credit_is_made_once_and_then_left_to_its_owner() -> None:
    (owned,) = [v["name"] for v in GATEWAY["namedValues"] if v["setBy"] == "owner"]
    first = _named_values(plan(initialCredit="25"))
    later = _named_values(plan(initialCredit="25", creditInitialised="true"))
    assert first[owned] == "25"
    assert set(first) - set(later) == {owned}


def test_given_registrations_are_used_as_given() -> None:
    found = plan(entraMode="existing", apiClientId="A", apiAudience="api://A", backendClientId="B")
    values = _named_values(found)
    assert [r for r in found.resources if r.type.startswith("Microsoft.Graph")] == []
    assert (values["api-client-id"], values["api-audience"]) == ("A", "api://A")
    assert values["backend-audience"] == "B"


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_every_policy_finds_its_named_values_and_backend(choices: dict[str, Any]) -> None:
    found = plan(**choices)
    known = set(_named_values(found)) | {"credit"}
    backends = {r.name for r in found.of(f"{SERVICE}/backends")}
    assert len(_policies(found)) == 6
    for policy in _policies(found):
        text = policy.properties["value"]
        assert set(re.findall(r"\{\{([A-Za-z0-9._-]+)\}\}", text)) <= known, policy.path
        assert set(re.findall(r'backend-id="([^"]+)"', text)) <= backends, policy.path


@pytest.mark.parametrize("path", sorted((INFRA / "policies").glob("*.xml")), ids=lambda p: p.name)
def test_policy_is_well_formed_and_small_enough(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    assert ET.fromstring(text).tag == "policies"
    assert len(text) <= LONGEST


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_policies_are_sent_as_xml(choices: dict[str, Any]) -> None:
    assert {p.properties["format"] for p in _policies(plan(**choices))} == {"xml"}


def _sent(found: Plan, path: str) -> str:
    return next(str(p.properties["value"]) for p in _policies(found) if p.path == path)


def _file(name: str) -> str:
    return (INFRA / name).read_text(encoding="utf-8")


def test_each_scope_gets_the_policy_of_the_file() -> None:
    found = plan()
    assert _sent(found, "apim-token/policy") == _file("policies/global.xml")
    for api in GATEWAY["apis"]:
        assert _sent(found, f"apim-token/{api['name']}/policy") == _file(api["policy"])
    for product in GATEWAY["products"]:
        assert _sent(found, f"apim-token/{product['name']}/policy") == _file(product["policy"])


def test_a_tier_without_rate_limit_by_key_gets_another_basic_policy() -> None:
    found = plan(apimSku="Consumption")
    basic, premium = GATEWAY["products"]
    assert _sent(found, "apim-token/basic/policy") == _file(basic["policyOnConsumption"])
    assert _sent(found, "apim-token/premium/policy") == _file(premium["policy"])
    for policy in _policies(found):
        assert ET.fromstring(policy.properties["value"]).find(".//rate-limit-by-key") is None
    assert found.of(f"{SERVICE}/products/groups") == []
    assert found.one(SERVICE).body["sku"] == {"name": "Consumption", "capacity": 0}


def test_named_value_mode_gets_another_premium_policy() -> None:
    found = plan(creditMode="named-value")
    basic, premium = GATEWAY["products"]
    assert _sent(found, "apim-token/basic/policy") == _file(basic["policy"])
    assert _sent(found, "apim-token/premium/policy") == _file(premium["policyOnNamedValue"])


@pytest.mark.parametrize("sku", ["BasicV2", "StandardV2", "Developer"])
def test_other_tiers_have_one_unit(sku: str) -> None:
    assert plan(apimSku=sku).one(SERVICE).body["sku"] == {"name": sku, "capacity": 1}


def test_apis_are_those_of_the_file() -> None:
    found = {r.name: r.properties for r in plan().of(f"{SERVICE}/apis")}
    assert set(found) == {api["name"] for api in GATEWAY["apis"]}
    for api in GATEWAY["apis"]:
        for member in ("displayName", "path", "subscriptionRequired"):
            assert found[api["name"]][member] == api[member]
        assert found[api["name"]]["protocols"] == ["https"]
    assert found["orders"]["format"] == "openapi"
    assert found["orders"]["value"] == _file("apim/openapi.yaml")
    assert len(found["orders"]["value"]) <= LONGEST


def test_health_and_the_page_need_no_key_and_are_in_no_product() -> None:
    found = plan()
    linked = {r.properties["apiId"] for r in found.of(f"{SERVICE}/products/apiLinks")}
    assert linked == {f"/{SERVICE}/apis/apim-token/orders"}
    operations = {o.path: o.properties for o in found.of(f"{SERVICE}/apis/operations")}
    assert set(operations) == {
        "apim-token/orders-health/health",
        "apim-token/orders-console/console",
    }
    for properties in operations.values():
        assert (properties["method"], properties["urlTemplate"]) == ("GET", "/")


def test_nothing_but_the_two_fixed_pages_is_open() -> None:
    """What needs no key can only become the request that its policy writes, without parameters."""
    for api in GATEWAY["apis"]:
        policy = ET.fromstring(_file(api["policy"]))
        rewrites = [element.attrib for element in policy.iter("rewrite-uri")]
        if api["subscriptionRequired"]:
            assert policy.find(".//validate-jwt") is not None
            continue
        template = f"/{api['path']}"
        assert rewrites == [{"template": template, "copy-unmatched-params": "false"}]
        assert template in {"/health", "/console"}


def test_products_and_subscriptions_are_those_of_the_file() -> None:
    found = plan()
    products = {r.name: r.properties for r in found.of(f"{SERVICE}/products")}
    assert set(products) == {p["name"] for p in GATEWAY["products"]}
    for product in GATEWAY["products"]:
        same = ("displayName", "description", "subscriptionRequired", "approvalRequired", "state")
        assert products[product["name"]] == {k: product[k] for k in same}
        assert product["apis"] == ["orders"]
    subscriptions = {r.name: r.properties for r in found.of(f"{SERVICE}/subscriptions")}
    assert subscriptions == {
        s["name"]: {
            "displayName": s["displayName"],
            "scope": f"/{SERVICE}/apim-token/products/{s['product']}",
            "state": "active",
        }
        for s in GATEWAY["subscriptions"]
    }


def test_no_subscription_goes_around_the_products() -> None:
    """A subscription of an API, or of all of them, would skip rate limit and credit."""
    for subscription in plan().of(f"{SERVICE}/subscriptions"):
        assert "/products/" in subscription.properties["scope"]
        assert {"primaryKey", "secondaryKey"} & set(subscription.properties) == set()


def test_groups_are_linked_where_there_are_groups() -> None:
    found = {r.path for r in plan().of(f"{SERVICE}/products/groups")}
    assert found == {
        f"apim-token/{p['name']}/{group}" for p in GATEWAY["products"] for group in p["groups"]
    }


def test_backend_is_the_app_behind_a_circuit_breaker() -> None:
    (backend,) = GATEWAY["backends"]
    found = plan().one(f"{SERVICE}/backends")
    assert found.name == backend["name"]
    assert found.properties["url"] == "https://<func-token:properties.defaultHostName>/api"
    (rule,) = found.properties["circuitBreaker"]["rules"]
    breaker = backend["circuitBreaker"]
    assert rule["tripDuration"] == breaker["tripDuration"] == "PT30S"
    assert rule["acceptRetryAfter"] is True
    assert rule["failureCondition"] == {
        "count": 5,
        "interval": "PT1M",
        "statusCodeRanges": [{"min": 500, "max": 599}],
    }


def test_the_gateway_sends_telemetry_by_identity() -> None:
    logger = plan().one(f"{SERVICE}/loggers").properties
    assert logger["credentials"] == {
        "connectionString": "<appi-token:properties.ConnectionString>",
        "identityClientId": "<id-apim-token:properties.clientId>",
    }


@pytest.mark.parametrize("sku", ["BasicV2", "Consumption"])
@pytest.mark.parametrize("mode", ["ledger", "named-value"])
def test_the_emulator_executes_what_is_deployed(sku: str, mode: str) -> None:
    """Every element, attribute and expression is known to it, with the deployed named values."""
    tier = "consumption" if sku == "Consumption" else "v2"
    definitions = load_definitions(
        entities(), INFRA, "http://localhost:7071", Variant(tier=tier, credit_mode=mode)
    )
    values = _named_values(plan(apimSku=sku, creditMode=mode))
    snapshot = build_snapshot(definitions, values, rate_limits_by_key=tier != "consumption")
    assert snapshot.warnings == []
    assert {p.id for p in snapshot.products} == {p["name"] for p in GATEWAY["products"]}


def test_every_named_value_is_used_by_some_policy() -> None:
    mentioned = {
        name
        for path in (INFRA / "policies").glob("*.xml")
        for name in re.findall(r"\{\{([A-Za-z0-9._-]+)\}\}", path.read_text(encoding="utf-8"))
    }
    assert mentioned == {value["name"] for value in GATEWAY["namedValues"]}


def test_a_policy_waits_for_what_it_mentions() -> None:
    """Bicep does not see the names inside the XML, so the template must say it."""
    for resource in parse(INFRA / "app" / "apim-api.bicep").of("resource").values():
        if not resource.type.split("@")[0].endswith("/policies"):
            continue
        assert resource.value is not None
        body = resource.value.parts[1] if resource.value.kind == "for" else resource.value
        members = {k.value: v for k, v in zip(body.parts[::2], body.parts[1::2], strict=True)}
        waits = {part.value for part in members["dependsOn"].parts}
        assert waits == ({"values", "backends"} if "products" not in resource.type else {"values"})
