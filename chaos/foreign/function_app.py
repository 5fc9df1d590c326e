"""Somebody's app: all of Durable Functions that keeps state, and effects that can be counted.

It knows nothing of orders, nor of the emulator. An effect is a line with its key in a file, written
before the activity returns: an activity that is run again writes its line again.
"""

import os
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
GENERATIONS = 3


@app.orchestration_trigger(context_name="context")
def story(context: df.DurableOrchestrationContext):
    """Three generations; in each a fan-out, children, an entity, timers and an external event."""
    state = context.get_input()
    generation, me = state["generation"], f"{context.instance_id}/{state['generation']}"
    counter = df.EntityId("counter", context.instance_id)
    context.set_custom_status({"generation": generation, "waits": False})
    fan = yield context.task_all(
        [context.call_activity("effect", f"{me}/fan/{number}") for number in range(5)]
    )
    children = yield context.task_all(
        [
            context.call_sub_orchestrator("child", f"{me}/{name}", f"{me}/{name}".replace("/", "."))
            for name in ("left", "right")
        ]
    )
    context.signal_entity(counter, "add", len(fan))
    once = yield context.call_activity_with_retry("flaky", df.RetryOptions(1, 3), f"{me}/flaky")
    total = yield context.call_entity(counter, "add", 100)
    context.set_custom_status({"generation": generation, "waits": True})
    late = context.create_timer(context.current_utc_datetime + timedelta(minutes=10))
    told = context.wait_for_external_event(f"go-{generation}")
    winner = yield context.task_any([told, late])
    if winner is told:
        late.cancel()
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
    log = [*state["log"], [len(fan), children, once, total, winner is told]]
    if generation < GENERATIONS:
        context.continue_as_new({"generation": generation + 1, "log": log})
        return None
    return log


@app.orchestration_trigger(context_name="context")
def child(context: df.DurableOrchestrationContext):
    """A timer between two effects."""
    key = context.get_input()
    yield context.call_activity("effect", f"{key}/before")
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
    return (yield context.call_activity("effect", f"{key}/after"))


def _note(key: str) -> None:
    with Path(os.environ["EFFECTS_FILE"]).open("a", encoding="utf-8") as file:
        file.write(f"{key}\n")


@app.activity_trigger(input_name="key")
def effect(key: str) -> str:
    """The effect is made, once more at each call."""
    _note(key)
    return key


@app.activity_trigger(input_name="key")
def flaky(key: str) -> str:
    """Fails the first time it is called with a key."""
    marker = Path(os.environ["EFFECTS_FILE"] + "." + key.replace("/", "."))
    if not marker.exists():
        marker.touch()
        raise RuntimeError("not yet")
    _note(key)
    return key


@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext):
    """Adds up; each operation must count once."""
    total = context.get_state(lambda: 0) + context.get_input()
    context.set_state(total)
    context.set_result(total)
