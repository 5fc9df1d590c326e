"""`JObject`, `JArray`, `JToken`, `JProperty`, `JsonConvert`."""

from emulator.apim.expressions import jsontokens as j
from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.library.signatures import function as f
from emulator.apim.expressions.types import Type

CONVERSIONS = {
    "string": j.to_string,
    "int": j.to_int,
    "double": j.to_double,
    "bool": j.to_bool,
}


def _value(kind: Type, target: j.JToken, key: str) -> object:
    child = target.child(key)
    if kind.name in CONVERSIONS:
        return CONVERSIONS[kind.name](child)
    if kind.name in ("JToken", "JObject", "JArray"):
        return child
    raise ExpressionFailure(f"Cannot convert a JSON value to {kind}.")


def _text(value: j.JToken, formatting: str) -> str:
    return value.text(indented=formatting == "Indented")


def _object(*members: j.JProperty) -> j.JObject:
    made: dict[str, object] = {}
    for member in members:
        if member.name in made:
            raise ExpressionFailure(f"A property named {member.name!r} already exists.")
        made[member.name] = member.value
    return j.JObject(made)


# One signature, one line.
# ruff: noqa: E501
FUNCTIONS = [
    f("static JToken.Parse(string text): JToken", j.parse),
    f("static JObject.Parse(string text): JObject", lambda t: j.parse(t, j.JObject)),
    f("static JArray.Parse(string text): JArray", lambda t: j.parse(t, j.JArray)),
    f("JToken.[](string name): JToken", lambda t, k: t.child(k)),
    f("JToken.[](int index): JToken", lambda t, k: t.child(k)),
    f("JToken.SelectToken(string path): JToken", lambda t, p: t.select(p)),
    f("JToken.Value<T>(string name): T", _value, typed="T"),
    f("JToken.ToString(): string", str),
    f("JToken.ToString(Formatting formatting): string", _text),
    f("JObject.ContainsKey(string name): bool", lambda t, k: k in t.raw),
    f("JArray.Count: int", lambda t: len(t.raw)),
    f("static Formatting.None: Formatting", lambda: "None"),
    f("static Formatting.Indented: Formatting", lambda: "Indented"),
    f("static JsonConvert.SerializeObject(object value): string", j.serialize),
    f("static JObject.new(params JProperty[] members): JObject", _object),
    f("static JArray.new(params object[] items): JArray", lambda *i: j.JArray([j.plain(x) for x in i])),
    f("static JProperty.new(string name, object value): JProperty", j.JProperty),
    f("static JValue.new(object value): JValue", lambda v: j.JValue(j.plain(v))),
]  # fmt: skip
