"""Every Bicep file is read by three parsers, and holds nothing that hands out a key."""

import re
from pathlib import Path

import pytest
import tree_sitter_bicep
from pycep import BicepParser
from tree_sitter import Language, Node, Parser

from tests.support.bicep_syntax import parse, walk
from tests.support.infra import BICEP, INFRA

# The grammar of tree-sitter-bicep is older than extensions; the line is checked by the other two.
_EXTENSION = re.compile(r"^extension \w+$", re.MULTILINE)


def _faults(node: Node) -> list[str]:
    own = [f"line {node.start_point.row + 1}"] if node.is_error or node.is_missing else []
    return own + [fault for child in node.children for fault in _faults(child)]


@pytest.mark.parametrize("path", BICEP, ids=lambda p: p.name)
def test_tree_sitter_reads_the_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name == "entra.bicep":
        text = _EXTENSION.sub("", text)
    tree = Parser(Language(tree_sitter_bicep.language())).parse(text.encode())
    assert _faults(tree.root_node) == []


@pytest.mark.parametrize("path", BICEP, ids=lambda p: p.name)
def test_pycep_and_our_reader_find_the_same_declarations(path: Path) -> None:
    found = BicepParser().parse(text=path.read_text(encoding="utf-8"))
    ours = parse(path)
    for ours_kind, theirs in (
        ("param", "parameters"),
        ("var", "variables"),
        ("resource", "resources"),
        ("module", "modules"),
        ("output", "outputs"),
    ):
        assert set(ours.of(ours_kind)) == set(found.get(theirs, {})), ours_kind


def test_extensions_are_used_by_the_registrations_only() -> None:
    assert [p.name for p in BICEP if parse(p).of("extension")] == ["entra.bicep"]


@pytest.mark.parametrize("path", BICEP, ids=lambda p: p.name)
def test_no_key_is_asked_for(path: Path) -> None:
    calls = [
        node.value
        for declaration in parse(path).declarations
        if declaration.value
        for node in walk(declaration.value)
        if node.kind == "call"
    ]
    assert [name for name in calls if name.lstrip(".").lower().startswith("list")] == []


@pytest.mark.parametrize("path", BICEP, ids=lambda p: p.name)
def test_no_output_holds_a_secret(path: Path) -> None:
    for name, output in parse(path).of("output").items():
        assert not re.search(r"key|secret|connection_?string|password", name, re.IGNORECASE), name
        assert output.value is not None
        members = [n.value[0] for n in walk(output.value) if n.kind == "member"]
        assert "ConnectionString" not in members, name


def test_every_module_says_what_it_holds() -> None:
    for path in BICEP:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("// "), path.name


def test_no_file_is_left_over() -> None:
    used = {m.type for m in parse(INFRA / "main.bicep").of("module").values()}
    assert used == {f"app/{p.name}" for p in BICEP if p.parent.name == "app"}
