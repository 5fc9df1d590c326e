"""Starts the emulator, serves until it is told to stop, and stops it.

Order of the start: configuration, ports, data folder, worker, files, services, task hub, listeners,
banner. Everything that can be wrong with what the user wrote is found before the first listener
takes a message. Order of the stop: no new work, what is in flight within ten seconds, worker, hub,
files. A second signal ends the process at once, which loses nothing that was acknowledged.
"""

import asyncio
import contextlib
import importlib
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from emulator.clock import SteppedClock
from emulator.config import Options, UsageError
from emulator.host.banner import VERSION_BLOCK
from emulator.host.configuration import (
    Configuration,
    read_configuration,
    read_faults,
    read_file_settings,
    wanted_port,
    with_tls_port,
)
from emulator.host.doors import Door, close_all, open_door
from emulator.host.entities_file import entities_path, wants_gateway, workflow_files
from emulator.host.errors import StartError
from emulator.host.instance import DataFolder
from emulator.host.loading import worker_python
from emulator.host.log import Log
from emulator.host.worker_log import app_line
from emulator.host.worker_model import WorkerOptions
from emulator.host.worker_process import WorkerProcess
from emulator.identity import Identity


def run(options: Options) -> int:
    """Run the emulator until it is stopped; returns the exit code.

    Raises:
        StartError, StorageError: it cannot start; the text is one line.
    """
    following: Options | None = options
    try:
        with contextlib.suppress(KeyboardInterrupt):
            while following is not None:
                following = asyncio.run(_serve(following))
    except UsageError as error:
        raise StartError(str(error)) from error
    return 0


async def _serve(options: Options) -> Options | None:
    """Serve until it is told to stop; returns what to start again with, or None to end."""
    clock = SteppedClock()
    log = Log(clock, verbose=options.verbose, quiet=options.quiet)
    stop = _on_signals(log)
    again = asyncio.Event()
    faults = read_faults(options)
    file = read_file_settings(options)
    options = with_tls_port(options, file)
    doors: list[Door] = []
    folder: DataFolder | None = None
    try:
        doors = _open_doors(options, wanted_port(options, file, os.environ))
        folder = DataFolder(options.data_dir)
        ports = {door.name: door.port for door in doors}
        identity = Identity(clock)
        found = identity.settings(doors[0].url) if options.cosmos_tls_port is not None else {}
        configuration = read_configuration(options, file, os.environ, ports, found)
        log.set_levels(configuration.host_json.log_levels)
        log.plain(VERSION_BLOCK)
        for note in configuration.notes:
            log.warning(note)
        worker = _begin_worker(configuration, log)
        try:
            # The worker loads the app while the rest of the emulator is loaded here.
            await asyncio.to_thread(importlib.import_module, "emulator.host.serving")
            from emulator.host.serving import Parts, serve  # noqa: PLC0415 - see above

            parts = Parts(
                worker, clock, faults, identity, folder, lambda: _tell_to_restart(log, stop, again)
            )
            ports = await serve(
                configuration, {door.name: door for door in doors}, log, parts, stop
            )
        finally:
            await worker.stop()
        return _same_again(options, ports) if again.is_set() else None
    finally:
        await close_all(doors)
        log.close()
        if folder is not None:
            folder.release()


def _tell_to_restart(console: Log, stop: asyncio.Event, again: asyncio.Event) -> None:
    console.info("Host restart requested: application is shutting down.", "Function.Host")
    again.set()
    stop.set()


def _same_again(options: Options, found: Mapping[str, int]) -> Options:
    """The options of a restart: the ports that were found, and no end for an app in the making."""
    ports: dict[str, Any] = {f"{name.replace('-', '_')}_port": port for name, port in found.items()}
    ports["port"] = ports.pop("host_port")
    return replace(options, keep_going=True, **ports)


def _begin_worker(configuration: Configuration, log: Log) -> WorkerProcess:
    """Let a worker start, and load the app, which takes half of the whole start."""
    worker = WorkerProcess(
        WorkerOptions(function_timeout_s=configuration.host_json.function_timeout_s),
        on_log=lambda line: app_line(log, line),
    )
    settings = configuration.settings
    worker.begin(configuration.options.script_root, settings.environment, worker_python(settings))
    return worker


def _on_signals(log: Log) -> asyncio.Event:
    """An event that SIGINT and SIGTERM set; the second of them ends the process at once."""
    stop = asyncio.Event()

    def told(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(1)
        log.info(f"{number.name} received: application is shutting down.", "Function.Host")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told, number)
    return stop


def _open_doors(options: Options, host_port: int) -> list[Door]:
    """Bind every port, or none of them.

    Raises:
        StartError: one is taken.
    """
    doors: list[Door] = []
    wanted = [
        ("host", host_port, "--port [-p]"),
        ("cosmos", options.cosmos_port, "--cosmos-port"),
        ("servicebus", options.servicebus_port, "--servicebus-port"),
    ]
    if options.cosmos_tls_port is not None:
        wanted.append(("cosmos-tls", options.cosmos_tls_port, "--cosmos-tls-port"))
    if workflow_files(entities_path(options).parent):
        wanted.append(("blob", options.blob_port, "--blob-port"))
    if wants_gateway(options):
        wanted.append(("gateway", options.gateway_port, "--gateway-port"))
    try:
        for name, port, option in wanted:
            doors.append(open_door(name, options.address, port, option))
    except StartError:
        for door in doors:
            door.socket.close()
        raise
    return doors
