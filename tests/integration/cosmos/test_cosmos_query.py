"""The query language through the vendor's SDK: every row of the tables of values and functions."""

import re
from typing import Any

import pytest
from azure.cosmos import exceptions

from tests.support.cosmos import Face, Sdk

MIXED: list[dict[str, Any]] = [
    {"id": "missing"},
    {"id": "null", "x": None},
    {"id": "false", "x": False},
    {"id": "true", "x": True},
    {"id": "zero", "x": 0},
    {"id": "one", "x": 1},
    {"id": "half", "x": 1.5},
    {"id": "text0", "x": ""},
    {"id": "texta", "x": "a"},
    {"id": "text1", "x": "1"},
    {"id": "array", "x": [1, "a"]},
    {"id": "object", "x": {"b": 1, "a": [2]}},
]
NAMES = [item["id"] for item in MIXED]


async def fill(container: Face, items: list[dict[str, Any]]) -> None:
    for item in items:
        await container.do("create_item", item)


async def holds(container: Face, condition: str, *values: Any) -> list[str]:
    """The ids of the items for which a condition is true."""
    return await container.query(f"SELECT VALUE c.id FROM c WHERE {condition}", *values)


async def value(container: Face, expression: str, *values: Any) -> Any:
    """An expression's value over one item; a list that is empty where it is undefined."""
    found = await container.query(f"SELECT VALUE {expression} FROM c WHERE c.id = 'v'", *values)
    return found[0] if found else []


CONDITIONS: list[tuple[str, list[str]]] = [
    ("c.x = null", ["null"]),
    ("c.x != null", NAMES[2:]),
    ("c.x <> null", NAMES[2:]),
    ("c.x = true", ["true"]),
    ("c.x = 1", ["one"]),
    ("c.x = 1.0", ["one"]),
    ("c.x = 'a'", ["texta"]),
    ('c.x = "a"', ["texta"]),
    ("c.x = '1'", ["text1"]),
    ("c.x != 1", [name for name in NAMES[1:] if name != "one"]),
    ("NOT c.x = 1", [name for name in NAMES[1:] if name != "one"]),
    ("NOT (NOT c.x = 1)", ["one"]),
    ("c.x = [1, 'a']", ["array"]),
    ("c.x = {'a': [2], 'b': 1}", ["object"]),
    ("c.x != {'a': [2], 'b': 1}", NAMES[1:-1]),
    ("c.x = undefined", []),
    ("c.x > 0", ["one", "half"]),
    ("0 < c.x", ["one", "half"]),
    ("c.x >= 1", ["one", "half"]),
    ("c.x < 'a'", ["text0", "text1"]),
    ("c.x > false", ["true"]),
    ("c.x <= false", ["false"]),
    ("c.x >= null", []),
    ("c.x > [0]", []),
    ("NOT c.x > 0", ["zero"]),
    ("NOT (c.x > 0 OR c.x < 0)", ["zero"]),
    ("NOT (c.x > 0 AND c.x < 1.2)", ["zero", "half"]),
    ("c.x BETWEEN 0 AND 1", ["zero", "one"]),
    ("c.x NOT BETWEEN 0 AND 1", ["half"]),
    ("c.x BETWEEN '0' AND 'b'", ["texta", "text1"]),
    ("c.x IN (1, 'a', null, true)", ["null", "true", "one", "texta"]),
    ("c.x IN ([1, 'a'])", ["array"]),
    ("c.x NOT IN (1)", [name for name in NAMES[1:] if name != "one"]),
    ("c.x IN (undefined)", []),
    ("c.x", ["true"]),
    ("NOT c.x", ["false"]),
    ("c.x OR c.id = 'one'", ["true", "one"]),
    ("c.x AND c.id = 'true'", ["true"]),
    ("c.x = 1 OR c.missing = 2", ["one"]),
    ("c.missing = 2 OR true", NAMES),
    ("NOT (c.missing = 2 AND c.id = 'nobody')", NAMES),
    ("NOT (c.missing = 2)", []),
    ("IS_DEFINED(c.x)", NAMES[1:]),
    ("NOT IS_DEFINED(c.x)", ["missing"]),
    ("IS_NULL(c.x)", ["null"]),
    ("NOT IS_NULL(c.x)", [name for name in NAMES if name != "null"]),
    ("IS_BOOL(c.x)", ["false", "true"]),
    ("IS_NUMBER(c.x)", ["zero", "one", "half"]),
    ("IS_STRING(c.x)", ["text0", "texta", "text1"]),
    ("IS_ARRAY(c.x)", ["array"]),
    ("IS_OBJECT(c.x)", ["object"]),
    ("IS_PRIMITIVE(c.x)", NAMES[1:10]),
    ("c.x LIKE '%'", ["text0", "texta", "text1"]),
    ("c.x NOT LIKE 'a'", ["text0", "text1"]),
    ("ARRAY_CONTAINS(c.x, 'a')", ["array"]),
    ("ARRAY_CONTAINS(c.x, 1)", ["array"]),
    ("ARRAY_CONTAINS(c.x, '1')", []),
    ("c.x[0] = 1", ["array"]),
    ("c.x['a'][0] = 2", ["object"]),
    ("c.x.a[0] = 2", ["object"]),
    ("c['x']['b'] = c.x.b", ["object"]),
    ("c.x = c.x", NAMES[1:]),
    ("c.x.b = c.x.a[0] - 1", ["object"]),
    ("c.id = 'one' OR c.id > 'zzz'", ["one"]),
    ("c.id = 1", []),
    ("c.id != 1", NAMES),
    ("c._ts > 0 AND c._attachments = 'attachments/'", NAMES),
    ("1 = 1", NAMES),
    ("1", []),
]


