"""Somebody's app on a storage account: a blob becomes a message, the message an effect."""

import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()
_ACCOUNT = "AzureWebJobsStorage"


@app.blob_trigger(arg_name="blob", path="inbox/{name}", connection=_ACCOUNT)
@app.queue_output(arg_name="work", queue_name="work", connection=_ACCOUNT)
def taken(blob: func.InputStream, work: func.Out[str]) -> None:
    """What is dropped is put on the queue."""
    work.set(f"{Path(blob.name).name} {blob.read().decode()}")


@app.queue_trigger(arg_name="message", queue_name="work", connection=_ACCOUNT)
@app.queue_output(arg_name="done", queue_name="done", connection=_ACCOUNT)
def worked(message: func.QueueMessage, done: func.Out[str]) -> None:
    """An effect is made of each message, and told."""
    text = message.get_body().decode()
    with Path(os.environ["EFFECTS_FILE"]).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
    done.set(text)
