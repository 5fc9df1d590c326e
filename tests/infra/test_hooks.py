"""The azd hooks: what they decide, and what they ask Azure, with Azure played by a script."""

import ast
import importlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.bicep_syntax import parse
from tests.support.infra import INFRA, ROOT, plan, read_json

HOOKS = INFRA / "hooks"
NAMES = (
    "hook_support",
    "select_backend",
    "restore_host",
    "preprovision",
    "postprovision",
    "postdown",
)


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The hooks as azd runs them: from their own folder."""
    monkeypatch.syspath_prepend(str(HOOKS))
    return {name: importlib.import_module(name) for name in NAMES}


class Azure:
    """Answers by method and a part of the URL; keeps what it was asked."""

    def __init__(self, hooks: dict[str, ModuleType], *answers: tuple[str, str, int, Any]) -> None:
        self._make = hooks["hook_support"].Answer
        self._answers = list(answers)
        self.asked: list[tuple[str, str, Mapping[str, str], Any]] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> Any:
        self.asked.append((method, url, dict(headers), body))
        for i, (wanted, part, status, answer) in enumerate(self._answers):
            if wanted == method and part in url:
                if sum(a[:2] == (wanted, part) for a in self._answers) > 1:
                    del self._answers[i]
                return self._make(status, answer)
        raise AssertionError(f"unexpected {method} {url}")


def _token(_resource: str) -> str:
    return "TOKEN"


# ---- the durable backend ------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "infra" / "hooks"
    folder.mkdir(parents=True)
    for name in ("host.dts.json", "host.storage.json"):
        (folder / name).write_bytes((HOOKS / name).read_bytes())
    (tmp_path / "host.json").write_bytes((ROOT / "host.json").read_bytes())
    return tmp_path


@pytest.mark.parametrize("backend", ["dts", "storage"])
def test_package_gets_the_host_file_of_the_backend(
    hooks: dict[str, ModuleType], project: Path, backend: str
) -> None:
    hooks["select_backend"].select(backend, project)
    wanted = (HOOKS / f"host.{backend}.json").read_bytes()
    assert (project / "host.json").read_bytes() == wanted
    hooks["select_backend"].select(backend, project)
    assert (project / "host.json").read_bytes() == wanted


def test_host_file_is_the_committed_one_after_packaging(
    hooks: dict[str, ModuleType], project: Path
) -> None:
    hooks["select_backend"].select("storage", project)
    hooks["select_backend"].select(hooks["select_backend"].DEFAULT, project)
    assert (project / "host.json").read_bytes() == (ROOT / "host.json").read_bytes()


def test_an_unknown_backend_is_refused(hooks: dict[str, ModuleType], project: Path) -> None:
    before = (project / "host.json").read_bytes()
    with pytest.raises(hooks["hook_support"].HookError, match="must be dts or storage"):
        hooks["select_backend"].select("netherite", project)
    assert (project / "host.json").read_bytes() == before


# ---- before provisioning ------------------------------------------------------------------------


def test_choices_of_a_first_deployment_are_accepted(hooks: dict[str, ModuleType]) -> None:
    assert hooks["preprovision"].faults({}) == []


def test_every_wrong_choice_is_told_at_once(hooks: dict[str, ModuleType]) -> None:
    wrong = {
        "DURABLE_BACKEND": "netherite",
        "APIM_SKU": "basicv2",
        "ENTRA_MODE": "existing",
        "ENTRA_API_CLIENT_ID": "A",
        "INITIAL_CREDIT": "many",
    }
    found = hooks["preprovision"].faults(wrong)
    assert [re.findall(r"[A-Z]+_[A-Z_]+", text)[-1] for text in found] == [
        "DURABLE_BACKEND",
        "APIM_SKU",
        "ENTRA_API_AUDIENCE",
        "ENTRA_BACKEND_CLIENT_ID",
        "INITIAL_CREDIT",
    ]


def test_choices_are_those_of_the_template(hooks: dict[str, ModuleType]) -> None:
    declared = parse(INFRA / "main.bicep").of("param")
    parameters = read_json("infra/main.parameters.json")["parameters"]
    by_variable = {
        re.findall(r"\w+", entry["value"])[0]: name for name, entry in parameters.items()
    }
    for variable, choices in hooks["preprovision"].CHOICES.items():
        (allowed,) = [d for d in declared[by_variable[variable]].decorators if d.value == "allowed"]
        assert tuple(part.value for part in allowed.parts[0].parts) == choices


KNOWN = {"AZURE_SUBSCRIPTION_ID": "SUB", "AZURE_ENV_NAME": "demo"}
GATEWAY = {"id": "/x/service/apim-token", "tags": {"azd-env-name": "demo"}}


@pytest.mark.parametrize(
    ("answers", "exists"),
    [
        ([("GET", "service?", 404, None)], False),
        ([("GET", "service?", 200, {"value": []})], False),
        ([("GET", "service?", 200, {"value": [{"id": "/y", "tags": None}]})], False),
        (
            [
                ("GET", "service?", 200, {"value": [GATEWAY]}),
                ("GET", "/x/service/apim-token/namedValues/credit?", 404, None),
            ],
            False,
        ),
        (
            [
                ("GET", "service?", 200, {"value": [{"id": "/y"}, GATEWAY]}),
                ("GET", "/x/service/apim-token/namedValues/credit?", 200, {}),
            ],
            True,
        ),
    ],
)
def test_credit_is_made_only_where_it_is_not(
    hooks: dict[str, ModuleType], answers: list[tuple[str, str, int, Any]], exists: bool
) -> None:
    azure = Azure(hooks, *answers)
    assert hooks["preprovision"].credit_exists(KNOWN, _token, azure) is exists
    assert "/resourceGroups/rg-demo/" in azure.asked[0][1]
    assert azure.asked[0][2] == {"Authorization": "Bearer TOKEN"}


def test_first_deployment_asks_nobody(hooks: dict[str, ModuleType]) -> None:
    assert hooks["preprovision"].credit_exists({}, _token, Azure(hooks)) is False


def test_an_unclear_answer_stops_the_deployment(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(hooks, ("GET", "service?", 403, None))
    with pytest.raises(hooks["hook_support"].HookError, match="403"):
        hooks["preprovision"].credit_exists(KNOWN, _token, azure)


def test_the_group_looked_in_is_the_one_the_template_makes(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(hooks, ("GET", "service?", 404, None))
    hooks["preprovision"].credit_exists(KNOWN, _token, azure)
    group = plan().one("Microsoft.Resources/resourceGroups").name
    assert f"/resourceGroups/{group}/" in azure.asked[0][1]


# ---- after provisioning -------------------------------------------------------------------------

OUTPUTS = {
    **KNOWN,
    "AZURE_RESOURCE_GROUP": "rg-demo",
    "APIM_NAME": "apim-token",
    "APIM_GATEWAY_URL": "https://apim-token.example",
    "API_AUDIENCE": "api://TENANT/orders-token",
    "SERVICE_ORDERS_URI": "https://func-token.example",
    "STORAGE_DATA_ACCOUNT": "stdatatoken",
    "COSMOS_DB_ENDPOINT": "https://cosmos-token.example:443/",
    "COSMOS_DB_DATABASE_NAME": "orders",
}
ITEM = {"id": "SKU-1", "kind": "product"}


def _seed(
    hooks: dict[str, ModuleType], azure: Azure, pauses: list[float] | None = None
) -> tuple[int, int]:
    waited = pauses if pauses is not None else []
    found: tuple[int, int] = hooks["postprovision"].seed(
        [ITEM], OUTPUTS, _token, azure, waited.append
    )
    return found


def test_reference_items_are_created_by_identity(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(hooks, ("POST", "/dbs/orders/colls/reference/docs", 201, {}))
    assert _seed(hooks, azure) == (1, 0)
    _, url, headers, body = azure.asked[0]
    assert url == "https://cosmos-token.example:443/dbs/orders/colls/reference/docs"
    assert headers["Authorization"] == "type%3Daad%26ver%3D1.0%26sig%3DTOKEN"
    assert headers["x-ms-documentdb-partitionkey"] == '["product"]'
    assert "x-ms-documentdb-is-upsert" not in headers
    assert body == ITEM


def test_an_item_that_exists_is_left_alone(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(hooks, ("POST", "reference/docs", 409, {}))
    assert _seed(hooks, azure) == (0, 1)
    assert len(azure.asked) == 1


def test_seeding_waits_for_the_role(hooks: dict[str, ModuleType]) -> None:
    refused = ("POST", "reference/docs", 403, {})
    azure = Azure(hooks, refused, refused, ("POST", "reference/docs", 201, {}))
    pauses: list[float] = []
    assert _seed(hooks, azure, pauses) == (1, 0)
    assert len(pauses) == 2


def test_seeding_gives_up_in_the_end(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(hooks, ("POST", "reference/docs", 403, {}))
    pauses: list[float] = []
    with pytest.raises(hooks["hook_support"].HookError, match="403"):
        _seed(hooks, azure, pauses)
    assert sum(pauses) < 600


def test_a_refusal_for_good_is_not_waited_for(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(hooks, ("POST", "reference/docs", 400, {}))
    with pytest.raises(hooks["hook_support"].HookError, match="product SKU-1"):
        _seed(hooks, azure)
    assert len(azure.asked) == 1


def test_every_sample_reference_item_can_be_seeded() -> None:
    items = read_json("samples/reference.json")
    assert len(items) > 0
    assert len({(i["kind"], i["id"]) for i in items}) == len(items)


def test_only_registrations_of_this_deployment_are_written_down(
    hooks: dict[str, ModuleType],
) -> None:
    names = hooks["postprovision"].registrations(OUTPUTS)
    made = [r.body["uniqueName"] for r in plan().of("Microsoft.Graph/applications")]
    assert names.split() == made
    assert hooks["postprovision"].registrations({**OUTPUTS, "ENTRA_MODE": "existing"}) == ""


def test_summary_shows_commands_and_no_key(hooks: dict[str, ModuleType]) -> None:
    text = hooks["postprovision"].summary(OUTPUTS)
    assert "https://apim-token.example" in text
    assert text.count("listSecrets") == 2
    subscriptions = [r.name for r in plan().of("Microsoft.ApiManagement/service/subscriptions")]
    for name in subscriptions:
        assert f"/subscriptions/{name}/listSecrets" in text


def test_environment_file_holds_addresses_for_the_command_line(
    hooks: dict[str, ModuleType], tmp_path: Path
) -> None:
    text = hooks["postprovision"].environment_file(OUTPUTS)
    path = hooks["postprovision"].write_environment_file(text, tmp_path)
    lines = dict(line.split("=", 1) for line in path.read_text().splitlines())
    assert path == tmp_path / ".local" / "azure.env"
    assert lines["ORDERS_URL"] == "https://apim-token.example"
    assert [name for name in lines if "KEY" in name or "TOKEN" in name] == []


def test_what_the_hooks_read_the_template_puts_out(hooks: dict[str, ModuleType]) -> None:
    given_by_azd = {"AZURE_SUBSCRIPTION_ID", "AZURE_ENV_NAME"}
    assert set(OUTPUTS) - given_by_azd <= set(plan().outputs)


# ---- after teardown -----------------------------------------------------------------------------


def test_registration_is_deleted_and_purged(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(
        hooks,
        ("GET", "applications(uniqueName='orders-api-token')", 200, {"id": "OBJECT"}),
        ("DELETE", "/applications/OBJECT", 204, None),
        ("DELETE", "/directory/deletedItems/OBJECT", 204, None),
    )
    assert hooks["postdown"].delete_registration("orders-api-token", {}, azure) is True
    assert [(method, url.partition("/v1.0/")[2]) for method, url, *_ in azure.asked] == [
        ("GET", "applications(uniqueName='orders-api-token')?$select=id"),
        ("DELETE", "applications/OBJECT"),
        ("DELETE", "directory/deletedItems/OBJECT"),
    ]


def test_a_registration_that_is_gone_is_no_fault(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(hooks, ("GET", "applications(", 404, None))
    assert hooks["postdown"].delete_registration("orders-api-token", {}, azure) is False


def test_a_refused_deletion_is_told(hooks: dict[str, ModuleType]) -> None:
    azure = Azure(
        hooks,
        ("GET", "applications(", 200, {"id": "OBJECT"}),
        ("DELETE", "/applications/OBJECT", 403, None),
    )
    with pytest.raises(hooks["hook_support"].HookError, match="by hand"):
        hooks["postdown"].delete_registration("orders-api-token", {}, azure)


@pytest.fixture
def remembered(hooks: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values: dict[str, str] = {}
    keep: Callable[[str, str], None] = values.__setitem__
    for name in ("preprovision", "postprovision", "postdown"):
        monkeypatch.setattr(hooks[name], "remember", keep)
        if name != "preprovision":
            monkeypatch.setattr(hooks[name], "token", _token)
    return values


def test_teardown_of_given_registrations_touches_none(
    hooks: dict[str, ModuleType], remembered: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENTRA_REGISTRATIONS", raising=False)
    monkeypatch.setattr(hooks["postdown"], "https", Azure(hooks))
    hooks["postdown"].main()
    assert remembered == {"CREDIT_INITIALISED": "false"}


def test_teardown_forgets_what_is_gone(
    hooks: dict[str, ModuleType], remembered: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTRA_REGISTRATIONS", "orders-api-token orders-backend-token")
    azure = Azure(hooks, ("GET", "applications(", 404, None))
    monkeypatch.setattr(hooks["postdown"], "https", azure)
    hooks["postdown"].main()
    assert remembered == {"CREDIT_INITIALISED": "false", "ENTRA_REGISTRATIONS": ""}
    assert len(azure.asked) == 2


# ---- what they share ----------------------------------------------------------------------------


def test_a_missing_variable_is_named(hooks: dict[str, ModuleType]) -> None:
    with pytest.raises(hooks["hook_support"].HookError, match="has no APIM_NAME"):
        hooks["hook_support"].setting("APIM_NAME", {"APIM_NAME": ""})


def test_a_fault_is_one_line_and_exit_code_1(
    hooks: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise hooks["hook_support"].HookError("It cannot be done.")

    with pytest.raises(SystemExit) as ended:
        hooks["hook_support"].run(fail)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "It cannot be done.\n"


def test_a_failing_azd_is_quoted(
    hooks: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "azd"
    program.write_text("#!/bin/sh\necho 'not signed in' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(hooks["hook_support"].HookError, match="azd auth failed: not signed in"):
        hooks["hook_support"].token("https://example")


def test_a_token_is_taken_from_what_azd_prints(
    hooks: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = json.dumps({"token": "T", "expiresOn": "2026-11-20T10:00:00Z"})
    program = tmp_path / "azd"
    program.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\necho '{answer}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert hooks["hook_support"].token("https://graph.microsoft.com") == "T"
    assert (tmp_path / "asked").read_text().split() == [
        "auth",
        "token",
        "--scope",
        "https://graph.microsoft.com/.default",
        "--output",
        "json",
    ]


def test_hooks_use_the_standard_library_only() -> None:
    for path in HOOKS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                first = name.split(".")[0]
                assert first in sys.stdlib_module_names or first in NAMES, f"{path.name}: {name}"
