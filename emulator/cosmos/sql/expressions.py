"""From the tree of an expression to its operand in SQLite.

Called by `select`, which says what the names of FROM stand for. Constants are evaluated here;
what SQLite can express goes into SQL, and the rest calls back into `operators` and `functions`.

Source: specification, sections 8.1, 8.2 and 8.4.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulator.cosmos.errors import CosmosError, query_error
from emulator.cosmos.sql import ast, operators
from emulator.cosmos.sql.aggregates import NAMES as AGGREGATES
from emulator.cosmos.sql.comparisons import compare, contained
from emulator.cosmos.sql.functions import FUNCTIONS
from emulator.cosmos.sql.native import native_function
from emulator.cosmos.sql.operands import (
    Bindings,
    Condition,
    Const,
    Document,
    Json,
    Operand,
    PathOperand,
    Typed,
    balanced,
)
from emulator.cosmos.sql.sqlite_names import OPERATOR_NAMES
from emulator.cosmos.values import UNDEFINED, dump

# SQLite's limit on a function's arguments, less the one that holds the names.
_MAX_ARGUMENTS = 120


@dataclass
class Session:
    """What the compilation of one query shares.

    Attributes:
        parameters: the values of `@name`s; one that is missing is undefined.
        now: the instant of the query.
        is_careful: use the slow forms that are right for every value.
        bindings: what is bound to the statement.
        subquery: what compiles a query within an expression.
    """

    parameters: Mapping[str, Any]
    now: datetime
    is_careful: bool = False
    bindings: Bindings = field(default_factory=Bindings)
    subquery: "CompileSubquery | None" = None
    _aliases: int = 0

    def alias(self) -> str:
        """A new name for a table of array elements."""
        self._aliases += 1
        return f"j{self._aliases}"


Scope = Mapping[str, Operand]
CompileSubquery = Callable[["Expressions", ast.Subquery], Operand]


class Expressions:
    """Compiles expressions where the names of `scope` are known.

    `intercept`, where it is given, is asked first: it answers for aggregates and grouped
    expressions, and refuses names that are neither.
    """

    def __init__(
        self,
        session: Session,
        scope: Scope,
        intercept: Callable[[ast.Expr], Operand | None] | None = None,
    ) -> None:
        self.session = session
        self.scope = scope
        self._intercept = intercept

    def const(self, value: Any) -> Const:
        """A known value."""
        return Const(value, self.session.bindings)

    def compile(self, expr: ast.Expr, *, is_filter: bool = False) -> Operand:
        """The operand for an expression.

        Args:
            is_filter: only `true` counts, so that false and undefined may be taken for one another.
        Raises:
            CosmosError: 400 for a name that is not known, or a function that is not supported.
        """
        if self._intercept is not None:
            operand = self._intercept(expr)
            if operand is not None:
                return operand
        if is_filter and isinstance(expr, ast.Logical | ast.Binary | ast.In | ast.Between):
            return self._boolean(expr, is_filter=True)
        return _COMPILERS[type(expr)](self, expr)

    def truth(self, expr: ast.Expr) -> str:
        """An expression as a filter."""
        return self.compile(expr, is_filter=True).truth

    def _boolean(
        self, expr: ast.Logical | ast.Binary | ast.In | ast.Between, *, is_filter: bool = False
    ) -> Operand:
        bindings = self.session.bindings
        if isinstance(expr, ast.Logical):
            return self._logical(expr, is_filter=is_filter)
        if isinstance(expr, ast.In):
            choices = [self.compile(choice) for choice in expr.choices]
            return contained(self.compile(expr.value), choices, bindings, is_filter=is_filter)
        if isinstance(expr, ast.Between):
            low = ast.Binary(">=", expr.value, expr.low)
            high = ast.Binary("<=", expr.value, expr.high)
            return self._logical(ast.Logical("AND", (low, high)), is_filter=is_filter)
        left, right = self.compile(expr.left), self.compile(expr.right)
        if expr.operator in operators.COMPARISONS:
            return compare(expr.operator, left, right, bindings, is_filter=is_filter)
        if isinstance(left, Const) and isinstance(right, Const):
            return self.const(operators.BINARY[expr.operator](left.value, right.value))
        return Json(f"cosmos_{OPERATOR_NAMES[expr.operator]}({left.json}, {right.json})")

    def _logical(self, expr: ast.Logical, *, is_filter: bool) -> Operand:
        if expr.operator == "??":
            parts = [self.compile(operand) for operand in expr.operands]
            while len(parts) > 1 and isinstance(parts[0], Const) and parts[0].value is UNDEFINED:
                parts.pop(0)
            if len(parts) == 1:
                return parts[0]
            return Json("coalesce(" + ", ".join(part.json for part in parts) + ")")
        truths = [self.compile(operand, is_filter=is_filter).truth for operand in expr.operands]
        return Condition(balanced(expr.operator, truths))

    def _literal(self, expr: ast.Literal) -> Operand:
        return self.const(expr.value)

    def _parameter(self, expr: ast.Parameter) -> Operand:
        return self.const(self.session.parameters.get(expr.name, UNDEFINED))

    def _name(self, expr: ast.Name) -> Operand:
        if expr.name not in self.scope:
            raise query_error(
                "SC2001",
                f"Identifier '{expr.name}' could not be resolved.",
                expr.position,
                expr.position + len(expr.name),
            )
        return self.scope[expr.name]

    def _member(self, expr: ast.Member) -> Operand:
        base, key = self.compile(expr.base), self.compile(expr.key)
        if not isinstance(key, Const):
            return Json(f"cosmos_index({base.json}, {key.json})")
        return self.member(base, key.value)

    def member(self, base: Operand, key: Any) -> Operand:
        """`base[key]` for a known key."""
        if isinstance(base, Const):
            return self.const(operators.member(base.value, key))
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        is_name = isinstance(key, str)
        if isinstance(base, Typed | Condition) or not (is_name or type(key) is int):
            return self.const(UNDEFINED)
        if isinstance(base, Document):
            if not is_name:
                return self.const(UNDEFINED)
            found = base.member(key)
            text = f"{base.table}.body"
        else:
            found = base.member(key) if isinstance(base, PathOperand) else None
            text = base.json
        if found is not None:
            return found
        return Json(f"cosmos_get({text}, {self.session.bindings.add(dump([key]))})")

    def _unary(self, expr: ast.Unary) -> Operand:
        operand = self.compile(expr.operand)
        if expr.operator == "NOT":
            return Condition(f"(NOT {operand.truth})")
        if isinstance(operand, Const):
            return self.const(operators.unary(expr.operator, operand.value))
        sign = self.const(expr.operator).json
        return Json(f"cosmos_unary({sign}, {operand.json})")

    def _like(self, expr: ast.Like) -> Operand:
        value, pattern = self.compile(expr.value), self.compile(expr.pattern)
        if expr.escape is not None and len(expr.escape) != 1:
            raise query_error("SC2001", "The escape of LIKE must be one character.")
        if isinstance(value, Const) and isinstance(pattern, Const):
            return self.const(operators.like(value.value, pattern.value, expr.escape))
        escape = "NULL" if expr.escape is None else self.session.bindings.add(expr.escape)
        return Condition(f"cosmos_like({value.json}, {pattern.json}, {escape})")

    def _ternary(self, expr: ast.Ternary) -> Operand:
        condition = self.compile(expr.condition)
        if isinstance(condition, Const):
            return self.compile(expr.then if condition.value is True else expr.otherwise)
        then, otherwise = self.compile(expr.then), self.compile(expr.otherwise)
        return Json(f"(CASE {condition.truth} WHEN 1 THEN {then.json} ELSE {otherwise.json} END)")

    def _object(self, expr: ast.ObjectNode) -> Operand:
        names = [name for name, _ in expr.pairs]
        return self.object(names, [self.compile(value) for _, value in expr.pairs])

    def object(self, names: list[str], values: list[Operand]) -> Operand:
        """An object of operands, without those that are undefined."""
        _check_arguments(values)
        if all(isinstance(value, Const) for value in values):
            known = {n: v.value for n, v in zip(names, values, strict=True) if isinstance(v, Const)}
            return self.const({n: v for n, v in known.items() if v is not UNDEFINED})
        listed = ", ".join(value.json for value in values)
        return Json(f"cosmos_object({self.session.bindings.add(dump(names))}, {listed})")

    def _array(self, expr: ast.ArrayNode) -> Operand:
        values = [self.compile(element) for element in expr.elements]
        _check_arguments(values)
        if all(isinstance(value, Const) for value in values):
            known = [value.value for value in values if isinstance(value, Const)]
            return self.const([value for value in known if value is not UNDEFINED])
        return Json("cosmos_array(" + ", ".join(value.json for value in values) + ")")

    def _call(self, expr: ast.Call) -> Operand:
        if expr.name in AGGREGATES:
            raise query_error(
                "SC2102",
                f"The aggregate function '{expr.written}' cannot be used here.",
                expr.position,
                expr.position + len(expr.name),
            )
        if expr.name in ("GETCURRENTTIMESTAMP", "GETCURRENTDATETIME"):
            return self._clock(expr)
        if expr.name not in FUNCTIONS:
            raise query_error(
                "SC2005",
                f"'{expr.written}' is not a recognized built-in function name.",
                expr.position,
                expr.position + len(expr.name),
            )
        function, fewest, most = FUNCTIONS[expr.name]
        if not fewest <= len(expr.arguments) <= most:
            raise query_error(
                "SC2040",
                f"The {expr.written} function takes from {fewest} to {most} arguments.",
                expr.position,
                expr.position + len(expr.name),
            )
        arguments = [self.compile(argument) for argument in expr.arguments]
        if all(isinstance(argument, Const) for argument in arguments):
            return self.const(
                function(*[argument.value for argument in arguments if isinstance(argument, Const)])
            )
        native = native_function(expr.name, arguments, self.session.bindings, self.session.alias)
        if native is not None:
            return native
        listed = ", ".join(argument.json for argument in arguments)
        return Json(f"cosmos_fn_{expr.name.lower()}({listed})")

    def _clock(self, expr: ast.Call) -> Operand:
        now = self.session.now
        if expr.name == "GETCURRENTTIMESTAMP":
            return self.const(int(now.timestamp() * 1000))
        return self.const(now.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z")

    def _subquery(self, expr: ast.Subquery) -> Operand:
        assert self.session.subquery is not None
        return self.session.subquery(self, expr)


def _check_arguments(values: list[Operand]) -> None:
    if len(values) > _MAX_ARGUMENTS:
        raise CosmosError(
            400, f"An object or array of more than {_MAX_ARGUMENTS} expressions is not supported."
        )


_COMPILERS: dict[type, Callable[[Any, Any], Operand]] = {
    ast.Literal: Expressions._literal,
    ast.Parameter: Expressions._parameter,
    ast.Name: Expressions._name,
    ast.Member: Expressions._member,
    ast.Call: Expressions._call,
    ast.Unary: Expressions._unary,
    ast.Binary: Expressions._boolean,
    ast.Logical: Expressions._boolean,
    ast.Between: Expressions._boolean,
    ast.In: Expressions._boolean,
    ast.Like: Expressions._like,
    ast.Ternary: Expressions._ternary,
    ast.ObjectNode: Expressions._object,
    ast.ArrayNode: Expressions._array,
    ast.Subquery: Expressions._subquery,
}
