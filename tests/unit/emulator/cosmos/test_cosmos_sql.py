"""The compiler: trees, plans, the use of indexes, and limits."""

from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.cosmos.autoindex import wanted_columns
from emulator.cosmos.catalogue import Live
from emulator.cosmos.errors import CosmosError
from emulator.cosmos.indexes import create_index
from emulator.cosmos.paging import Position
from emulator.cosmos.partition import EVERYTHING
from emulator.cosmos.scope import root_of
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.expressions import Session
from emulator.cosmos.sql.parser import parse_query
from emulator.cosmos.sql.paths import json_path
from emulator.cosmos.sql.select import Plan, compile_query
from emulator.cosmos.sql.walk import pinned_values
from emulator.cosmos.strict import Generosity, refusal_of_service
from tests.support.cosmos_memory import MemoryContainer

NOW = datetime(2026, 11, 20, tzinfo=UTC)
INDEXED = {
    "indexingPolicy": {
        "includedPaths": [{"path": "/customerId/?"}, {"path": "/a/b/?"}, {"path": "/x/*"}],
        "excludedPaths": [{"path": "/*"}],
        "compositeIndexes": [
            [
                {"path": "/status", "order": "ascending"},
                {"path": "/_ts", "order": "descending"},
            ]
        ],
    }
}


def condition(text: str) -> Any:
    return parse_query(f"SELECT * FROM c WHERE {text}").where


def plan(container: MemoryContainer, text: str, **parameters: Any) -> Plan:
    session = Session({f"@{name}": value for name, value in parameters.items()}, NOW)
    root = root_of(container.container, EVERYTHING, 0, session, Position(""))
    return compile_query(parse_query(text), root, session)


def steps(container: MemoryContainer, text: str, **parameters: Any) -> str:
    """SQLite's own account of how it would go about a query."""
    made = plan(container, text, **parameters)
    rows = container.connection.execute(f"EXPLAIN QUERY PLAN {made.sql} LIMIT 50", made.bindings)
    return "; ".join(row[3] for row in rows)


@pytest.fixture(scope="module")
def container() -> MemoryContainer:
    made = MemoryContainer(INDEXED)
    made.put(*[{"id": str(n), "status": "new", "customerId": f"C{n}"} for n in range(50)])
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT VALUE 1 FROM c WHERE c.id = 'a'", "INDEX sqlite_autoindex_c1_1 (id=?)"),
        ("SELECT * FROM c WHERE c.id IN ('a', 'b')", "(id=?)"),
        ("SELECT * FROM c ORDER BY c._ts DESC OFFSET 0 LIMIT 50", "SCAN d USING INDEX c1_ts"),
        ("SELECT * FROM c WHERE c.customerId = @v", "SEARCH d USING INDEX"),
        ("SELECT VALUE COUNT(1) FROM c WHERE c.customerId > 'C'", "SEARCH d USING INDEX"),
        ("SELECT VALUE COUNT(1) FROM c WHERE 3 < c.customerId", "SEARCH d USING INDEX"),
        ("SELECT * FROM c WHERE c.customerId IN (@v, 'x')", "SEARCH d USING INDEX"),
        ("SELECT * FROM c WHERE c.a.b = 1", "SEARCH d USING INDEX"),
        ("SELECT VALUE MAX(c.z) FROM c WHERE c['a']['b'] >= 1", "SEARCH d USING INDEX"),
        ("SELECT * FROM c WHERE c.status = @v ORDER BY c._ts DESC", "SEARCH d USING INDEX"),
        ("SELECT VALUE COUNT(1) FROM c WHERE c._ts >= 5", "SEARCH d USING COVERING INDEX c1_ts"),
    ],
)
def test_indexes_serve_what_they_are_made_for(
    container: MemoryContainer, text: str, expected: str
) -> None:
    found = steps(container, text, v="new")
    assert expected in found
    # Only the few rows that were found by id or IN are sorted.
    assert "TEMP B-TREE" not in found or " IN " in text or "(id=?)" in found


@pytest.mark.parametrize(
    ("text", "can_seek"),
    [
        ("SELECT * FROM c", True),
        ("SELECT c.id FROM c WHERE c.x = 1", True),
        ("SELECT VALUE c.id FROM c", True),
        ("SELECT * FROM c ORDER BY c.x", False),
        ("SELECT TOP 5 * FROM c", False),
        ("SELECT * FROM c OFFSET 0 LIMIT 5", False),
        ("SELECT DISTINCT c.x FROM c", False),
        ("SELECT c.x FROM c GROUP BY c.x", False),
        ("SELECT VALUE COUNT(1) FROM c", False),
        ("SELECT VALUE x FROM c JOIN x IN c.list", False),
        ("SELECT VALUE x FROM x IN c.list", False),
        ("SELECT 1", False),
    ],
)
def test_only_rows_in_order_of_age_can_go_on_by_number(
    container: MemoryContainer, text: str, can_seek: bool
) -> None:
    assert plan(container, text).can_seek is can_seek


