"""Only API versions that were checked against the published types are used."""

import pytest

from tests.support.bicep_syntax import parse
from tests.support.infra import BICEP

ALLOWED = {
    "Microsoft.ApiManagement": "2024-05-01",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.DocumentDB": "2025-10-15",
    "Microsoft.DurableTask": "2026-02-01",
    "Microsoft.EventGrid": "2025-02-15",
    "Microsoft.Graph": "v1.0",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.Insights/metricAlerts": "2018-03-01",
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.Logic": "2019-05-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.Network": "2024-07-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.OperationalInsights": "2025-07-01",
    "Microsoft.Resources": "2025-04-01",
    "Microsoft.ServiceBus": "2024-01-01",
    "Microsoft.Storage": "2025-06-01",
    "Microsoft.Web": "2024-11-01",
    "Microsoft.Web/connections": "2016-06-01",
}
USED = sorted({r.type for path in BICEP for r in parse(path).of("resource").values()})


@pytest.mark.parametrize("used", USED)
def test_version_is_the_chosen_one(used: str) -> None:
    type_, _, version = used.partition("@")
    provider, kind = type_.split("/")[:2]
    assert version == ALLOWED.get(f"{provider}/{kind}", ALLOWED.get(provider))


def test_no_other_preview_is_used() -> None:
    """Diagnostic settings have no usable version but a preview."""
    assert {u.partition("@")[0] for u in USED if "preview" in u} == {
        "Microsoft.Insights/diagnosticSettings"
    }


def test_every_allowed_version_is_used() -> None:
    types = {used.partition("@")[0] for used in USED}
    assert [a for a in ALLOWED if not any(t == a or t.startswith(f"{a}/") for t in types)] == []
