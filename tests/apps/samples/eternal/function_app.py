"""Eternal orchestration: it cleans up, sleeps and starts anew, and collects events on its way."""

from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

INSTANCE_ID = "the-one-cleaner"


@app.route(route="cleaner", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_cleaner(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    # A singleton: whoever comes second is told of the one that runs.
    existing = await client.get_status(INSTANCE_ID)
    ended = [
        df.OrchestrationRuntimeStatus.Completed,
        df.OrchestrationRuntimeStatus.Failed,
        df.OrchestrationRuntimeStatus.Terminated,
        None,
    ]
    if existing.runtime_status not in ended:
        return func.HttpResponse("It runs already.", status_code=409)
    await client.start_new("cleaner", INSTANCE_ID, {"rounds": 0, "removed": []})
    return client.create_check_status_response(req, INSTANCE_ID)


@app.orchestration_trigger(context_name="context")
def cleaner(context: df.DurableOrchestrationContext):
    state = context.get_input()
    context.set_custom_status(state)

    wake_up = context.create_timer(context.current_utc_datetime + timedelta(milliseconds=50))
    rubbish = context.wait_for_external_event("Rubbish")
    winner = yield context.task_any([rubbish, wake_up])
    if winner == rubbish:
        wake_up.cancel()
        if rubbish.result == "enough":
            return state
        state["removed"].append((yield context.call_activity("remove", rubbish.result)))

    state["rounds"] += 1
    context.continue_as_new(state)


@app.activity_trigger(input_name="item")
def remove(item: str) -> str:
    return item.upper()