async def test_conditions_on_values_of_all_types(things: Face) -> None:
    await fill(things, MIXED)
    wrong = {}
    for condition, expected in CONDITIONS:
        found = await holds(things, condition)
        if found != expected:
            wrong[condition] = found
    assert wrong == {}


VALUE = {
    "id": "v",
    "n": 7,
    "f": 2.5,
    "s": "Hello, World",
    "accent": "ÉCOLE straße",
    "t": True,
    "z": None,
    "a": [3, 1, 2],
    "objects": [{"k": 1, "m": {"d": 1, "e": 2}}, {"k": 2}],
    "o": {"order": 1, "value": 2, "group": 3, "top": 4, "a b": 5},
    "big": 9007199254740993,
}
EXPRESSIONS: list[tuple[str, Any]] = [
    ("c.n + 1", 8),
    ("c.n - 10", -3),
    ("c.n * c.f", 17.5),
    ("c.n / 2", 3.5),
    ("c.n / 7", 1),
    ("c.n % 4", 3),
    ("-c.n % 4", -3),
    ("-c.n", -7),
    ("+c.n", 7),
    ("~c.n", -8),
    ("~1e300", -1e300),
    ("~1e300 = 1", False),
    ("~c.f", []),
    ("c.n & 3", 3),
    ("c.n | 8", 15),
    ("c.n ^ 2", 5),
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("17 / 6", 17 / 6),
    ("c.f / 3", 2.5 / 3),
    ("c.big", 9007199254740993),
    ("c.n + 'x'", []),
    ("c.missing + 1", []),
    ("c.z + 1", []),
    ("c.s || '!'", "Hello, World!"),
    ("c.s || 1", []),
    ("c.missing ?? 'else'", "else"),
    ("c.z ?? 'else'", None),
    ("c.n ?? 'else'", 7),
    ("c.missing ?? c.gone ?? 3", 3),
    ("c.t ? 'yes' : 'no'", "yes"),
    ("c.n ? 'yes' : 'no'", "no"),
    ("c.n > 5 ? c.s : c.n", "Hello, World"),
    ("c.n > 5", True),
    ("c.missing > 5", []),
    ("c.s > 5", []),
    ("c.s = 5", False),
    ("c.s != 5", True),
    ("c.n IN (1, 7)", True),
    ("c.n NOT IN (1, 7)", False),
    ("c.n BETWEEN 1 AND 7", True),
    ("c.a[1]", 1),
    ("c.a[3]", []),
    ("c.a[-1]", []),
    ("c.a['0']", []),
    ("c.o[0]", []),
    ("c.a[c.a[1]]", 1),
    ("c[@p0]", 7),
    ("c.o.order + c.o.value + c.o.group + c.o.top", 10),
    ("c.o['a b']", 5),
    ("c.o", VALUE["o"]),
    ("[c.n, c.missing, null]", [7, None]),
    ("{'a': c.missing, 'b': c.z, c: [1]}", {"b": None, "c": [1]}),
    ("{}", {}),
    ("[]", []),
    ("IS_DEFINED(c.z)", True),
    ("IS_DEFINED(c.missing)", False),
    ("IS_STRING(c.n + 1)", False),
    ("IS_NUMBER(c.n + 1)", True),
    ("ARRAY_LENGTH(c.a)", 3),
    ("ARRAY_LENGTH(c.s)", []),
    ("ARRAY_LENGTH([1, 2]) + 1", 3),
    ("ARRAY_CONTAINS(c.a, 2)", True),
    ("ARRAY_CONTAINS(c.a, 9)", False),
    ("ARRAY_CONTAINS(c.s, 9)", []),
    ("ARRAY_CONTAINS(c.objects, {'k': 2})", True),
    ("ARRAY_CONTAINS(c.objects, {'k': 1})", False),
    ("ARRAY_CONTAINS(c.objects, {'k': 1}, true)", True),
    ("ARRAY_CONTAINS(c.objects, {'m': {'d': 1}}, true)", True),
    ("ARRAY_CONTAINS(c.objects, {'m': {'d': 2}}, true)", False),
    ("ARRAY_CONTAINS([true, null], null)", True),
    ("STARTSWITH(c.s, 'Hello')", True),
    ("STARTSWITH(c.s, 'hello')", False),
    ("STARTSWITH(c.s, 'hello', true)", True),
    ("STARTSWITH(c.n, 'h')", []),
    ("STARTSWITH(c.s, '')", True),
    ("ENDSWITH(c.s, 'World')", True),
    ("ENDSWITH(c.s, 'WORLD', true)", True),
    ("CONTAINS(c.s, 'o, W')", True),
    ("CONTAINS(c.s, 'O, w', true)", True),
    ("CONTAINS(c.s, 'x')", False),
    ("CONTAINS(c.missing, 'x')", []),
    ("STRINGEQUALS(c.s, 'HELLO, WORLD', true)", True),
    ("LOWER(c.accent)", "école straße"),
    ("UPPER('é')", "É"),
    ("LENGTH(c.s)", 12),
    ("LENGTH(c.n)", []),
    ("CONCAT(c.s, '-', 'x')", "Hello, World-x"),
    ("CONCAT(c.s, 1)", []),
    ("SUBSTRING(c.s, 7, 5)", "World"),
    ("SUBSTRING(c.s, 7, 99)", "World"),
    ("LEFT(c.s, 5)", "Hello"),
    ("RIGHT(c.s, 5)", "World"),
    ("RIGHT(c.s, 0)", ""),
    ("TRIM('  a ')", "a"),
    ("LTRIM('  a ')", "a "),
    ("RTRIM('  a ')", "  a"),
    ("REPLACE(c.s, 'l', 'L')", "HeLLo, WorLd"),
    ("INDEX_OF(c.s, 'o')", 4),
    ("INDEX_OF(c.s, 'o', 5)", 8),
    ("INDEX_OF(c.s, 'x')", -1),
    ("REGEXMATCH(c.s, '^hello', 'i')", True),
    ("REGEXMATCH(c.s, '^hello')", False),
    ("TOSTRING(c.n)", "7"),
    ("TOSTRING(c.t)", "true"),
    ("TOSTRING(c.s)", "Hello, World"),
    ("TOSTRING(c.a)", "[3,1,2]"),
    ("ABS(-c.f)", 2.5),
    ("ROUND(c.f)", 3),
    ("ROUND(-2.5)", -3),
    ("ROUND(2.345, 2)", 2.35),
    ("ROUND(1e300)", 1e300),
    ("ROUND(-1.5e308, 15)", -1.5e308),
    ("ROUND(c.big, -15)", 9000000000000000),
    ("FLOOR(-c.f)", -3),
    ("CEILING(c.f)", 3),
    ("TRUNC(-c.f)", -2),
    ("SQRT(c.n + 2)", 3),
    ("SQRT(-1)", []),
    ("POWER(2, 10)", 1024),
    ("SIGN(-c.f)", -1),
    ("SIGN(0)", 0),
    ("IIF(c.t, 1, 2)", 1),
    ("IIF(c.s, 1, 2)", 2),
    ("c.s LIKE 'Hel%'", True),
    ("c.s LIKE 'hel%'", False),
    ("c.s LIKE '%W_rld'", True),
    ("c.s LIKE '[F-I]ello%'", True),
    ("c.s LIKE '[^F-I]ello%'", False),
    ("c.s LIKE '[I-F]%'", False),
    ("c.s LIKE '[^I-F]%'", True),
    ("c.s LIKE '[I-FH]%'", True),
    ("'-' LIKE '[a-]'", True),
    ("'^' LIKE '[a^]'", True),
    ("'b' LIKE '[^^]'", True),
    ("'\\\\' LIKE '[\\\\]'", True),
    ("'50%' LIKE '50!%' ESCAPE '!'", True),
    ("'50x' LIKE '50!%' ESCAPE '!'", False),
    ("c.n LIKE '7'", []),
    ("'O\\'Brien' = \"O'Brien\"", True),
    ("'\\u00e9\\n'", "é\n"),
    ("-- a comment\n c.n", 7),
    ("NOT c.t", False),
    ("c.t AND c.missing", []),
    ("false AND c.missing", False),
    ("true OR c.missing", True),
    ("EXISTS(SELECT VALUE x FROM x IN c.a WHERE x > 2)", True),
    ("EXISTS(SELECT VALUE x FROM x IN c.a WHERE x > 3)", False),
    ("EXISTS(SELECT VALUE x FROM x IN c.missing)", False),
    ("ARRAY(SELECT VALUE x * 2 FROM x IN c.a WHERE x != 1)", [6, 4]),
    ("ARRAY(SELECT VALUE x FROM x IN c.a ORDER BY x)", [1, 2, 3]),
    ("ARRAY(SELECT TOP 1 VALUE x FROM x IN c.a ORDER BY x DESC)", [3]),
    ("ARRAY(SELECT o.k, o.m.d FROM o IN c.objects)", [{"k": 1, "d": 1}, {"k": 2}]),
    ("ARRAY(SELECT DISTINCT VALUE x % 2 FROM x IN c.a ORDER BY x % 2)", [0, 1]),
    ("(SELECT VALUE SUM(c.n) FROM x IN c.a)", 21),
    ("(SELECT VALUE COUNT(x AND false) FROM x IN c.a)", 3),
    ("ARRAY(SELECT x, COUNT(1) AS n FROM x IN c.a GROUP BY x ORDER BY x)[0].n", 1),
    ("(SELECT VALUE COUNT(1) FROM x IN c.a WHERE x > 1)", 2),
    ("(SELECT VALUE SUM(x) FROM x IN c.a)", 6),
    ("(SELECT VALUE MAX(o.k) FROM o IN c.objects)", 2),
    ("(SELECT VALUE x FROM x IN c.missing)", []),
    ("(SELECT VALUE {'first': c.a[0]})", {"first": 3}),
    ("undefined", []),
    ("null", None),
    ("true", True),
]


