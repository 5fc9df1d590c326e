"""What an event must have, and how it is read out of a request."""

import json

import pytest

from emulator.eventgrid.errors import InvalidEvents
from emulator.eventgrid.model import CLOUD_EVENTS, EVENT_GRID, check_events, schema_of
from emulator.eventgrid.wire import read_events

CLOUD = {"id": "1", "source": "/orders", "specversion": "1.0", "type": "Order.Processed"}
GRID = {
    "id": "1",
    "subject": "orders/1",
    "eventType": "Order.Processed",
    "eventTime": "2026-11-20T09:30:00.1234567Z",
    "dataVersion": "1.0",
    "data": {},
}


@pytest.mark.parametrize(("event", "schema"), [(CLOUD, CLOUD_EVENTS), (GRID, EVENT_GRID)])
def test_a_complete_event_passes_and_the_first_one_tells_the_schema(event, schema):
    assert schema_of([event]) == schema
    check_events([event, event], schema)


@pytest.mark.parametrize(
    ("event", "schema", "name"),
    [(CLOUD, CLOUD_EVENTS, name) for name in CLOUD]
    + [(GRID, EVENT_GRID, name) for name in ("id", "subject", "eventType", "eventTime")],
)
def test_a_missing_property_is_named_with_its_place(event, schema, name):
    lacking = {key: value for key, value in event.items() if key != name}
    with pytest.raises(InvalidEvents, match=rf"Required property '{name}' .* Path '\[1\]'"):
        check_events([event, lacking], schema)


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": 1},
        {"specversion": "0.3"},
        {"time": "yesterday"},
        {"Extension": "x"},
        {"x" * 21: "x"},
        {"data": 1, "data_base64": "eA=="},
    ],
)
def test_a_cloud_event_that_the_service_refuses_is_refused(change):
    with pytest.raises(InvalidEvents):
        check_events([CLOUD | change], CLOUD_EVENTS)


@pytest.mark.parametrize("value", [None, 1, "x", [], True])
def test_what_is_no_object_is_no_event(value):
    with pytest.raises(InvalidEvents, match="Token Expected: StartObject"):
        check_events([value], EVENT_GRID)


def test_a_time_without_a_zone_is_taken_as_the_service_does():
    check_events([GRID | {"eventTime": "2026-11-20T09:30:00"}], EVENT_GRID)


@pytest.mark.parametrize(
    ("body", "content_type", "schema"),
    [
        (CLOUD, "application/cloudevents+json", CLOUD_EVENTS),
        ([CLOUD], "application/cloudevents-batch+json", CLOUD_EVENTS),
        ([CLOUD], "application/json", CLOUD_EVENTS),
        ([GRID], "application/json", EVENT_GRID),
    ],
)
def test_single_and_batch_are_read(body, content_type, schema):
    events, found = read_events(json.dumps(body).encode(), content_type, {})
    assert (len(events), found) == (1, schema)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[]", "application/cloudevents+json"),
        (b"{}", "application/cloudevents-batch+json"),
        (b"{}", "application/json"),
        (b"{", "application/json"),
        (b'[{"id": NaN}]', "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_a_body_of_the_wrong_form_is_refused(body, content_type):
    with pytest.raises(InvalidEvents):
        read_events(body, content_type, {})


def test_in_binary_mode_the_attributes_are_headers():
    headers = {f"ce-{name}": value for name, value in CLOUD.items()} | {"ce-subject": "caf%C3%A9"}
    (event,), schema = read_events(b'{"n": 1}', "application/json", headers)
    assert schema == CLOUD_EVENTS
    assert (event["data"], event["subject"], event["id"]) == ({"n": 1}, "café", "1")
    (event,), _ = read_events(b"\xff", "image/png", headers)
    assert event["data_base64"] == "/w=="
