"""Stateful entities: accounts that are signalled, read, and called by a transfer."""

import json

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.entity_trigger(context_name="context")
def Account(context: df.DurableEntityContext):
    balance = context.get_state(lambda: 0)
    operation = context.operation_name
    if operation == "deposit":
        balance += context.get_input()
    elif operation == "withdraw":
        amount = context.get_input()
        if amount > balance:
            raise ValueError(f"only {balance} left")
        balance -= amount
    elif operation == "close":
        context.destruct_on_exit()
        return
    context.set_state(balance)
    context.set_result(balance)


@app.route(route="accounts/{key}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def signal_account(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    entity_id = df.EntityId("Account", req.route_params["key"])
    await client.signal_entity(entity_id, req.params["op"], int(req.params.get("amount", "1")))
    return func.HttpResponse(status_code=202)


@app.route(route="accounts/{key}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def read_account(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    entity_id = df.EntityId("Account", req.route_params["key"])
    response = await client.read_entity_state(entity_id)
    if not response.entity_exists:
        return func.HttpResponse("No such account", status_code=404)
    return func.HttpResponse(json.dumps({"balance": response.entity_state}))


@app.route(route="transfers", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_transfer(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    instance_id = await client.start_new("transfer", client_input=req.get_json())
    return await client.wait_for_completion_or_create_check_status_response(
        req, instance_id, timeout_in_milliseconds=10_000, retry_interval_in_milliseconds=20
    )


@app.orchestration_trigger(context_name="context")
def transfer(context: df.DurableOrchestrationContext):
    order = context.get_input()
    source = df.EntityId("Account", order["from"])
    target = df.EntityId("Account", order["to"])
    try:
        left = yield context.call_entity(source, "withdraw", order["amount"])
    except Exception as e:
        return {"moved": 0, "why": str(e)}
    context.signal_entity(target, "deposit", order["amount"])
    there = yield context.call_entity(target, "look")
    return {"moved": order["amount"], "left": left, "there": there}
