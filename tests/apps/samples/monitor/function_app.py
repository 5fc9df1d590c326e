"""Monitor: look at a job again and again, until it is done or it has taken too long."""

import json
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="watch", methods=["POST"])
@app.durable_client_input(client_name="client")
async def watch(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    instance_id = await client.start_new("monitor_job", client_input=req.get_json())
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context")
def monitor_job(context: df.DurableOrchestrationContext):
    job = context.get_input()
    expiry = context.current_utc_datetime + timedelta(seconds=job["patienceSeconds"])
    looks = 0

    while context.current_utc_datetime < expiry:
        status = yield context.call_activity("read_job", job["file"])
        looks += 1
        context.set_custom_status({"looks": looks, "last": status})
        if status == "done":
            sent = yield context.call_activity("send_alert", f"{job['name']} is done")
            return {"sent": sent, "looks": looks}

        next_look = context.current_utc_datetime + timedelta(seconds=job["intervalSeconds"])
        yield context.create_timer(next_look)

    sent = yield context.call_activity("send_alert", f"{job['name']} takes too long")
    return {"sent": sent, "looks": looks}


@app.activity_trigger(input_name="file")
def read_job(file: str) -> str:
    path = Path(file)
    return json.loads(path.read_text(encoding="utf-8"))["status"] if path.exists() else "unknown"


@app.activity_trigger(input_name="message")
def send_alert(message: str) -> str:
    return f"alert: {message}"
