"""The API Management gateway in front of the host, where the entities file describes one.

The identity provider shares its port. What another program needs to call the API is written beside
the keys (`apim/gateway.json` in the data folder; places, no keys).
"""

import logging
import os
import sys

from emulator.apim import DefinitionError
from emulator.clock import Clock
from emulator.faults import Faults
from emulator.gateway import GatewayOptions, RunningGateway, start_gateway
from emulator.host.configuration import Configuration
from emulator.host.doors import Door
from emulator.host.entities_file import entities_path
from emulator.host.errors import StartError
from emulator.host.log import Log
from emulator.private_files import write_json

_CALLS = logging.getLogger("emulator.apim")


class _CallLines(logging.Handler):
    """One line of the host's log for each call; warnings come there by themselves."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:
            self._log.info(self.format(record), "Host.Gateway")


class GatewayPart:
    """Starts and stops the gateway with the host."""

    def __init__(self, configuration: Configuration, log: Log, clock: Clock, faults: Faults):
        self._configuration = configuration
        self._log = log
        self._clock = clock
        self._faults = faults
        self._running: RunningGateway | None = None
        self._call_lines: _CallLines | None = None

    async def start(self, door: Door, host_url: str, cosmos_url: str) -> None:
        """Serve on a bound door.

        Raises:
            StartError: a definition or policy cannot be carried out; every problem is named.
        """
        options = self._configuration.options
        wanted = GatewayOptions(
            infra=entities_path(options).parent,
            entities=self._configuration.entities,
            data=options.data_dir,
            host_origin=host_url,
            cosmos_origin=cosmos_url,
            bind=options.address,
            tier=options.gateway_tier,
            credit_mode=options.credit_mode,
            propagation_delay_s=options.propagation_delay_s,
        )
        if options.verbose:
            _CALLS.setLevel(logging.INFO)
            self._call_lines = _CallLines(self._log)
            _CALLS.addHandler(self._call_lines)
        try:
            self._running = await start_gateway(
                wanted, self._clock, self._faults, listener=door.socket
            )
        except (DefinitionError, ValueError) as error:
            raise StartError(f"The gateway cannot be started.\n{error}") from error
        write_json(self._running.gateway.config.data / "gateway.json", self._running.describe())
        for warning in self._running.gateway.snapshot.warnings:
            self._log.warning(f"Policy: {warning}")

    async def stop(self) -> None:
        """Take no new calls, end those under way."""
        if self._running is not None:
            await self._running.stop()
        if self._call_lines is not None:
            _CALLS.removeHandler(self._call_lines)

    def lines(self) -> list[str]:
        """What a person is told: where it is, where the keys are, how to call it."""
        if self._running is None:
            return []
        data = self._configuration.options.data_dir
        return [
            f"Orders API: {self._running.url}   subscription keys: "
            f"{self._running.subscriptions_path}",
            f'  eval "$({_python()} -m emulator.access --data-dir {data})"',
            '  curl -H "Ocp-Apim-Subscription-Key: $ORDERS_KEY" -H "Authorization: Bearer '
            '$ORDERS_TOKEN" "$ORDERS_URL/orders"',
            "  Directly, the host asks for neither key nor token: on Azure only the gateway may "
            "enter.",
        ]


def _python() -> str:
    """This interpreter, as a person in this folder would name it."""
    name = os.path.relpath(sys.executable)
    return sys.executable if name.startswith("..") else name
