"""Queries on a container: which rows they may see, and page by page what they answer.

Runs on a reader's connection. The whole of a query is answered here; nothing is left to be merged
by the client. The language is in `sql`, the tokens in `paging`.

Source: specification, sections 7, 8 and 10.
"""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from emulator.cosmos.autoindex import SLOW_S, wanted_columns
from emulator.cosmos.errors import CosmosError, bad_request, not_found, query_error
from emulator.cosmos.model import Container
from emulator.cosmos.paging import (
    PAGE_BYTES,
    Position,
    digest,
    read_token,
    write_token,
)
from emulator.cosmos.partition import Range
from emulator.cosmos.scope import QueryRequest, document_of, keys_of, root_of
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.expressions import Session
from emulator.cosmos.sql.parser import parse_query
from emulator.cosmos.sql.select import Plan, compile_query
from emulator.cosmos.sql.sqlite import refusal
from emulator.cosmos.sql.statement import Root
from emulator.cosmos.sql.walk import has_aggregate
from emulator.cosmos.strict import Generosity
from emulator.cosmos.values import dump

# The client gives up after 65 seconds; a query that nobody waits for must not hold a reader.
_TIME_LIMIT_S = 60.0


@dataclass(frozen=True)
class Page:
    """A page of results as JSON texts; without a token it is the last.

    `index` names the columns of an index for want of which the page was slow.
    """

    rows: list[str]
    token: str | None
    index: tuple[str, ...] = ()


def read_parameters(given: Any) -> dict[str, Any]:
    """The parameters of a query's body, by name.

    Raises:
        CosmosError: 400 for a name without `@`, or one that comes twice.
    """
    parameters: dict[str, Any] = {}
    if given is None:
        return parameters
    if not isinstance(given, list):
        raise bad_request("The parameters of a query must be an array.")
    for entry in given:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name.startswith("@") or len(name) < 2:
            raise bad_request("The name of a query's parameter must start with '@'.")
        if name in parameters:
            raise bad_request(f"The query's parameter '{name}' is given more than once.")
        if "value" in entry:
            parameters[name] = entry["value"]
    return parameters


def run_query(
    connection: sqlite3.Connection,
    container: Container,
    request: QueryRequest,
    now: datetime,
    generosity: Generosity | None = None,
) -> Page:
    """One page of a query's answer.

    Args:
        generosity: what to do about queries that the service would refuse; None allows them.
    Raises:
        CosmosError: 400 for what is wrong with the query, its scope or its token.
    """
    tree = parse_query(request.text)
    keys, is_one = keys_of(tree, container, request)
    if has_aggregate(tree) and not tree.group_by and not tree.is_value and not is_one:
        raise bad_request(
            "Cross partition query only supports 'VALUE <AggregateFunc>' for aggregates."
        )
    if generosity is not None:
        generosity.check(request.text, tree, container, is_one=is_one)
    asked = digest(container.rid, request.text, dict(request.parameters), request.keys)
    position = read_token(request.token, asked)
    run = _Run(connection, container, tree, request, now, keys, is_one)
    started = time.monotonic()
    page = _page(run, position)
    if time.monotonic() - started < SLOW_S:
        return page
    can_seek = not (has_aggregate(tree) or tree.order_by or tree.group_by or tree.is_distinct)
    return replace(page, index=wanted_columns(tree, request.parameters, can_seek=can_seek))


def _page(run: "_Run", position: Position) -> Page:
    if not position.is_careful:
        try:
            return run.page(position)
        except _Careful:
            # Start over in the form that is right for every value; the token remembers.
            position = replace(position, is_careful=True)
    return run.page(position)


class _Careful(Exception):
    """The fast form of a query met values that it is not right for."""


def _execute(connection: sqlite3.Connection, sql: str, bindings: dict[str, Any]) -> Iterator[Any]:
    end = time.monotonic() + _TIME_LIMIT_S
    # Asked every so many steps of SQLite; true stops the statement.
    connection.set_progress_handler(lambda: time.monotonic() > end, 200_000)
    try:
        yield from connection.execute(sql, bindings)
    except sqlite3.OperationalError as error:
        raise _explained(error) from error
    finally:
        connection.set_progress_handler(None, 0)


