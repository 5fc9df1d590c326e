"""azure.yaml, what is packaged, the workflows and the containers to work in."""

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from pathspec import GitIgnoreSpec

from tests.support.bicep_syntax import parse
from tests.support.infra import INFRA, ROOT, read_json

PROJECT = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# What the app is made of; everything else stays at home.
SHIPPED = {"function_app.py", "host.json", "requirements.txt"}
SHIPPED_FOLDERS = {"activities", "domain", "orchestrators", "triggers"}


def _hooks() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        **PROJECT["hooks"],
        **PROJECT["services"]["orders"]["hooks"],
    }
    return found


def _spec(name: str) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines((ROOT / name).read_text(encoding="utf-8").splitlines())


def _kept() -> list[str]:
    """The files of the repository: what .gitignore does not leave out."""
    ignored = _spec(".gitignore")
    found = []
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [
            f
            for f in folders
            if f != ".git" and not ignored.match_file(f"{(here / f).as_posix()}/")
        ]
        found += [(here / f).as_posix() for f in files]
    return [file for file in found if not ignored.match_file(file)]


def _packaged(files: list[str]) -> set[str]:
    spec = _spec(".funcignore")
    return {file for file in files if not spec.match_file(file)}


def _triggers(workflow: dict[Any, Any]) -> Any:
    """YAML reads the key `on` as true."""
    return workflow[True]


def test_azure_yaml_holds_what_it_may() -> None:
    schema = json.loads((Path(__file__).parent / "azure.yaml.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(PROJECT, schema)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": "Durable_Orders"}, "name"),
        ({"hooks": {"postclean": PROJECT["hooks"]["postdown"]}}, "hooks"),
        ({"hooks": {"postdown": {**PROJECT["hooks"]["postdown"], "windows": {}}}}, "hooks"),
    ],
)
def test_a_mistake_in_azure_yaml_is_seen(change: dict[str, Any], fault: str) -> None:
    schema = json.loads((Path(__file__).parent / "azure.yaml.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError) as raised:
        jsonschema.validate({**PROJECT, **change}, schema)
    assert raised.value.absolute_path[0] == fault


@pytest.mark.parametrize("name", sorted(_hooks()))
def test_hook_exists_and_is_told_to_keep_its_environment_out_of_git(name: str) -> None:
    hook = _hooks()[name]
    assert (ROOT / hook["run"]).is_file()
    assert hook["config"] == {"virtualEnvName": ".venv"}


def test_hooks_need_no_installation() -> None:
    """azd installs what the nearest requirements.txt names: this one names nothing."""
    lines = (INFRA / "hooks" / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == []


def test_teardown_goes_on_where_a_registration_cannot_be_deleted() -> None:
    assert PROJECT["hooks"]["postdown"]["continueOnError"] is True


def test_pipeline_variables_are_variables_of_the_template() -> None:
    text = (INFRA / "main.parameters.json").read_text(encoding="utf-8")
    known = set(re.findall(r"\$\{(\w+)", text))
    assert set(PROJECT["pipeline"]["variables"]) <= known


def test_package_holds_the_app_and_nothing_else() -> None:
    shipped = _packaged(_kept())
    assert shipped >= SHIPPED
    assert {f for f in shipped if "/" not in f} == SHIPPED
    assert {f.split("/")[0] for f in shipped if "/" in f} == SHIPPED_FOLDERS


def test_package_leaves_out_what_git_does_not_keep() -> None:
    local = [
        "local.settings.json",
        ".venv/bin/python",
        ".local/taskhub.db",
        ".azure/demo/.env",
        ".env",
        "domain/__pycache__/order.cpython-312.pyc",
        "durable_orders.egg-info/PKG-INFO",
        "infra/hooks/.venv/pyvenv.cfg",
    ]
    assert _packaged(local) == set()


def test_git_ignores_what_azd_and_the_hooks_write() -> None:
    written = [".azure/demo/.env", ".local/azure.env", "infra/hooks/.venv/x", ".venv-infra/x"]
    assert [path for path in written if not _spec(".gitignore").match_file(path)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_workflow_is_one_that_github_accepts(path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        check_jsonschema(["--builtin-schema", "vendor.github-workflows", str(path)])
    assert ended.value.code == 0


def test_deployment_signs_in_without_a_secret() -> None:
    text = (ROOT / ".github" / "workflows" / "azure-dev.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    (job,) = workflow["jobs"].values()
    assert "secrets." not in text
    assert workflow["permissions"] == {"id-token": "write", "contents": "read"}
    assert set(_triggers(workflow)) == {"workflow_dispatch", "push"}
    assert _triggers(workflow)["push"] == {"branches": ["main"]}
    assert set(PROJECT["pipeline"]["variables"]) <= set(job["env"])
    commands = " ".join(step.get("run", "") for step in job["steps"])
    assert "--federated-credential-provider github" in commands
    assert commands.index("azd provision --no-prompt") < commands.index("azd deploy --no-prompt")


def test_pull_requests_are_tested_on_every_supported_python_and_compiled() -> None:
    text = (ROOT / ".github" / "workflows" / "pull-request.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    allowed = parse(INFRA / "main.bicep").of("param")["pythonVersion"].decorators[0].parts[0]
    versions = [part.value for part in allowed.parts]
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == versions
    commands = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    for command in ("make lint PYTHON=python", "make test PYTHON=python", "make lint-infra"):
        assert any(command in c for c in commands), command
    for verb in ("build", "lint"):
        assert any(f"az bicep {verb} --file infra/main.bicep" in c for c in commands)


def test_container_to_work_in_has_the_tools_and_the_ports() -> None:
    container = read_json(".devcontainer/devcontainer.json")
    tools = " ".join(container["features"])
    for tool in ("azd", "azure-cli", "azure-functions-core-tools"):
        assert tool in tools
    assert container["image"].endswith("python:3.12")
    assert container["forwardPorts"] == [7071, 8080, 8081, 5300]
    assert container["postCreateCommand"].startswith("make ")


@pytest.mark.parametrize("name", ["extensions", "launch", "settings", "tasks"])
def test_editor_files_are_json(name: str) -> None:
    assert read_json(f".vscode/{name}.json")


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "SECURITY.md",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        ".github/ISSUE_TEMPLATE",
        ".github/workflows/azure-dev.yml",
        "azure.yaml",
        "infra/main.bicep",
        ".devcontainer/devcontainer.json",
    ],
)
def test_template_gallery_finds_what_it_asks_for(path: str) -> None:
    assert (ROOT / path).exists()