async def test_expressions_and_functions(things: Face) -> None:
    await fill(things, [VALUE, {"id": "other"}])
    wrong = {}
    for expression, expected in EXPRESSIONS:
        found = await value(things, expression, "n")
        if found != expected or isinstance(found, bool) != isinstance(expected, bool):
            wrong[expression] = found
    assert wrong == {}


async def test_constants_mean_the_same_as_stored_values(things: Face) -> None:
    """The compiler evaluates constants itself; it must agree with what SQLite does."""
    await fill(things, [VALUE])
    constants = {
        "c.n": "7",
        "c.f": "2.5",
        "c.s": "'Hello, World'",
        "c.t": "true",
        "c.z": "null",
        "c.a": "[3, 1, 2]",
        "c.missing": "undefined",
    }
    wrong = {}
    for expression, expected in EXPRESSIONS:
        text = expression
        for path, constant in constants.items():
            text = re.sub(rf"{re.escape(path)}\b(?!\.)", lambda _: constant, text)  # noqa: B023
        if "c." in text or "c[" in text or "[3, 1, 2][[3" in text or "FROM x IN " in text:
            continue
        found = await value(things, text)
        if found != expected:
            wrong[text] = found
    assert wrong == {}


PARAMETERS = [
    None,
    True,
    False,
    0,
    3,
    -2.5,
    "",
    "text",
    "text\0",
    "text\0more",
    [1, [2]],
    {"k": {"m": None}},
]


