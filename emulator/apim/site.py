"""What a policy module is given to compile an element with, and what it makes: steps and values.

A `Step` is awaited once per call and returns True to end the pipeline. A `Value` is an attribute or
text, literal or expression. All checks happen here, at load; problems are collected, not raised, so
that a user sees all of them at once.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.errors import PolicyError, Problem, body_too_large, expression_failed
from emulator.apim.expressions import (
    Expression,
    ExpressionError,
    ExpressionFailure,
    compile_text,
    is_expression,
)
from emulator.apim.expressions.values import parse_bool, parse_int, to_text
from emulator.apim.messages import BodyTooLarge
from emulator.apim.named_values import substitute

Step = Callable[[Context], Awaitable[bool]]
INBOUND, BACKEND, OUTBOUND, ON_ERROR = "inbound", "backend", "outbound", "on-error"
SECTIONS = (INBOUND, BACKEND, OUTBOUND, ON_ERROR)
EVERYWHERE = frozenset(SECTIONS)


@dataclass(frozen=True)
class Value:
    """An attribute's or text node's value."""

    constant: str
    expression: Expression | None = None

    def get(self, context: Context) -> Any:
        """The value as it is: text, or whatever the expression gives."""
        return self.constant if self.expression is None else self.expression.evaluate(context)

    def text(self, context: Context) -> str:
        """The value as text; null is empty."""
        if self.expression is None:
            return self.constant
        return to_text(self.expression.evaluate(context))

    def integer(self, context: Context) -> int:
        """The value as an int, or a text that is one."""
        value = self.get(context)
        number = parse_int(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int):
            raise ExpressionFailure(f"{value!r} is not a whole number.")
        return number

    def boolean(self, context: Context) -> bool:
        """The value as a bool, or a text that is one."""
        value = self.get(context)
        found = parse_bool(value) if isinstance(value, str) else value
        if not isinstance(found, bool):
            raise ExpressionFailure(f"{value!r} is not a Boolean.")
        return found


@dataclass(frozen=True)
class Policy:
    """A kind of policy.

    Attributes:
        sections: where it may stand.
        attributes: those it knows, beside `id`; True for those that must be there.
        children: the child elements it knows; None if it looks itself.
        compile: makes the step of an element that has passed these checks.
    """

    name: str
    sections: frozenset[str]
    compile: Callable[[Element, "Site"], Step]
    attributes: dict[str, bool] = field(default_factory=dict)
    children: frozenset[str] | None = frozenset()


@dataclass
class Scope:
    """A policy document's place: `kind` is global, product, api or operation."""

    kind: str
    id: str
    file: str


@dataclass
class Environment:
    """What holds for a whole load.

    Attributes:
        named_values: name to value.
        used: the named values that were mentioned.
        cors: the rule of each `cors` step, for preflight requests.
        rate_limits_by_key: whether the tier has `rate-limit-by-key`.
        backends: the backends by id.
        known: `policies.registry`'s table; handed in, since policies nest.
    """

    named_values: dict[str, str]
    backends: dict[str, Any]
    known: dict[str, Policy]
    rate_limits_by_key: bool = True
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    cors: dict["Step", Any] = field(default_factory=dict)


