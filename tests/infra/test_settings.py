"""App settings: the table = Bicep = the sample file = what the code and its bindings read."""

import json
import re
from collections.abc import Iterator, Mapping

from activities._settings import read_settings
from tests.support.infra import ROOT, entities, functions, plan, read_json

# How the host and the SDKs are told to use one identity among several.
IDENTITY = ("__credential", "__clientId")
CONNECTIONS = {
    "AzureWebJobsStorage": "__accountName",
    "COSMOS_DB": "__accountEndpoint",
    "SB_ORDERS": "__fullyQualifiedNamespace",
    "EVENT_GRID": "__topicEndpointUri",
}
# Settings that no line of the app names, and who reads them.
PLATFORM = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "the Functions host, to send telemetry",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the Functions host, to send it by identity",
    "AZURE_CLIENT_ID": "azure-identity, to choose among several identities",
}
PLAIN = {
    "COSMOS_DB_DATABASE_NAME": "orders",
    "COSMOS_DB_TO_PROCESS_CONTAINER_NAME": "toprocess",
    "COSMOS_DB_PROCESSED_CONTAINER_NAME": "processed",
    "COSMOS_DB_LEASES_CONTAINER_NAME": "leases",
    "COSMOS_DB_REFERENCE_CONTAINER_NAME": "reference",
    "COSMOS_DB_SUBMISSIONS_CONTAINER_NAME": "submissions",
    "SERVICEBUS_QUEUE": "orders",
    "TASKHUB_NAME": "orders",
}
SCHEDULER = "DURABLE_TASK_SCHEDULER_CONNECTION_STRING"


class Recording(dict[str, str]):
    """Settings that remember which of them were asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def _deployed() -> dict[str, str]:
    settings = plan().named("Microsoft.Web/sites/config", "appsettings").properties
    return {name: re.sub("<[^>]+>", "https://x.example", str(v)) for name, v in settings.items()}


def _sample() -> dict[str, str]:
    values: dict[str, str] = read_json("local.settings.sample.json")["Values"]
    return values


def _named_in_bindings() -> tuple[set[str], set[str]]:
    """Connections and plain settings (`%NAME%`) that the bindings of the app name."""
    connections, names = set(), set()
    for bindings in functions().values():
        for binding in bindings:
            connections |= {str(v) for k, v in binding.items() if k == "connection" and v}
            names |= set(re.findall(r"%(\w+)%", json.dumps(binding, default=str)))
    host = (ROOT / "host.json").read_text(encoding="utf-8")
    return connections, names | set(re.findall(r"%(\w+)%", host))


def _read_by_code() -> set[str]:
    """The plain settings that `_settings.py` asks for."""
    settings = Recording(_deployed())
    read_settings(settings)
    return settings.asked


def test_deployed_settings_are_the_table() -> None:
    wanted = set(PLAIN) | set(PLATFORM) | {SCHEDULER}
    for connection, where in CONNECTIONS.items():
        wanted |= {f"{connection}{end}" for end in (where, *IDENTITY)}
    assert set(_deployed()) == wanted


def test_plain_settings_have_the_same_value_here_and_there() -> None:
    deployed, sample = _deployed(), _sample()
    assert {name: deployed[name] for name in PLAIN} == PLAIN
    assert {name: sample[name] for name in PLAIN} == PLAIN


def test_the_sample_says_what_the_deployment_says_in_its_own_form() -> None:
    local = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage", "SB_ORDERS"}
    same = {"COSMOS_DB__accountEndpoint", "EVENT_GRID__topicEndpointUri"}
    assert same <= set(_deployed())
    assert set(_sample()) == local | same | set(PLAIN) | {SCHEDULER}


def test_the_app_accepts_both() -> None:
    deployed, sample = read_settings(_deployed()), read_settings(_sample())
    assert deployed.store.endpoint == "https://x.example"
    assert deployed.store.client_id
    assert sample.store.endpoint == "https://localhost:8081/"
    assert deployed.database == sample.database == "orders"


def test_every_setting_that_is_read_is_deployed() -> None:
    deployed = set(_deployed())
    connections, names = _named_in_bindings()
    assert connections <= set(CONNECTIONS)
    assert names <= deployed
    for name in _read_by_code():
        assert name in deployed or f"{name}{CONNECTIONS.get(name, '')}" in deployed, name


def test_every_setting_that_is_deployed_is_read() -> None:
    connections, names = _named_in_bindings()
    durable = read_json("host.json")["extensions"]["durableTask"]["storageProvider"]
    read = _read_by_code() | names | {durable["connectionStringName"]} | set(PLATFORM)
    host = {"AzureWebJobsStorage"}  # the host's own storage
    for connection in connections | host:
        read |= {f"{connection}{end}" for end in (CONNECTIONS[connection], *IDENTITY)}
    assert set(_deployed()) - read == set()


def test_a_connection_by_identity_says_which_identity() -> None:
    deployed = _deployed()
    for connection in CONNECTIONS:
        assert deployed[f"{connection}__credential"] == "managedidentity"
        assert deployed[f"{connection}__clientId"] == deployed["AZURE_CLIENT_ID"]


def test_names_inside_percent_signs_are_plain() -> None:
    """The scale controller does not resolve names with a hierarchy."""
    _, names = _named_in_bindings()
    assert [name for name in names if "__" in name or ":" in name] == []


def test_containers_and_queue_of_the_settings_exist() -> None:
    file = entities()
    containers = {c["name"] for c in file["cosmos"]["containers"]}
    named = {v for k, v in PLAIN.items() if k.endswith("_CONTAINER_NAME")}
    assert named <= containers
    assert PLAIN["SERVICEBUS_QUEUE"] in {q["name"] for q in file["serviceBus"]["queues"]}
    assert PLAIN["COSMOS_DB_DATABASE_NAME"] == file["cosmos"]["database"]


def _all_python() -> Iterator[str]:
    for folder in ("activities", "domain", "orchestrators", "triggers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name != "_settings.py":
                yield path.read_text(encoding="utf-8")


def test_one_module_reads_the_environment() -> None:
    for text in _all_python():
        assert "os.environ" not in text
        assert "getenv" not in text
