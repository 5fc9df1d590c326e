"""Fan-out/fan-in: one activity for each file of a folder, then a total of what they found."""

import json
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="count-words", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_count(req: func.HttpRequest, client) -> func.HttpResponse:
    payload = json.loads(req.get_body().decode())
    instance_id = await client.start_new("count_words", client_input=payload)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context")
def count_words(context: df.DurableOrchestrationContext):
    folder = context.get_input()["folder"]
    files = yield context.call_activity("list_files", folder)

    retry_options = df.RetryOptions(
        first_retry_interval_in_milliseconds=10, max_number_of_attempts=3
    )
    tasks = []
    for file in files:
        tasks.append(context.call_activity_with_retry("count_in_file", retry_options, file))
    counts = yield context.task_all(tasks)

    return {"files": len(files), "words": sum(counts)}


@app.activity_trigger(input_name="folder")
def list_files(folder: str):
    return sorted(str(path) for path in Path(folder).glob("*.txt"))


@app.activity_trigger(input_name="file")
def count_in_file(file: str) -> int:
    unlocked = Path(file).with_suffix(".lock")
    if unlocked.exists():
        # Somebody is still writing it: the first try fails, the next one finds it free.
        unlocked.unlink()
        raise PermissionError(f"{file} is locked")
    return len(Path(file).read_text(encoding="utf-8").split())