def _explained(error: sqlite3.OperationalError) -> Exception:
    refused = refusal()
    text = str(error)
    if refused is not None:
        return refused
    if text == "interrupted":
        return CosmosError(
            408, f"The query ran for more than {_TIME_LIMIT_S:.0f} seconds and was stopped."
        )
    if "integer overflow" in text:
        return _Careful()
    if "no such table: c" in text:
        return not_found(1003)
    if "too many" in text or "too large" in text or "depth" in text or "stack overflow" in text:
        return query_error("SC1000", "The query is too large or nested too deeply.")
    return error


@dataclass
class _Run:
    """The run of one query, for one page."""

    connection: sqlite3.Connection
    container: Container
    tree: ast.Query
    request: QueryRequest
    now: datetime
    keys: Range
    is_one: bool

    def page(self, position: Position) -> Page:
        """The page that starts at a position."""
        session = Session(self.request.parameters, self.now, position.is_careful)
        now = int(self.now.timestamp())
        root = root_of(self.container, self.keys, now, session, position)
        plan = compile_query(self.tree, root, session)
        plan.undefined_is_null = plan.undefined_is_null and not self.is_one
        wanted, skip = self.request.size, 0
        if not plan.can_seek:
            skip = plan.offset + position.offset
            if plan.limit is not None:
                wanted = min(wanted, max(plan.limit - position.offset, 0))
        if plan.is_grouped:
            rows = iter(self._groups(plan, session)[skip : skip + wanted + 1])
        else:
            sql = f"{plan.sql} LIMIT :limit OFFSET :offset"
            bindings = {**plan.bindings, "limit": wanted + 1, "offset": skip}
            rows = _execute(self.connection, sql, bindings)
        return self._fill(plan, position, rows, wanted)

    def _groups(self, plan: Plan, session: Session) -> list[Any]:
        """All groups; they have to be computed for any page, and must be told apart rightly."""
        rows = list(_execute(self.connection, plan.sql, plan.bindings))
        if not session.is_careful and any(
            isinstance(value, str) and value[:1] in ("[", "{") for row in rows for value in row
        ):
            raise _Careful
        return rows

    def _fill(self, plan: Plan, position: Position, rows: Iterator[Any], wanted: int) -> Page:
        texts: list[str] = []
        taken, total, last = 0, 0, position.seq
        has_more = False
        for row in rows:
            if taken == wanted or total > PAGE_BYTES:
                has_more = True
                break
            taken += 1
            text = _row_text(plan, self.container, row)
            if plan.can_seek:
                last = row[0]
            if text is not None:
                texts.append(text)
                total += len(text)
        offset = 0 if plan.can_seek else position.offset + taken
        if plan.limit is not None:
            has_more = has_more and offset < plan.limit
        if not has_more:
            return Page(texts, None)
        return Page(texts, write_token(replace(position, seq=last, offset=offset)))


def _row_text(plan: Plan, container: Container, row: tuple[Any, ...]) -> str | None:
    if plan.shape == "document":
        seq, lsn, ts, body = row
        return f"{body[:-1]}{container.system_text(seq, lsn, ts)}"
    if plan.can_seek:
        row = row[1:]
    if plan.shape == "value":
        text: str | None = row[0]
        return "null" if text is None and plan.undefined_is_null else text
    pairs = [
        f"{dump(name)}:{text}"
        for name, text in zip(plan.names, row, strict=True)
        if text is not None
    ]
    return "{" + ",".join(pairs) + "}"


def is_true_for(
    connection: sqlite3.Connection, container: Container, seq: int, condition: str, now: datetime
) -> bool:
    """Whether a patch's condition (`from c where ...`) is true for one item.

    Raises:
        CosmosError: 400 where the condition is not such a text.
    """
    tree = parse_query(f"SELECT VALUE 1 {condition}")
    session = Session({}, now)
    root = Root(container.table, document_of(container), (f"d.seq = {seq:d}",))
    plan = compile_query(tree, root, session)
    return any(True for _ in _execute(connection, plan.sql, plan.bindings))
