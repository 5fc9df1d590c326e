"""The workflow definition language: reading, functions, access, and what is refused at load."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.logicapp.errors import ExpressionFailed, InvalidDefinition
from emulator.logicapp.expressions import compile_expression, compile_template
from emulator.logicapp.expressions.values import to_json


class Seen:
    """A run as expressions see it."""

    def parameter(self, name: str) -> Any:
        return {"queue": "order-files"}[name]

    def variable(self, name: str) -> Any:
        return {"problems": [1, 2]}[name]

    def action(self, name: str) -> dict[str, Any]:
        results: dict[str, dict[str, Any]] = {
            "Read": {"status": "Succeeded", "outputs": {"statusCode": 200, "body": {"a": [1]}}},
            "Value": {"status": "Succeeded", "outputs": [1, 2]},
        }
        return results[name]

    def results(self, name: str) -> list[dict[str, Any]]:
        return [{"name": name}]

    def item(self, loop: str | None) -> Any:
        return {"id": loop or "inner"}

    def trigger(self) -> dict[str, Any]:
        return {"outputs": {"body": {"ContentData": "e30="}}}

    def workflow(self) -> dict[str, Any]:
        return {"run": {"name": "R1"}}

    def now(self) -> datetime:
        return datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def value(text: Any) -> Any:
    return compile_template(text, "/here").value(Seen())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("@@not an expression", "@not an expression"),
        ("an @{'inner'} and @@{escaped}", "an inner and @{escaped}"),
        ("me@example.com", "me@example.com"),
        ("@{1}", "1"),
        ("@{null}|@{true}|@{createArray(1,'a')}", '|True|[1,"a"]'),
        ("@'it''s'", "it's"),
        ("@-1.5", -1.5),
        ("@concat('}', '{')", "}{"),
        ("@{concat('}', '@{')}", "}@{"),
        ({"a": ["@add(1,2)", "x"]}, {"a": [3, "x"]}),
        ("@ add( 1 , 2 ) ", 3),
        ("@true", True),
        ("", ""),
    ],
)
def test_texts_are_themselves_or_hold_expressions(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@concat('a', 1, null, true)", "a1True"),
        ("@concat(createArray(1), createArray(2))", [1, 2]),
        ("@substring('hello', 1, 3)", "ell"),
        ("@substring('hello', 2)", "llo"),
        ("@replace('aXbX', 'X', '-')", "a-b-"),
        ("@split('a/b/c', '/')", ["a", "b", "c"]),
        ("@indexOf('Hello', 'L')", 2),
        ("@startsWith('Hello', 'hE')", True),
        ("@endsWith('a.JSON', '.json')", True),
        ("@length('abc')", 3),
        ("@length(take(createArray(1), 0))", 0),
        ("@contains('abc', 'b')", True),
        ("@contains(createArray(1, 'x'), 'x')", True),
        ("@contains(json('{\"a\":1}'), 'a')", True),
        ("@contains(createArray(1), true)", False),
        ("@first('abc')", "a"),
        ("@last(split('a/b', '/'))", "b"),
        ("@first(take(createArray(1), 0))", None),
        ("@skip(createArray(1,2,3), 1)", [2, 3]),
        ("@join(createArray(1, 'b', null), ', ')", "1, b, "),
        ("@union(createArray(1,2), createArray(2,3))", [1, 2, 3]),
        ("@intersection(createArray(1,2), createArray(2,3))", [2]),
        ("@sort(createArray('b','a'))", ["a", "b"]),
        ("@chunk(range(0, 5), 2)", [[0, 1], [2, 3], [4]]),
        ("@reverse(range(1, 3))", [3, 2, 1]),
        ("@if(equals(1, 1), 'y', 'n')", "y"),
        ("@equals(true, 1)", False),
        ("@equals('a', 'A')", False),
        ("@and(true, not(false))", True),
        ("@or(false, greater(2, 1))", True),
        ("@lessOrEquals('a', 'b')", True),
        ("@coalesce(null, 'x')", "x"),
        ("@empty('')", True),
        ("@json('[1, 2.5, null]')", [1, 2.5, None]),
        ("@string(json('{\"a\": 19.90}'))", '{"a":19.9}'),
        ("@string(createArray('x'))", '["x"]'),
        ("@base64ToString(base64('é'))", "é"),
        ("@decodeUriComponent('%EF%BB%BF')", "\ufeff"),
        ("@encodeURIComponent(encodeURIComponent('a/b'))", "a%252Fb"),
        ("@setProperty(json('{\"a\":1}'), 'b', 2)", {"a": 1, "b": 2}),
        ("@removeProperty(json('{\"a\":1}'), 'a')", {}),
        ("@div(7, 2)", 3),
        ("@div(-7, 2)", -3),
        ("@mod(-7, 2)", -1),
        ("@div(7.0, 2)", 3.5),
        ("@max(1, 3, 2)", 3),
        ("@int(' 42 ')", 42),
        ("@float('1.5')", 1.5),
        ("@bool('TRUE')", True),
        ("@isInt('12')", True),
        ("@addDays('2026-11-20T09:30:00Z', 1)", "2026-11-21T09:30:00.0000000Z"),
        ("@utcNow()", "2026-11-20T09:30:00.0000000Z"),
        ("@ticks('0001-01-01T00:00:01Z')", 10_000_000),
        ("@TOLOWER('ABC')", "abc"),
    ],
)
def test_functions(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@parameters('queue')", "order-files"),
        ("@length(variables('problems'))", 2),
        ("@body('Read')?['a'][0]", 1),
        ("@body('Read').a[0]", 1),
        ("@outputs('Read')['statusCode']", 200),
        ("@outputs('Value')[1]", 2),
        ("@actions('Read')['status']", "Succeeded"),
        ("@json(base64ToString(triggerBody()?['ContentData']))", {}),
        ("@item()?['id']", "inner"),
        ("@items('Loop')['id']", "Loop"),
        ("@result('Scope')[0]['name']", "Scope"),
        ("@workflow()['run']['name']", "R1"),
        ("@body('Read')?['none']", None),
        ("@body('Read')?['none']?['deeper']", None),
        ("@body('Read')?['a']?[7]", None),
    ],
)
def test_what_is_seen_of_the_run(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@body('Read')['none']", "property 'none' doesn't exist"),
        ("@body('Read')['a'][7]", "outside bounds (0, 0)"),
        ("@body('Read')['a']['x']", "integer index"),
        ("@body('Read')?['none']['x']", "type 'Null'"),
        ("@add(1,2)?['x']", "type 'Integer'"),
        ('@json(\'{"a":1}\n{"a":2}\')', "cannot be parsed"),
        ("@json('NaN')", "NaN"),
        ("@json('')", "cannot be parsed"),
        ("@base64ToString('!')", "base64"),
        ("@add('1', 2)", "expects a number"),
        ("@if('x', 1, 2)", "expects a boolean"),
        ("@greater(1, 'a')", "expects a string"),
        ("@div(1, 0)", "divide"),
        ("@int('1_0')", "cannot convert"),
        ("@float('nan')", "cannot convert"),
        ("@substring('abc', 2, 5)", "out of range"),
        ("@sort(createArray(1, 'a'))", "two types"),
        ("@range(0, 100001)", "from 0 to"),
        ("@chunk('abc', 0)", "greater than zero"),
        # Both branches are evaluated, whichever is taken.
        ("@if(true, 1, div(1, 0))", "divide"),
    ],
)
def test_what_cannot_be_evaluated_says_why(text, words):
    with pytest.raises(ExpressionFailed) as failed:
        value(text)
    assert words in str(failed.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@unknown(1)", "'unknown' is not supported"),
        ("@formatDateTime(utcNow(), 'd')", "'formatDateTime' is not supported"),
        ("@utcNow('yyyy')", "takes at least 0 and at most 0"),
        ("@length()", "takes at least 1"),
        ("@add(1", "')' was expected"),
        ("@add(1,)", "An expression was expected"),
        ("@'open", "cannot be read"),
        ("@add(1,2) x", "one thing too many"),
        ("@variables", "neither a function nor a value"),
        ("text @{add(1,2)", "not closed"),
        ("@{add(1,2", "was expected"),
        ("@", "An expression was expected"),
        ("@body('x')[1", "']' was expected"),
        ("@" + "not(" * 200 + "true" + ")" * 200, "nested"),
    ],
)
def test_an_expression_that_makes_no_sense_is_refused_with_its_place(text, words):
    with pytest.raises(InvalidDefinition) as refused:
        compile_template({"a": [0, text]}, "/actions/X")
    assert refused.value.pointer == "/actions/X/a/1"
    assert words in str(refused.value)


def test_a_member_whose_name_is_an_expression_is_refused():
    with pytest.raises(InvalidDefinition, match="name"):
        compile_template({"@item()": 1}, "/x")


def test_a_condition_may_leave_out_its_sign():
    assert compile_expression("equals(1, 1)", "/x").value(Seen()) is True


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_json_comes_back_from_its_text(given_value):
    text = to_json(given_value).replace("'", "''")
    assert value(f"@json('{text}')") == given_value


@given(st.text())
def test_any_text_can_be_written_as_a_literal(text):
    assert value("@'" + text.replace("'", "''") + "'") == text


@given(st.text(max_size=40))
def test_reading_any_text_ends_in_a_value_or_a_refusal(text):
    try:
        compile_template(text, "/x")
    except InvalidDefinition as refused:
        assert refused.pointer == "/x"  # noqa: PT017 - both ends are right
