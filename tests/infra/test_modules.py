"""Modules are called with what they declare, wait for what they need, and load what exists."""

from typing import Any

import pytest

from tests.support.bicep_syntax import Node, parse, walk
from tests.support.infra import BICEP, CHOICES, INFRA, plan

MAIN = parse(INFRA / "main.bicep")


def _body(node: Node | None) -> dict[str, Node]:
    """The members of a module call, with or without a condition."""
    assert node is not None
    body = node.parts[1] if node.kind == "if" else node
    return {str(k.value): v for k, v in zip(body.parts[::2], body.parts[1::2], strict=True)}


def _waits_for(name: str) -> set[str]:
    """The modules whose outputs a call takes, and those it names in dependsOn; all the way down."""
    variables = MAIN.of("var")
    modules = MAIN.of("module")

    def names(node: Node) -> set[str]:
        found = {str(n.value) for n in walk(node) if n.kind == "name"}
        through = {v for v in found if v in variables}
        return found | {m for v in through for m in names(_value(v))}

    def _value(variable: str) -> Node:
        value = variables[variable].value
        assert value is not None
        return value

    call = modules[name].value
    assert call is not None
    direct = {n for n in names(call) if n in modules and n != name}
    return direct | {further for d in direct for further in _waits_for(d)}


@pytest.mark.parametrize("name", sorted(MAIN.of("module")))
def test_module_gets_declared_parameters_and_all_that_are_required(name: str) -> None:
    module = MAIN.of("module")[name]
    declared = parse(INFRA / module.type).of("param")
    params = _body(module.value)["params"]
    given = {str(key.value) for key in params.parts[::2]}
    required = {n for n, d in declared.items() if d.value is None}
    assert given <= set(declared)
    assert required <= given


@pytest.mark.parametrize(
    ("module", "first"),
    [
        ("functionApp", "roles"),
        ("logicapp", "roles"),
        ("roles", "durable"),
        ("roles", "cosmos"),
        ("roles", "servicebus"),
        ("apimApi", "apimCredit"),
        ("apimApi", "functionApp"),
    ],
)
def test_module_waits_for_what_it_needs(module: str, first: str) -> None:
    assert first in _waits_for(module)


def test_the_gateway_is_created_while_the_app_is() -> None:
    assert "functionApp" not in _waits_for("apim")


@pytest.mark.parametrize("path", BICEP, ids=lambda p: p.name)
def test_every_loaded_file_exists(path: Any) -> None:
    for declaration in parse(path).declarations:
        for node in walk(declaration.value) if declaration.value else []:
            if node.kind == "call" and str(node.value).startswith("load"):
                assert (path.parent / node.parts[0].value).is_file(), node.parts[0].value


@pytest.mark.parametrize("path", BICEP, ids=lambda p: p.name)
def test_nothing_is_declared_and_not_used(path: Any) -> None:
    template = parse(path)
    used = {
        str(node.value)
        for d in template.declarations
        if d.value
        for node in walk(d.value)
        if node.kind == "name"
    }
    declared = {**template.of("param"), **template.of("var")}
    existing = {n for n, r in template.of("resource").items() if r.existing}
    assert (set(declared) | existing) - used == set()


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_every_choice_can_be_deployed(choices: dict[str, Any]) -> None:
    found = plan(**choices)
    assert found.one("Microsoft.Web/sites").name == "func-token"
    identities = [
        (r.type, r.path, r.scope and r.scope.id) for r in found.resources if not r.existing
    ]
    assert len(identities) == len(set(identities)), "a resource is declared twice"


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_everything_that_can_be_tagged_is(choices: dict[str, Any]) -> None:
    tagged = [r for r in plan(**choices).resources if not r.existing and "location" in r.body]
    assert len(tagged) > 10
    for resource in tagged:
        assert resource.body["tags"]["azd-env-name"] == "demo", resource.symbol


def test_azd_finds_exactly_one_deploy_target() -> None:
    targets = [r for r in plan().resources if "azd-service-name" in (r.body.get("tags") or {})]
    assert [(r.type, r.body["tags"]["azd-service-name"]) for r in targets] == [
        ("Microsoft.Web/sites", "orders")
    ]
