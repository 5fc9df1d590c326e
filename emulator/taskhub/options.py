"""Reads `extensions.durableTask` of host.json: the keys that mean something on one machine.

Keys that only matter on Azure (storage provider, extended sessions, notifications, app lease) are
accepted and not read.

Source: protocol specification, 11; host.json reference of Durable Functions.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_DEFAULT_HUB = "TestHubName"
_AZURE_STORAGE = "azurestorage"
_LONGEST_HUB_NAME = 45
_HUB_NAME = re.compile(rf"[a-zA-Z][a-zA-Z0-9]{{2,{_LONGEST_HUB_NAME - 1}}}")
_PER_CORE = 10
_EXPRESSION = re.compile(r"%([^%]+)%")
Lookup = Callable[[str], str | None]


class InvalidOptions(ValueError):
    """A value of host.json that cannot be; the text names the key."""


@dataclass(frozen=True)
class HubOptions:
    """The task hub's options, the vendor's names in Python's spelling.

    Attributes:
        connections: what a client may name as the hub's connection.
        http_token: what HTTP calls with a token source send.
        system_key: the key that the public management API asks for; None asks for none.
        retention_days: how long instances that ended in a state are kept; without one, for ever.
    """

    hub_name: str = _DEFAULT_HUB
    default_version: str | None = None
    version_match: str = "currentorolder"
    version_failure: str = "reject"
    replace_any_state: bool = False
    max_activities: int = _PER_CORE
    max_orchestrators: int = _PER_CORE
    max_entities: int = _PER_CORE
    max_entity_batch: int = 5000
    max_actions: int = 100_000
    store_inputs: bool = False
    connections: tuple[str, ...] = ("Storage", "AzureWebJobsStorage")
    http_token: str | None = None
    system_key: str | None = None
    retention_days: Mapping[str, float] = field(default_factory=dict)

    def has(self, hub: str | None, connection: str | None) -> bool:
        """Whether this is the hub and the connection that somebody names, or leaves out."""
        if hub and hub.lower() != self.hub_name.lower():
            return False
        return not connection or connection.lower() in map(str.lower, self.connections)

    @classmethod
    def from_host_json(cls, document: Mapping[str, Any], lookup: Lookup) -> "HubOptions":
        """Read the options of a host.json document.

        Args:
            document: the whole document.
            lookup: the value of a setting, or None.
        Raises:
            InvalidOptions: a value makes no sense.
        """
        section = _Section(_member(_member(document, "extensions"), "durableTask"))
        per_core = _PER_CORE * (os.cpu_count() or 1)
        version = section.text("defaultVersion", "")
        provider = _Section(_member(section.values, "storageProvider"))
        named = {
            provider.text("connectionName", ""),
            provider.text("connectionStringName", ""),
        }
        hub_name = _resolve(section.text("hubName", ""), lookup)
        if hub_name and provider.text("type", _AZURE_STORAGE).lower() == _AZURE_STORAGE:
            _check_hub_name(hub_name)
        return cls(
            hub_name=hub_name or _hub_of_site(lookup("WEBSITE_SITE_NAME")),
            default_version=_resolve(version, lookup) or None,
            version_match=section.choice(
                "versionMatchStrategy", ("CurrentOrOlder", "None", "Strict")
            ),
            version_failure=section.choice("versionFailureStrategy", ("Reject", "Fail")),
            replace_any_state=section.choice(
                "overridableExistingInstanceStates", ("NonRunningStates", "AnyState")
            )
            == "anystate",
            max_activities=section.number("maxConcurrentActivityFunctions", per_core),
            max_orchestrators=section.number("maxConcurrentOrchestratorFunctions", per_core),
            max_entities=section.number("maxConcurrentEntityFunctions", per_core),
            max_entity_batch=section.number("maxEntityOperationBatchSize", 5000),
            max_actions=section.number("maxOrchestrationActions", 100_000),
            store_inputs=section.flag("storeInputsInOrchestrationHistory", False),
            connections=(*cls.connections, *sorted(named - {""})),
            http_token=lookup("EMULATOR_HTTP_TOKEN"),
        )


def _check_hub_name(name: str) -> None:
    """Raises: InvalidOptions: Azure Storage takes no hub of this name; the text is the vendor's."""
    if not _HUB_NAME.fullmatch(name):
        raise InvalidOptions(
            f"Task hub name '{name}' should contain only alphanumeric characters, start with a "
            f"letter, and have length between 3 and {_LONGEST_HUB_NAME}."
        )


def _hub_of_site(site: str | None) -> str:
    """The hub that is named after the site, as the extension makes a name of it."""
    if not site:
        return _DEFAULT_HUB
    name = "".join(filter(str.isalnum, site))
    if not name:
        return "DefaultTaskHub"
    return f"t{name}"[:_LONGEST_HUB_NAME] if name[0].isdigit() else name[:_LONGEST_HUB_NAME]


def _resolve(text: str, lookup: Lookup) -> str:
    """Put settings in for `%NAME%`; one that is not set counts as empty."""
    return _EXPRESSION.sub(lambda found: lookup(found[1]) or "", text)


def _member(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object's member that is an object, whatever its case; an empty one if it is not there."""
    found = next((value for key, value in values.items() if key.lower() == name.lower()), None)
    return found if isinstance(found, dict) else {}


class _Section:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._by_lower = {key.lower(): value for key, value in values.items()}

    def _refuse(self, name: str, wanted: str) -> InvalidOptions:
        return InvalidOptions(
            f"host.json: 'extensions.durableTask.{name}' must be {wanted}, not "
            f"{self._by_lower[name.lower()]!r}."
        )

    def text(self, name: str, default: str) -> str:
        value = self._by_lower.get(name.lower())
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._refuse(name, "text")
        return value

    def number(self, name: str, default: int) -> int:
        value = self._by_lower.get(name.lower())
        if value is None:
            return default
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if type(value) is not int or value < 1:
            raise self._refuse(name, "a whole number from 1")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._by_lower.get(name.lower())
        if value is None:
            return default
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise self._refuse(name, "true or false")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the choices, in lower case; the first is the default."""
        value = self.text(name, choices[0]).lower()
        if value not in map(str.lower, choices):
            raise self._refuse(name, " or ".join(choices))
        return value
