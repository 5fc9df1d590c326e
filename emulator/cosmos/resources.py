"""Queries on databases, containers and offers: few and small, so they run in memory."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emulator.cosmos.sql.expressions import Session
from emulator.cosmos.sql.operands import PathOperand
from emulator.cosmos.sql.parser import parse_query
from emulator.cosmos.sql.select import compile_query
from emulator.cosmos.sql.sqlite import configure, refusal
from emulator.cosmos.sql.statement import Root
from emulator.cosmos.values import dump


def select_resources(
    text: str, parameters: Mapping[str, Any], resources: list[dict[str, Any]], now: datetime
) -> list[Any]:
    """What a query answers over a list of resources.

    Raises:
        CosmosError: 400 where the query is wrong.
    """
    session = Session(parameters, now, is_careful=True)
    plan = compile_query(parse_query(text), Root("r", PathOperand("d.body", "'$'")), session)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        configure(connection)
        connection.execute("CREATE TABLE r (seq INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        connection.executemany("INSERT INTO r (body) VALUES (?)", [(dump(r),) for r in resources])
        limit = -1 if plan.limit is None else plan.limit
        rows = connection.execute(
            f"{plan.sql} LIMIT {limit:d} OFFSET {plan.offset:d}", plan.bindings
        ).fetchall()
    except sqlite3.OperationalError as error:
        raise refusal() or error from error
    finally:
        connection.close()
    if plan.can_seek:
        rows = [row[1:] for row in rows]
    if plan.shape == "value":
        return [json.loads(row[0]) for row in rows if row[0] is not None]
    return [
        {n: json.loads(t) for n, t in zip(plan.names, row, strict=True) if t is not None}
        for row in rows
    ]
