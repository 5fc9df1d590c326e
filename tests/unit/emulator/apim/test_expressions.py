"""Policy expressions: what C# would compute, what it would refuse, and what is not supported."""

# One case, one line.
# ruff: noqa: E501
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from emulator.apim.expressions import (
    ExpressionError,
    ExpressionFailure,
    compile_text,
    is_expression,
)
from emulator.apim.jwt import make_jwt
from emulator.apim.messages import Body, Request, Response, Url

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def context(**changes: Any) -> SimpleNamespace:
    url = Url("http", "127.0.0.1", 8080, "/orders", "?limit=5&tag=a&tag=b")
    headers = CIMultiDict([("X-One", "1"), ("X-Two", "a"), ("X-Two", "b")])
    request = Request("GET", url, headers, body=Body(b'{"id": "A", "n": 3, "list": [1, 2]}'))
    request.matched = {"id": "A"}
    token = make_jwt({"alg": "RS256"}, {"sub": "me", "roles": ["Orders.Read", "Orders.Write"]})
    values = {
        "request": request,
        "response": None,
        "product": None,
        "variables": {"text": "x", "n": 5, "flag": True, "jwt": token, "nothing": None},
        "request_id": uuid.UUID(int=1),
        "now": lambda: NOW,
    }
    return SimpleNamespace(**{**values, **changes})


def evaluate(text: str, **changes: Any) -> Any:
    return compile_text(text).evaluate(context(**changes))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("@(1 + 2 * 3)", 7),
        ("@((1 + 2) * 3)", 9),
        ("@(-7 / 2)", -3),
        ("@(-7 % 3)", -1),
        ("@(7 / 2.0)", 3.5),
        ("@(2147483647 + 1)", -2147483648),
        ("@(10 - 3 - 2)", 5),
        ("@(1 < 2 && !(2 <= 1) || false)", True),
        ("@('a' + 1)", 98),
        ("@(1 == 1.0)", True),
        ("@(\"a\" + 1 + true + null + 'c')", "a1Truec"),
        ('@("a" == "A")', False),
        ("@(\"abc\"[1] == 'b')", True),
        ('@(@"C:\\x ""q""")', 'C:\\x "q"'),
        ('@($"<{1 + 1}> {{}} {"in" + "ner"}")', "<2> {} inner"),
        ('@("\\u0041\\n\\"")', 'A\n"'),
        ('@(true ? "yes" : null)', "yes"),
        ("@(((double)3) / 2)", 1.5),
        ("@((int)3.9)", 3),
        ("@(\"a,b;c\".Split(',', ';').Length)", 3),
        ("@((1 + 1).ToString() + (2).ToString())", "22"),
    ],
)
def test_operators_compute_as_csharp_does(text: str, value: object) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("@(\"  x \".Trim().ToUpper().PadLeft(3, '-'))", "--X"),
        ('@("abcabc".Replace("b", "").IndexOf("ca"))', 1),
        ('@("abc".Substring(1) + "abc".Substring(0, 1))', "bca"),
        ('@("abc".StartsWith("ab") && "abc".EndsWith("bc") && "abc".Contains("b"))', True),
        ('@("A".Equals("a", StringComparison.OrdinalIgnoreCase))', True),
        ('@(string.Join(",", new[] {"a", "b"}) + String.Concat(1, "x"))', "a,b1x"),
        ('@(string.Format("{0}-{1}-{{}}", 1, "b"))', "1-b-{}"),
        ('@(string.IsNullOrEmpty("") && String.IsNullOrWhiteSpace(" "))', True),
        ('@(Convert.ToBase64String(Encoding.UTF8.GetBytes("hé")))', "aMOp"),
        ('@(System.Text.Encoding.UTF8.GetString(Convert.FromBase64String("aMOp")))', "hé"),
        ('@(Uri.EscapeDataString("a b/&=ü"))', "a%20b%2F%26%3D%C3%BC"),
        ('@(System.Net.WebUtility.UrlEncode("a b&"))', "a+b%26"),
        ("@(Math.Max(1, 2) + Math.Min(3, 4) + Math.Abs(-5))", 10),
        ("@(Math.Floor(1.5) + Math.Ceiling(1.5) + Math.Round(2.5))", 5.0),
        ('@(Guid.Parse("{00000000-0000-0000-0000-000000000001}") == context.RequestId)', True),
        ('@(DateTime.UtcNow.ToString("r"))', "Fri, 20 Nov 2026 09:30:00 GMT"),
        ('@(DateTime.UtcNow.AddDays(1.5).ToString("yyyy-MM-dd HH:mm"))', "2026-11-21 21:30"),
        ('@(DateTime.UtcNow.ToString("o"))', "2026-11-20T09:30:00.0000000Z"),
        ('@((DateTime.UtcNow - DateTime.Parse("2026-11-20T09:00:00Z")).TotalMinutes)', 30.0),
        ('@(Regex.Match("ORD-12", "(?<kind>[A-Z]+)-(\\\\d+)").Groups["kind"].Value)', "ORD"),
        ('@(Regex.Replace("a1b2", "[0-9]", "<$0>"))', "a<1>b<2>"),
        ("@(new[] {1, 2, 3}.Where(x => x > 1).Select(x => x * 2).First())", 4),
        ('@(new string[] {"a"}.Any() && new[] {1, 2}.All(x => x > 0))', True),
        ("@(new[] {1, 2, 3}.FirstOrDefault(x => x > 5))", 0),
        ("@(\"a-b\".Split('-').Last() + new[] {1, 2}.Count(n => n == 2))", "b1"),
        ('@(new JObject(new JProperty("a", 1)).ToString(Formatting.None))', '{"a":1}'),
        ('@(JsonConvert.SerializeObject(JArray.Parse("[1, {\\"b\\": null}]")))', '[1,{"b":null}]'),
        ('@(JObject.Parse("{\\"a\\": {\\"b\\": [7]}}").SelectToken("a.b[0]").ToString())', "7"),
        ('@((int)JObject.Parse("{\\"a\\": \\"12\\"}")["a"] + 1)', 13),
        ('@(JObject.Parse("{}")["a"] == null)', True),
        ('@("Basic dTpwOng=".AsBasic().Password)', "p:x"),
        ('@("no token".AsJwt() == null)', True),
    ],
)
def test_library_members(text: str, value: object) -> None:
    result = evaluate(text)
    assert (result if isinstance(value, bool | int | float) else str(result)) == value


