"""What a worker survives, what it dies of, and what becomes of the calls it was running."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.host.worker_process import LogLine, WorkerLost, WorkerOptions, WorkerProcess
from emulator.taskhub.model import ActivityCall, ActivityOutcome, Episode, EpisodeFailed
from emulator.worker.protocol import Datum
from tests.integration.worker.conftest import Start

STAMP = "2026-01-02T03:04:05.2500000Z"


async def call(worker: WorkerProcess, name: str, text: str = "null") -> ActivityOutcome:
    return await worker.run_activity(ActivityCall(name, "i1", "e1", 0, text))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; the test's own time limit ends it."""
    while not condition():  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.01)


def is_alive(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


def texts(lines: list[LogLine], category: str) -> list[str]:
    return [line.text for line in lines if line.category == category]


@pytest.fixture
async def worker(start: Start) -> WorkerProcess:
    return await start("misbehaving")


# Exceptions


async def test_an_exception_is_told_with_its_type_text_and_the_apps_trace(
    worker: WorkerProcess,
) -> None:
    outcome = await call(worker, "raise_value_error", '"x"')
    assert (outcome.error_type, outcome.error_message) == ("ValueError", "bad x")
    assert outcome.trace.startswith("Traceback (most recent call last):")
    assert "KeyError: 'inner'" in outcome.trace
    assert 'misbehaving/function_app.py", line' in outcome.trace
    assert "emulator/worker" not in outcome.trace


async def test_an_exception_that_cannot_be_printed_is_told_too(worker: WorkerProcess) -> None:
    outcome = await call(worker, "raise_unprintable")
    assert outcome.error_type == "Unprintable"
    assert outcome.error_message == (
        "Unhandled exception in function. Could not serialize original exception message."
    )


@pytest.mark.parametrize(
    ("function", "error_type"),
    [
        ("exit_sync", "SystemExit"),
        ("exit_async", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
    ],
)
async def test_an_exit_in_a_function_fails_it_and_leaves_the_worker(
    worker: WorkerProcess, function: str, error_type: str
) -> None:
    pid = worker.pid
    assert (await call(worker, function, "3")).error_type == error_type
    assert (await call(worker, "echo", "1")).ok
    assert worker.pid == pid


async def test_an_exit_in_a_task_of_the_app_leaves_the_worker(worker: WorkerProcess) -> None:
    assert (await call(worker, "exit_in_task", "3")).result_text == '"still here"'
    assert "A task of the app raised SystemExit: 3" in texts(worker.lines, "azure_functions_worker")


async def test_a_result_that_no_frame_can_hold_fails_the_call(worker: WorkerProcess) -> None:
    outcome = await call(worker, "circular")
    assert outcome.error_type == "ValueError"
    assert (await call(worker, "echo", "1")).ok


def episode(function: str, **more: Any) -> Episode:
    members = {"EventId": -1, "IsPlayed": False, "Timestamp": STAMP}
    first = [members | {"EventType": 12}, members | {"EventType": 0, "Name": "x", "Version": ""}]
    later = [
        members | {"EventType": 12},
        members | {"EventType": 5, "TaskScheduledId": 0, "Result": "1"},
    ]
    committed = [*first, members | {"EventType": 4, "EventId": 0}, members | {"EventType": 13}]
    if more.get("later"):
        return Episode(function, "i1", "e1", 4, later, lambda: committed, None)
    return Episode(function, "i1", "e1", 0, first, list, None)


async def test_an_exit_in_an_orchestrator_fails_the_episode(worker: WorkerProcess) -> None:
    reply = await worker.run_orchestrator(episode("leaving", later=True))
    assert isinstance(reply, EpisodeFailed)
    assert reply.message == "SystemExit: left"
    assert reply.embedded is None


# Threads and loops


async def test_sync_functions_run_at_the_same_time_up_to_the_thread_count(start: Start) -> None:
    worker = await start("misbehaving", PYTHON_THREADPOOL_THREAD_COUNT="4")
    outcomes = await asyncio.gather(*(call(worker, "meet") for _ in range(4)))
    assert [outcome.result_text for outcome in outcomes] == ["true"] * 4


async def test_one_thread_runs_sync_functions_one_after_another(start: Start) -> None:
    worker = await start("misbehaving", PYTHON_THREADPOOL_THREAD_COUNT="1")
    blocked = asyncio.create_task(call(worker, "block"))
    behind = asyncio.create_task(call(worker, "open_gate"))
    # An async function and an orchestrator do not queue behind the one thread.
    assert (await call(worker, "echo", "1")).ok
    assert not isinstance(await worker.run_orchestrator(episode("leaving")), EpisodeFailed)
    assert not blocked.done()
    assert not behind.done()
    blocked.cancel()
    behind.cancel()


@pytest.mark.parametrize("count", ["many", "0"])
async def test_a_thread_count_that_makes_no_sense_is_warned_of(count: str, start: Start) -> None:
    worker = await start("misbehaving", PYTHON_THREADPOOL_THREAD_COUNT=count)
    (warning,) = [line for line in worker.lines if line.category == "azure_functions_worker"]
    assert warning.level == "Warning"
    assert warning.text.startswith("PYTHON_THREADPOOL_THREAD_COUNT must be")
    assert (await call(worker, "raise_value_error")).error_type == "ValueError"


async def test_a_blocking_orchestrator_holds_up_no_function(worker: WorkerProcess) -> None:
    held = asyncio.create_task(worker.run_orchestrator(episode("blocking")))
    assert (await call(worker, "echo", "1")).ok
    assert not held.done()
    assert (await call(worker, "open_gate")).ok
    assert not isinstance(await held, EpisodeFailed)


# Logs


async def test_what_is_logged_and_printed_belongs_to_its_invocation(worker: WorkerProcess) -> None:
    assert (await call(worker, "speak", '"x"')).ok
    own = [line for line in worker.lines if line.function == "speak"]
    assert len({line.invocation_id for line in own}) == 1
    assert own[0].invocation_id is not None
    told = [(line.category, line.level, line.text.split("\n")[0], line.system) for line in own]
    assert told == [
        *[line for line in told if line[0] == "azure.functions.DurableFunctions"],
        ("stdout", "Information", "one two", False),
        ("root", "Information", "at info x", False),
        ("shop.orders", "Warning", "from a logger of its own", False),
        ("azure.functions.thing", "Error", "from the system", True),
        ("root", "Error", "with a trace", False),
        ("stdout", "Information", "three", False),
    ]
    assert "ValueError: seen" in [line for line in own if line.level == "Error"][-1].text


async def test_debug_logging_is_switched_on_by_a_setting(start: Start) -> None:
    worker = await start("misbehaving", PYTHON_ENABLE_DEBUG_LOGGING="1")
    await call(worker, "speak", '"x"')
    assert ("Debug", "at debug") in [(line.level, line.text) for line in worker.lines]


async def test_lines_printed_in_turns_by_two_tasks_stay_apart(worker: WorkerProcess) -> None:
    await asyncio.gather(call(worker, "speak_in_turns", "1"), call(worker, "speak_in_turns", "2"))
    assert sorted(texts(worker.lines, "stdout")) == ["1a1b1c", "2a2b2c"]


async def test_a_thread_of_the_app_is_attributed_if_it_says_whose_it_is(
    worker: WorkerProcess,
) -> None:
    trigger = Datum("http", {"method": "GET", "url": "http://localhost/"})
    assert (await worker.invoke("speak_in_thread", {"req": trigger})).ok
    function_of = {line.text: line.function for line in worker.lines}
    assert function_of["known"] == "speak_in_thread"
    assert function_of["unknown"] is None


async def test_what_the_process_itself_writes_is_logged_as_the_workers(
    worker: WorkerProcess,
) -> None:
    assert (await call(worker, "write_to_descriptors")).ok
    expected = {"to descriptor 1", "to descriptor 2", "to sys.stderr"}
    await until(lambda: expected <= set(texts(worker.lines, "worker")))


# Death


async def test_a_crash_loses_what_was_running_and_a_new_worker_serves(
    worker: WorkerProcess,
) -> None:
    pid = worker.pid
    other = asyncio.create_task(call(worker, "hang"))
    assert (await call(worker, "echo", "1")).ok
    with pytest.raises(WorkerLost):
        await call(worker, "die", "3")
    with pytest.raises(WorkerLost):
        await other
    assert (await call(worker, "echo", "1")).ok
    assert worker.pid != pid
    assert "Language Worker Process exited. Exit code: 3." in texts(worker.lines, "worker")
    assert worker.in_flight == 0


async def test_a_kill_from_outside_loses_what_was_running(worker: WorkerProcess) -> None:
    running = asyncio.create_task(call(worker, "hang"))
    assert (await call(worker, "echo", "1")).ok
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost):
        await running


async def test_a_call_made_while_there_is_no_worker_waits_for_the_next(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    marker = str(tmp_path / "died")
    with pytest.raises(WorkerLost):
        await call(worker, "die_once", f'"{marker}"')
    outcome = await call(worker, "die_once", f'"{marker}"')
    assert outcome.result_text == str(worker.pid)


async def test_a_worker_that_dies_again_and_again_is_started_again(worker: WorkerProcess) -> None:
    for _ in range(3):
        with pytest.raises(WorkerLost):
            await call(worker, "die", "1")
    assert (await call(worker, "echo", "1")).ok


async def test_an_app_that_no_longer_loads_is_tried_again_until_it_does(
    start: Start, tmp_path: Path
) -> None:
    script = tmp_path / "function_app.py"
    good = (
        "import os\nimport azure.functions as func\napp = func.FunctionApp()\n"
        '@app.generic_trigger(arg_name="x", type="t")\n'
        "def die(x): os._exit(5)\n"
        '@app.generic_trigger(arg_name="x", type="t")\n'
        "def f(x): return 1\n"
    )
    script.write_text(good)
    worker = await start(tmp_path)
    script.write_text("raise RuntimeError('broken')\n")
    with pytest.raises(WorkerLost):
        await worker.invoke("die", {"x": Datum("string", "")})
    text = "The worker cannot be restarted: RuntimeError: broken"
    await until(lambda: text in texts(worker.lines, "worker"))
    waiting = asyncio.create_task(worker.invoke("f", {"x": Datum("string", "")}))
    script.write_text(good)
    assert (await waiting).return_value == Datum("int", 1)


async def test_a_fork_that_holds_the_socket_does_not_hide_the_crash(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    noted = tmp_path / "fork"
    with pytest.raises(WorkerLost):
        await call(worker, "fork_and_die", f'"{noted}"')
    os.kill(int(noted.read_text()), signal.SIGKILL)


async def test_a_program_left_behind_does_not_hold_up_the_end(worker: WorkerProcess) -> None:
    outcome = await call(worker, "leave_a_program_behind")
    await worker.stop()
    assert outcome.result_text is not None
    os.kill(int(outcome.result_text), signal.SIGKILL)


@pytest.mark.parametrize("function", ["block", "hang", "block_the_loop", "refuse_to_end"])
async def test_the_worker_ends_with_the_host_whatever_the_app_is_doing(
    worker: WorkerProcess, function: str
) -> None:
    """Closing the socket is all that a host that is killed does."""
    running = asyncio.create_task(call(worker, function))
    await until(lambda: worker.in_flight == 1)
    pid, run = worker.pid, worker._run
    assert run is not None
    assert run._started is not None
    run._started.connection.close()
    with pytest.raises(WorkerLost):
        await running
    assert not is_alive(pid)


async def test_stop_ends_the_worker_and_loses_what_was_running(worker: WorkerProcess) -> None:
    running = asyncio.create_task(call(worker, "hang"))
    assert (await call(worker, "echo", "1")).ok
    pid = worker.pid
    await worker.stop()
    assert not is_alive(pid)
    for lost in (running, call(worker, "echo", "1")):
        with pytest.raises(WorkerLost):
            await lost


# Time-outs and cancellation

SHORT = WorkerOptions(function_timeout_s=0.5, cancel_grace_s=0.2)
TIMEOUT = "Timeout value of 00:00:00.5000000 was exceeded by function: Functions.{}"


async def test_an_async_function_that_times_out_is_cancelled(start: Start) -> None:
    worker = await start("misbehaving", options=SHORT)
    pid = worker.pid
    outcome = await call(worker, "hang_and_clean_up")
    assert outcome.timed_out
    assert outcome.error_message == TIMEOUT.format("hang_and_clean_up")
    assert "cleaned up" in texts(worker.lines, "stdout")
    assert (await call(worker, "echo", "1")).ok
    assert worker.pid == pid


@pytest.mark.parametrize("function", ["block", "block_the_loop", "refuse_to_end"])
async def test_a_function_that_is_not_given_up_costs_the_worker(
    start: Start, function: str
) -> None:
    worker = await start("misbehaving", options=SHORT)
    pid = worker.pid
    outcome = await call(worker, function)
    assert outcome.timed_out
    assert outcome.error_message == TIMEOUT.format(function)
    assert (await call(worker, "echo", "1")).ok
    assert worker.pid != pid
    assert any(
        text.startswith(
            "A function timeout has occurred. Restarting worker process executing invocationId '"
        )
        for text in texts(worker.lines, "worker")
    )


async def test_an_episode_that_times_out_is_to_be_retried(start: Start) -> None:
    worker = await start("misbehaving", options=SHORT)
    with pytest.raises(WorkerLost, match=r"Functions\.blocking"):
        await worker.run_orchestrator(episode("blocking"))
    assert (await call(worker, "echo", "1")).ok


async def cancelled(running: Awaitable[Any]) -> bool:
    try:
        await running
    except asyncio.CancelledError:
        return True
    return False


async def test_a_caller_that_gives_up_cancels_the_function(worker: WorkerProcess) -> None:
    running = asyncio.create_task(call(worker, "hang_and_clean_up"))
    await until(lambda: "began" in texts(worker.lines, "stdout"))
    running.cancel()
    assert await cancelled(running)
    await until(lambda: "cleaned up" in texts(worker.lines, "stdout"))
    assert worker.in_flight == 0


async def test_an_invocation_can_be_cancelled_by_its_id(worker: WorkerProcess) -> None:
    running = asyncio.create_task(call(worker, "hang"))
    assert (await call(worker, "echo", "1")).ok
    (in_flight,) = worker._calls.values()
    assert worker.cancel(in_flight.invocation_id)
    assert not worker.cancel("nobody")
    assert (await running).error_type == "CancelledError"


async def test_a_call_that_is_cancelled_before_it_began_is_answered(start: Start) -> None:
    worker = await start("misbehaving", PYTHON_THREADPOOL_THREAD_COUNT="1")
    first = asyncio.create_task(call(worker, "block"))
    behind = asyncio.create_task(call(worker, "open_gate"))
    await until(lambda: worker.in_flight == 2)
    assert worker.cancel(list(worker._calls.values())[1].invocation_id)
    assert (await behind).error_type == "CancelledError"
    first.cancel()
    assert await cancelled(first)


async def test_async_calls_that_are_cancelled_at_once_are_all_answered(
    worker: WorkerProcess,
) -> None:
    running = [asyncio.create_task(call(worker, "hang")) for _ in range(20)]
    await until(lambda: worker.in_flight == 20)
    for in_flight in list(worker._calls.values()):
        worker.cancel(in_flight.invocation_id)
    outcomes = await asyncio.gather(*running)
    assert {outcome.error_type for outcome in outcomes} == {"CancelledError"}
