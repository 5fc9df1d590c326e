"""The functions as the host knows them: bindings with settings put in, and what is wrong with them.

A function the host cannot run is "in error" and left out; it never stops another. What makes the
whole app unusable is found by the worker before. Pure but for the settings it is handed.

Source: the host's function metadata validation. Binding types this host does not know get the
host's own answer for an extension that is not installed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator.host.durations import parse_time_span
from emulator.host.errors import FunctionInError
from emulator.host.expressions import check_expression
from emulator.host.host_json import HostJson
from emulator.host.settings import Settings
from emulator.host.worker_model import FunctionMetadata

_FUNCTION_NAME = re.compile(r"^[a-z][a-z0-9_\-]{0,127}$", re.IGNORECASE | re.ASCII)
_BINDING_NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]{0,127}$", re.ASCII)

DURABLE_TRIGGERS = frozenset({"orchestrationTrigger", "activityTrigger", "entityTrigger"})
_KNOWN_TYPES = {
    name.lower(): name
    for name in (
        *("httpTrigger", "http", "serviceBusTrigger", "serviceBus", "cosmosDBTrigger", "cosmosDB"),
        *("eventGridTrigger", "eventGrid", "timerTrigger", "durableClient", *DURABLE_TRIGGERS),
        *("queueTrigger", "queue", "blobTrigger", "blob"),
    )
}
# Their braces stand for parameters of the route, and for what the blob's name is made of.
_BRACES_OF_THEIR_OWN = {"httpTrigger", "blobTrigger"}
# The decorators of the older Cosmos DB extension.
_ALIASES = {
    "collectionName": "containerName",
    "connectionStringSetting": "connection",
    "leaseCollectionName": "leaseContainerName",
    "leaseConnectionStringSetting": "leaseConnection",
    "leaseCollectionPrefix": "leaseContainerPrefix",
    "createLeaseCollectionIfNotExists": "createLeaseContainerIfNotExists",
}
# Settings names, which are looked up and not put in.
_NOT_RESOLVED = {"direction", "type", "name", "dataType"}


@dataclass(frozen=True)
class Binding:
    """One binding.

    Attributes:
        direction: `in`, `out` or `inout`.
        data_type: `string`, `binary`, `stream`, or None where none is given.
        values: every other member, `%NAME%` put in.
        raw: as the worker sent it.
    """

    type: str
    direction: str
    name: str
    data_type: str | None
    values: Mapping[str, Any]
    raw: Mapping[str, Any]

    def text(self, key: str) -> str | None:
        """A member's text, or None where it is missing or empty."""
        value = self.values.get(key)
        return None if value in (None, "") else str(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """A member that is true or false."""
        value = self.values.get(key)
        return default if value is None else str(value).lower() == "true"

    def number(self, key: str) -> int | None:
        """A member that is a whole number, or None.

        Raises:
            FunctionInError: it is something else.
        """
        value = self.values.get(key)
        if value is None:
            return None
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise FunctionInError(f"'{key}' must be a whole number, not '{value}'.") from error

    @property
    def is_trigger(self) -> bool:
        return self.type.lower().endswith("trigger")


@dataclass(frozen=True)
class RetryPolicy:
    """`@app.retry`. A `max_count` of -1 is without end; times in seconds."""

    max_count: int
    fixed_s: float | None
    least_s: float = 0.0
    most_s: float = 86400.0 * 365

    def allows(self, attempt: int) -> bool:
        """Whether attempt number `attempt` (the first is 0) may be made."""
        return self.max_count < 0 or attempt <= self.max_count

    def delay_before(self, attempt: int) -> float:
        """How long to wait before attempt number `attempt`, which is at least 1.

        DIFFERS: the host adds up to a fifth of random spread to exponential delays.
        """
        if self.fixed_s is not None:
            return self.fixed_s
        return min(self.least_s * float(2 ** min(attempt - 1, 40)), self.most_s)


@dataclass(frozen=True)
class Function:
    """One function. `error` says why the host leaves it out; None if it runs."""

    name: str
    bindings: tuple[Binding, ...]
    script_file: str
    is_async: bool = False
    retry: RetryPolicy | None = None
    disabled: bool = False
    error: str | None = None

    @property
    def trigger(self) -> Binding:
        return next(binding for binding in self.bindings if binding.is_trigger)

    @property
    def inputs(self) -> tuple[Binding, ...]:
        """Input bindings beside the trigger."""
        return tuple(
            binding
            for binding in self.bindings
            if binding.direction != "out" and not binding.is_trigger
        )

    @property
    def outputs(self) -> tuple[Binding, ...]:
        """Output bindings, the HTTP response among them."""
        return tuple(binding for binding in self.bindings if binding.direction == "out")

    @property
    def runs(self) -> bool:
        return self.error is None and not self.disabled

    @property
    def title(self) -> str:
        """As log lines name it."""
        return f"Functions.{self.name}"


def read_functions(
    loaded: Iterable[FunctionMetadata],
    settings: Settings,
    host_json: HostJson,
    only: Iterable[str] = (),
) -> list[Function]:
    """What the worker loaded, as the host's functions, in the order of their names.

    Args:
        loaded: the worker's metadata.
        only: names of `--functions`; none of them means all.
    """
    names = allow_list(host_json, only)
    allowed = None if names is None else {name.lower() for name in names}
    functions = [
        _read(metadata, settings)
        for metadata in loaded
        if allowed is None or metadata.name.lower() in allowed
    ]
    return sorted(functions, key=lambda function: function.name.lower())


def allow_list(host_json: HostJson, only: Iterable[str] = ()) -> tuple[str, ...] | None:
    """The names that may run: those of `--functions`, else of host.json; None is all of them."""
    return tuple(only) or host_json.allow_list


def uses_blobs(function: Function) -> bool:
    """Whether a function that runs reads or writes blobs by a binding."""
    return function.runs and any(b.type in ("blobTrigger", "blob") for b in function.bindings)


def unknown_names(loaded: Iterable[FunctionMetadata], names: Iterable[str]) -> list[str]:
    """Those names of an allow list that no function has."""
    known = {metadata.name.lower() for metadata in loaded}
    return [name for name in names if name.lower() not in known]


def _read(metadata: FunctionMetadata, settings: Settings) -> Function:
    name = metadata.name
    function = Function(
        name=name,
        bindings=tuple(_plain(binding) for binding in metadata.bindings),
        script_file=metadata.script_file,
        is_async=metadata.is_async,
        disabled=_is_disabled(name, settings),
    )
    try:
        _check_name(name)
        return replace(
            function,
            bindings=tuple(_resolved(binding, settings) for binding in function.bindings),
            retry=read_retry(metadata.retry),
        )
    except FunctionInError as error:
        return in_error(function, str(error))


def in_error(function: Function, reason: str) -> Function:
    """The function, left out for a reason."""
    return replace(function, error=reason)


def _is_disabled(name: str, settings: Settings) -> bool:
    for key in (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs_{name}_Disabled"):
        if (settings.get(key) or "").lower() in ("true", "1"):
            return True
    return False


def _check_name(name: str) -> None:
    if not _FUNCTION_NAME.match(name) or name.lower() == "host":
        raise FunctionInError(f"'{name}' is not a valid function name.")


def _plain(raw: Mapping[str, Any]) -> Binding:
    values = {_ALIASES.get(key, key): value for key, value in raw.items()}
    kind = str(values.get("type", ""))
    data_type = str(values.get("dataType") or "undefined").lower()
    return Binding(
        type=_KNOWN_TYPES.get(kind.lower(), kind),
        direction=str(values.get("direction", "in")).lower(),
        name=str(values.get("name", "")),
        data_type=None if data_type == "undefined" else data_type,
        values=values,
        raw=raw,
    )


def _resolved(binding: Binding, settings: Settings) -> Binding:
    if binding.type.lower() not in _KNOWN_TYPES:
        raise FunctionInError(
            f"The binding type(s) '{binding.type}' are not registered. Please ensure the type is "
            "correct and the binding extension is installed. (The emulator has the bindings that "
            "emulator/host/COVERAGE.md lists.)"
        )
    if binding.name != "$return" and (
        not _BINDING_NAME.match(binding.name) or "__" in binding.name
    ):
        raise FunctionInError(
            f"The binding name {binding.name} is invalid. Please assign a valid name to the "
            "binding."
        )
    values = {
        key: settings.resolve(value)
        if isinstance(value, str) and key not in _NOT_RESOLVED
        else value
        for key, value in binding.values.items()
    }
    if binding.type not in _BRACES_OF_THEIR_OWN:
        for key, value in values.items():
            if isinstance(value, str) and key not in _NOT_RESOLVED and key != "sqlQuery":
                check_expression(value)
    return replace(binding, values=values)


def read_retry(settings: Mapping[str, Any] | None) -> RetryPolicy | None:
    """The retry policy of a settings dict of the worker, or None.

    Raises:
        FunctionInError: a value makes no sense.
    """
    if not settings:
        return None
    try:
        count = int(settings["max_retry_count"])
        if count < -1:
            raise ValueError("max_retry_count is below -1")
        if str(settings.get("strategy")) == "fixed_delay":
            return RetryPolicy(count, parse_time_span(str(settings["delay_interval"])))
        least, most = settings.get("minimum_interval"), settings.get("maximum_interval")
        return RetryPolicy(
            count,
            None,
            parse_time_span(str(least)) if least else 0.0,
            parse_time_span(str(most)) if most else RetryPolicy.most_s,
        )
    except (KeyError, ValueError) as error:
        raise FunctionInError(f"The retry policy is invalid: {error}.") from error