async def test_parameters_of_each_type(things: Face) -> None:
    await fill(things, [{"id": str(n), "x": value} for n, value in enumerate(PARAMETERS)])
    for number, parameter in enumerate(PARAMETERS):
        assert await holds(things, "c.x = @p0", parameter) == [str(number)]
        assert await holds(things, "@p0 = c.x", parameter) == [str(number)]
        assert await holds(things, "c.x IN (@p0)", parameter) == [str(number)]
        assert await holds(things, "ARRAY_CONTAINS(@p0, c.x)", [parameter]) == [str(number)]
        assert await holds(things, "NOT c.x != @p0", parameter) == [str(number)]
        assert await holds(things, "c.x IN (@p0, 'other')", parameter) == [str(number)]
    assert await holds(things, "c.x = @notgiven") == []
    without_value = [{"name": "@p0"}]
    for condition, count in (("IS_DEFINED(@p0)", 0), ("c.x = @p0", 0)):
        found = await things.all(
            "query_items",
            f"SELECT * FROM c WHERE {condition}",
            parameters=without_value,
            enable_cross_partition_query=True,
        )
        assert len(found) == count


@pytest.mark.parametrize(
    "parameters",
    [[{"name": "n", "value": 1}], [{"name": "@n", "value": 1}, {"name": "@n", "value": 2}]],
)
async def test_wrong_parameters_are_refused(things: Face, parameters: Any) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await things.all(
            "query_items",
            "SELECT * FROM c WHERE c.x = @n",
            parameters=parameters,
            enable_cross_partition_query=True,
        )
    assert refused.value.status_code == 400


async def test_projections(things: Face) -> None:
    item = {"id": "a", "n": 1, "deep": {"value": [5]}, "order": "first", "null": None}
    await fill(things, [item])
    whole = await things.do("read_item", "a", "a")
    for query, expected in (
        ("SELECT * FROM c", [whole]),
        ("SELECT VALUE c FROM c", [whole]),
        ("SELECT c FROM c", [{"c": whole}]),
        ("SELECT * FROM root", [whole]),
        ("SELECT r.n FROM anything r", [{"n": 1}]),
        ("SELECT r.n FROM anything AS r", [{"n": 1}]),
        ("SELECT c.n, c.missing FROM c", [{"n": 1}]),
        ("SELECT c.missing FROM c", [{}]),
        ("SELECT VALUE c.missing FROM c", []),
        ("SELECT c.null FROM c", [{"null": None}]),
        ("SELECT c.n AS value, c.order FROM c", [{"value": 1, "order": "first"}]),
        ("SELECT c.n value2 FROM c", [{"value2": 1}]),
        ("SELECT c.deep.value[0], c.n + 1 FROM c", [{"$1": 5, "$2": 2}]),
        ("SELECT c['n'], c.deep['value'] FROM c", [{"n": 1, "value": [5]}]),
        ("SELECT c._rid, c._self, c._etag, c._ts, c.id FROM c", [_system(whole)]),
        ("SELECT VALUE c._etag FROM c", [whole["_etag"]]),
        ("SELECT VALUE c.deep FROM c", [{"value": [5]}]),
        ("SELECT * FROM c.deep", [{"value": [5]}]),
        ("SELECT VALUE value FROM value IN c.deep['value']", [5]),
        ("SELECT VALUE v FROM c.deep v", [{"value": [5]}]),
        ("SELECT VALUE d FROM c.missing d", []),
        ("SELECT VALUE 1", [1]),
        ("SELECT 1 AS one, 'x' AS x", [{"one": 1, "x": "x"}]),
        ("select value c.n from c where c.n = 1 order by c.n desc", [1]),
    ):
        assert await things.query(query) == expected, query


