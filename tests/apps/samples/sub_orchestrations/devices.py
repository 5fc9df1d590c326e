"""What is done with one device."""

import azure.durable_functions as df

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def set_up_device(context: df.DurableOrchestrationContext):
    device = context.get_input()
    package = yield context.call_activity("make_package", device["id"])
    installed = yield context.call_activity("install", {**device, "package": package})
    return installed


@bp.activity_trigger(input_name="deviceId")
def make_package(deviceId: str) -> str:
    return f"package for {deviceId}"


tries: dict[str, int] = {}


@bp.activity_trigger(input_name="order")
def install(order: dict) -> str:
    tries[order["id"]] = tries.get(order["id"], 0) + 1
    if tries[order["id"]] <= order.get("failures", 0):
        raise ConnectionError(f"{order['id']} does not answer")
    return f"{order['package']} installed"
