"""Answers "what is the value of this setting": `local.settings.json`, the environment, names.

The environment wins over the file unless it is empty. Two views exist: the child process is given
literal names (`environment`), the host looks names up ignoring case and reads `:` and `__` as one
separator (`get`). Leaves out on purpose: encrypted files and Key Vault references.

Source: Core Tools and `IConfiguration` of the host.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.host.comments import strip_comments
from emulator.host.errors import FunctionInError, SettingsError

_LOOPBACK = re.compile(
    r"(?P<scheme>\w+)://(?P<host>localhost|127\.0\.0\.1|\[::1\]):(?P<port>\d+)(?!\d)", re.IGNORECASE
)
_DEFAULT_CONNECTION = {
    "serviceBus": "ServiceBus",
    "cosmosDB": "CosmosDB",
    "eventGrid": "EventGrid",
    "storage": "Storage",
}


@dataclass(frozen=True)
class LocalSettings:
    """What `local.settings.json` says.

    Attributes:
        values: `Values`, as text.
        connection_strings: `ConnectionStrings`, name to connection string.
        port, address, cors, cors_credentials: the `Host` section, None where it is silent.
        warnings: what the user should know about the file.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    connection_strings: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    address: str | None = None
    cors: str | None = None
    cors_credentials: bool = False
    warnings: tuple[str, ...] = ()


