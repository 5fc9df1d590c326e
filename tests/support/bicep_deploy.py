"""Works a Bicep template out: which resources it would ask Azure for, with which values.

Nothing is deployed. What only Azure knows (an endpoint, a principal id) becomes a text such as
`<cosmos-token:properties.documentEndpoint>`, so that a test can see where a value comes from. A
module that is switched off has no outputs, and reading one is an error, as it would be on Azure.

Called by tests/infra. Source: the documented meaning of Bicep's functions; those that infra/ uses.
"""

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from tests.support.bicep_syntax import BicepError, Declaration, Node, Template, parse

Values = dict[str, Any]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
}


@dataclass
class Resource:
    """One resource of the plan. `properties` and the rest of the body are in `body`."""

    module: str
    symbol: str
    type: str
    version: str
    existing: bool
    body: Values
    parent: "Resource | None" = None
    scope: "Resource | None" = None

    @property
    def name(self) -> str:
        """Graph's resources have a unique name or none."""
        return str(self.body.get("name") or self.body.get("uniqueName") or self.symbol)

    @property
    def path(self) -> str:
        """Names from the outermost parent on: `account/database/container`."""
        return f"{self.parent.path}/{self.name}" if self.parent else self.name

    @property
    def id(self) -> str:
        return f"/{self.type}/{self.path}"

    @property
    def properties(self) -> Values:
        return dict(self.body.get("properties") or {})

    def get(self, name: str) -> Any:
        """A member as Bicep reads it: what was declared, else a text that names it."""
        if name == "id":
            return self.id
        return self.body.get(name) if name == "name" else Later(self, name)


@dataclass(frozen=True)
class Later:
    """A value that the service decides, or that was declared deeper in the body."""

    resource: Resource
    path: str

    def get(self, name: str) -> Any:
        declared: Any = self.resource.body
        path = f"{self.path}.{name}"
        for step in path.split("."):
            declared = declared.get(step) if isinstance(declared, Mapping) else None
        return declared if isinstance(declared, str) else Later(self.resource, path)

    def __str__(self) -> str:
        return f"<{self.resource.name}:{self.path}>"


@dataclass
class Plan:
    """What one template asks for, its modules included."""

    resources: list[Resource] = field(default_factory=list)
    outputs: Values = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)

    def of(self, type_: str) -> list[Resource]:
        return [r for r in self.resources if r.type == type_ and not r.existing]

    def one(self, type_: str) -> Resource:
        (found,) = self.of(type_)
        return found

    def named(self, type_: str, name: str) -> Resource:
        (found,) = [r for r in self.of(type_) if r.name == name]
        return found


def deploy(path: Path, parameters: Values) -> Plan:
    """Work out a template and its modules.

    Raises:
        BicepError: a parameter is missing, unknown or not allowed, or the text is not understood.
    """
    plan = Plan()
    plan.outputs = _Module(parse(path), parameters, plan, path.parent).run()
    return plan


