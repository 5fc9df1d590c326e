"""Does today's code still fit yesterday's histories? Every history, at every prefix."""

from pathlib import Path
from typing import Any

import pytest

from orchestrators.process_batch import process_batch
from orchestrators.process_chunk import process_chunk
from orchestrators.process_order import process_order
from orchestrators.replay_failed import replay_failed
from tests.support import replay
from tests.support.replay import Recording, differences, episodes, run_episode
from tests.support.stories import STORIES

FOLDER = Path(__file__).parent / "histories"
ORCHESTRATORS = {
    f.__name__: f for f in (process_order, process_batch, process_chunk, replay_failed)
}
PATHS = sorted(FOLDER.glob("*.json"))


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest) -> Recording:
    return Recording.load(request.param)


def test_every_story_has_a_history() -> None:
    assert {path.stem for path in PATHS} >= STORIES.keys()


def test_every_prefix_requests_what_was_recorded(recording: Recording) -> None:
    orchestration = ORCHESTRATORS[recording.orchestrator]
    for given, scheduled in episodes(recording.history):
        reply = run_episode(orchestration, recording.instance_id, recording.input, given)
        assert differences(reply.actions, scheduled) == [], f"after {len(given)} events"


def test_the_whole_history_ends_as_it_was_recorded(recording: Recording) -> None:
    given, _ = list(episodes(recording.history))[-1]
    orchestration = ORCHESTRATORS[recording.orchestrator]
    reply = run_episode(orchestration, recording.instance_id, recording.input, given)
    ended = next(e for e in recording.history if e["EventType"] == replay.EXECUTION_COMPLETED)
    assert ended["OrchestrationStatus"] == ("Failed" if reply.error is not None else "Completed")


def test_a_renamed_activity_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording.load(FOLDER / "order_processed.json")
    from orchestrators import _policies
    from orchestrators import process_order as module

    monkeypatch.setitem(_policies.POLICIES, "store_order", _policies.POLICIES["persist_order"])
    monkeypatch.setitem(module.STEPS, "persist", "store_order")
    found: list[Any] = []
    for given, scheduled in episodes(recording.history):
        reply = run_episode(process_order, recording.instance_id, recording.input, given)
        found += differences(reply.actions, scheduled)
    assert "task 2: recorded activity persist_order, requested activity store_order" in found


def test_a_changed_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording.load(FOLDER / "store_busy_twice_then_written.json")
    from dataclasses import replace

    from orchestrators import _policies

    slower = replace(_policies.POLICIES["persist_order"], first_interval_s=2)
    monkeypatch.setitem(_policies.POLICIES, "persist_order", slower)
    found: list[str] = []
    for given, scheduled in episodes(recording.history):
        reply = run_episode(process_order, recording.instance_id, recording.input, given)
        found += differences(reply.actions, scheduled)
    assert any("a timer at" in text for text in found)