def _system(whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole[name] for name in ("_rid", "_self", "_etag", "_ts", "id")}


async def test_order_over_all_types_with_ties_by_age(things: Face) -> None:
    await fill(things, list(reversed(MIXED)))
    ascending = [
        *("missing", "null", "false", "true", "zero", "one", "half"),
        *("text0", "text1", "texta", "array", "object"),
    ]
    query = "SELECT VALUE c.id FROM c ORDER BY c.x"
    assert await things.query(query) == ascending
    assert await things.query(f"{query} ASC") == ascending
    assert await things.query(f"{query} DESC") == ascending[::-1]
    ties = "SELECT VALUE c.id FROM c ORDER BY c.nothing"
    assert await things.query(ties) == NAMES[::-1]
    assert await things.query(f"{ties} DESC") == NAMES


async def test_order_by_several_keys_and_expressions(things: Face) -> None:
    await fill(
        things,
        [{"id": f"{g}{n}", "g": g, "n": n} for g in ("b", "a") for n in (2, 1, 3)],
    )
    for order, expected in (
        ("c.g, c.n", ["a1", "a2", "a3", "b1", "b2", "b3"]),
        ("c.g DESC, c.n ASC", ["b1", "b2", "b3", "a1", "a2", "a3"]),
        ("c.n DESC, c.g", ["a3", "b3", "a2", "b2", "a1", "b1"]),
        ("c.id DESC", ["b3", "b2", "b1", "a3", "a2", "a1"]),
        ("c._attachments, c.id", ["a1", "a2", "a3", "b1", "b2", "b3"]),
        ("LENGTH(c.g), c.n * -1, c.g", ["a3", "b3", "a2", "b2", "a1", "b1"]),
        ("1 IN (2), c.n DESC, c.g", ["a3", "b3", "a2", "b2", "a1", "b1"]),
        ("c.gone > 1, c.n = 2, c.id", ["a1", "a3", "b1", "b3", "a2", "b2"]),
    ):
        assert await things.query(f"SELECT VALUE c.id FROM c ORDER BY {order}") == expected


async def test_top_offset_and_limit(things: Face) -> None:
    await fill(things, [{"id": str(n), "n": n} for n in range(10)])
    for query, expected in (
        ("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC", [9, 8, 7]),
        ("SELECT TOP 0 VALUE c.n FROM c", []),
        ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 2 LIMIT 3", [2, 3, 4]),
        ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 8 LIMIT 50", [8, 9]),
        ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 20 LIMIT 5", []),
        ("SELECT VALUE c.n FROM c OFFSET 0 LIMIT 2", [0, 1]),
        ("SELECT TOP 2 * FROM c", None),
    ):
        found = await things.query(query)
        assert (len(found) == 2) if expected is None else found == expected
    assert await things.query("SELECT TOP @p0 VALUE c.n FROM c", 2) == [0, 1]
    paged = "SELECT VALUE c.n FROM c ORDER BY c.n OFFSET @p0 LIMIT @p1"
    assert await things.query(paged, 3, 2) == [3, 4]
    with pytest.raises(exceptions.CosmosHttpResponseError):
        await things.query(paged, -1, "x")


BASKETS = [
    {
        "id": "1",
        "lines": [{"sku": "a", "q": 1, "tags": ["x", "y"]}, {"sku": "b", "q": 5, "tags": []}],
    },
    {"id": "2", "lines": [{"sku": "a", "q": 2, "tags": ["y"]}]},
    {"id": "3", "lines": {"sku": "c"}},
    {"id": "4"},
]


async def test_joins(things: Face) -> None:
    await fill(things, BASKETS)
    for query, expected in (
        ("SELECT c.id, l.sku FROM c JOIN l IN c.lines", [("1", "a"), ("1", "b"), ("2", "a")]),
        (
            "SELECT c.id, t AS sku FROM c JOIN l IN c.lines JOIN t IN l.tags",
            [("1", "x"), ("1", "y"), ("2", "y")],
        ),
        ("SELECT l.q AS id, l.sku FROM l IN c.lines WHERE l.q > 1", [(5, "b"), (2, "a")]),
        (
            "SELECT c.id, l.sku FROM c JOIN l IN c.lines ORDER BY l.q DESC",
            [("1", "b"), ("2", "a"), ("1", "a")],
        ),
        (
            "SELECT c.id, l.sku FROM c JOIN l IN (SELECT VALUE x FROM x IN c.lines WHERE x.q < 3)",
            [("1", "a"), ("2", "a")],
        ),
        (
            "SELECT c.id, l.sku FROM c JOIN (SELECT VALUE x FROM x IN c.lines) AS l",
            [("1", "a"), ("1", "b"), ("2", "a")],
        ),
        (
            "SELECT a.q AS id, b.q AS sku FROM c JOIN a IN c.lines JOIN b IN c.lines "
            "WHERE a.sku < b.sku",
            [(1, 5)],
        ),
    ):
        found = [(row["id"], row["sku"]) for row in await things.query(query)]
        assert found == expected, query
    assert await things.query("SELECT VALUE l FROM c JOIN l IN c.lines WHERE l.q = 2") == [
        BASKETS[1]["lines"][0]
    ]
    counted = "SELECT VALUE COUNT(1) FROM c JOIN l IN c.lines JOIN t IN l.tags"
    assert await things.query(counted) == [3]


