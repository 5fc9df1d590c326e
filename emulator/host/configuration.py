"""Reads everything that is configured before anything starts, and says what cannot be used.

Settings, host.json, the entities file, the faults. The order matters: the settings follow the ports
that are really bound, and host.json may be overridden by settings.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator.config import (
    BLOB_PORT,
    COSMOS_PORT,
    COSMOS_TLS_PORT,
    DEFAULT_PORT,
    GATEWAY_PORT,
    MESSAGING_PORT,
    Options,
    UsageError,
)
from emulator.faults import Faults, InvalidFault
from emulator.host.errors import SettingsError
from emulator.host.faults_api import parse_rules
from emulator.host.host_json import HostJson, read_host_json
from emulator.host.http_front import DEFAULT_BODY_LIMIT, FrontOptions
from emulator.host.settings import (
    LocalSettings,
    Settings,
    follow_ports,
    names_https,
    read_local_settings,
)
from emulator.taskhub import HubOptions, InvalidOptions, read_retention

_DEFAULT_PORTS = {
    "host": DEFAULT_PORT,
    "gateway": GATEWAY_PORT,
    "cosmos": COSMOS_PORT,
    "servicebus": MESSAGING_PORT,
    "blob": BLOB_PORT,
}


@dataclass(frozen=True)
class Configuration:
    """All that is configured; `notes` are for the log."""

    options: Options
    settings: Settings
    host_json: HostJson
    entities: Mapping[str, Any]
    front: FrontOptions
    hub: HubOptions
    notes: tuple[str, ...] = ()


def read_file_settings(options: Options) -> LocalSettings:
    """The settings file, or nothing where there is none.

    Raises:
        SettingsError: it cannot be used.
    """
    path = options.settings or options.script_root / "local.settings.json"
    return read_local_settings(path) if path.exists() else LocalSettings()


def wanted_port(options: Options, file: LocalSettings, environment: Mapping[str, str]) -> int:
    """The host's port: the command line, then ASPNETCORE_URLS, then the settings file."""
    if options.port is not None:
        return options.port
    urls = environment.get("ASPNETCORE_URLS", "").split(";")[0]
    _, _, text = urls.rstrip("/").rpartition(":")
    if text.isdigit():
        return int(text)
    return DEFAULT_PORT if file.port is None else file.port


def with_tls_port(options: Options, file: LocalSettings) -> Options:
    """The options, with https for Cosmos DB where a setting names it and they do not."""
    values = {**file.values, **file.connection_strings}
    if options.cosmos_tls_port is not None or not names_https(values, COSMOS_PORT):
        return options
    return replace(options, cosmos_tls_port=COSMOS_TLS_PORT if options.cosmos_port else 0)


def read_configuration(
    options: Options,
    file: LocalSettings,
    environment: Mapping[str, str],
    ports: Mapping[str, int],
    identity: Mapping[str, str],
) -> Configuration:
    """Read the rest, with the ports known.

    Args:
        ports: door to port; a door that is not served is missing.
        identity: where the app finds a local managed identity; empty is nowhere.
    Raises:
        SettingsError: something makes no sense; the text names it.
    """
    moved = {_DEFAULT_PORTS[name]: port for name, port in ports.items() if name in _DEFAULT_PORTS}
    tls = {COSMOS_PORT: ports["cosmos-tls"]} if "cosmos-tls" in ports else {}
    file = replace(
        file,
        values=follow_ports(file.values, moved, tls),
        connection_strings=follow_ports(file.connection_strings, moved, tls),
    )
    settings = Settings(
        environment,
        file,
        forced={"AZURE_FUNCTIONS_ENVIRONMENT": "Development"},
        defaults={**_defaults(options, ports["host"]), **identity},
    )
    runtime = settings.get("FUNCTIONS_WORKER_RUNTIME")
    if runtime and runtime.lower() != "python":
        raise SettingsError(
            f"FUNCTIONS_WORKER_RUNTIME is '{runtime}': the emulator runs Python functions only."
        )
    host_json = read_host_json(options.script_root / "host.json", settings)
    skipped = tuple(
        f"Skipping '{name}' from local settings as it's already defined in current environment "
        "variables."
        for name in settings.skipped
    )
    entities = _entities(options)
    return Configuration(
        options=options,
        settings=settings,
        host_json=host_json,
        entities=entities,
        front=_front(options, file, settings, host_json),
        hub=_hub(host_json, settings, entities),
        notes=(*file.warnings, *skipped, *_hint(options)),
    )


