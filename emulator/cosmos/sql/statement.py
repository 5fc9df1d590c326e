"""The parts of a SELECT while it is put together."""

from dataclasses import dataclass, field

from emulator.cosmos.sql.operands import Document, Operand, PathOperand


@dataclass(frozen=True)
class Root:
    """The container a query runs on: its table, its items, and what limits which rows are seen."""

    table: str
    document: Document | PathOperand
    filters: tuple[str, ...] = ()


@dataclass
class Parts:
    """Clauses as they stand; `order` holds keys with their ways."""

    tables: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    order: list[tuple[str, str]] = field(default_factory=list)
    scope: dict[str, Operand] = field(default_factory=dict)
    is_outermost: bool = False

    def sql(self, columns: str, *, is_distinct: bool = False) -> str:
        """The statement for some columns."""
        text = f"SELECT {'DISTINCT ' if is_distinct else ''}{columns}"
        if self.tables:
            text += " FROM " + ", ".join(self.tables)
        if self.where:
            text += " WHERE " + " AND ".join(self.where)
        if self.group:
            text += " GROUP BY " + ", ".join(self.group)
        if self.order:
            text += " ORDER BY " + ", ".join(f"{key} {way}" for key, way in self.order)
        return text


def named_keys(parts: Parts) -> list[str]:
    """The keys of GROUP BY and ORDER BY as columns, so that both can go by their names.

    SQLite does not find an outer query's columns in these clauses of a subquery.
    """
    named = [f"{key} AS g{number}" for number, key in enumerate(parts.group)]
    named += [f"{key} AS s{number}" for number, (key, _) in enumerate(parts.order)]
    parts.group = [f"g{number}" for number in range(len(parts.group))]
    parts.order = [(f"s{number}", way) for number, (_, way) in enumerate(parts.order)]
    return named
