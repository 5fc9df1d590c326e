"""Registers every trigger, orchestrator and activity; decides nothing.

Decorators are called as ordinary functions, so that what they register stays plain functions that a
test calls directly. Authorization is the platform's: on Azure, App Service authentication admits
only the gateway; HTTP functions are therefore anonymous here.

Routes are matched in the order of function names, first match wins: `GetOrder` leaves
`orders/dead-letters` to `ListDeadLetters`, which comes after it.
"""

import azure.durable_functions as df
import azure.functions as func

from activities.admit_batch import admit_batch
from activities.enrich_order import enrich_order
from activities.keep_results import keep_results
from activities.notify_order import notify_order
from activities.persist_order import persist_order
from activities.queue_replays import queue_replays
from activities.validate_order import validate_order
from domain import payloads as names
from orchestrators.process_batch import process_batch
from orchestrators.process_chunk import process_chunk
from orchestrators.process_order import process_order
from orchestrators.replay_failed import replay_failed
from triggers.console import console, console_data
from triggers.dead_letters import list_dead_letters, resubmit_dead_letters
from triggers.fetch_orders import fetch_orders, get_order
from triggers.get_status import get_batch_status, get_order_status
from triggers.health import health
from triggers.process_orders import process_orders
from triggers.queue_orders import queue_orders
from triggers.replay_orders import replay_failed_orders, replay_order
from triggers.submit_orders import submit_orders

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

QUEUE = {"connection": "SB_ORDERS", "queue_name": "%SERVICEBUS_QUEUE%"}

# --- The way in ---------------------------------------------------------------------------------

# The change feed moves on after the last retry and the batch would be lost: hence no last retry.
# A first start reads from the beginning: what was dropped before the app was there counts too.
app.function_name("QueueOrders")(
    app.cosmos_db_trigger(
        arg_name="documents",
        connection="COSMOS_DB",
        database_name="%COSMOS_DB_DATABASE_NAME%",
        container_name="%COSMOS_DB_TO_PROCESS_CONTAINER_NAME%",
        lease_container_name="%COSMOS_DB_LEASES_CONTAINER_NAME%",
        create_lease_container_if_not_exists=False,
        start_from_beginning=True,
        feed_poll_delay=1000,
        max_items_per_invocation=100,
    )(
        app.service_bus_queue_output(arg_name="messages", **QUEUE)(
            app.retry(
                strategy="exponential_backoff",
                max_retry_count="-1",
                minimum_interval="00:00:01",
                maximum_interval="00:01:00",
            )(queue_orders)
        )
    )
)

# Bodies arrive as the bytes that were sent, valid UTF-8 or not.
app.function_name("ProcessOrders")(
    app.service_bus_queue_trigger(arg_name="message", data_type=func.DataType.BINARY, **QUEUE)(
        app.durable_client_input(client_name="client")(process_orders)
    )
)

app.function_name("SubmitOrders")(
    app.route(route="orders", methods=["POST"], trigger_arg_name="request")(
        app.service_bus_queue_output(arg_name="messages", **QUEUE)(
            app.durable_client_input(client_name="client")(submit_orders)
        )
    )
)

# --- What has become of it ----------------------------------------------------------------------

app.function_name("FetchOrders")(
    app.route(route="orders", methods=["GET"], trigger_arg_name="request")(fetch_orders)
)
app.function_name("GetOrder")(
    app.route(
        route="orders/{id:regex(^(?!dead-letters$))}", methods=["GET"], trigger_arg_name="request"
    )(get_order)
)
app.function_name("GetOrderStatus")(
    app.route(route="orders/{id}/status", methods=["GET"], trigger_arg_name="request")(
        app.durable_client_input(client_name="client")(get_order_status)
    )
)
app.function_name("GetBatchStatus")(
    app.route(route="batches/{id}/status", methods=["GET"], trigger_arg_name="request")(
        app.durable_client_input(client_name="client")(get_batch_status)
    )
)
app.function_name("Health")(
    app.route(route="health", methods=["GET"], trigger_arg_name="request")(
        app.durable_client_input(client_name="client")(health)
    )
)

app.function_name("Console")(
    app.route(route="console", methods=["GET"], trigger_arg_name="request")(console)
)
app.function_name("ConsoleData")(
    app.route(route="console-data", methods=["GET"], trigger_arg_name="request")(
        app.durable_client_input(client_name="client")(console_data)
    )
)

# --- Putting right what failed ------------------------------------------------------------------

app.function_name("ReplayOrder")(
    app.route(route="orders/{id}/replay", methods=["POST"], trigger_arg_name="request")(
        app.durable_client_input(client_name="client")(replay_order)
    )
)
app.function_name("ReplayFailedOrders")(
    app.route(route="orders/replay", methods=["POST"], trigger_arg_name="request")(
        app.durable_client_input(client_name="client")(replay_failed_orders)
    )
)

app.function_name("ListDeadLetters")(
    app.route(route="orders/dead-letters", methods=["GET"], trigger_arg_name="request")(
        list_dead_letters
    )
)
app.function_name("ResubmitDeadLetters")(
    app.route(route="orders/dead-letters/resubmit", methods=["POST"], trigger_arg_name="request")(
        resubmit_dead_letters
    )
)

# --- Orchestrators and activities ---------------------------------------------------------------

for name, orchestrator in {
    names.PROCESS_ORDER: process_order,
    names.PROCESS_BATCH: process_batch,
    names.PROCESS_CHUNK: process_chunk,
    names.REPLAY_FAILED: replay_failed,
}.items():
    app.orchestration_trigger(context_name="context", orchestration=name)(orchestrator)

for name, activity in {
    names.VALIDATE_ORDER: validate_order,
    names.ENRICH_ORDER: enrich_order,
    names.PERSIST_ORDER: persist_order,
    names.ADMIT_BATCH: admit_batch,
    names.KEEP_RESULTS: keep_results,
}.items():
    app.activity_trigger(input_name="payload", activity=name)(activity)

app.activity_trigger(input_name="payload", activity=names.NOTIFY_ORDER)(
    app.event_grid_output(arg_name="event", connection="EVENT_GRID")(notify_order)
)
app.activity_trigger(input_name="payload", activity=names.QUEUE_REPLAYS)(
    app.service_bus_queue_output(arg_name="messages", **QUEUE)(queue_replays)
)