def test_operators_bind_as_they_should() -> None:
    assert condition("a.x = 1 OR b.x = 2 AND NOT c.x = 3") == condition(
        "(a.x = 1) OR ((b.x = 2) AND (NOT (c.x = 3)))"
    )
    assert condition("c.a + c.b * c.d = -c.e") == condition("(c.a + (c.b * c.d)) = (-c.e)")
    assert condition("c.a ?? c.b OR c.d") == condition("c.a ?? (c.b OR c.d)")
    assert condition("c.a || c.b = 'x'") == condition("(c.a || c.b) = 'x'")
    assert condition("c.a BETWEEN 1 AND 2 AND c.b") == condition("(c.a BETWEEN 1 AND 2) AND c.b")
    assert condition("c.a ? 1 : c.b ? 2 : 3") == condition("c.a ? 1 : (c.b ? 2 : 3)")


def test_words_of_the_language_are_names_where_a_name_is_meant() -> None:
    words = ["order", "value", "group", "top", "select", "from", "where", "in", "array", "not"]
    for word in words:
        assert condition(f"c.{word} = 1").left == condition(f"c['{word}'] = 1").left
        query = parse_query(f"SELECT c.x AS {word} FROM c")
        assert query.items is not None
        assert query.items[0].alias == word


def test_texts_and_numbers_are_read_as_written() -> None:
    for text, value in (
        ("'it''s'".replace("''", "\\'"), "it's"),
        ('"a\\"b"', 'a"b'),
        ("'\\u0041\\n\\/'", "A\n/"),
        ("'\\ud83d\\ude00'", "😀"),
        ("1", 1),
        ("1.50", 1.5),
        (".5", 0.5),
        ("2e3", 2000),
        ("-7", -7),
        ("12345678901234567890", 12345678901234567890.0),
    ):
        assert condition(f"c.x = {text}").right == ast.Literal(value)


def test_very_long_chains_and_very_deep_nests_have_an_answer(container: MemoryContainer) -> None:
    many = " OR ".join(f"(c.id = '{n}' AND c.x = {n})" for n in range(3000))
    assert container.query(f"SELECT VALUE c.id FROM c WHERE {many}") == []
    long = "+".join(["1"] * 150)
    assert container.query(f"SELECT VALUE {long}") == [150]
    deep = f"{'(' * 3000}c.x{')' * 3000}"
    assert container.query(f"SELECT VALUE c.id FROM c WHERE {deep} = 1") == []
    with pytest.raises(CosmosError):
        container.query(f"SELECT VALUE {'+'.join(['c.x'] * 5000)} FROM c")
    with pytest.raises(CosmosError, match="maximum limit"):
        container.query("SELECT * FROM c WHERE c.x = '" + "x" * 600_000 + "'")


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (["a"], "'$.a'"),
        (["a", 0, "b"], "'$.a[0].b'"),
        (["a b"], "'$.\"a b\"'"),
        (["it's"], "'$.\"it''s\"'"),
        (["a.b[0]"], "'$.\"a.b[0]\"'"),
        (['q"'], None),
        (["\\"], None),
        (["\n"], None),
        ([""], None),
        ([-1], None),
    ],
)
def test_paths_are_quoted_or_left_to_python(segments: Any, expected: str | None) -> None:
    assert json_path(segments) == expected


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("c.pk = 'x'", ["x"]),
        ("'x' = c.pk", ["x"]),
        ("c['pk'] = @v AND c.n > 1", [7]),
        ("c.n > 1 AND (c.m = 2 AND c.pk = null)", [None]),
        ("c.pk = 'x' OR c.n = 1", None),
        ("NOT c.pk = 'x'", None),
        ("c.pk > 'x'", None),
        ("c.pk = c.n", None),
        ("c.pk = [1]", None),
        ("c.pk = @missing", None),
        ("c.pk.inner = 'x'", None),
    ],
)
def test_query_is_pinned_to_one_key_only_by_top_level_equality(text: str, values: Any) -> None:
    query = parse_query(f"SELECT * FROM c WHERE {text}")
    assert pinned_values(query, {"@v": 7}, (("pk",),)) == values


