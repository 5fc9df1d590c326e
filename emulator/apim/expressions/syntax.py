"""The tree that the parser builds of an expression: what was written, not yet what it means."""

from dataclasses import dataclass

from emulator.apim.expressions.types import Type


@dataclass(frozen=True)
class Node:
    """Any part of an expression; `position` counts characters from 0."""

    position: int


@dataclass(frozen=True)
class Literal(Node):
    value: object
    type: Type


@dataclass(frozen=True)
class Interpolated(Node):
    parts: tuple["str | Node", ...]


@dataclass(frozen=True)
class Name(Node):
    name: str


@dataclass(frozen=True)
class Member(Node):
    target: Node
    name: str


@dataclass(frozen=True)
class Argument:
    value: Node
    name: str | None = None


@dataclass(frozen=True)
class Out(Node):
    """`out n` or `out var n`, as an argument."""

    name: str
    declares: bool


@dataclass(frozen=True)
class Call(Node):
    target: Member
    arguments: tuple[Argument, ...]
    type_arguments: tuple[Type, ...] = ()


@dataclass(frozen=True)
class Index(Node):
    target: Node
    index: Node


@dataclass(frozen=True)
class Conditional(Node):
    """`target?.rest`; in `rest` the target is a `Receiver`."""

    target: Node
    rest: Node


@dataclass(frozen=True)
class Receiver(Node):
    """What stands left of the nearest `?.` around it, known not to be null."""


@dataclass(frozen=True)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(frozen=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Ternary(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True)
class Cast(Node):
    type: Type
    operand: Node


@dataclass(frozen=True)
class New(Node):
    type: Type
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class NewArray(Node):
    element: Type | None
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Lambda(Node):
    parameter: str
    body: Node


@dataclass(frozen=True)
class Declare(Node):
    type: Type | None
    name: str
    value: Node | None


@dataclass(frozen=True)
class Assign(Node):
    name: str
    value: Node


@dataclass(frozen=True)
class If(Node):
    condition: Node
    then: Node
    otherwise: Node | None


@dataclass(frozen=True)
class Foreach(Node):
    type: Type | None
    name: str
    source: Node
    body: Node


@dataclass(frozen=True)
class Return(Node):
    value: Node


@dataclass(frozen=True)
class Block(Node):
    statements: tuple[Node, ...]
