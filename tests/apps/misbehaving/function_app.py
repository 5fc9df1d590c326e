# ruff: noqa: T201, SIM105 - it misbehaves on purpose
"""Blocks, exits, crashes, prints: what a worker must survive or die of in good order."""

import asyncio
import logging
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
GATE = threading.Event()
BARRIER = threading.Barrier(4)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@app.activity_trigger(input_name="x")
async def echo(x):
    return x


@app.activity_trigger(input_name="x")
def raise_value_error(x):
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError(f"bad {x}") from error


@app.activity_trigger(input_name="x")
async def raise_unprintable(x):
    raise Unprintable


@app.activity_trigger(input_name="x")
def exit_sync(x):
    sys.exit(x)


@app.activity_trigger(input_name="x")
async def exit_async(x):
    raise SystemExit(x)


@app.activity_trigger(input_name="x")
async def exit_in_task(x):
    async def leave():
        raise SystemExit(x)

    app.task = asyncio.create_task(leave())
    await asyncio.wait([app.task])
    return "still here"


@app.activity_trigger(input_name="x")
async def interrupt(x):
    raise KeyboardInterrupt


@app.activity_trigger(input_name="x")
def die(x):
    os._exit(x)


@app.activity_trigger(input_name="x")
def die_once(x):
    """Die the first time, as a marker file tells."""
    marker = Path(x)
    if not marker.exists():
        marker.write_text(str(os.getpid()))
        os._exit(3)
    return os.getpid()


@app.activity_trigger(input_name="x")
async def hang(x):
    await asyncio.Event().wait()


@app.activity_trigger(input_name="x")
async def hang_and_clean_up(x):
    print("began")
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")


@app.activity_trigger(input_name="x")
async def refuse_to_end(x):
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass


@app.activity_trigger(input_name="x")
def block(x):
    GATE.wait()


@app.activity_trigger(input_name="x")
async def block_the_loop(x):
    time.sleep(3600)  # noqa: ASYNC251 - on purpose


@app.activity_trigger(input_name="x")
def open_gate(x):
    GATE.set()


@app.activity_trigger(input_name="x")
def meet(x):
    """Returns only when four run at once."""
    BARRIER.wait(timeout=60)
    return threading.active_count() > 4


@app.activity_trigger(input_name="x")
def speak(x):
    print("one", end=" ")
    print("two\nthree", end="")
    logging.info("at info %s", x)
    logging.debug("at debug")
    logging.getLogger("shop.orders").warning("from a logger of its own")
    logging.getLogger("azure.functions.thing").error("from the system")
    try:
        raise ValueError("seen")
    except ValueError:
        logging.exception("with a trace")


@app.activity_trigger(input_name="x")
async def speak_in_turns(x):
    for word in ("a", "b", "c"):
        print(f"{x}{word}", end="")
        await asyncio.sleep(0)
    print()


@app.route("thread")
def speak_in_thread(req: func.HttpRequest, context: func.Context) -> str:
    storage, invocation_id = context.thread_local_storage, context.invocation_id

    def known():
        storage.invocation_id = invocation_id
        logging.info("known")

    for target in (known, lambda: logging.info("unknown")):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    return "ok"


@app.activity_trigger(input_name="x")
def write_to_descriptors(x):
    os.write(1, b"to descriptor 1\n")
    os.write(2, b"to descriptor 2\n")
    warnings.warn("a warning", stacklevel=1)
    print("to sys.stderr", file=sys.stderr)


@app.activity_trigger(input_name="x")
def leave_a_program_behind(x):
    """A program that outlives the worker, with the worker's output still open."""
    import subprocess

    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    return program.pid


@app.activity_trigger(input_name="x")
def fork_and_die(x):
    """A fork holds the worker's socket open while the worker is gone."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    Path(x).write_text(str(child))
    os._exit(9)


@app.activity_trigger(input_name="x")
def circular(x):
    value = []
    value.append(value)
    return value


@app.orchestration_trigger(context_name="context")
def blocking(context):
    GATE.wait()
    yield context.call_activity("echo", 1)


@app.orchestration_trigger(context_name="context")
def leaving(context):
    yield context.call_activity("echo", 1)
    sys.exit("left")
