"""An app under another file name, its functions from blueprints, with a package of its own."""

import azure.durable_functions as df
import azure.functions as func
from parts import more

from emulator import MINE  # the app's own package, not the one that runs it

app = df.DFApp()
app.register_functions(more)


@app.retry(
    strategy="exponential_backoff",
    max_retry_count="-1",
    minimum_interval="00:00:01",
    maximum_interval="00:01:00",
)
@app.schedule(arg_name="timer", schedule="0 * * * * *")
def tick(timer: func.TimerRequest) -> None:
    """Every minute."""


@app.route(methods=["GET"])
def mine(req: func.HttpRequest) -> str:
    return MINE
