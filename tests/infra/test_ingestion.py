"""File ingestion: event, queue, workflow and connections fit together."""

import json
import re
from typing import Any

import pytest

from tests.support.infra import CHOICES, plan, read_json

DEFINITION = read_json("infra/workflows/ingest-order-files.json")
SUBSCRIPTION = "Microsoft.EventGrid/systemTopics/eventSubscriptions"


def _workflow() -> dict[str, Any]:
    return plan().one("Microsoft.Logic/workflows").properties


def _connections() -> dict[str, Any]:
    found: dict[str, Any] = _workflow()["parameters"]["$connections"]["value"]
    return found


def _subscription() -> dict[str, Any]:
    return plan().one(SUBSCRIPTION).properties


def test_workflow_is_the_file_that_the_emulator_reads() -> None:
    assert _workflow()["definition"] == DEFINITION
    assert _workflow()["state"] == "Enabled"


def test_workflow_gets_the_parameters_that_it_declares() -> None:
    declared = DEFINITION["parameters"]
    given = _workflow()["parameters"]
    required = {name for name, entry in declared.items() if "defaultValue" not in entry}
    assert set(given) <= set(declared)
    assert required - {"$connections"} <= set(given)


def test_every_connection_that_is_used_is_made() -> None:
    text = json.dumps(DEFINITION)
    used = set(re.findall(r"parameters\('\$connections'\)\['(\w+)'\]", text))
    assert used == set(_connections())


def test_connections_use_the_identity_and_no_key() -> None:
    (identity,) = plan().one("Microsoft.Logic/workflows").body["identity"]["userAssignedIdentities"]
    assert identity.endswith("/id-logic-token")
    for connection in _connections().values():
        assert connection["connectionProperties"] == {
            "authentication": {"type": "ManagedServiceIdentity", "identity": identity}
        }
    for resource in plan().of("Microsoft.Web/connections"):
        values = resource.properties["parameterValueSet"]
        assert values["name"] == "managedIdentityAuth"
        assert set(values["values"]) <= {"namespaceEndpoint"}
        assert "parameterValues" not in resource.properties


def test_an_event_goes_to_the_queue_by_identity() -> None:
    delivery = _subscription()["deliveryWithResourceIdentity"]
    assert delivery == {
        "identity": {"type": "SystemAssigned"},
        "destination": {
            "endpointType": "ServiceBusQueue",
            "properties": {
                "resourceId": "/Microsoft.ServiceBus/namespaces/queues/sbns-token/order-files"
            },
        },
    }
    assert _subscription()["eventDeliverySchema"] == "CloudEventSchemaV1_0"


def test_only_whole_json_files_of_the_container_count() -> None:
    wanted = _subscription()["filter"]
    assert wanted["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]
    assert wanted["subjectBeginsWith"] == "/blobServices/default/containers/inputfiles/blobs/"
    assert wanted["subjectEndsWith"] == ".json"
    (written,) = wanted["advancedFilters"]
    assert written["key"] == "data.api"
    assert set(written["values"]) == {"PutBlob", "PutBlockList", "FlushWithClose"}


def test_an_event_that_cannot_be_delivered_is_kept() -> None:
    keeping = _subscription()["deadLetterWithResourceIdentity"]
    assert keeping["deadLetterDestination"]["properties"] == {
        "resourceId": "/Microsoft.Storage/storageAccounts/stdatatoken",
        "blobContainerName": "event-deadletters",
    }
    assert _subscription()["retryPolicy"] == {
        "maxDeliveryAttempts": 30,
        "eventTimeToLiveInMinutes": 1440,
    }


def test_dropped_files_are_deleted_after_thirty_days_and_nothing_else_is() -> None:
    policy = plan().one("Microsoft.Storage/storageAccounts/managementPolicies")
    assert policy.path == "stdatatoken/default"
    (rule,) = policy.properties["policy"]["rules"]
    assert rule["definition"]["filters"]["prefixMatch"] == ["inputfiles/"]
    assert rule["definition"]["actions"] == {
        "baseBlob": {"delete": {"daysAfterModificationGreaterThan": 30}}
    }


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_ingestion_is_the_same_whatever_is_chosen(choices: dict[str, Any]) -> None:
    found = plan(**choices)
    assert found.one(SUBSCRIPTION).properties == _subscription()
    assert found.one("Microsoft.Logic/workflows").properties == _workflow()
