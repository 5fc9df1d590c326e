"""Compiles a policy expression to closures, checking types on the way as C# does.

Nothing is looked up by name while an expression runs: members are resolved to functions, variables
to slots. What the library does not list is an error here, at load, with its place in the text.
"""

from collections.abc import Callable
from typing import Any

from emulator.apim.expressions import library
from emulator.apim.expressions import syntax as s
from emulator.apim.expressions.calls import Site, call
from emulator.apim.expressions.errors import ExpressionError, ExpressionFailure
from emulator.apim.expressions.library.regex import pattern
from emulator.apim.expressions.operators import Code, Run, binary, cast, convert, unary
from emulator.apim.expressions.types import (
    BOOL,
    INT,
    NULL,
    STRING,
    Type,
    array,
    assignable,
    common,
    is_namespace,
    nullable,
    unqualified,
)
from emulator.apim.expressions.values import (
    NULL_REFERENCE,
    Frame,
    limited,
    to_text,
)

CONTEXT = Type("Context")


class Compiler:
    """One expression's compilation.

    Attributes:
        size: how many slots a frame needs.
        reads: the messages (`request`, `response`) whose bodies the expression reads.
    """

    def __init__(self) -> None:
        self.size = 0
        self.reads: set[str] = set()
        self._scopes: list[dict[str, tuple[int, Type]]] = [{}]
        self._receivers: list[tuple[int, Type]] = []
        self._parts: dict[type[s.Node], Callable[[Any], Code]] = {
            s.Literal: self._literal,
            s.Interpolated: self._interpolated,
            s.Name: self._name,
            s.Member: self._member,
            s.Call: self._call,
            s.Index: self._index,
            s.Conditional: self._conditional,
            s.Receiver: self._receiver,
            s.Unary: lambda n: unary(n.operator, self.code(n.operand), n.position),
            s.Binary: self._binary,
            s.Ternary: self._ternary,
            s.Cast: lambda n: cast(self.code(n.operand), n.type, n.position),
            s.New: self._new,
            s.NewArray: self._new_array,
        }

    def code(self, node: s.Node) -> Code:
        """The code of an expression.

        Raises:
            ExpressionError: it uses what is not supported, or C# would refuse it.
        """
        part = self._parts.get(type(node))
        if part is None:
            raise ExpressionError("a lambda or `out` may only be an argument", node.position)
        return part(node)

    # Variables

    def declare(self, name: str, kind: Type, position: int) -> int:
        """The slot of a new variable."""
        if name == "context" or any(name in scope for scope in self._scopes):
            raise ExpressionError(f"the name {name} is taken", position)
        self._scopes[-1][name] = (self.size, kind)
        self.size += 1
        return self.size - 1

    def variable(self, name: str, kind: Type, position: int) -> int:
        """The slot of a variable that takes values of a type."""
        found = self._find(name)
        if found is None:
            raise ExpressionError(f"there is no variable {name}", position)
        if not assignable(kind, found[1]):
            raise ExpressionError(f"{name} is {found[1]}, not {kind}", position)
        return found[0]

    def _find(self, name: str) -> tuple[int, Type] | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def lambda_body(self, node: s.Lambda, kind: Type) -> tuple[Code, int]:
        """The code of a lambda's body, and the slot of its parameter."""
        self._scopes.append({})
        try:
            slot = self.declare(node.parameter, kind, node.position)
            return self.code(node.body), slot
        finally:
            self._scopes.pop()

    # Expressions

    def _literal(self, node: s.Literal) -> Code:
        value = node.value
        return Code(node.type, lambda _: value)

    def _interpolated(self, node: s.Interpolated) -> Code:
        runs: list[Run] = []
        for part in node.parts:
            if isinstance(part, str):
                runs.append(lambda _, text=part: text)  # type: ignore[misc]  # the default binds it
            else:
                runs.append(self.code(part).run)
        return Code(STRING, lambda frame: limited("".join(to_text(run(frame)) for run in runs)))

    def _name(self, node: s.Name) -> Code:
        if node.name == "context":
            return Code(CONTEXT, lambda frame: frame.context)
        found = self._find(node.name)
        if found is None:
            raise ExpressionError(f"the name {node.name} is not known", node.position)
        slot, kind = found
        return Code(kind, lambda frame: frame.slots[slot])

    def _owner(self, node: s.Node) -> str | None:
        """The type that a dotted name speaks of, if it is not a variable's."""
        path: list[str] = []
        while isinstance(node, s.Member):
            path.insert(0, node.name)
            node = node.target
        if not isinstance(node, s.Name) or node.name == "context" or self._find(node.name):
            return None
        path.insert(0, node.name)
        owner = unqualified(path)
        if owner in library.STATIC_TYPES:
            return owner
        if is_namespace(path) or any(
            unqualified(path[:end]) in library.STATIC_TYPES for end in range(1, len(path))
        ):
            return None
        known = ", ".join(sorted(library.STATIC_TYPES))
        raise ExpressionError(
            f"{'.'.join(path)} is not among the supported types ({known})", node.position
        )

    def _member(self, node: s.Member) -> Code:
        owner = self._owner(node.target)
        if owner is not None:
            found = library.statics(owner, node.name)
            if not found or found[0].parameters is not None:
                raise _unknown_member(owner, node, library.static_names(owner))
            return call(self, found, None, Site(node.position, node.name, (), ()))
        target = self.code(node.target)
        if target.type.name == "Nullable":
            return _nullable_member(target, node)
        found = [f for f in library.members(target.type, node.name) if f.parameters is None]
        if not found:
            raise _unknown_member(str(target.type), node, library.names(target.type))
        return call(self, found, target, Site(node.position, node.name, (), ()))

    def _call(self, node: s.Call) -> Code:
        name, target = node.target.name, node.target.target
        owner = self._owner(target)
        receiver = None if owner is not None else self.code(target)
        if owner is not None:
            found = library.statics(owner, name)
        else:
            assert receiver is not None
            found = library.members(receiver.type, name)
        found = [candidate for candidate in found if candidate.parameters is not None]
        if not found:
            kind = owner or str(receiver.type if receiver else "")
            known = (
                library.static_names(owner) if owner else library.names(receiver.type)  # type: ignore[union-attr]  # one of the two is set
            )
            raise _unknown_member(kind, node.target, known)
        if owner == "Regex":
            _check_pattern(node)
        return call(self, found, receiver, self._site(node, name, node.arguments))

    def _site(self, node: s.Node, name: str, arguments: tuple[s.Argument, ...]) -> Site:
        codes = tuple(
            None if isinstance(a.value, s.Lambda | s.Out) else self.code(a.value) for a in arguments
        )
        type_arguments = node.type_arguments if isinstance(node, s.Call) else ()
        return Site(node.position, name, arguments, codes, type_arguments)

    def _index(self, node: s.Index) -> Code:
        target = self.code(node.target)
        found = library.members(target.type, "[]")
        if not found:
            raise ExpressionError(f"{target.type} has no [ ]", node.position)
        return call(self, found, target, self._site(node, "[ ]", (s.Argument(node.index),)))

    def _conditional(self, node: s.Conditional) -> Code:
        target = self.code(node.target)
        if not (target.type.name == "Nullable" or assignable(NULL, target.type)):
            raise ExpressionError(f"{target.type} is never null; write `.`", node.position)
        slot, self.size = self.size, self.size + 1
        bare = target.type.args[0] if target.type.name == "Nullable" else target.type
        self._receivers.append((slot, bare))
        try:
            rest = self.code(node.rest)
        finally:
            self._receivers.pop()

        def run(frame: Frame) -> Any:
            value = target.run(frame)
            if value is None:
                return None
            frame.slots[slot] = value
            return rest.run(frame)

        return Code(nullable(rest.type), run)

    def _receiver(self, _: s.Receiver) -> Code:
        slot, kind = self._receivers[-1]
        return Code(kind, lambda frame: frame.slots[slot])

    def _binary(self, node: s.Binary) -> Code:
        left, right = self.code(node.left), self.code(node.right)
        return binary(node.operator, left, right, node.position)

    def _ternary(self, node: s.Ternary) -> Code:
        condition = self._condition(node.condition)
        then, otherwise = self.code(node.then), self.code(node.otherwise)
        kind = common(then.type, otherwise.type)
        if kind is None:
            raise ExpressionError(f"`? :` mixes {then.type} and {otherwise.type}", node.position)
        first, second = convert(then, kind).run, convert(otherwise, kind).run
        return Code(kind, lambda f: first(f) if condition(f) else second(f))

    def _condition(self, node: s.Node) -> Run:
        code = self.code(node)
        if code.type != BOOL:
            raise ExpressionError(f"a condition is a bool, not {code.type}", node.position)
        return code.run

    def _new(self, node: s.New) -> Code:
        found = library.statics(node.type.name, "new")
        if not found:
            raise ExpressionError(f"`new {node.type}` is not supported", node.position)
        return call(self, found, None, self._site(node, f"new {node.type}", node.arguments))

    def _new_array(self, node: s.NewArray) -> Code:
        items = [self.code(item) for item in node.items]
        element = node.element or self._best_element(items, node.position)
        for item in items:
            if not assignable(item.type, element):
                raise ExpressionError(f"{item.type} is not {element}", node.position)
        runs = [convert(item, element).run for item in items]
        return Code(array(element), lambda frame: [run(frame) for run in runs])

    def _best_element(self, items: list[Code], position: int) -> Type:
        kinds: Type | None = items[0].type if items else None
        for item in items[1:]:
            kinds = None if kinds is None else common(kinds, item.type)
        if kinds is None or kinds == NULL:
            raise ExpressionError(
                "the array's type cannot be told; write new string[] {…}", position
            )
        return kinds


def _unknown_member(kind: str, node: s.Member, known: list[str]) -> ExpressionError:
    return ExpressionError(
        f"{kind} has no supported member {node.name} (supported: {', '.join(known)})", node.position
    )


def _nullable_member(target: Code, node: s.Member) -> Code:
    if node.name == "HasValue":
        return Code(BOOL, lambda frame: target.run(frame) is not None)
    if node.name != "Value":
        raise ExpressionError(f"{target.type} may be null; write ?.{node.name}", node.position)

    def run(frame: Frame) -> Any:
        value = target.run(frame)
        if value is None:
            raise ExpressionFailure(NULL_REFERENCE)
        return value

    return Code(target.type.args[0], run)


def _check_pattern(node: s.Call) -> None:
    """Refuse a literal pattern that could not run."""
    if len(node.arguments) > 1 and isinstance(node.arguments[1].value, s.Literal):
        try:
            pattern(str(node.arguments[1].value.value))
        except ExpressionFailure as failure:
            raise ExpressionError(str(failure), node.position) from failure


__all__ = ["CONTEXT", "INT", "Compiler"]