async def test_distinct(things: Face) -> None:
    rows = [1, 1.0, "1", None, None, True, {"a": 1, "b": 2}, {"b": 2, "a": 1}, [1], [1]]
    await fill(things, [{"id": str(n), "x": row, "g": n % 2} for n, row in enumerate(rows)])
    await fill(things, [{"id": "missing"}, {"id": "gone"}])
    found = await things.query("SELECT DISTINCT VALUE c.x FROM c")
    assert found == [1, "1", None, True, {"a": 1, "b": 2}, [1]]
    assert len(await things.query("SELECT DISTINCT c.x FROM c")) == 7
    assert await things.query("SELECT DISTINCT VALUE c.g FROM c WHERE IS_NUMBER(c.x)") == [0, 1]
    ordered = await things.query("SELECT DISTINCT VALUE c.g FROM c ORDER BY c.g DESC")
    assert ordered == [1, 0]
    assert len(await things.query("SELECT DISTINCT * FROM c")) == 12
    assert await things.query("SELECT VALUE COUNT(1) FROM c") == [12]


AMOUNTS = [
    {"id": "1", "k": "a", "n": 1, "good": 2},
    {"id": "2", "k": "a", "n": "text", "good": 3.5},
    {"id": "3", "k": "b", "n": None, "good": 2**62},
    {"id": "4", "k": "b", "n": True, "good": 2**62},
    {"id": "5", "n": 5},
]


async def test_aggregates_over_mixed_and_missing_values(things: Face) -> None:
    await fill(things, AMOUNTS)
    for expression, expected in (
        ("COUNT(1)", 5),
        ("COUNT(c)", 5),
        ("COUNT(c.k)", 4),
        ("COUNT(c.n)", 5),
        ("COUNT(c.missing)", 0),
        ("COUNT(undefined)", 0),
        ("SUM(c.n)", None),
        ("SUM(c.good)", 2.0**63 + 5.5),
        ("AVG(c.good)", (2.0**63 + 5.5) / 4),
        ("AVG(c.n)", None),
        ("AVG(c.missing)", None),
        ("SUM(c.missing)", 0),
        ("MIN(c.n)", None),
        ("MAX(c.n)", "text"),
        ("MIN(c.good)", 2),
        ("MAX(c.k)", "b"),
        ("MIN(c.missing)", None),
        ("MAX(c)", None),
        ("COUNT(1) + 1", 6),
        ("{'n': COUNT(1), 'm': MAX(c.good)}", {"n": 5, "m": 2**62}),
    ):
        found = await things.query(f"SELECT VALUE {expression} FROM c")
        assert found == [expected], expression
    assert await things.query("SELECT VALUE MIN(c._ts) FROM c") != [None]
    summed = await things.query("SELECT VALUE SUM(c.good) FROM c WHERE c.k = 'b'")
    assert summed == [float(2**63)]
    nothing = await things.query("SELECT VALUE COUNT(1) FROM c WHERE c.id = 'none'")
    assert nothing == [0]
    for operand in ("c.good", "null", "c.good ?? 1", "(SELECT VALUE 1)"):
        # Over no items it is the same whatever is summed.
        found = await things.query(f"SELECT VALUE SUM({operand}) FROM c WHERE c.id = 'none'")
        assert found == [0], operand


async def test_aggregates_over_aggregates_of_each_item(things: Face) -> None:
    await fill(things, [{"id": str(n), "list": list(range(n))} for n in range(4)])
    for inner, outer, expected in (
        ("COUNT(x)", "SUM", 6),
        ("SUM(x)", "MAX", 3),
        ("COUNT(c.id || (x AND false))", "SUM", 0),
        ("COUNT(c.id)", "SUM", 6),
        ("MIN(x)", "COUNT", 3),
    ):
        subquery = f"(SELECT VALUE {inner} FROM x IN c.list)"
        assert await things.query(f"SELECT VALUE {outer}({subquery}) FROM c") == [expected], inner


async def test_aggregates_on_one_partition(orders: Face) -> None:
    await orders.do("create_item", {"id": "a", "customer": "c1", "n": 2})
    one = {"partition_key": "c1"}
    assert await orders.query("SELECT COUNT(1) AS n, SUM(c.n) AS s FROM c", **one) == [
        {"n": 1, "s": 2}
    ]
    assert await orders.query("SELECT VALUE MAX(c.missing) FROM c", **one) == []
    pinned = "SELECT COUNT(1) AS n FROM c WHERE c.customer = 'c1'"
    assert await orders.query(pinned) == [{"n": 1}]