def test_a_timespan_is_written_as_the_vendor_writes_it() -> None:
    assert evaluate('@("" + TimeSpan.FromSeconds(90061.5))') == "1.01:01:01.5000000"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('@(context.Request.Headers.GetValueOrDefault("x-two", ""))', "a,b"),
        ('@(context.Request.Headers["X-TWO"][1])', "b"),
        ('@(context.Request.Headers.GetValueOrDefault("none", "?"))', "?"),
        ('@(context.Request.Url.Query.GetValueOrDefault("tag"))', "a,b"),
        ('@(context.Request.OriginalUrl.Host + ":" + context.Request.OriginalUrl.Port)', "127.0.0.1:8080"),
        ("@(context.Request.Url.ToString())", "http://127.0.0.1:8080/orders?limit=5&tag=a&tag=b"),
        ('@(context.Request.MatchedParameters["id"])', "A"),
        ('@((string)context.Variables["text"] + (int)context.Variables["n"])', "x5"),
        ('@(context.Variables.ContainsKey("none"))', False),
        ('@(context.Variables.GetValueOrDefault<int>("none", 3))', 3),
        ('@(context.Variables.GetValueOrDefault<string>("none") ?? "d")', "d"),
        ('@(context.Variables.GetValueOrDefault("text", "d").ToString())', "x"),
        ('@((string)context.Variables["nothing"] == null)', True),
        ('@(((Jwt)context.Variables["jwt"]).Subject)', "me"),
        ('@(((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("roles", ""))', "Orders.Read,Orders.Write"),
        ('@(((Jwt)context.Variables["jwt"]).Claims["roles"].Contains("Orders.Write"))', True),
        ('@(((Jwt)context.Variables["jwt"]).ExpirationTime < DateTime.UtcNow)', False),
        ('@(((Jwt)context.Variables["jwt"]).ExpirationTime.HasValue)', False),
        ('@(context.Product == null ? "none" : context.Product.Id)', "none"),
        ('@(context.Product?.Id.ToUpper() ?? "none")', "none"),
        ('@(context.Request.Headers.TryGetValue("X-One", out var v) ? v[0] : "")', "1"),
        ('@(string.Join(";", context.Request.Headers.Select(h => h.Key + "=" + h.Value.Length)))', "X-One=1;X-Two=2"),
    ],
)  # fmt: skip
def test_context_members(text: str, value: object) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('@{ int n; if (int.TryParse("12", out n)) { return n; } return -1; }', 12),
        ('@{ var s = ""; foreach (var c in "abc") { if (c != \'b\') { s = s + c; } } return s; }', "ac"),
        ('@{ if (1 > 2) return "a"; else if (true) { return "b"; } else return "c"; }', "b"),
        ("@{ double d = 1; /* note */ d = d / 4; return d; }", 0.25),
        ('@{ object o = "x"; return (string)o; }', "x"),
        ("@{ foreach (int i in new[] {1, 2}) { if (i == 2) { return i; } } return 0; }", 2),
    ],
)  # fmt: skip
def test_blocks(text: str, value: object) -> None:
    assert evaluate(text) == value


def test_the_body_is_read_once_unless_preserved() -> None:
    read = '@((string)context.Request.Body.As<JObject>(preserveContent: {})["id"])'
    twice = (
        "@(context.Request.Body.As<string>({}).Length + context.Request.Body.As<string>().Length)"
    )
    assert evaluate(read.format("true")) == "A"
    assert evaluate(twice.format("true")) == 70
    with pytest.raises(ExpressionFailure, match="read before"):
        evaluate(twice.format(""))


