"""Answers "what does host.json say": the document, its overrides from settings, typed options.

Comments are tolerated as the real parser does; a key may be overridden by
`AzureFunctionsJobHost__a__b__c`. Keys that only matter on Azure are accepted and not read. The
`durableTask` section is handed on as it is: its reader is the task hub.

Source: host.json reference, and the host's defaults.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.host.comments import strip_comments
from emulator.host.durations import parse_time_span
from emulator.host.errors import SettingsError
from emulator.host.log import LEVELS
from emulator.host.settings import Settings

_DEFAULT_TIMEOUT_S = 30 * 60.0
# What Queue storage gives in one request.
_MOST_DEQUEUED = 32


@dataclass(frozen=True)
class ServiceBusOptions:
    """`extensions.serviceBus`; times in seconds."""

    auto_complete: bool = True
    max_concurrent_calls: int = 16
    max_batch_size: int = 1000
    min_batch_size: int = 1
    max_batch_wait_s: float = 30.0
    max_lock_renewal_s: float = 300.0
    max_concurrent_sessions: int = 8
    session_idle_s: float = 60.0


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues`; times in seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout_s: float = 0.0


@dataclass(frozen=True)
class BlobOptions:
    """`extensions.blobs`."""

    max_parallel: int = 8
    poison_threshold: int = 5


@dataclass(frozen=True)
class HostJson:
    """What the host reads of host.json.

    Attributes:
        document: the whole document, overrides put in.
        function_timeout_s: None is without end.
        allow_list: names under `functions`, or None for all.
        log_levels: category to level name; `default` among them.
        max_concurrent_requests, max_outstanding_requests: -1 is unbounded.
    """

    document: Mapping[str, Any]
    function_timeout_s: float | None = _DEFAULT_TIMEOUT_S
    allow_list: tuple[str, ...] | None = None
    log_levels: Mapping[str, str] = field(default_factory=dict)
    route_prefix: str = "api"
    max_concurrent_requests: int = -1
    max_outstanding_requests: int = -1
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    service_bus: ServiceBusOptions = ServiceBusOptions()
    queues: QueueOptions = QueueOptions()
    blobs: BlobOptions = BlobOptions()

    def extension(self, name: str) -> Mapping[str, Any]:
        """An extension's section as it stands, or an empty one."""
        found = (self.document.get("extensions") or {}).get(name)
        return found if isinstance(found, dict) else {}


