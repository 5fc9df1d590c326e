"""Decides whether an instance may run now: is its function there, does its version fit.

One that may not waits in the hub, as it would on Azure, and is said so once. A function that comes
back, or another start of the hub, lets it go on.

Source: protocol specification, 10.14.
"""

import logging

from emulator.taskhub.model import FunctionInvoker
from emulator.taskhub.names import find_name
from emulator.taskhub.options import HubOptions
from emulator.taskhub.state import Instance
from emulator.taskhub.versions import Fit, fit_of

_log = logging.getLogger("Host.Triggers.DurableTask")


class Admission:
    """Args: those of the hub."""

    def __init__(self, options: HubOptions, invoker: FunctionInvoker) -> None:
        self._options = options
        self._invoker = invoker
        self._parked: set[str] = set()

    def admit(self, instance: Instance) -> bool:
        """Whether the instance may have a turn; one that may not is parked."""
        if find_name(instance.name, self._invoker.orchestrators()) is None:
            self._park(instance, "its orchestrator function is not there")
            return False
        if not instance.is_started and fit_of(instance.version, self._options) is Fit.REJECTED:
            self._park(instance, f"this hub does not run version '{instance.version or ''}'")
            return False
        self._parked.discard(instance.id)
        return True

    def refusal(self, instance: Instance) -> str | None:
        """Why an instance that begins must fail for its version, or None."""
        if instance.is_started or fit_of(instance.version, self._options) is not Fit.FAILED:
            return None
        return (
            f"The orchestration's version '{instance.version or ''}' is not one that this hub runs "
            f"(defaultVersion '{self._options.default_version or ''}', versionMatchStrategy "
            f"{self._options.version_match})."
        )

    def is_parked(self, instance_id: str) -> bool:
        """Whether an instance waits to be admitted."""
        return instance_id in self._parked

    def unpark(self, instance_id: str) -> None:
        """Forget that an instance waits."""
        self._parked.discard(instance_id)

    def take_parked(self) -> set[str]:
        """All that wait; they no longer count as such."""
        parked, self._parked = self._parked, set()
        return parked

    def _park(self, instance: Instance, why: str) -> None:
        if instance.id not in self._parked:
            _log.warning("Instance '%s' waits: %s.", instance.id, why)
            self._parked.add(instance.id)
