"""Human interaction: somebody approves or rejects in time, or it goes to somebody else."""

import json
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="expenses", methods=["POST"])
@app.durable_client_input(client_name="client")
async def submit_expense(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    expense = req.get_json()
    await client.start_new("approve_expense", expense["id"], expense)
    return client.create_check_status_response(req, expense["id"])


@app.route(route="expenses/{id}/decision", methods=["POST"])
@app.durable_client_input(client_name="client")
async def decide(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    status = await client.get_status(req.route_params["id"])
    if status.runtime_status != df.OrchestrationRuntimeStatus.Running:
        return func.HttpResponse("Nobody waits for a decision.", status_code=409)
    await client.raise_event(req.route_params["id"], "Decision", req.get_json())
    return func.HttpResponse(status_code=202)


@app.orchestration_trigger(context_name="context")
def approve_expense(context: df.DurableOrchestrationContext):
    expense = context.get_input()
    yield context.call_activity("ask_manager", expense)
    context.set_custom_status("waiting for the manager")

    due = context.current_utc_datetime + timedelta(seconds=expense["patienceSeconds"])
    timeout_task = context.create_timer(due)
    decision_task = context.wait_for_external_event("Decision")
    winner = yield context.task_any([decision_task, timeout_task])

    if winner == timeout_task:
        return (yield context.call_activity("escalate", expense))

    timeout_task.cancel()
    decision = decision_task.result
    if isinstance(decision, str):
        decision = json.loads(decision)
    return (yield context.call_activity("book", {"id": expense["id"], **decision}))


@app.activity_trigger(input_name="expense")
def ask_manager(expense: dict) -> None:
    print(f"Please decide on {expense['id']}: {expense['amount']} EUR")


@app.activity_trigger(input_name="decision")
def book(decision: dict) -> str:
    word = "approved" if decision["approved"] else "rejected"
    return f"{decision['id']} was {word} by {decision['by']}"


@app.activity_trigger(input_name="expense")
def escalate(expense: dict) -> str:
    return f"{expense['id']} was escalated"
