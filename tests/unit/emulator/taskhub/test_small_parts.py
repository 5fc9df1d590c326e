"""Times, names, versions, options, statuses, alarm, cache: each on its own."""

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from emulator.clock import ManualClock
from emulator.taskhub import HubOptions, InvalidOptions, events, times
from emulator.taskhub.alarm import Alarm
from emulator.taskhub.cache import Active, Cache
from emulator.taskhub.errors import custom_status_too_large
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.lineup import PACE_S, Lineup
from emulator.taskhub.names import find_name
from emulator.taskhub.pauses import pause_s
from emulator.taskhub.queries import Snapshot
from emulator.taskhub.state import Instance, Retry
from emulator.taskhub.status import as_json, body_of, history_for_readers
from emulator.taskhub.versions import Fit, compare, fit_of


def test_instants_keep_every_microsecond():
    instant = datetime(2026, 1, 2, 3, 4, 5, 250001, tzinfo=UTC)
    micros = times.to_micros(instant)
    assert times.to_datetime(micros) == instant
    assert times.stamp(micros) == "2026-01-02T03:04:05.2500010Z"
    assert times.whole_seconds(micros) == "2026-01-02T03:04:05Z"
    assert times.parse(times.stamp(micros)) == micros
    assert times.parse("2026-01-02T05:04:05.250001+02:00") == micros
    assert times.to_micros(instant.astimezone(timezone(timedelta(hours=5)))) == micros
    assert times.stamp(1 << 62).startswith("9999-12-31")


def test_names_match_without_case_exact_ones_first():
    assert find_name("a", ["A", "a"]) == "a"
    assert find_name("ORDER", ["order"]) == "order"
    assert find_name("x", ["order"]) is None


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("", "", 0), ("", "1", -1), ("1", "", 1), ("1.10", "1.9", 1), ("1.0", "1", 0),
        ("2", "10", -1), ("Beta", "beta", 0), ("alpha", "beta", -1), ("1.0-rc", "1.0", 1),
    ],
)  # fmt: skip
def test_versions_compare(left, right, order):
    assert compare(left, right) == order


def test_versions_fit_by_strategy():
    assert fit_of("9", HubOptions()) is Fit.GOOD
    assert fit_of("9", HubOptions(default_version="1", version_match="none")) is Fit.GOOD
    assert fit_of(None, HubOptions(default_version="1")) is Fit.GOOD
    assert fit_of("9", HubOptions(default_version="1")) is Fit.REJECTED
    strict = HubOptions(default_version="1", version_match="strict", version_failure="fail")
    assert fit_of("0.9", strict) is Fit.FAILED


def test_options_are_read_without_case_and_with_settings():
    document = {
        "extensions": {
            "DurableTask": {
                "hubname": "%HUB%",
                "maxConcurrentActivityFunctions": 3,
                "MaxConcurrentOrchestratorFunctions": "4",
                "overridableExistingInstanceStates": "anystate",
                "versionFailureStrategy": "Fail",
                "storeInputsInOrchestrationHistory": True,
                "storageProvider": {"connectionName": "DURABLE_STORAGE"},
                "extendedSessionsEnabled": True,
            }
        }
    }
    options = HubOptions.from_host_json(document, {"HUB": "Orders"}.get)
    assert options.hub_name == "Orders"
    assert (options.max_activities, options.max_orchestrators) == (3, 4)
    assert options.replace_any_state
    assert options.store_inputs
    assert options.version_failure == "fail"
    assert "DURABLE_STORAGE" in options.connections


def test_hub_is_named_by_the_site_or_by_default():
    assert HubOptions.from_host_json({}, lambda _: None).hub_name == "TestHubName"
    for site, hub in [("shop", "shop"), ("my-shop", "myshop"), ("2-shops", "t2shops"),
                      ("-", "DefaultTaskHub"), ("s" * 60, "s" * 45)]:  # fmt: skip
        named = HubOptions.from_host_json({}, {"WEBSITE_SITE_NAME": site}.get)
        assert named.hub_name == hub