@pytest.mark.parametrize(
    ("text", "is_one", "refused"),
    [
        ("SELECT c.x, COUNT(1) AS n FROM c GROUP BY c.x", False, True),
        ("SELECT c.x, COUNT(1) AS n FROM c GROUP BY c.x", True, False),
        ("SELECT c.x FROM c GROUP BY c.x ORDER BY c.x", True, True),
        ("SELECT * FROM c ORDER BY c.x, c.y", False, True),
        ("SELECT * FROM c ORDER BY c.status, c._ts DESC", False, False),
        ("SELECT * FROM c ORDER BY c.status DESC, c._ts", False, False),
        ("SELECT * FROM c ORDER BY c.status, c._ts", False, True),
        ("SELECT * FROM c ORDER BY c.x", False, False),
    ],
)
def test_strict_account_refuses_what_the_service_would(
    container: MemoryContainer, text: str, is_one: bool, refused: bool
) -> None:
    tree = parse_query(text)
    assert (refusal_of_service(tree, container.container, is_one=is_one) is not None) == refused
    strict = Generosity(is_strict=True)
    if refused:
        with pytest.raises(CosmosError):
            strict.check(text, tree, container.container, is_one=is_one)
    else:
        strict.check(text, tree, container.container, is_one=is_one)


def test_generous_account_says_it_once(
    container: MemoryContainer, caplog: pytest.LogCaptureFixture
) -> None:
    generosity = Generosity(is_strict=False)
    text = "SELECT * FROM c ORDER BY c.x, c.y"
    for _ in range(3):
        generosity.check(text, parse_query(text), container.container, is_one=False)
    assert len(caplog.records) == 1
    assert "would refuse" in caplog.text


def test_time_of_a_query_is_that_of_the_account(container: MemoryContainer) -> None:
    assert container.query("SELECT VALUE GetCurrentTimestamp()") == [1795167000000]
    assert container.query("SELECT VALUE GetCurrentDateTime()") == ["2026-11-20T09:30:00.0000000Z"]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT * FROM c WHERE c.a = 1", ["json_extract(body, '$.a')"]),
        ("SELECT * FROM c WHERE 'x' = c.a.b AND c.d = 1", ["json_extract(body, '$.a.b')"]),
        ("SELECT * FROM r WHERE r.a IN (1, 2)", ["json_extract(body, '$.a')"]),
        ("SELECT VALUE COUNT(1) FROM c WHERE c.a > @v", ["json_extract(body, '$.a')"]),
        ("SELECT VALUE COUNT(1) FROM c WHERE c.a BETWEEN 1 AND 2", ["json_extract(body, '$.a')"]),
        ("SELECT * FROM c WHERE c.a > 1", []),
        ("SELECT * FROM c WHERE c.a != 1", []),
        ("SELECT * FROM c WHERE c.a = 1 OR c.b = 2", []),
        ("SELECT * FROM c WHERE c.a = null", []),
        ("SELECT * FROM c WHERE c._ts = 1", []),
        ("SELECT * FROM c WHERE c['q\"'] = 1", []),
        ("SELECT * FROM x IN c.list WHERE x.a = 1", []),
    ],
)
def test_slow_query_asks_for_the_index_it_lacks(text: str, columns: list[str]) -> None:
    tree = parse_query(text)
    found = wanted_columns(tree, {"@v": 1}, can_seek="COUNT" not in text)
    assert list(found) == columns


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c WHERE c.other = 'x'",
        "SELECT VALUE COUNT(1) FROM c WHERE c.other > 3",
        "SELECT * FROM c ORDER BY c.other",
        "SELECT * FROM c ORDER BY c.other DESC",
    ],
)
def test_index_that_was_asked_for_serves_the_query(text: str) -> None:
    fresh = MemoryContainer()
    before = steps(fresh, text)
    assert "SEARCH" not in before
    columns = wanted_columns(parse_query(text), {}, can_seek=False)
    create_index(fresh.connection, fresh.container.table, columns)
    create_index(fresh.connection, fresh.container.table, columns)
    after = steps(fresh, text)
    assert "USING INDEX c1_" in after
    assert "TEMP B-TREE" not in after


def test_each_index_is_made_once_few_of_them_and_none_for_small_containers(
    container: MemoryContainer,
) -> None:
    small, large = Live(container.container, 10), Live(container.container, 5000)
    assert not small.wants_index(("a",))
    assert large.wants_index(("a",))
    assert not large.wants_index(("a",))
    assert sum(large.wants_index((str(number),)) for number in range(20)) == 7


def test_query_that_runs_too_long_is_stopped(
    container: MemoryContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emulator.cosmos.query._TIME_LIMIT_S", 0.0)
    container.put({"id": "long", "list": list(range(300))})
    text = "SELECT VALUE COUNT(1) FROM c JOIN x IN c.list JOIN y IN c.list WHERE x < y"
    with pytest.raises(CosmosError) as refused:
        container.query(text)
    assert refused.value.status == 408
    monkeypatch.undo()
    assert container.query(text) == [44_850]