async def test_several_partitions_allow_an_aggregate_only_as_a_value(orders: Face) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await orders.query("SELECT COUNT(1) FROM c")
    assert refused.value.status_code == 400
    assert "only supports 'VALUE <AggregateFunc>'" in str(refused.value)


async def test_group_by(things: Face) -> None:
    await fill(things, AMOUNTS)
    counted = await things.query("SELECT c.k, COUNT(1) AS n FROM c GROUP BY c.k")
    assert counted == [{"k": "a", "n": 2}, {"k": "b", "n": 2}, {"n": 1}]
    for query, expected in (
        ("SELECT VALUE COUNT(1) FROM c GROUP BY c.k", [2, 2, 1]),
        (
            "SELECT VALUE {'k': c.k, 'm': MAX(c.good)} FROM c GROUP BY c.k",
            [{"k": "a", "m": 3.5}, {"k": "b", "m": 2**62}, {}],
        ),
        (
            "SELECT c.k, COUNT(1) AS n FROM c WHERE IS_DEFINED(c.k) GROUP BY c.k ORDER BY c.k DESC",
            [{"k": "b", "n": 2}, {"k": "a", "n": 2}],
        ),
        ("SELECT UPPER(c.k) AS up FROM c GROUP BY UPPER(c.k)", [{"up": "A"}, {"up": "B"}, {}]),
    ):
        assert await things.query(query) == expected, query


async def test_groups_of_objects_are_told_apart_by_value(things: Face) -> None:
    for number, key in enumerate([{"a": 1, "b": 2}, {"b": 2, "a": 1}, [1], {"a": 2}]):
        await things.do("create_item", {"id": str(number), "k": key})
    found = await things.query("SELECT c.k, COUNT(1) AS n FROM c GROUP BY c.k")
    assert [row["n"] for row in found] == [2, 1, 1]


ERRORS: list[tuple[str, str]] = [
    ("SELECT * FORM c", "near 'FORM'"),
    ("SELECT * FROM c;", "near ';'"),
    ("SELECT", "unexpected end"),
    ("SELECT * FROM c WHERE", "unexpected end"),
    ("SELECT * FROM c WHERE c.x = 'open", "near"),
    ("SELECT x.y FROM c", "'x' could not be resolved"),
    ("SELECT * FROM c WHERE d.x = 1", "'d' could not be resolved"),
    ("SELECT FOO(c.x) FROM c", "'FOO' is not a recognized built-in function name"),
    ("SELECT udf.f(c.x) FROM c", "user-defined functions are not supported"),
    ("SELECT LOWER(c.x, 1) FROM c", "arguments"),
    ("SELECT c.a, c.a FROM c", "same name 'a'"),
    ("SELECT *", "single input set"),
    ("SELECT * FROM c JOIN x IN c.y", "single input set"),
    ("SELECT c.id, COUNT(1) FROM c GROUP BY c.k", "GROUP BY clause"),
    ("SELECT VALUE 1 FROM c WHERE COUNT(1) > 1", "cannot be used here"),
    ("SELECT TOP 1 * FROM c OFFSET 1 LIMIT 1", "together"),
    ("SELECT VALUE 1 / 0 FROM c", "Division by zero"),
    ("SELECT VALUE c.n / c.zero FROM c", "Division by zero"),
    ("SELECT VALUE REGEXMATCH(c.id, '(') FROM c", "regular expression"),
    ("SELECT * FROM (SELECT VALUE c FROM c) AS s", "subquery as the first source"),
    ("SELECT VALUE 1 FROM c JOIN c IN c.y", "'c' is specified more than once"),
    ("SELECT c.k FROM c GROUP BY c.k HAVING COUNT(1) > 1", "near 'HAVING'"),
    ("SELECT * FROM c UNION SELECT * FROM c", "near 'SELECT'"),
    ("SELECT * FROM c LIMIT 5", "near '5'"),
    ("SELECT * FROM c WHERE c.k IS NULL", "near 'IS'"),
    ("SELECT * FROM c WHERE c.n == 1", "near '='"),
    ("SELECT * FROM c OFFSET -1 LIMIT 1", "near '-'"),
    ("SELECT * FROM c OFFSET 1", "unexpected end"),
    ("SELECT CASE WHEN c.n > 1 THEN 1 END FROM c", "near 'c'"),
    ("INSERT INTO c VALUES (1)", "near 'INSERT'"),
    ("SELECT VALUE SUM(COUNT(1)) FROM c", "cannot be used here"),
    ("SELECT VALUE COUNT(1, 2) FROM c", "COUNT function takes one argument"),
    ("SELECT VALUE c.id LIKE 'a' ESCAPE '!!' FROM c", "escape of LIKE must be one character"),
    ("SELECT VALUE VectorDistance(c.v, [1, 2]) FROM c", "'VectorDistance' is not a recognized"),
    ("SELECT * FROM c ORDER BY VectorDistance(c.v, [1])", "'VectorDistance' is not a recognized"),
    ("SELECT * FROM c WHERE FullTextContains(c.t, 'a')", "'FullTextContains' is not a recognized"),
    ("SELECT * FROM c ORDER BY RANK FullTextScore(c.t, 'a')", "near 'FullTextScore'"),
    ("SELECT * FROM c ORDER BY RANK RRF(c.a, c.b)", "near 'RRF'"),
    ("SELECT * FROM c WHERE ST_DISTANCE(c.p, c.q) < 3", "'ST_DISTANCE' is not a recognized"),
    ("SELECT * FROM c WHERE ST_WITHIN(c.p, c.q)", "'ST_WITHIN' is not a recognized"),
    ("SELECT VALUE DateTimeAdd('dd', 1, c.at) FROM c", "'DateTimeAdd' is not a recognized"),
    ("SELECT VALUE ARRAY_CONCAT(c.a, c.b) FROM c", "'ARRAY_CONCAT' is not a recognized"),
]


