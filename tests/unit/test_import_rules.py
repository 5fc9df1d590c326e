"""Import rules that import-linter cannot state: single modules of one external package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", ["activities", "domain", "orchestrators"])
def test_steps_and_orchestrators_do_not_import_the_durable_library(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        assert not [n for n in imported(path) if n.startswith("azure.durable_functions")], path


def test_only_the_settings_module_reads_the_environment() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("activities", "domain", "orchestrators", "triggers")
        for path in (ROOT / folder).rglob("*.py")
        if {"os", "os.environ", "os.getenv"} & set(imported(path))
    }
    assert readers == {"activities/_settings.py"}