class _Module:
    """One file being worked out: every name is evaluated when it is first needed."""

    def __init__(self, template: Template, given: Values, plan: Plan, root: Path) -> None:
        self._template, self._given, self._plan, self._root = template, given, plan, root
        self._known: Values = {}
        self._declared = {d.name: d for d in template.declarations if d.kind != "output"}
        self._check_parameters()

    def _check_parameters(self) -> None:
        declared = self._template.of("param")
        unknown = sorted(set(self._given) - set(declared))
        missing = sorted(n for n, d in declared.items() if d.value is None and n not in self._given)
        if unknown or missing:
            raise BicepError(f"{self._template.path.name}: unknown {unknown}, missing {missing}")
        for name, value in self._given.items():
            for decorator in declared[name].decorators:
                if decorator.value == "allowed":
                    allowed = self._value(decorator.parts[0], {})
                    if value not in allowed:
                        raise BicepError(f"{name}: {value!r} is not one of {allowed}")

    def run(self) -> Values:
        for declaration in self._template.declarations:
            if declaration.kind in ("resource", "module"):
                self._named(declaration.name)
        outputs = self._template.of("output")
        return {name: _text_of(self._value(d.value, {})) for name, d in outputs.items() if d.value}

    # ---- names --------------------------------------------------------------------------------

    def _named(self, name: str) -> Any:
        if name not in self._known:
            if name not in self._declared:
                raise BicepError(f"{self._template.path.name}: nothing is called {name}")
            self._known[name] = self._declare(self._declared[name])
        return self._known[name]

    def _declare(self, declaration: Declaration) -> Any:
        value = declaration.value
        if declaration.kind == "param" and declaration.name in self._given:
            return self._given[declaration.name]
        if value is None:
            raise BicepError(f"{declaration.name} has no value")
        make = {"resource": self._resource, "module": self._module}.get(declaration.kind)
        if make is None:
            return self._value(value, {})
        if value.kind == "if":
            condition, body = value.parts
            wanted = self._value(condition, {})
            return make(declaration, body, {}) if wanted or declaration.existing else None
        if value.kind == "for":
            return [make(declaration, value.parts[1], local) for local in self._turns(value, {})]
        return make(declaration, value, {})

    def _resource(self, declaration: Declaration, body: Node, local: Values) -> Resource:
        values = self._value(body, local)
        parent, scope = values.pop("parent", None), values.pop("scope", None)
        values.pop("dependsOn", None)
        type_, _, version = declaration.type.partition("@")
        resource = Resource(
            self._template.path.name,
            declaration.name,
            type_,
            version,
            declaration.existing,
            _resolved(values),
            parent,
            scope,
        )
        self._plan.resources.append(resource)
        return resource

    def _module(self, declaration: Declaration, body: Node, local: Values) -> Values:
        values = self._value(body, local)
        path = (self._template.path.parent / declaration.type).resolve()
        module = _Module(parse(path), _resolved(values["params"]), self._plan, self._root)
        self._plan.modules.append(path.name)
        return {"outputs": module.run()}

    # ---- expressions --------------------------------------------------------------------------

    def _value(self, node: Node, local: Values) -> Any:
        return getattr(self, f"_eval_{node.kind}")(node, local)

    def _parts(self, node: Node, local: Values) -> list[Any]:
        return [self._value(part, local) for part in node.parts]

    def _eval_literal(self, node: Node, _local: Values) -> Any:
        return node.value

    def _eval_text(self, node: Node, local: Values) -> str:
        return "".join(str(part) for part in self._parts(node, local))

    def _eval_name(self, node: Node, local: Values) -> Any:
        return local[node.value] if node.value in local else self._named(node.value)

    def _eval_array(self, node: Node, local: Values) -> list[Any]:
        return self._parts(node, local)

    def _eval_object(self, node: Node, local: Values) -> Values:
        keys, values = node.parts[::2], node.parts[1::2]
        return {
            str(self._value(k, local)): self._value(v, local)
            for k, v in zip(keys, values, strict=True)
        }

    def _eval_for(self, node: Node, local: Values) -> list[Any]:
        return [self._value(node.parts[1], turn) for turn in self._turns(node, local)]

    def _turns(self, node: Node, local: Values) -> list[Values]:
        item, index = node.value
        source = self._value(node.parts[0], local)
        return [{**local, item: value, index: i} for i, value in enumerate(source)]

    def _eval_lambda(self, node: Node, local: Values) -> Callable[[Any], Any]:
        return lambda value: self._value(node.parts[0], {**local, node.value: value})

    def _eval_ternary(self, node: Node, local: Values) -> Any:
        condition, yes, no = node.parts
        return self._value(yes if self._value(condition, local) else no, local)

    def _eval_unary(self, node: Node, local: Values) -> Any:
        (value,) = self._parts(node, local)
        return not value if node.value == "!" else -value

    def _eval_binary(self, node: Node, local: Values) -> Any:
        left = self._value(node.parts[0], local)
        right = lambda: self._value(node.parts[1], local)  # noqa: E731 - evaluated only if needed
        if node.value == "&&":
            return left and right()
        if node.value == "||":
            return left or right()
        if node.value == "??":
            return right() if left is None else left
        return _COMPARE[node.value](left, right())

    def _eval_assert(self, node: Node, local: Values) -> Any:
        (value,) = self._parts(node, local)
        if value is None:
            raise BicepError(f"{node.parts[0].value} is not there and is said to be")
        return value

    def _eval_member(self, node: Node, local: Values) -> Any:
        name, safe = node.value
        target = self._value(node.parts[0], local)
        if isinstance(target, Resource | Later):
            return target.get(name)
        if safe and (target is None or name not in target):
            return None
        if not isinstance(target, Mapping) or name not in target:
            raise BicepError(f"{self._template.path.name}: no member {name}")
        return target[name]

    def _eval_index(self, node: Node, local: Values) -> Any:
        target, index = self._parts(node, local)
        return target[index]

    def _eval_call(self, node: Node, local: Values) -> Any:
        function = getattr(self, f"_call_{node.value}", None)
        if function is None:
            raise BicepError(f"{self._template.path.name}: unknown function {node.value}")
        return function(*self._parts(node, local))

    # ---- functions ----------------------------------------------------------------------------

    def _file(self, path: str) -> str:
        return (self._template.path.parent / path).read_text(encoding="utf-8")

    def _call_loadJsonContent(self, path: str) -> Any:  # noqa: N802 - Bicep's name
        return json.loads(self._file(path))

    def _call_loadTextContent(self, path: str) -> str:  # noqa: N802 - Bicep's name
        return self._file(path)

    def _call_toLower(self, text: str) -> str:  # noqa: N802 - Bicep's name
        return text.lower()

    def _call_uniqueString(self, *_parts: str) -> str:  # noqa: N802 - Bicep's name
        return "token"

    def _call_guid(self, *parts: Any) -> str:
        return f"guid({'|'.join(str(part) for part in parts)})"

    def _call_union(self, *parts: Values) -> Values:
        return reduce(lambda left, right: {**left, **right}, parts, {})

    def _call_filter(self, items: list[Any], keep: Callable[[Any], bool]) -> list[Any]:
        return [item for item in items if keep(item)]

    def _call_map(self, items: list[Any], change: Callable[[Any], Any]) -> list[Any]:
        return [change(item) for item in items]

    def _call_first(self, items: list[Any]) -> Any:
        return items[0] if items else None

    def _call_contains(self, container: Any, item: Any) -> bool:
        return item in container

    def _call_empty(self, value: Any) -> bool:
        return not value

    def _call_subscription(self) -> Values:
        return {"id": "/subscriptions/SUB", "subscriptionId": "SUB"}

    def _call_tenant(self) -> Values:
        return {"tenantId": "TENANT"}

    def _call_environment(self) -> Values:
        return {
            "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
            "suffixes": {"storage": "core.windows.net"},
        }

    def _call_subscriptionResourceId(self, type_: str, *names: str) -> str:  # noqa: N802
        return f"/{type_}/{'/'.join(names)}"


def _text_of(value: Any) -> Any:
    return str(value) if isinstance(value, Later) else value


def _resolved(value: Any) -> Any:
    """The same value with every `Later` inside as text."""
    if isinstance(value, Mapping):
        return {key: _resolved(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner) for inner in value]
    return _text_of(value)
