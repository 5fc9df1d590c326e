"""What an expression becomes in SQLite: one class for each form that is worth telling apart.

Every operand can give its JSON text (`json`, NULL for undefined) and its value as a condition
(`truth`: 1, 0, or NULL where it is not a boolean). A path also gives its type and its native value,
which is what an index can serve.

Source: specification, section 8.4.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from emulator.cosmos.sql.paths import path_suffix
from emulator.cosmos.values import UNDEFINED, dump

_RANKS = (
    "CASE {type} WHEN 'text' THEN 5 WHEN 'integer' THEN 4 WHEN 'real' THEN 4 "
    "WHEN 'true' THEN 3 WHEN 'false' THEN 2 WHEN 'null' THEN 1 WHEN 'array' THEN 6 "
    "WHEN 'object' THEN 7 ELSE 0 END"
)


def truth_of_json(sql: str) -> str:
    """A JSON text as a condition."""
    return f"(CASE {sql} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END)"


@dataclass
class Bindings:
    """Values bound to a statement, by name, so that their SQL may be repeated or left out."""

    values: dict[str, Any] = field(default_factory=dict)

    def add(self, value: Any) -> str:
        """The SQL for a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"


@dataclass(frozen=True)
class Const:
    """A value that is known; it may be undefined."""

    value: Any
    bindings: Bindings = field(repr=False, compare=False)

    @property
    def json(self) -> str:
        return "NULL" if self.value is UNDEFINED else self.bindings.add(dump(self.value))

    @property
    def truth(self) -> str:
        return str(int(self.value)) if isinstance(self.value, bool) else "NULL"

    @property
    def sort_keys(self) -> list[str]:
        return []


@dataclass(frozen=True)
class PathOperand:
    """A place in a JSON text: `document` is the text's SQL, `path` that of the path to it."""

    document: str
    path: str

    @property
    def json(self) -> str:
        return f"({self.document} -> {self.path})"

    @property
    def type(self) -> str:
        return f"json_type({self.document}, {self.path})"

    @property
    def native(self) -> str:
        return f"json_extract({self.document}, {self.path})"

    @property
    def truth(self) -> str:
        return truth_of_json(self.type)

    @property
    def sort_keys(self) -> list[str]:
        return [_RANKS.format(type=self.type), self.native]

    def member(self, key: str | int) -> "PathOperand | None":
        """A place below, or None where SQLite cannot follow."""
        suffix = path_suffix([key])
        if suffix is None:
            return None
        if self.path.startswith("("):
            return PathOperand(self.document, f"({self.path[1:-1]} || '{suffix}')")
        return PathOperand(self.document, f"{self.path[:-1]}{suffix}'")


@dataclass(frozen=True)
class Element(PathOperand):
    """An element of an array that is gone through: `json_each` knows its type and its value."""

    alias: str

    @property
    def type(self) -> str:
        return f"{self.alias}.type"

    @property
    def native(self) -> str:
        return f"{self.alias}.atom"


@dataclass(frozen=True)
class Typed:
    """A native value whose type is known: `text` or `number`. NULL is undefined."""

    native: str
    kind: str
    json: str

    truth = "NULL"

    @property
    def sort_keys(self) -> list[str]:
        return [self.native]


@dataclass(frozen=True)
class Condition:
    """A condition: 1, 0 or NULL."""

    truth: str

    @property
    def json(self) -> str:
        return f"(CASE {self.truth} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"

    @property
    def sort_keys(self) -> list[str]:
        # Never a bare number, which ORDER BY takes for the number of a column.
        return [f"coalesce({self.truth}, -1)"]


@dataclass(frozen=True)
class Json:
    """Anything else: SQL that gives a JSON text."""

    json: str

    @property
    def truth(self) -> str:
        return truth_of_json(self.json)

    @property
    def sort_keys(self) -> list[str]:
        return [f"cosmos_rank({self.json})", f"cosmos_native({self.json})"]


@dataclass(frozen=True)
class Document:
    """A whole item of the container, with its system properties."""

    table: str
    json: str
    system: dict[str, Typed]
    truth = "NULL"

    @property
    def sort_keys(self) -> list[str]:
        return [f"{self.table}.seq"]

    def member(self, key: str) -> PathOperand | Typed | None:
        """A property of the item, or None where SQLite cannot follow."""
        if key in self.system:
            return self.system[key]
        return PathOperand(f"{self.table}.body", "'$'").member(key)


Operand = Const | PathOperand | Typed | Condition | Json | Document


def balanced(operator: str, parts: list[str]) -> str:
    """Many conditions joined by AND or OR, nested as little as SQLite's limits ask for."""
    while len(parts) > 50:
        parts = [
            "(" + f" {operator} ".join(parts[at : at + 50]) + ")" for at in range(0, len(parts), 50)
        ]
    return "(" + f" {operator} ".join(parts) + ")"


Compile = Callable[[Any], Operand]