class Site:
    """Where an element stands while it is compiled.

    Attributes:
        base: the steps that `<base />` stands for in this section.
    """

    def __init__(self, environment: Environment, scope: Scope, section: str, base: list[Step]):
        self.environment = environment
        self.scope = scope
        self.section = section
        self.base = base
        self._reads: set[str] = set()

    def problem(self, element: Element, text: str) -> None:
        """Note what is wrong with an element."""
        self.environment.problems.append(Problem(self.scope.file, element.line, text))

    # Values

    def attribute(self, element: Element, name: str, default: str = "") -> Value:
        """An attribute that may be an expression."""
        return self._value(element, element.attributes.get(name, default))

    def literal(self, element: Element, name: str, default: str = "") -> str:
        """An attribute that may hold named values, but no expression."""
        value = self._value(element, element.attributes.get(name, default))
        if value.expression is not None:
            self.problem(element, f"the attribute {name} takes no expression")
        return value.constant

    def flag(self, element: Element, name: str, *, default: bool) -> bool:
        """A literal `true` or `false`."""
        text = self.literal(element, name, str(default))
        found = parse_bool(text)
        if found is None:
            self.problem(element, f"the attribute {name} is {text!r}, not true or false")
        return bool(found)

    def number(self, element: Element, name: str, default: int, *, low: int, high: int) -> Value:
        """An attribute that is a whole number, or an expression that gives one."""
        value = self.attribute(element, name, str(default))
        if value.expression is None:
            number = parse_int(value.constant)
            if number is None or not low <= number <= high:
                self.problem(
                    element,
                    f"the attribute {name} is {value.constant!r}, not a whole number from {low} "
                    f"to {high}",
                )
        return value

    def content(self, element: Element, *, trim: bool = True) -> Value:
        """The text of an element. Assumed: blanks around an expression do not count."""
        text = element.text
        return self._value(element, text.strip() if trim or is_expression(text.strip()) else text)

    def _value(self, element: Element, text: str) -> Value:
        environment = self.environment
        text, used, missing = substitute(text, environment.named_values)
        environment.used |= used
        for name in missing:
            self.problem(element, f"there is no named value {name}")
        if missing or not is_expression(text):
            return Value(text)
        try:
            expression = compile_text(text)
        except ExpressionError as error:
            self.problem(element, f"expression, character {error.position + 1}: {error}")
            return Value("")
        self._reads |= expression.reads
        return Value("", expression)

    # Elements

    def steps(self, elements: Iterable[Element]) -> list[Step]:
        """The steps of the policies among some elements, in order."""
        made: list[Step] = []
        for element in elements:
            if element.name == "base":
                made += self._base(element)
                continue
            step = self._step(element)
            if step is not None:
                made.append(step)
        return made

    def _base(self, element: Element) -> list[Step]:
        if element.attributes or element.children or element.text.strip():
            self.problem(element, "base takes nothing")
        return self.base

    def _step(self, element: Element) -> Step | None:
        policy = self.environment.known.get(element.name)
        if policy is None:
            self.problem(element, f"the policy {element.name} is not supported")
            return None
        if self.section not in policy.sections:
            self.problem(element, f"the policy {element.name} is not allowed in {self.section}")
            return None
        if not self.check(element, policy.attributes, policy.children):
            return None
        outer, self._reads = self._reads, set()
        inner = policy.compile(element, self)
        step = _guarded(element, self.scope, inner, frozenset(self._reads))
        self._reads = outer
        if inner in self.environment.cors:
            self.environment.cors[step] = self.environment.cors[inner]
        return step

    def check(
        self, element: Element, attributes: dict[str, bool], children: frozenset[str] | None
    ) -> bool:
        """Whether the element has all it needs and nothing that is not known."""
        before = len(self.environment.problems)
        for name in element.attributes:
            if name != "id" and name not in attributes:
                self.problem(element, f"{element.name} has no attribute {name}")
        for name, required in attributes.items():
            if required and name not in element.attributes:
                self.problem(element, f"{element.name} needs the attribute {name}")
        if children is not None:
            for child in element.children:
                if child.name not in children:
                    self.problem(child, f"{element.name} takes no element {child.name}")
        if element.children and element.text.strip():
            self.problem(element, f"{element.name} takes no text beside its elements")
        return len(self.environment.problems) == before

    def only(self, element: Element, name: str) -> Element | None:
        """The one child of that name; a second is a problem."""
        found = [child for child in element.children if child.name == name]
        for second in found[1:]:
            self.problem(second, f"{element.name} takes one {name}")
        return found[0] if found else None


def _guarded(element: Element, scope: Scope, inner: Step, reads: frozenset[str]) -> Step:
    """The step with what every policy has: its name in errors, and the bodies it reads loaded."""
    name, policy_id = element.name, element.attributes.get("id", "")

    async def step(context: Context) -> bool:
        if context.notes is not None:
            context.notes.append(f"{scope.kind}/{name}")
        try:
            if reads:
                await load_bodies(context, reads)
            return await inner(context)
        except ExpressionFailure as failure:
            error = expression_failed(name, str(failure))
        except BodyTooLarge:
            error = body_too_large(name)
        except PolicyError as raised:
            if not raised.scope:
                raised.policy_id, raised.scope = policy_id, scope.kind
            raise
        error.policy_id, error.scope = policy_id, scope.kind
        raise error

    return step


async def load_bodies(context: Context, reads: frozenset[str]) -> None:
    """Bring into memory what an expression is about to read."""
    if "request" in reads:
        await context.request.body.load()
    if "response" in reads and context.response is not None:
        await context.response.body.load()


async def run(steps: Iterable[Step], context: Context) -> bool:
    """Run steps until one ends the pipeline; whether one did."""
    for step in steps:
        if await step(context):
            return True
    return False
