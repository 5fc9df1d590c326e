"""Async HTTP APIs: start a long job, let callers poll it, wait for it, look at it, cancel it."""

import json
import logging
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.function_name("StartJob")
@app.route(route="jobs", methods=[func.HttpMethod.POST])
@app.durable_client_input(client_name="starter")
async def start_job(req: func.HttpRequest, starter: df.DurableOrchestrationClient):
    instance_id = await starter.start_new("LongJob", None, req.get_json())
    logging.info("job %s was accepted", instance_id)
    return starter.create_check_status_response(req, instance_id)


@app.function_name("RunJob")
@app.route(route="jobs/run", methods=[func.HttpMethod.POST])
@app.durable_client_input(client_name="starter")
async def run_job(req: func.HttpRequest, starter: df.DurableOrchestrationClient):
    instance_id = await starter.start_new("LongJob", None, req.get_json())
    timeout = int(req.params.get("timeoutMs", 10_000))
    return await starter.wait_for_completion_or_create_check_status_response(
        req, instance_id, timeout, 50
    )


@app.function_name("JobProgress")
@app.route(route="jobs/{id}", methods=[func.HttpMethod.GET])
@app.durable_client_input(client_name="starter")
async def job_progress(req: func.HttpRequest, starter: df.DurableOrchestrationClient):
    status = await starter.get_status(req.route_params["id"])
    if not status:
        return func.HttpResponse("No such job", status_code=404)
    body = {"state": status.runtime_status.value, "progress": status.custom_status}
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


@app.function_name("CancelJob")
@app.route(route="jobs/{id}", methods=[func.HttpMethod.DELETE])
@app.durable_client_input(client_name="starter")
async def cancel_job(req: func.HttpRequest, starter: df.DurableOrchestrationClient):
    await starter.terminate(req.route_params["id"], "cancelled by its owner")
    return func.HttpResponse(status_code=204)


@app.orchestration_trigger(context_name="context", orchestration="LongJob")
def long_job(context: df.DurableOrchestrationContext):
    job = context.get_input()
    total = 0
    for step in range(job["steps"]):
        total += yield context.call_activity("work", step)
        context.set_custom_status({"done": step + 1, "of": job["steps"]})
        pause = context.current_utc_datetime + timedelta(milliseconds=job.get("pauseMs", 20))
        yield context.create_timer(pause)
    return {"total": total}


@app.activity_trigger(input_name="step")
def work(step: int) -> int:
    return step * 10
