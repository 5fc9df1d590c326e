"""Alerts look at what exists, and tell somebody where somebody is named."""

from typing import Any

import pytest

from domain.errors import ORDER_FAILED, OrderFailure
from tests.support.infra import plan

METRIC = "Microsoft.Insights/metricAlerts"
QUERY = "Microsoft.Insights/scheduledQueryRules"


def _criterion(name: str) -> dict[str, Any]:
    alert = plan().named(METRIC, f"alert-{name}").properties
    (found,) = alert["criteria"]["allOf"]
    assert alert["criteria"]["odata.type"].endswith("SingleResourceMultipleMetricCriteria")
    return {**found, "severity": alert["severity"], "scopes": alert["scopes"]}


@pytest.mark.parametrize(
    ("name", "metric", "threshold", "severity", "scope"),
    [
        ("dead-letters", "DeadletteredMessages", 0, 1, "sbns-token"),
        ("backlog", "ActiveMessages", 1000, 3, "sbns-token"),
        ("ingestion-failed", "RunsFailed", 0, 2, "logic-token"),
        ("event-delivery", "DeadLetteredCount", 0, 2, "egst-token"),
    ],
)
def test_metric_alert_watches(
    name: str, metric: str, threshold: int, severity: int, scope: str
) -> None:
    found = _criterion(name)
    assert found["criterionType"] == "StaticThresholdCriterion"
    assert (found["metricName"], found["operator"]) == (metric, "GreaterThan")
    assert (found["threshold"], found["severity"]) == (threshold, severity)
    assert [s.rpartition("/")[2] for s in found["scopes"]] == [scope]


def test_dead_letters_of_both_queues_count() -> None:
    (dimension,) = _criterion("dead-letters")["dimensions"]
    assert dimension["name"] == "EntityName"
    assert dimension["values"] == ["orders", "order-files"]


def test_a_failed_order_is_found_by_what_the_app_logs() -> None:
    rule = plan().named(QUERY, "alert-orders-failed").properties
    (condition,) = rule["criteria"]["allOf"]
    assert rule["severity"] == 2
    for part in (
        f'AppExceptions | where OuterMessage contains "{ORDER_FAILED}"',
        f'AppTraces | where Message startswith "{ORDER_FAILED}"',
    ):
        assert part in condition["query"]


def test_the_text_of_a_failed_order_begins_with_the_code() -> None:
    assert OrderFailure("persist", "STORE_BUSY", 5, "busy").to_text().startswith(ORDER_FAILED)


@pytest.mark.parametrize("rule", plan().of(QUERY), ids=lambda r: r.name)
def test_query_rule_can_be_made_before_its_table_exists(rule: Any) -> None:
    assert rule.body["kind"] == "LogAlert"
    assert rule.properties["skipQueryValidation"] is True
    assert rule.properties["autoMitigate"] is True
    assert rule.properties["scopes"] == ["/Microsoft.OperationalInsights/workspaces/log-token"]


def test_metric_alerts_live_where_they_must() -> None:
    assert {r.body["location"] for r in plan().of(METRIC)} == {"global"}


def test_nobody_is_told_where_nobody_is_named() -> None:
    assert plan().of("Microsoft.Insights/actionGroups") == []
    assert all(r.properties["actions"] == [] for r in plan().of(METRIC))
    assert all(r.properties["actions"] == {} for r in plan().of(QUERY))


def test_whoever_is_named_is_told_of_everything() -> None:
    found = plan(alertEmail="operators@example.com")
    group = found.one("Microsoft.Insights/actionGroups")
    (receiver,) = group.properties["emailReceivers"]
    assert receiver["emailAddress"] == "operators@example.com"
    for alert in found.of(METRIC):
        assert alert.properties["actions"] == [{"actionGroupId": group.id}]
    for rule in found.of(QUERY):
        assert rule.properties["actions"] == {"actionGroups": [group.id]}
