"""A query as a tree of values. Positions are for error texts and do not count in comparisons."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Literal:
    """A constant; `value` may be undefined."""

    value: Any


@dataclass(frozen=True)
class Parameter:
    """`@name`."""

    name: str


@dataclass(frozen=True)
class Name:
    """An identifier: an alias of FROM."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Member:
    """`base.name` or `base[key]`."""

    base: "Expr"
    key: "Expr"


@dataclass(frozen=True)
class Call:
    """A function, by its name in upper case; `written` is the name in the query's own letters."""

    name: str
    arguments: tuple["Expr", ...]
    position: int = field(default=0, compare=False)
    written: str = field(default="", compare=False)


@dataclass(frozen=True)
class Unary:
    """`+ - ~` and NOT."""

    operator: str
    operand: "Expr"


@dataclass(frozen=True)
class Binary:
    """Arithmetic, bitwise operators, concatenation, and comparisons."""

    operator: str
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True)
class Logical:
    """`AND`, `OR` or `??` over two or more operands."""

    operator: str
    operands: tuple["Expr", ...]


@dataclass(frozen=True)
class Between:
    """`value BETWEEN low AND high`."""

    value: "Expr"
    low: "Expr"
    high: "Expr"


@dataclass(frozen=True)
class In:
    """`value IN (choices)`."""

    value: "Expr"
    choices: tuple["Expr", ...]


@dataclass(frozen=True)
class Like:
    """`value LIKE pattern ESCAPE escape`."""

    value: "Expr"
    pattern: "Expr"
    escape: str | None


@dataclass(frozen=True)
class Ternary:
    """`condition ? then : otherwise`."""

    condition: "Expr"
    then: "Expr"
    otherwise: "Expr"


@dataclass(frozen=True)
class ObjectNode:
    """`{"name": expr}`."""

    pairs: tuple[tuple[str, "Expr"], ...]


@dataclass(frozen=True)
class ArrayNode:
    """`[expr, ...]`."""

    elements: tuple["Expr", ...]


@dataclass(frozen=True)
class Subquery:
    """A query within an expression; kind is `scalar`, `exists` or `array`."""

    kind: str
    query: "Query"


Expr = (
    Literal
    | Parameter
    | Name
    | Member
    | Call
    | Unary
    | Binary
    | Logical
    | Between
    | In
    | Like
    | Ternary
    | ObjectNode
    | ArrayNode
    | Subquery
)


@dataclass(frozen=True)
class Source:
    """One part of FROM: what is named `alias`, and whether its elements are gone through."""

    alias: str | None
    collection: Expr
    is_iteration: bool


@dataclass(frozen=True)
class Item:
    """One entry of a select list."""

    expr: Expr
    alias: str | None


@dataclass(frozen=True)
class Order:
    """One key of ORDER BY."""

    expr: Expr
    is_descending: bool


@dataclass(frozen=True)
class Query:
    """A whole query. `items` is None for `*`."""

    items: tuple[Item, ...] | None
    is_value: bool
    is_distinct: bool
    top: Expr | None
    sources: tuple[Source, ...]
    where: Expr | None
    group_by: tuple[Expr, ...]
    order_by: tuple[Order, ...]
    offset: Expr | None
    limit: Expr | None
