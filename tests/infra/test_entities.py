"""Queues and containers: entities.json = what Bicep asks for = what the emulator makes."""

from typing import Any

import pytest

from emulator.cosmos.entities import container_bodies
from emulator.servicebus.messages import QueueSettings, parse_duration
from emulator.taskhub import read_retention
from tests.support.infra import entities, plan

QUEUE = "Microsoft.ServiceBus/namespaces/queues"
CONTAINER = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"


def _containers(**choices: str) -> dict[str, dict[str, Any]]:
    return {r.name: r.properties["resource"] for r in plan(**choices).of(CONTAINER)}


def _seconds(text: str) -> float:
    return parse_duration(text, without=0)


def test_queues_are_deployed_as_the_file_says() -> None:
    found = {r.name: r.properties for r in plan().of(QUEUE)}
    wanted = {q["name"]: q for q in entities()["serviceBus"]["queues"]}
    assert set(found) == set(wanted) == {"orders", "order-files"}
    for name, queue in wanted.items():
        # The largest message is the tier's and cannot be chosen on Standard.
        same = {k: v for k, v in queue.items() if k not in ("name", "maxMessageSizeInKilobytes")}
        assert found[name] == same | {"requiresSession": False, "enablePartitioning": False}


def test_queues_obey_the_design() -> None:
    orders, files = (r.properties for r in plan().of(QUEUE))
    assert (orders["lockDuration"], orders["maxDeliveryCount"]) == ("PT1M", 10)
    assert orders["requiresDuplicateDetection"] is True
    assert orders["duplicateDetectionHistoryTimeWindow"] == "PT1H"
    assert (files["lockDuration"], files["maxDeliveryCount"]) == ("PT5M", 5)
    assert files["requiresDuplicateDetection"] is False
    assert orders["deadLetteringOnMessageExpiration"] is True
    assert files["deadLetteringOnMessageExpiration"] is True


@pytest.mark.parametrize("queue", entities()["serviceBus"]["queues"], ids=lambda q: q["name"])
def test_emulator_makes_the_same_queue(queue: dict[str, Any]) -> None:
    deployed = plan().named(QUEUE, queue["name"]).properties
    local = QueueSettings.from_entity(queue)
    assert local.lock_duration_s == _seconds(deployed["lockDuration"])
    assert local.max_delivery_count == deployed["maxDeliveryCount"]
    assert local.requires_duplicate_detection == deployed["requiresDuplicateDetection"]
    assert local.duplicate_window_s == _seconds(deployed["duplicateDetectionHistoryTimeWindow"])
    assert local.default_ttl_s == _seconds(deployed["defaultMessageTimeToLive"])
    assert local.dead_letter_on_expiration == deployed["deadLetteringOnMessageExpiration"]
    assert local.requires_session == deployed["requiresSession"]


def test_emulator_makes_the_same_containers() -> None:
    database, local = container_bodies(entities())
    deployed = _containers()
    assert database == plan().outputs["COSMOS_DB_DATABASE_NAME"]
    assert [body["id"] for body in local] == list(deployed)
    everything = {"includedPaths": [{"path": "/*"}], "excludedPaths": [], "compositeIndexes": []}
    for body in local:
        there = deployed[body["id"]]
        assert there["partitionKey"]["paths"] == body["partitionKey"]["paths"]
        assert there.get("defaultTtl") == body.get("defaultTtl")
        index = {k: v for k, v in there["indexingPolicy"].items() if isinstance(v, list)}
        assert index == body.get("indexingPolicy", everything)


def test_containers_obey_the_design() -> None:
    found = _containers()
    keys = {name: body["partitionKey"]["paths"] for name, body in found.items()}
    assert keys == {
        "toprocess": ["/id"],
        "processed": ["/id"],
        "leases": ["/id"],
        "reference": ["/kind"],
        "submissions": ["/id"],
        "credits": ["/id"],
    }
    ttl = {name: body["defaultTtl"] for name, body in found.items() if "defaultTtl" in body}
    assert ttl == {"toprocess": 2592000, "processed": -1, "submissions": 86400}


def test_the_ledger_exists_in_ledger_mode_only() -> None:
    assert set(_containers()) - set(_containers(creditMode="named-value")) == {"credits"}


def test_serverless_has_no_throughput() -> None:
    account = plan().one("Microsoft.DocumentDB/databaseAccounts").properties
    assert account["capabilities"] == [{"name": "EnableServerless"}]
    assert len(account["locations"]) == 1
    for container in plan().of(CONTAINER):
        assert set(container.properties) == {"resource"}


def test_topic_is_the_one_of_the_file() -> None:
    (name,) = entities()["eventGrid"]["topics"]
    topic = plan().one("Microsoft.EventGrid/topics")
    assert topic.name == f"evgt-{name}-token"
    assert topic.properties["inputSchema"] == "CloudEventSchemaV1_0"


def test_ended_instances_are_kept_as_long_here_as_there() -> None:
    policies = plan().one("Microsoft.DurableTask/schedulers/retentionPolicies").properties
    local = read_retention(entities()["durableTask"])
    assert local == {
        p["orchestrationState"]: p["retentionPeriodInDays"] for p in policies["retentionPolicies"]
    }
