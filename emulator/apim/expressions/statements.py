"""Compiles the statements of `@{ … }`: variables, `if`, `foreach`, `return`."""

from typing import Any

from emulator.apim.expressions import syntax as s
from emulator.apim.expressions.compiler import Compiler
from emulator.apim.expressions.errors import ExpressionError
from emulator.apim.expressions.operators import Code, Run, convert
from emulator.apim.expressions.types import NULL, OBJECT, VOID, Type, assignable, common, element_of
from emulator.apim.expressions.values import Frame, default_of, iterate

# What a statement gives when the next one is to run.
_NEXT = object()


class BlockCompiler(Compiler):
    """One block's compilation."""

    def __init__(self) -> None:
        super().__init__()
        self._returns: list[Type] = []

    def block(self, node: s.Block) -> Code:
        """The code of a whole `@{ … }`."""
        run = self._statement(node)
        if not _always_returns(node):
            raise ExpressionError("not every way through the block returns a value", node.position)
        kind: Type | None = self._returns[0]
        for other in self._returns[1:]:
            kind = None if kind is None else common(kind, other)
        return Code(kind or OBJECT, run)

    def _statement(self, node: s.Node) -> Run:
        match node:
            case s.Block():
                return self._sequence(node)
            case s.Return():
                code = self.code(node.value)
                self._returns.append(code.type)
                return code.run
            case s.If():
                return self._if(node)
            case s.Foreach():
                return self._foreach(node)
            case s.Declare():
                return self._declaration(node)
            case s.Assign():
                code = self.code(node.value)
                slot = self.variable(node.name, code.type, node.position)
                found = self._find(node.name)
                assert found is not None
                return _store(slot, convert(code, found[1]).run)
        raise ExpressionError("this is not a statement", node.position)

    def _sequence(self, node: s.Block) -> Run:
        self._scopes.append({})
        runs = [self._statement(statement) for statement in node.statements]
        self._scopes.pop()

        def run(frame: Frame) -> Any:
            for statement in runs:
                frame.step()
                value = statement(frame)
                if value is not _NEXT:
                    return value
            return _NEXT

        return run

    def _if(self, node: s.If) -> Run:
        condition = self._condition(node.condition)
        then = self._statement(node.then)
        otherwise = self._statement(node.otherwise) if node.otherwise else lambda _: _NEXT
        return lambda frame: then(frame) if condition(frame) else otherwise(frame)

    def _foreach(self, node: s.Foreach) -> Run:
        source = self.code(node.source)
        element = element_of(source.type)
        if element is None:
            raise ExpressionError(f"{source.type} cannot be enumerated", node.position)
        if node.type is not None and not assignable(element, node.type):
            raise ExpressionError(f"the elements are {element}, not {node.type}", node.position)
        self._scopes.append({})
        slot = self.declare(node.name, node.type or element, node.position)
        body = self._statement(node.body)
        self._scopes.pop()

        def run(frame: Frame) -> Any:
            for item in iterate(source.run(frame)):
                frame.step()
                frame.slots[slot] = item
                value = body(frame)
                if value is not _NEXT:
                    return value
            return _NEXT

        return run

    def _declaration(self, node: s.Declare) -> Run:
        if node.value is None:
            assert node.type is not None
            default = default_of(node.type)
            return _store(self.declare(node.name, node.type, node.position), lambda _: default)
        code = self.code(node.value)
        kind = node.type or code.type
        if kind in (NULL, VOID) or not assignable(code.type, kind):
            raise ExpressionError(f"{code.type} cannot be assigned to {node.name}", node.position)
        return _store(self.declare(node.name, kind, node.position), convert(code, kind).run)


def _store(slot: int, run: Run) -> Run:
    def store(frame: Frame) -> Any:
        frame.slots[slot] = run(frame)
        return _NEXT

    return store


def _always_returns(node: s.Node | None) -> bool:
    match node:
        case s.Return():
            return True
        case s.Block():
            return any(_always_returns(statement) for statement in node.statements)
        case s.If():
            return _always_returns(node.then) and _always_returns(node.otherwise)
    return False