def test_an_expression_says_which_bodies_it_reads() -> None:
    assert compile_text("@(context.Request.Body.As<string>())").reads == {"request"}
    assert compile_text('@(((IResponse)context.Variables["a"]).Body.As<string>())').reads == {
        "response"
    }
    assert compile_text("@(context.Request.Method)").reads == frozenset()


def test_a_response_variable_can_be_null_or_read() -> None:
    text = (
        '@{ var a = (IResponse)context.Variables["a"]; if (a == null) { return "none"; } '
        'return a.Body.As<JObject>(preserveContent: true)["balance"].ToString(); }'
    )
    assert evaluate(text, variables={"a": None}) == "none"
    answer = Response(200, body=Body(b'{"balance": 41}'))
    assert evaluate(text, variables={"a": answer}) == "41"


@pytest.mark.parametrize(
    "text",
    [
        "@(1 / (1 - 1))",
        '@(int.Parse("1 000"))',
        '@(int.Parse("99999999999"))',
        '@((string)context.Variables["n"])',
        '@((int)context.Variables["text"])',
        '@((int)context.Variables["nothing"])',
        '@((string)context.Variables["missing"])',
        '@(context.Variables.GetValueOrDefault<int>("text"))',
        "@(context.Product.Id)",
        "@(context.Response.StatusCode)",
        '@("abc".Substring(2, 5))',
        '@("abc"[3])',
        '@(JObject.Parse("nonsense").ToString())',
        '@(JObject.Parse("[]").ToString())',
        '@(JObject.Parse("{}")["a"].ToString())',
        '@(context.Request.Headers["none"][0])',
        "@(new int[] {}.First())",
        '@(Convert.FromBase64String("?"))',
        '@(DateTime.UtcNow.ToString("Q"))',
        '@("x".PadLeft(200000))',
        '@("x".PadLeft(90000).Replace(" ", "yyyyyyyyyy"))',
    ],
)
def test_what_throws_in_csharp_is_a_failure(text: str) -> None:
    with pytest.raises(ExpressionFailure):
        evaluate(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@(1 +)", "expected a name, found the end"),
        ("@(1 2)", "expected the end"),
        ("@(context.Foo)", "Context has no supported member Foo"),
        ('@("x".GetType())', "string has no supported member GetType"),
        ('@(System.IO.File.ReadAllText("x"))', "not among the supported types"),
        ('@(Environment.GetEnvironmentVariable("x"))', "not among the supported types"),
        ("@(typeof(string))", "`typeof` is not supported"),
        ("@(new DateTime(2026, 1, 1))", "`new DateTime` is not supported"),
        ("@(x)", "the name x is not known"),
        ('@("a" - 1)', "cannot be applied"),
        ('@(context.Variables["a"] == "x")', "cast the object first"),
        ("@(1 ? 2 : 3)", "a condition is a bool, not int"),
        ('@(true ? 1 : "a")', "mixes int and string"),
        ('@("a".Contains(1))', "does not take the arguments (int)"),
        ("@(1 == null)", "int is never null"),
        ("@(1 & 2)", "the operator `&` is not supported"),
        ("@(1 is int)", "`is` is not supported"),
        ("@(5000000000)", "does not fit an int"),
        ("@(1u)", "number suffixes"),
        ('@("open)', "a string is not closed"),
        ("@(1 // rest)", "comment swallows the rest"),
        ('@(Regex.IsMatch("a", "("))', "malformed"),
        ('@(Regex.IsMatch("a", "\\\\p{L}"))', "not supported"),
        ("@((Jwt)1)", "int cannot be cast to Jwt"),
        ("@(" + "(" * 60 + "1" + ")" * 60 + ")", "nested deeper than 50"),
        ("@(" + "+".join("1" * 150) + ")", "operators in a row"),
        ("@{ if (true) { return 1; } }", "not every way"),
        ("@{ var x = 1; var x = 2; return x; }", "the name x is taken"),
        ("@{ while (true) { } }", "`while` is not supported"),
        ("@{ x = 1; return x; }", "there is no variable x"),
        ('@{ int x = "a"; return x; }', "cannot be assigned"),
        ("@{ foreach (var i in 5) { return i; } return 0; }", "cannot be enumerated"),
    ],
)
def test_what_is_not_supported_is_refused_at_load(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_text(text)
    assert says in str(caught.value)
    assert 0 <= caught.value.position <= len(text)


def test_an_expression_that_does_not_end_is_stopped() -> None:
    nested = "".join(f"foreach (var c{i} in s) {{ " for i in range(5))
    text = f'@{{ var s = "{"x" * 100}"; {nested} s = s; {"}" * 5} return s; }}'
    with pytest.raises(ExpressionFailure, match="steps"):
        evaluate(text)


def test_doubling_a_text_is_stopped() -> None:
    text = '@{ var s = "xx"; foreach (var c in "01234567890123456789") { s = s + s; } return s; }'
    with pytest.raises(ExpressionFailure, match="100000"):
        evaluate(text)


def test_only_a_whole_value_is_an_expression() -> None:
    assert is_expression("@(1)")
    assert is_expression("@{ return 1; }")
    assert not is_expression("credit=@(1)")
    assert not is_expression("a@b.example")