@pytest.mark.parametrize("name", ["my-hub", "2hubs", "ab", "a" * 46, "hüb"])
def test_hub_that_azure_storage_does_not_take_is_refused_with_its_text(name):
    def read(provider):
        section = {"hubName": name, "storageProvider": provider}
        return HubOptions.from_host_json({"extensions": {"durableTask": section}}, lambda _: None)

    text = f"Task hub name '{name}' should contain only alphanumeric characters, start with a "
    for provider in ({}, {"type": "AzureStorage"}):
        with pytest.raises(InvalidOptions, match=text):
            read(provider)
    assert read({"type": "azureManaged"}).hub_name == name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("maxConcurrentActivityFunctions", 0),
        ("maxConcurrentActivityFunctions", "many"),
        ("maxConcurrentActivityFunctions", True),
        ("hubName", 7),
        ("versionMatchStrategy", "Sometimes"),
        ("storeInputsInOrchestrationHistory", "maybe"),
    ],
)
def test_options_that_make_no_sense_are_named(key, value):
    with pytest.raises(InvalidOptions, match=f"'extensions.durableTask.{key}'"):
        HubOptions.from_host_json({"extensions": {"durableTask": {key: value}}}, lambda _: None)


def test_retry_delays_grow_and_are_capped():
    retry = Retry(1000, 5, 2.0, 3000)
    assert [retry.delay_micros(n) // 1000 for n in (1, 2, 3)] == [1000, 2000, 3000]
    assert Retry(5, 2).delay_micros(9) == 5000


def test_pauses_grow_to_a_limit():
    assert pause_s(1) < pause_s(2) < pause_s(7)
    assert pause_s(100) == pause_s(50)


def test_custom_status_is_measured_as_dotnet_would_write_it():
    assert custom_status_too_large(None) is None
    assert custom_status_too_large(json.dumps("é" * 8000)) is None  # escaped, it would be 48 KB
    assert "is 17 KB" in custom_status_too_large(json.dumps("x" * 8800))
    spaced = json.dumps({"a": ["b"] * 2000}, indent=4)
    assert custom_status_too_large(spaced) is None


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (None, "null"), ('{"a":  1.0}', '{"a":  1.0}'), ("plain text", '"plain text"'),
        ("", '""'), ("NaN", "NaN"), ('"x"', '"x"'),
    ],
)  # fmt: skip
def test_stored_texts_in_bodies(stored, shown):
    assert as_json(stored) == shown


def test_status_body_has_its_members_in_order():
    snapshot = Snapshot("i", "order", "Running", '"x"', None, None, 0, 1_500_000)
    assert body_of(snapshot, show_input=False, history=[]) == (
        '{"name": "order", "instanceId": "i", "runtimeStatus": "Running", "input": null, '
        '"customStatus": null, "output": null, "createdTime": "1970-01-01T00:00:00Z", '
        '"lastUpdatedTime": "1970-01-01T00:00:01Z", "historyEvents": []}'
    )


def test_history_for_readers_joins_tasks_with_their_completion():
    history = [
        events.orchestrator_started(1),
        events.execution_started(
            1, name="order", version="", input_text='"in"', instance_id="i", execution_id="e",
            parent_instance_id=None,
        ),
        events.task_scheduled(2, 0, "A", None),
        events.child_created(
            2, 1, name="kid", instance_id="k", version="", input_text=None
        ),
        events.timer_created(2, 2, 5),
        events.task_scheduled(2, 3, "Open", None),
        events.orchestrator_completed(2),
        events.task_completed(3, 0, '{"x": 1}'),
        events.child_failed(3, 1, "why", None),
        events.timer_fired(6, 2, 5),
        events.event_raised(7, "Go", '"secret"'),
        events.execution_completed(8, "Failed", "not json"),
    ]  # fmt: skip
    shown = history_for_readers(history, show_input=False, show_output=True)
    assert [(each["EventType"], each.get("FunctionName")) for each in shown] == [
        ("ExecutionStarted", "order"), ("TimerCreated", None), ("TaskScheduled", None),
        ("TaskCompleted", "A"), ("SubOrchestrationInstanceFailed", "kid"), ("TimerFired", None),
        ("EventRaised", None), ("ExecutionCompleted", None),
    ]  # fmt: skip
    assert shown[3]["Result"] == {"x": 1}
    assert shown[3]["ScheduledTime"] == history[2]["Timestamp"]
    assert shown[-1]["Result"] == "not json"
    assert "secret" not in json.dumps(shown)
    hidden = {"EventId", "IsPlayed", "TimerId", "TaskScheduledId"}
    assert not any(hidden & each.keys() for each in shown)


