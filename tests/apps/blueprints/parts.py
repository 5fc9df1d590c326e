"""A durable blueprint and a plain one."""

import azure.durable_functions as df

more = df.Blueprint()


@more.orchestration_trigger(context_name="context")
def wait(context):
    yield context.wait_for_external_event("go")


@more.activity_trigger(input_name="x")
def one(x):
    return 1
