"""A session answers letter for letter what the library's own full replay answers."""

import json
import random
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from emulator.worker.payloads import payload_of
from emulator.worker.sessions import HistoryNeeded, Sessions
from tests.support.episodes import MiniHub

Program = Callable[[Any], Any]

# The library warns of what the miniature hub does on purpose, and of itself.
pytestmark = pytest.mark.filterwarnings("ignore")


class Both:
    """Runs each episode by the library and by a session, and compares."""

    def __init__(self, program: Program, hub: MiniHub, *, limit: int = 10) -> None:
        self.trace: list[Any] = []

        def traced(context: Any) -> Any:
            context.trace = self.trace
            return (yield from program(context))

        self.handle = df.Orchestrator.create(traced)
        self.hub = hub
        self.sessions = Sessions(limit)
        self.fetched: list[int] = []
        self.episodes = 0

    def frame(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "instance": "i1",
            "execution": "e1",
            "parent": None,
            "input": self.hub.input_json,
            "played": len(self.hub.history),
            "events": events,
        }

    def by_library(self, frame: dict[str, Any]) -> str:
        return self.handle(json.dumps(payload_of(frame, self.hub.history)))

    def by_session(self, frame: dict[str, Any]) -> str:
        reply = self.sessions.run(self.handle, frame)
        while isinstance(reply, HistoryNeeded):
            self.fetched.append(reply.start)
            again = {"history": self.hub.history[reply.start :], "history_start": reply.start}
            reply = self.sessions.run(self.handle, frame | again)
        return reply

    def outcome(self, run: Callable[[Any], str], frame: Any) -> tuple[str, list[Any]]:
        self.trace.clear()
        try:
            text = run(json.loads(json.dumps(frame)))
        except Exception as error:  # noqa: BLE001 - whatever it raises is compared
            text = f"{type(error).__name__}: {error} / {error.__cause__!r}"
        return text, list(self.trace)

    def episode(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Run one episode both ways; return the reply, the embedded one if it failed."""
        frame = self.frame(events)
        expected, whole = self.outcome(self.by_library, frame)
        actual, steps = self.outcome(self.by_session, frame)
        assert actual == expected
        assert steps == whole[len(whole) - len(steps) :]
        self.episodes += 1
        if expected.startswith("{"):
            return json.loads(expected)
        _, marker, embedded = expected.partition("$OutOfProcData$:")
        if not marker:
            return {"raised": expected}
        return json.JSONDecoder().raw_decode(embedded)[0]

    def run(self, most: int = 60) -> dict[str, Any]:
        events = self.hub.first_events()
        reply: dict[str, Any] = {}
        while events and self.episodes < most:
            reply = self.episode(events)
            if "raised" in reply:
                break
            self.hub.commit(events, reply)
            events = [] if self.hub.done else self.hub.next_events()
        return reply


def run(program: Program, seed: int = 1, **settings: Any) -> tuple[dict[str, Any], Both]:
    both = Both(program, MiniHub(random.Random(seed), **settings))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return both.run(), both


def look(context: Any, *more: Any) -> None:
    """Note what code that runs now can see of the episode."""
    now = context.current_utc_datetime
    context.trace.append((context.is_replaying, str(now), repr(now.tzinfo), *more))


def a_task(context: Any, rng: random.Random, kept: list[Any], depth: int = 0) -> Any:
    """A task of a random kind; compounds hold tasks of any kind, old ones among them."""
    kind = rng.choice(
        ["activity"] * 3
        + ["retry", "child", "child_retry", "timer", "long", "event", "entity", "http"]
        + (["all", "any", "any"] if depth < 2 else [])
        + (["again"] if kept else [])
    )
    name, retry = rng.choice("ABC"), df.RetryOptions(rng.choice([1000, 5000]), rng.randint(1, 3))
    now = context.current_utc_datetime
    if kind == "again":
        return rng.choice(kept)
    if kind in ("all", "any"):
        members = [a_task(context, rng, kept, depth + 1) for _ in range(rng.randint(0, 4))]
        unique = list({id(member): member for member in members}.values())
        if rng.random() < 0.2:  # made now, waited for by a later step
            kept.append((context.task_all if kind == "all" else context.task_any)(unique))
        compound = (context.task_all if kind == "all" else context.task_any)(unique)
        kept.append(compound)
        return compound
    task = {
        "activity": lambda: context.call_activity(name, {"n": name}),
        "retry": lambda: context.call_activity_with_retry(name, retry, name),
        "child": lambda: context.call_sub_orchestrator(name, [name]),
        "child_retry": lambda: context.call_sub_orchestrator_with_retry(name, retry, 1),
        "timer": lambda: context.create_timer(now + timedelta(minutes=rng.randint(-1, 9))),
        "long": lambda: context.create_timer(now + timedelta(days=rng.randint(7, 14))),
        "event": lambda: context.wait_for_external_event(name),
        "entity": lambda: context.call_entity(df.EntityId("counter", name), "add", 1),
        "http": lambda: context.call_http("GET", "http://localhost/x"),
    }[kind]()
    kept.append(task)
    return task


def random_program(seed: int) -> Program:
    """An orchestrator that does the same things in every replay, and many kinds of things."""

    def program(context: Any) -> Any:
        rng, kept, seen = random.Random(seed), [], []
        for step in range(rng.randint(1, 7)):
            look(context, step)
            try:
                value = yield a_task(context, rng, kept)
            except Exception as error:
                look(context, "failed")
                if rng.random() < 0.1:
                    raise
                value = f"error {error}"
            seen.append(value if isinstance(value, str | int | dict) else type(value).__name__)
            do = rng.random()
            if do < 0.2:
                context.signal_entity(df.EntityId("counter", "k"), "add", step)
            elif do < 0.5:
                context.set_custom_status({"step": step, "id": str(context.new_guid())})
            elif do < 0.6 and kept and hasattr(kept[-1], "cancel") and not kept[-1].is_completed:
                kept[-1].cancel()
            elif do < 0.63:
                context.continue_as_new({"again": step})
                return None
            elif do < 0.65:
                raise ValueError(f"seed {seed}\nstep {step}")
        look(context, "end")
        return {"seen": seen, "now": str(context.current_utc_datetime)}

    return program


@pytest.mark.parametrize("block", range(10))
def test_random_programs_answer_the_same_in_every_episode(block: int) -> None:
    resumed = 0
    for seed in range(block * 100, block * 100 + 100):
        _, both = run(random_program(seed), seed)
        resumed += both.episodes - 1 - both.fetched.count(0)
    # Sessions were really used: most episodes after the first needed no whole history.
    assert resumed > 150


def a_compound_made_of_completed_tasks(context: Any) -> Any:
    first, second = context.call_activity("A"), context.call_activity("B")
    yield context.task_any([first, second])
    made_early = context.task_any([first])
    yield second
    yield made_early
    look(context, "after the compound")
    yield context.call_activity("C")
    look(context, "end")


def test_a_compound_that_was_complete_when_made_counts_as_played_later() -> None:
    hub = MiniHub(random.Random(1), fail_rate=0)
    both = Both(a_compound_made_of_completed_tasks, hub)
    for completed in ([], [0], [1], [2]):
        events = [hub.event(5, TaskScheduledId=i, Result="1") for i in completed]
        events = [hub.event(12), *events] if hub.history else hub.first_events()
        reply = both.episode(events)
        for entry in completed:
            hub.entries[entry].open = False
        hub.commit(events, reply)
    assert both.fetched == []


def non_generator(context: Any) -> Any:
    context.set_custom_status("plain")
    return {"input": context.get_input()}


def test_an_orchestrator_that_is_no_generator_keeps_no_session() -> None:
    hub = MiniHub(random.Random(1), input_json='{"a": 1}')
    both = Both(non_generator, hub)
    both.handle = df.Orchestrator.create(non_generator)
    reply = both.run()
    assert reply["output"] == {"input": {"a": 1}}
    assert len(both.sessions) == 0


def waits_twice(context: Any) -> Any:
    first = yield context.call_activity("A")
    second = yield context.call_activity("B", first)
    return [first, second]


def test_a_session_ends_with_its_execution() -> None:
    reply, both = run(waits_twice, fail_rate=0)
    assert reply["isDone"]
    assert len(both.sessions) == 0
    assert both.fetched == []


def test_a_failed_execution_keeps_no_session() -> None:
    reply, both = run(waits_twice, fail_rate=1)
    assert "error" in reply
    assert len(both.sessions) == 0


def test_with_no_room_for_sessions_every_episode_is_replayed_in_full() -> None:
    both = Both(waits_twice, MiniHub(random.Random(1), fail_rate=0), limit=0)
    both.run()
    assert both.fetched == [0, 0]


def test_the_least_recently_used_session_is_dropped_first() -> None:
    both = Both(waits_twice, MiniHub(random.Random(1)), limit=2)
    frames = [both.frame(both.hub.first_events()) | {"instance": name} for name in "abc"]
    for frame in frames:
        both.by_session(frame)
    assert len(both.sessions) == 2
    later = {"played": 4, "events": [both.hub.event(12)]}
    assert both.sessions.run(both.handle, frames[0] | later) == HistoryNeeded(0)
    assert isinstance(both.sessions.run(both.handle, frames[2] | later), str)


def test_a_session_that_was_run_ahead_of_the_commit_is_not_used_again() -> None:
    """The engine may run an episode and fail to commit it; it then comes with other events."""
    both = Both(waits_twice, MiniHub(random.Random(1), fail_rate=0))
    hub = both.hub
    events = hub.first_events()
    hub.commit(events, both.episode(events))
    lost = [hub.event(12), hub.event(5, TaskScheduledId=0, Result='"lost"')]
    both.episode(lost)
    again = [hub.event(12), hub.event(5, TaskScheduledId=0, Result='"kept"')]
    both.episode(again)
    assert both.fetched == [0]


def calls_an_entity(context: Any) -> Any:
    value = yield context.call_entity(df.EntityId("counter", "k"), "add", 1)
    other = yield context.call_activity("A", value)
    return [value, other]


def test_an_entity_call_fetches_only_the_events_that_the_session_has_not_seen() -> None:
    reply, both = run(calls_an_entity, fail_rate=0)
    assert reply["isDone"]
    assert both.fetched == [2]


def reads_its_history(context: Any) -> Any:
    yield context.call_activity("A")
    length = len(context.histories)
    yield context.call_activity("B")
    return [length, len(context.histories)]


def test_code_that_reads_the_history_is_replayed_in_full() -> None:
    reply, both = run(reads_its_history, fail_rate=0)
    assert reply["output"] == [len(both.hub.history) - 1] * 2
    assert both.fetched == [0, 0]


def raises_system_exit(context: Any) -> Any:
    yield context.call_activity("A")
    raise SystemExit(3)


def test_what_the_library_does_not_catch_comes_out_and_ends_the_session() -> None:
    both = Both(raises_system_exit, MiniHub(random.Random(1), fail_rate=0))
    events = both.hub.first_events()
    both.hub.commit(events, both.episode(events))
    with pytest.raises(SystemExit):
        both.by_session(both.frame(both.hub.next_events()))
    assert len(both.sessions) == 0
