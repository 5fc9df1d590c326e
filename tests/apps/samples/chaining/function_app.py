"""Function chaining: each step works on what the one before it has made."""

import logging

import azure.durable_functions as df
import azure.functions as func

myApp = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@myApp.route(route="orchestrators/{functionName}")
@myApp.durable_client_input(client_name="client")
async def http_start(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    instance_id = await client.start_new(req.route_params["functionName"])
    logging.info("Started orchestration with ID = '%s'.", instance_id)
    return client.create_check_status_response(req, instance_id)


@myApp.orchestration_trigger(context_name="context")
def sales_report(context: df.DurableOrchestrationContext):
    context.set_custom_status("collecting")
    figures = yield context.call_activity("collect_figures", "north")
    context.set_custom_status("cleaning")
    cleaned = yield context.call_activity("clean_figures", figures)
    context.set_custom_status("writing")
    report = yield context.call_activity("write_report", cleaned)
    return report


@myApp.orchestration_trigger(context_name="context")
def broken_report(context: df.DurableOrchestrationContext):
    try:
        yield context.call_activity("clean_figures", None)
    except Exception as e:
        report = yield context.call_activity("write_report", [])
        return {"report": report, "problem": str(e).split(" \n ")[0]}


@myApp.activity_trigger(input_name="region")
def collect_figures(region: str):
    return [{"region": region, "sold": sold} for sold in (3, None, 4)]


@myApp.activity_trigger(input_name="figures")
def clean_figures(figures: list):
    return [figure for figure in figures if figure["sold"] is not None]


@myApp.activity_trigger(input_name="figures")
async def write_report(figures: list) -> str:
    return f"{sum(figure['sold'] for figure in figures)} sold"
