"""Inputs nobody thought of: expressions, policy files, paths, tokens, headers. No wall clock."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from emulator.apim.definitions import Variant, load_definitions
from emulator.apim.document import DocumentError, parse_document
from emulator.apim.expressions import ExpressionError, ExpressionFailure, compile_text
from emulator.apim.jwt import decode_unverified
from emulator.apim.matching import Router
from emulator.apim.messages import Body, Request, Url
from emulator.apim.named_values import substitute
from emulator.apim.tokens import TokenRefused, TokenRules, read_header, verify
from tests.support.gateway import ENTITIES, REPOSITORY

TOKENS = """ context . Request Headers Variables [ ] ( ) { } "a" 'b' 1 2.5 + - * / % == != < <= > >=
&& || ! ? : ?? ?. => , ; = var int string bool return if else foreach in new JObject JProperty out
GetValueOrDefault As < > int.TryParse int.Parse Regex.IsMatch $"x{1}" @"q" true false null Length
Split Contains Select x (string) (int) System . Convert ToString() n """.split()  # noqa: SIM905
_NOW = datetime(2026, 11, 20, tzinfo=UTC)


def _context() -> SimpleNamespace:
    url = Url("http", "127.0.0.1", 8080, "/orders", "?a=1")
    request = Request("GET", url, CIMultiDict({"A": "1"}), body=Body(b"{}"))
    return SimpleNamespace(request=request, variables={"a": "x", "n": 1}, now=lambda: _NOW)


@settings(max_examples=500)
@given(st.lists(st.sampled_from(TOKENS), max_size=40), st.sampled_from(["@({})", "@{{{}}}"]))
def test_any_sequence_of_tokens_compiles_or_is_refused(tokens: list[str], form: str) -> None:
    _tried(form.format(" ".join(tokens)))


@settings(max_examples=500)
@given(st.text(max_size=80), st.sampled_from(["@({})", "@{{{}}}"]))
def test_any_text_compiles_or_is_refused(text: str, form: str) -> None:
    _tried(form.format(text))


@given(st.sampled_from("([{!-"), st.integers(1, 3000))
def test_deep_nesting_is_refused_and_not_a_crash(opening: str, depth: int) -> None:
    _tried(f"@({opening * depth}1)")


def _tried(text: str) -> None:
    try:
        expression = compile_text(text)
    except ExpressionError as refused:
        position = refused.position
    else:
        with suppress(ExpressionFailure):
            expression.evaluate(_context())
        return
    assert 0 <= position <= len(text)


_NUMBERS = st.integers(-(2**31), 2**31 - 1)


@given(_NUMBERS, _NUMBERS, st.sampled_from("+-*/%"))
def test_arithmetic_is_that_of_32_bits(left: int, right: int, operator: str) -> None:
    context = SimpleNamespace(variables={"a": left, "b": right})
    text = f'@((int)context.Variables["a"] {operator} (int)context.Variables["b"])'
    try:
        found = compile_text(text).evaluate(context)
    except ExpressionFailure:
        assert right == 0
        assert operator in "/%"
        return
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1) if right else 0
    exact = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "/": quotient,
        "%": left - quotient * right,
    }[operator]
    assert -(2**31) <= found < 2**31
    assert (found - exact) % 2**32 == 0


@given(st.text(max_size=60))
def test_a_text_comes_out_of_json_as_it_went_in(value: str) -> None:
    context = SimpleNamespace(variables={"a": value})
    text = (
        '@((string)JObject.Parse(new JObject(new JProperty("v", '
        '(string)context.Variables["a"])).ToString(Formatting.None))["v"])'
    )
    assert compile_text(text).evaluate(context) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_an_error(data: bytes) -> None:
    try:
        line = parse_document(data).line
    except DocumentError as refused:
        line = refused.line
    assert line >= 0


_NAMES = st.text("abc{}.-_ ", max_size=6)


@given(st.text("ab{} .", max_size=40), st.dictionaries(_NAMES, _NAMES, max_size=4))
def test_substitution_never_looks_at_what_it_put_in(text: str, values: dict[str, str]) -> None:
    found, used, missing = substitute(text, values)
    if not used:
        assert found == text
    assert not set(missing) & set(values)


_DEFINITIONS = load_definitions(ENTITIES, REPOSITORY / "infra", "http://127.0.0.1:1", Variant())
_ROUTER = Router(_DEFINITIONS.apis)
_PUBLISHED = re.compile(
    r"(/orders(/[^/]+(/status|/replay|/resubmit)?)?|/batches/[^/]+/status|/health)?/?"
)
_SEGMENTS = st.sampled_from(
    ["", ".", "..", "%2e%2e", "%2E.", "orders", "batches", "status", "A", "a%2Fb", "api", "admin",
     "replay", "dead-letters", "resubmit", "health", "%00", "..;", "\\..", "é"]
)  # fmt: skip


@given(st.lists(_SEGMENTS, max_size=6), st.sampled_from(["GET", "POST", "PUT", "get", ""]))
def test_no_path_leads_anywhere_but_to_what_is_published(segments: list[str], method: str) -> None:
    path = "/" + "/".join(segments)
    found = _ROUTER.api(path)
    if found is None:
        return
    match = _ROUTER.operation(*found, method)
    if match is not None:
        assert _PUBLISHED.fullmatch(path), path
        assert method in ("GET", "POST")
        assert ".." not in path.replace("..;", "").replace("\\..", "").split("/")


@given(
    st.text(max_size=60) | st.from_regex(r"[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}", fullmatch=True)
)
def test_no_text_without_a_key_is_a_token(text: str) -> None:
    decode_unverified(text)
    try:
        header = read_header(text)
        verify(text, header, TokenRules(), {})
    except TokenRefused:
        return
    raise AssertionError(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_JSON)
def test_any_json_value_is_written_as_json(value: Any) -> None:
    context = SimpleNamespace(variables={"a": json.dumps(value)})
    text = '@(JsonConvert.SerializeObject(JToken.Parse((string)context.Variables["a"])))'
    assert json.loads(compile_text(text).evaluate(context)) == value