async def test_alarm_rings_in_order_and_on_the_real_clock():
    clock, rung = ManualClock(datetime(2026, 1, 1, tzinfo=UTC)), []
    alarm = Alarm(clock, rung.append)
    now = times.to_micros(clock.now())
    alarm.set(now + 3_000_000, "c")
    alarm.set(now + 1_000_000, "a")
    alarm.set(now + 2_000_000, "b")
    alarm.check()
    assert rung == []
    clock.advance(timedelta(seconds=2))
    alarm.check()
    assert rung == ["a", "b"]
    alarm.set(now, "overdue")
    for _ in range(3):
        await asyncio.sleep(0)
    assert rung == ["a", "b", "overdue"]
    alarm.stop()


def test_cache_drops_what_has_rested_longest_but_nothing_that_is_needed():
    cache = Cache(resting=2)
    actives = [cache.put(Active(str(n))) for n in range(4)]
    actives[0].in_flight.add(1)
    event = events.task_completed(1, 0, None)
    actives[1].inbox.add(Message(MessageKind.COMPLETION, 1, event, "e"))
    for active in actives:
        cache.rest(active)
    later = cache.put(Active("later"))
    cache.rest(later)
    assert [cache.get(str(n)) is not None for n in range(4)] == [True, True, False, True]
    cache.wake(actives[3])
    for n in range(5):
        cache.rest(cache.put(Active(f"more {n}")))
    assert cache.holds(actives[3])
    assert len(cache) == 5


def test_cache_is_bounded_by_size_too():
    cache = Cache(resting=100, resting_size=1000)
    for n in range(20):
        instance = Instance(n, str(n), "e", "order", None, "x" * 100)
        cache.rest(cache.put(Active(str(n), instance)))
    assert len(cache) == 10
    assert cache.get("19") is not None
    huge = Instance(99, "huge", "e", "order", None, "x" * 5000)
    cache.rest(cache.put(Active("huge", huge)))
    assert len(cache) == 0


def a_lineup(begun, new):
    lineup = Lineup()
    for number in range(begun):
        lineup.add(Active(f"begun-{number}"))
    for number in range(new):
        lineup.add_new(Active(f"new-{number}"))
    return lineup


def test_begun_instances_go_first_and_new_ones_do_not_starve():
    lineup = a_lineup(begun=6, new=3)
    order = []
    while lineup:
        order.append(lineup.next(0.0, is_crowded=False).id.split("-")[0])
    assert order == [*["begun"] * 4, "new", *["begun"] * 2, "new", "new"]


def test_while_activities_queue_up_one_new_instance_begins_in_a_while():
    lineup = a_lineup(begun=0, new=3)
    assert lineup.next(100.0, is_crowded=True).id == "new-0"
    assert lineup.next(100.0, is_crowded=True) is None
    assert lineup.next(100.0 + PACE_S, is_crowded=True).id == "new-1"
    lineup.add(Active("begun"))
    assert lineup.next(100.0 + PACE_S, is_crowded=True).id == "begun"
    assert lineup.next(100.0 + PACE_S, is_crowded=False).id == "new-2"
    assert not lineup
