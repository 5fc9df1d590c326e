"""Sub-orchestrations: a fleet of devices, each set up by an orchestration of its own."""

import azure.durable_functions as df
import azure.functions as func
from devices import bp

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(bp)


@app.route(route="fleets/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def set_up(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    name = req.route_params["name"]
    instance_id = await client.start_new("set_up_fleet", f"fleet-{name}", req.get_json())
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context")
def set_up_fleet(context: df.DurableOrchestrationContext):
    retry_options = df.RetryOptions(10, 3)
    provisioning = []
    for device in context.get_input():
        provisioning.append(
            context.call_sub_orchestrator_with_retry(
                "set_up_device",
                retry_options,
                device,
                f"{context.instance_id}-{device['id']}",
            )
        )
    try:
        done = yield context.task_all(provisioning)
    except Exception as e:
        yield context.call_sub_orchestrator("report_trouble", str(e).split(" \n ")[0])
        raise
    return done


@app.orchestration_trigger(context_name="context")
def report_trouble(context: df.DurableOrchestrationContext):
    context.set_custom_status({"of": context.parent_instance_id})
    return context.get_input()