async def test_wrong_queries_say_where_and_why(things: Face) -> None:
    await fill(things, [{"id": "a", "n": 1, "zero": 0}])
    for query, text in ERRORS:
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await things.query(query)
        assert refused.value.status_code == 400, query
        assert text in str(refused.value), query


async def test_syntax_error_has_its_position(things: Face) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await things.query("SELECT * FORM c")
    assert '"location": {"start": 9, "end": 13}' in str(refused.value)
    assert "SC1001" in str(refused.value)


HOSTILE = [
    "a'; DROP TABLE c1; --",
    'quote"inside',
    "back\\slash",
    "dot.name",
    "$",
    "bracket[0]",
    "",
    "*",
    "new\nline",
    "nul\u0000",
    "ünï😀",
    "?1",
    ":p0",
]


async def test_property_names_cannot_get_into_the_statement(things: Face) -> None:
    for name in HOSTILE:
        await fill(things, [{"id": "a", name: 1, "in": {name: [name]}}, {"id": "b", name: "text"}])
        assert await holds(things, "c[@p0] = 1", name) == ["a"]
        assert await holds(things, "c[@p0] > 0", name) == ["a"]
        assert await holds(things, "c['in'][@p0][0] = @p0", name) == ["a"]
        assert await holds(things, "IS_DEFINED(c[@p0]) AND NOT c[@p0] = 1", name) == ["b"]
        ordered = "SELECT VALUE c[@p0] FROM c ORDER BY c[@p0] DESC"
        assert await things.query(ordered, name) == ["text", 1]
        joined = "SELECT VALUE x FROM c JOIN x IN c['in'][@p0]"
        assert await things.query(joined, name) == [name]
        grouped = "SELECT VALUE COUNT(1) FROM c GROUP BY c[@p0]"
        assert await things.query(grouped, name) == [1, 1]
        for identity in ("a", "b"):
            await things.do("delete_item", identity, identity)


async def test_thousands_of_terms(aio: Sdk) -> None:
    things = aio.container("things")
    await fill(things, [{"id": str(n), "n": n} for n in range(5)])
    ors = " OR ".join(f"(c.id = '{n}' AND c.n = {n})" for n in range(3, 2000))
    assert await holds(things, ors) == ["3", "4"]
    ands = " AND ".join(f"c.n != {n}" for n in range(1, 2000))
    assert await holds(things, ands) == ["0"]
    listed = ", ".join(str(n) for n in range(2, 5000))
    assert await holds(things, f"c.n IN ({listed})") == ["2", "3", "4"]
    strings = ", ".join(f"'{n}'" for n in range(2, 5000))
    assert await holds(things, f"c.id IN ({strings})") == ["2", "3", "4"]
    nested = "(" * 300 + "c.n" + ")" * 300
    assert await holds(things, f"{nested} = 1") == ["1"]
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await holds(things, "NOT " * 5000 + "c.n = 1")
    assert refused.value.status_code == 400


async def test_read_items_for_each_kind_of_key(sdk: Sdk) -> None:
    things, orders, visits = (sdk.container(name) for name in ("things", "orders", "visits"))
    for number in range(30):
        await things.do("create_item", {"id": str(number)})
        await orders.do("create_item", {"id": str(number), "customer": f"c{number % 4}"})
    await orders.do("create_item", {"id": "none"})
    await visits.do("create_item", {"id": "v", "tenant": "t", "user": "u"})
    wanted = [(str(number), str(number)) for number in range(0, 1500)]
    assert len(await things.do("read_items", wanted)) == 30
    wanted = [(str(number), f"c{number % 4}") for number in range(1500)]
    assert len(await orders.do("read_items", wanted)) == 30
    one_key = [(str(number), "c1") for number in range(30)]
    assert len(await orders.do("read_items", one_key)) == 8
    # Two keys, since the SDK asks wrongly for several items of one hierarchical key.
    found = await visits.do("read_items", [("v", ["t", "u"]), ("w", ["t", "z"])])
    assert [item["id"] for item in found] == ["v"]
