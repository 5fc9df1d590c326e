"""Settings read from the entities file, and what a queue refuses to take in."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from emulator.servicebus import InvalidMessage, MessageTooLarge, OutgoingMessage, QueueSettings
from emulator.servicebus.limits import check_message
from emulator.servicebus.messages import parse_duration

ENTITIES = Path(__file__).parents[4] / "infra" / "entities.json"


def test_the_queues_of_the_deployment_are_read_as_they_stand():
    entities = json.loads(ENTITIES.read_text())["serviceBus"]["queues"]
    orders, files = (QueueSettings.from_entity(entity) for entity in entities)
    assert (orders.name, orders.lock_duration_s, orders.max_delivery_count) == ("orders", 60, 10)
    assert orders.requires_duplicate_detection
    assert (orders.duplicate_window_s, orders.default_ttl_s) == (3600, 14 * 86400)
    assert orders.dead_letter_on_expiration
    assert (files.lock_duration_s, files.max_delivery_count) == (300, 5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT5S", 5), ("PT1M", 60), ("PT1H30M", 5400), ("P14D", 1209600), ("P1DT1S", 86401)],
)
def test_durations_are_seconds(text, seconds):
    assert parse_duration(text, without=0) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "1M", "P1M", "PT1D", "-PT1S"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_duration(text, without=0)


def test_the_longest_time_to_live_means_none():
    entity = {"name": "q", "defaultMessageTimeToLive": "P10675199DT2H48M5.4775807S"}
    assert QueueSettings.from_entity(entity).default_ttl_s is None


@pytest.mark.parametrize(
    ("entity", "word"),
    [
        ({"name": "q", "lockDuration": "PT6M"}, "lockDuration"),
        ({"name": "q", "maxDeliveryCount": 0}, "maxDeliveryCount"),
        ({"name": "q", "duplicateDetectionHistoryTimeWindow": "P8D"}, "duplicate"),
        ({"name": "q", "enablePartitioning": True}, "enablePartitioning"),
        ({"name": ""}, "name"),
        ({"name": "two words"}, "name"),
        ({"name": "q/"}, "name"),
        ({"name": "a//b"}, "name"),
        ({"name": "q/$DeadLetterQueue"}, "name"),
        ({"name": "q" * 261}, "name"),
    ],
)
def test_an_entity_that_azure_or_the_emulator_would_not_take_is_refused(entity, word):
    with pytest.raises(ValueError, match=word):
        QueueSettings.from_entity(entity)


@pytest.mark.parametrize(
    "members",
    [
        {"message_id": "x" * 129},
        {"message_id": ""},
        {"time_to_live_s": 0},
        {"scheduled_enqueue_time": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is the fault
        {"application_properties": {"a": b"bytes"}},
        {"application_properties": {"a": "x" * 70_000}},
    ],
)
def test_a_message_the_service_would_refuse_is_refused(members):
    with pytest.raises(InvalidMessage):
        check_message(OutgoingMessage(b"", **members), QueueSettings("q"))


def test_a_queue_with_sessions_wants_a_session_id():
    settings = QueueSettings("q", requires_session=True)
    with pytest.raises(InvalidMessage, match="SessionId"):
        check_message(OutgoingMessage(b""), settings)
    check_message(OutgoingMessage(b"", session_id="s"), settings)


def test_the_properties_count_for_the_size_of_a_message():
    settings = QueueSettings("q", max_message_bytes=1024)
    check_message(OutgoingMessage(b"x" * 1024), settings)
    with pytest.raises(MessageTooLarge, match="1025 bytes"):
        check_message(OutgoingMessage(b"x" * 1024, subject="s"), settings)