def read_local_settings(path: Path) -> LocalSettings:
    """Read the file.

    Raises:
        SettingsError: it cannot be read, is encrypted, or holds what settings cannot be.
    """
    try:
        document = json.loads(strip_comments(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(document, dict):
        raise _unreadable(path, "it is not a JSON object")
    warnings: tuple[str, ...] = ()
    encrypted = document.get("IsEncrypted")
    if encrypted is True:
        raise _unreadable(path, "IsEncrypted is true, and encrypted settings are not supported")
    if encrypted is None:
        warnings = (
            f"{path.name} has no 'IsEncrypted': the real tools would take it as encrypted. "
            "It is read as plain text.",
        )
    host = _object(path, document, "Host")
    return LocalSettings(
        values=_values(path, _object(path, document, "Values")),
        connection_strings=_connection_strings(path, _object(path, document, "ConnectionStrings")),
        port=_port(path, host.get("LocalHttpPort")),
        address=_text(path, host, "LocalHttpAddress"),
        cors=_text(path, host, "CORS"),
        cors_credentials=bool(host.get("CORSCredentials", False)),
        warnings=warnings,
    )


def _unreadable(path: Path, reason: str) -> SettingsError:
    return SettingsError(f"Failed to read app settings file at '{path}': {reason}.")


def _object(path: Path, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name, {})
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unreadable(path, f"'{name}' must be an object")
    return value


def _values(path: Path, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict | list):
            raise _unreadable(path, f"the value of '{name}' must be text; 'Values' is flat")
        if value is not None:
            # .NET renders booleans as True and False, as Python does.
            found[name] = value if isinstance(value, str) else str(value)
    return found


def _connection_strings(path: Path, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        text = value.get("ConnectionString") if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise _unreadable(path, f"the connection string '{name}' must be text")
        found[name] = text
    return found


def _port(path: Path, value: object) -> int | None:
    if value is None:
        return None
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise _unreadable(path, "'Host.LocalHttpPort' must be a port, 0 to 65535")
    return port


def _text(path: Path, section: Mapping[str, Any], name: str) -> str | None:
    value = section.get(name)
    if value is not None and not isinstance(value, str):
        raise _unreadable(path, f"'Host.{name}' must be text")
    return value


def names_https(values: Mapping[str, str], port: int) -> bool:
    """Whether a value holds a loopback URL of https with this port."""
    return any(
        found["scheme"].lower() == "https" and int(found["port"]) == port
        for value in values.values()
        for found in _LOOPBACK.finditer(value)
    )


def follow_ports(
    values: Mapping[str, str], ports: Mapping[int, int], tls_ports: Mapping[int, int] | None = None
) -> dict[str, str]:
    """Values whose loopback URLs name a default port, moved to the port that is really used.

    Args:
        ports: default port to real port.
        tls_ports: as `ports`, for URLs of https.
    """

    def moved(found: re.Match[str]) -> str:
        default = int(found["port"])
        port = ports.get(default, default)
        if found["scheme"].lower() == "https":
            port = (tls_ports or {}).get(default, port)
        return f"{found['scheme']}://{found['host']}:{port}"

    return {name: _LOOPBACK.sub(moved, value) for name, value in values.items()}


@dataclass(frozen=True)
class Connection:
    """Where a binding's `connection` leads.

    Attributes:
        name: as the binding gives it, after `%NAME%`.
        text: the connection string, or None for an identity.
        properties: the section's values for an identity, names in lower case.
    """

    name: str
    text: str | None
    properties: Mapping[str, str]

    def part(self, key: str) -> str | None:
        """A part of the connection string (`Endpoint`) or of the section, ignoring case."""
        if self.text is None:
            return self.properties.get(key.lower())
        for item in self.text.split(";"):
            name, _, value = item.partition("=")
            if name.strip().lower() == key.lower():
                return value.strip()
        return None


class Settings:
    """Every setting of the app.

    Args:
        process: this process' environment.
        file: what the settings file says, ports already moved.
        forced: what the host sets whatever others say.
        defaults: what the host sets where nobody else does.
    """

    def __init__(
        self,
        process: Mapping[str, str],
        file: LocalSettings,
        *,
        forced: Mapping[str, str] | None = None,
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        self.skipped = sorted(name for name in file.values if process.get(name))
        kept = {name: value for name, value in process.items() if value or name not in file.values}
        self.environment: dict[str, str] = {
            **(defaults or {}),
            **file.values,
            **kept,
            **(forced or {}),
        }
        self._index: dict[str, str] = {}
        for name, text in file.connection_strings.items():
            self._index[_key(f"ConnectionStrings:{name}")] = text
        for name, value in self.environment.items():
            self._index[_key(name)] = value

    def get(self, name: str) -> str | None:
        """A setting as the host's configuration sees it, or None."""
        return self._index.get(_key(name))

    def section(self, name: str) -> dict[str, str]:
        """The settings below a name, their own names in lower case."""
        prefix = _key(name) + ":"
        return {
            key[len(prefix) :]: value
            for key, value in self._index.items()
            if key.startswith(prefix)
        }

    def resolve(self, text: str) -> str:
        """Put settings in the place of `%NAME%`.

        Raises:
            FunctionInError: a name is not a setting, or a `%` is not closed.
        """
        if "%" not in text:
            return text
        parts = text.split("%")
        if len(parts) % 2 == 0:
            raise FunctionInError(
                f"The '%' at position {text.rindex('%')} does not have a closing '%'."
            )
        for index in range(1, len(parts), 2):
            value = self.get(parts[index])
            if value is None:
                raise FunctionInError(f"'%{parts[index]}%' does not resolve to a value.")
            parts[index] = value
        return "".join(parts)

    def connection(self, name: str | None, service: str) -> Connection:
        """Where a binding's connection leads.

        Args:
            name: the binding's `connection`; None or empty takes the service's default.
            service: `serviceBus`, `cosmosDB`, `eventGrid` or `storage`.
        Raises:
            FunctionInError: neither a connection string nor a section of that name exists.
        """
        resolved = self.resolve(name) if name else _DEFAULT_CONNECTION[service]
        sections: dict[str, str] = {}
        for candidate in (f"AzureWebJobs{resolved}", resolved):
            for key in (f"ConnectionStrings:{candidate}", candidate):
                if value := self.get(key):
                    return Connection(resolved, value, {})
                sections = sections or self.section(key)
        if sections:
            return Connection(resolved, None, sections)
        raise FunctionInError(
            _missing_connection(resolved if name else f"AzureWebJobs{resolved}", service)
        )


def _missing_connection(name: str, service: str) -> str:
    what = {
        "serviceBus": "Service Bus connection",
        "cosmosDB": "Cosmos DB connection",
        "eventGrid": "Event Grid connection",
        "storage": "Storage account connection string",
    }[service]
    return f"{what} '{name}' does not exist. Make sure that it is a defined App Setting."


def _key(name: str) -> str:
    return name.replace("__", ":").lower()