def read_host_json(path: Path, settings: Settings) -> HostJson:
    """Read host.json; a missing file counts as the one the real host would write.

    Raises:
        SettingsError: it cannot be parsed, has no version, or a value makes no sense.
    """
    document: Any = {"version": "2.0"}
    if path.exists():
        try:
            document = json.loads(strip_comments(path.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"Unable to parse host configuration file '{path}': {error}."
            ) from error
    if not isinstance(document, dict):
        raise SettingsError(f"Unable to parse host configuration file '{path}': not an object.")
    for name, value in settings.section("AzureFunctionsJobHost").items():
        _override(document, name.split(":"), value)
    if document.get("version") != "2.0":
        raise SettingsError(
            "The host.json file is missing the required 'version' property. "
            'It must say "version": "2.0".'
        )
    return _typed(_Reader(document))


def _override(document: dict[str, Any], path: list[str], value: str) -> None:
    """Set a value by its path, taking keys that are there whatever their case."""
    target = document
    for part in path[:-1]:
        key = _existing(target, part)
        if not isinstance(target.get(key), dict):
            target[key] = {}
        target = target[key]
    target[_existing(target, path[-1])] = value


def _existing(target: Mapping[str, Any], name: str) -> str:
    return next((key for key in target if key.lower() == name.lower()), name)


class _Reader:
    """Reads values by path, ignoring case, and says which one makes no sense."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def raw(self, path: str) -> Any:
        value: Any = self.document
        walked: list[str] = []
        for part in path.split("."):
            if value is None:
                return None
            if not isinstance(value, dict):
                raise SettingsError(
                    f"host.json: '{'.'.join(walked)}' must be an object, not {value!r}."
                )
            walked.append(part)
            value = value.get(_existing(value, part))
        return value

    def _refuse(self, path: str, wanted: str) -> SettingsError:
        return SettingsError(f"host.json: '{path}' must be {wanted}, not {self.raw(path)!r}.")

    def number(self, path: str, default: int, least: int) -> int:
        value = self.raw(path)
        if value is None:
            return default
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if type(number) is not int or number < least:
            raise self._refuse(path, f"a whole number from {least}")
        return number

    def flag(self, path: str, default: bool) -> bool:
        value = self.raw(path)
        if value is None:
            return default
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise self._refuse(path, "true or false")
        return value

    def span(self, path: str, default: float) -> float:
        value = self.raw(path)
        if value is None:
            return default
        try:
            span = parse_time_span(value) if isinstance(value, str) else -1.0
        except ValueError:
            span = -1.0
        if span < 0:
            raise self._refuse(path, "a time span such as 00:05:00")
        return span

    def text(self, path: str, default: str) -> str:
        value = self.raw(path)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._refuse(path, "text")
        return value

    def texts(self, path: str) -> dict[str, str]:
        value = self.raw(path)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self._refuse(path, "an object of strings")
        return value


def _typed(read: _Reader) -> HostJson:
    allow = read.raw("functions")
    if allow is not None and not (
        isinstance(allow, list) and all(isinstance(name, str) for name in allow)
    ):
        raise SettingsError("host.json: 'functions' must be a list of function names.")
    return HostJson(
        document=read.document,
        function_timeout_s=_timeout(read),
        allow_list=None if allow is None else tuple(allow),
        log_levels=_log_levels(read),
        route_prefix=read.text("extensions.http.routePrefix", "api").strip("/"),
        max_concurrent_requests=read.number("extensions.http.maxConcurrentRequests", -1, -1),
        max_outstanding_requests=read.number("extensions.http.maxOutstandingRequests", -1, -1),
        custom_headers=read.texts("extensions.http.customHeaders"),
        service_bus=_service_bus(read),
        queues=_queues(read),
        blobs=BlobOptions(
            read.number("extensions.blobs.maxDegreeOfParallelism", 8 * (os.cpu_count() or 1), 1),
            read.number("extensions.blobs.poisonBlobThreshold", 5, 1),
        ),
    )


def _log_levels(read: _Reader) -> dict[str, str]:
    levels = read.texts("logging.logLevel")
    for category, level in levels.items():
        if level.lower() not in LEVELS:
            raise SettingsError(
                f"host.json: Configuration value '{level}' for category '{category}' is not "
                f"supported. A log level is one of: {', '.join(LEVELS)}."
            )
    return levels


def _timeout(read: _Reader) -> float | None:
    value = read.raw("functionTimeout")
    if value in ("-1", -1):
        return None
    span = read.span("functionTimeout", _DEFAULT_TIMEOUT_S)
    if span < 1:
        raise SettingsError("host.json: 'functionTimeout' must be at least 00:00:01.")
    return span


def _service_bus(read: _Reader) -> ServiceBusOptions:
    base, old = "extensions.serviceBus", "extensions.serviceBus.messageHandlerOptions"
    return ServiceBusOptions(
        auto_complete=read.flag(
            f"{base}.autoCompleteMessages", read.flag(f"{old}.autoComplete", True)
        ),
        max_concurrent_calls=read.number(
            f"{base}.maxConcurrentCalls",
            read.number(f"{old}.maxConcurrentCalls", 16 * (os.cpu_count() or 1), 1),
            1,
        ),
        max_batch_size=read.number(f"{base}.maxMessageBatchSize", 1000, 1),
        min_batch_size=read.number(f"{base}.minMessageBatchSize", 1, 1),
        max_batch_wait_s=read.span(f"{base}.maxBatchWaitTime", 30.0),
        max_lock_renewal_s=read.span(
            f"{base}.maxAutoLockRenewalDuration",
            read.span(f"{old}.maxAutoRenewDuration", 300.0),
        ),
        max_concurrent_sessions=read.number(f"{base}.maxConcurrentSessions", 8, 1),
        session_idle_s=read.span(f"{base}.sessionIdleTimeout", 60.0),
    )


def _queues(read: _Reader) -> QueueOptions:
    base = "extensions.queues"
    batch_size = read.number(f"{base}.batchSize", 16, 1)
    if batch_size > _MOST_DEQUEUED:
        raise SettingsError(f"host.json: '{base}.batchSize' must be at most {_MOST_DEQUEUED}.")
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=read.number(f"{base}.newBatchThreshold", batch_size // 2, 0),
        max_dequeue_count=read.number(f"{base}.maxDequeueCount", 5, 1),
        visibility_timeout_s=read.span(f"{base}.visibilityTimeout", 0.0),
    )