def _hint(options: Options) -> tuple[str, ...]:
    """What to do where settings were forgotten and a sample of them is there."""
    if options.settings is not None or (options.script_root / "local.settings.json").exists():
        return ()
    if not (options.script_root / "local.settings.sample.json").exists():
        return ()
    return (
        "There is no local.settings.json: copy local.settings.sample.json, or start with "
        "--settings local.settings.sample.json.",
    )


def _defaults(options: Options, port: int) -> dict[str, str]:
    """What the host sets where nobody else does.

    DIFFERS: Core Tools sets PYTHON_ENABLE_DEBUG_LOGGING always; here only with `--verbose`.
    """
    defaults = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "FUNCTIONS_WORKER_RUNTIME_VERSION": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "FUNCTIONS_CORETOOLS_ENVIRONMENT": "True",
        "AzureWebJobsScriptRoot": str(options.script_root),
        "WEBSITE_HOSTNAME": f"localhost:{port}",
    }
    if options.verbose:
        defaults["PYTHON_ENABLE_DEBUG_LOGGING"] = "1"
    return defaults


def _entities(options: Options) -> Mapping[str, Any]:
    path = options.entities or options.script_root / "infra" / "entities.json"
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"Cannot read the entities file '{path}': {error}.") from error
    sections = ("serviceBus", "cosmos", "eventGrid")
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name, {}), dict) for name in sections
    ):
        raise SettingsError(
            f"The entities file '{path}' must be an object whose 'serviceBus', 'cosmos' and "
            "'eventGrid' are objects."
        )
    return found


def read_faults(options: Options) -> Faults:
    """The faults of the command line, in force from the start.

    Raises:
        UsageError: one of them cannot be understood.
    """
    faults = Faults()
    if options.faults is not None:
        try:
            for rule in parse_rules(options.faults):
                faults.add(rule)
        except InvalidFault as error:
            raise UsageError(f"--faults: {error}") from error
    return faults


def _hub(host_json: HostJson, settings: Settings, entities: Mapping[str, Any]) -> HubOptions:
    try:
        options = HubOptions.from_host_json(host_json.document, settings.get)
    except InvalidOptions as error:
        raise SettingsError(str(error)) from error
    try:
        retention = read_retention(entities.get("durableTask", {}))
    except InvalidOptions as error:
        raise SettingsError(f"The entities file: {error}") from error
    return replace(options, retention_days=retention)


def _front(
    options: Options, file: LocalSettings, settings: Settings, host_json: HostJson
) -> FrontOptions:
    cors = options.cors if options.cors is not None else file.cors
    limit = settings.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT")
    if limit is not None and not limit.isdigit():
        raise SettingsError(
            f"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT must be a number of bytes, not '{limit}'."
        )
    return FrontOptions(
        body_limit=int(limit) if limit else DEFAULT_BODY_LIMIT,
        custom_headers=host_json.custom_headers,
        cors=tuple(origin.strip() for origin in (cors or "").split(",") if origin.strip()),
        cors_credentials=options.cors_credentials or file.cors_credentials,
        max_concurrent=host_json.max_concurrent_requests,
        max_outstanding=host_json.max_outstanding_requests,
        home_page=(settings.get("AzureWebJobsDisableHomepage") or "").lower() != "true",
    )
