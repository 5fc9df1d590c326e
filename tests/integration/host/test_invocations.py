"""What is true of every invocation, whatever its trigger: time limit, log lines, context."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, started, until, write_app

APP = """
    import asyncio, logging, time
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="hangs")
    async def hangs(req: func.HttpRequest) -> str:
        await asyncio.Event().wait()

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="slow", connection="SB")
    async def slow(msg: func.ServiceBusMessage):
        print("delivery", msg.delivery_count)
        if msg.delivery_count == 1:
            await asyncio.Event().wait()

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="retried", connection="SB")
    @app.retry(strategy="fixed_delay", max_retry_count="1", delay_interval="00:00:00")
    def retried(msg: func.ServiceBusMessage, context: func.Context):
        print("attempt", context.retry_context.retry_count, "of delivery", msg.delivery_count)
        if msg.delivery_count == 1:
            raise ValueError("told to fail")

    @app.route(route="talks")
    def talks(req: func.HttpRequest, context: func.Context) -> str:
        logging.info("at info %s", context.invocation_id)
        logging.debug("at debug")
        logging.getLogger("shop").error("from a logger of its own")
        print("printed")
        return context.invocation_id

    @app.route(route="muted")
    def muted(req: func.HttpRequest) -> str:
        logging.info("never shown")
        logging.warning("shown")
        return "ok"
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Doors]]:
    folder: Path = tmp_path_factory.mktemp("invocations")
    host = {
        "functionTimeout": "00:00:01",
        "logging": {"logLevel": {"Function.muted": "Warning"}},
    }
    with started(write_app(folder / "app", APP, host=host), folder / "data") as running_one:
        yield running_one


async def test_call_beyond_the_time_limit_is_500(emulator: Emulator) -> None:
    answer = await emulator.get("/api/hangs")
    assert (answer.status, answer.body) == (500, b"")
    await emulator.logged("Timeout value of 00:00:01 was exceeded by function: Functions.hangs")


async def test_message_beyond_the_time_limit_is_delivered_again(emulator: Emulator) -> None:
    await emulator.send("slow", "x")
    await emulator.logged("delivery 2")

    async def done() -> bool:
        return not any((await emulator.counts("slow")).values())

    await until(done, "the second delivery completed it")


async def test_retry_policy_on_a_queue_is_honoured_in_the_process_and_warned_of(
    emulator: Emulator,
) -> None:
    assert "retry policies are not supported for Service Bus triggers on Azure" in emulator.log
    await emulator.send("retried", "x")
    await emulator.logged("attempt 0 of delivery 2")
    attempts = re.findall(r"attempt \d of delivery \d", emulator.log)
    assert attempts == [
        *("attempt 0 of delivery 1", "attempt 1 of delivery 1"),
        "attempt 0 of delivery 2",
    ]


async def test_lines_of_an_invocation_name_it_and_carry_the_time(emulator: Emulator) -> None:
    invocation = (await emulator.get("/api/talks")).text
    await emulator.logged(f"Executed 'Functions.talks' (Succeeded, Id={invocation}, Duration=")
    reason = "This function was programmatically called via the host APIs."
    begun = f"Executing 'Functions.talks' (Reason='{reason}', Id={invocation})"
    lines = emulator.log.splitlines()
    [first] = [number for number, line in enumerate(lines) if begun in line]
    told = [line.split("] ", 1)[1] for line in lines[first + 1 : first + 4]]
    assert set(told) == {f"at info {invocation}", "from a logger of its own", "printed"}
    stamp = re.compile(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] ")
    assert all(stamp.match(line) for line in lines[first : first + 5])
    assert "at debug" not in emulator.log


async def test_level_of_one_function_is_set_by_host_json(emulator: Emulator) -> None:
    assert (await emulator.get("/api/muted")).text == "ok"
    await emulator.logged("] shown")
    assert "never shown" not in emulator.log
    assert "Executing 'Functions.muted'" not in emulator.log
