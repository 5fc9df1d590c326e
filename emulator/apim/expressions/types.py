"""The types of policy expressions: their names, and which may stand where which is asked for.

Policy expressions are C#, so a member that does not exist or an argument of the wrong type is found
when the policy is saved, not when a call comes in. The compiler keeps that promise with the types
of this module. Only what the allow-list of the library (`library/`) mentions has a name here.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Type:
    """A type: its C# name, and what stands between its angle brackets.

    An array is `Type("[]", (element,))`, a nullable value `Type("Nullable", (value,))`.
    """

    name: str
    args: tuple["Type", ...] = ()

    def __str__(self) -> str:
        if self.name == "[]":
            return f"{self.args[0]}[]"
        if self.name == "Nullable":
            return f"{self.args[0]}?"
        if self.args:
            return f"{self.name}<{', '.join(map(str, self.args))}>"
        return self.name


INT, DOUBLE, BOOL, CHAR, STRING = (Type(n) for n in ("int", "double", "bool", "char", "string"))
OBJECT, NULL, VOID, BYTE = (Type(n) for n in ("object", "null", "void", "byte"))
HEADERS = Type("Headers")
DATE_TIME, TIME_SPAN, GUID = Type("DateTime"), Type("TimeSpan"), Type("Guid")
TOKEN = Type("JToken")

_VALUE_TYPES = {
    "int",
    "double",
    "bool",
    "char",
    "byte",
    "Guid",
    "DateTime",
    "TimeSpan",
    "Formatting",
}
_ALIASES = {
    "String": "string",
    "Int32": "int",
    "Boolean": "bool",
    "Double": "double",
    "Char": "char",
    "Object": "object",
    "Byte": "byte",
    "IReadOnlyDictionary": "Headers",
}
# What may be written in a cast, a declaration or between angle brackets.
TYPE_NAMES = frozenset(
    """string int bool double char object byte Guid DateTime TimeSpan Headers Variables List
    IEnumerable JObject JArray JToken JValue JProperty Jwt BasicAuthCredentials IResponse IRequest
    IUrl IApi IOperation IProduct ISubscription Match Group Formatting
    KeyValuePair""".split()  # noqa: SIM905 - a list of words
)
_NAMESPACES = frozenset(
    """System System.Net System.Text System.Linq System.Text.RegularExpressions
    System.Collections.Generic Newtonsoft.Json
    Newtonsoft.Json.Linq""".split()  # noqa: SIM905 - a list of words
)
_SUPERTYPES = {
    "JObject": TOKEN,
    "JArray": TOKEN,
    "JValue": TOKEN,
}
_PAIR = Type("KeyValuePair")
_ELEMENTS = {"Headers": _PAIR, "JArray": TOKEN, "string": CHAR}


def alias(name: str) -> str:
    """The short name of a type that has two (`String` is `string`)."""
    return _ALIASES.get(name, name)


def unqualified(path: list[str]) -> str | None:
    """The type a dotted name speaks of, its namespace removed; None if it holds another."""
    if len(path) > 1 and ".".join(path[:-1]) not in _NAMESPACES:
        return None
    return alias(path[-1])


def is_namespace(path: list[str]) -> bool:
    """Whether a dotted name is (the beginning of) a namespace that may be written out."""
    text = ".".join(path)
    return any(name == text or name.startswith(text + ".") for name in _NAMESPACES)


def array(element: Type) -> Type:
    """An array of a type."""
    return Type("[]", (element,))


def enumerable(element: Type) -> Type:
    """What `foreach` and the LINQ methods take."""
    return Type("IEnumerable", (element,))


def is_value_type(kind: Type) -> bool:
    """Whether null is not among the type's values."""
    return kind.name in _VALUE_TYPES


def nullable(kind: Type) -> Type:
    """The type with null among its values."""
    return Type("Nullable", (kind,)) if is_value_type(kind) else kind


def element_of(kind: Type) -> Type | None:
    """What `foreach` over the type yields; None if it cannot be enumerated."""
    if kind.name in ("[]", "List", "IEnumerable"):
        return kind.args[0]
    return _ELEMENTS.get(kind.name)


def supertypes(kind: Type) -> list[Type]:
    """The type and those it derives from, nearest first, where members are looked for."""
    found = [kind]
    if (parent := _SUPERTYPES.get(kind.name)) is not None:
        found.append(parent)
    element = element_of(kind)
    if element is not None and kind.name != "IEnumerable":
        found.append(enumerable(element))
    found.append(OBJECT)
    return found


def assignable(source: Type, target: Type) -> bool:  # noqa: PLR0911 - a table of rules
    """Whether a value of the source type may be given where the target type is asked for."""
    if source == target:
        return True
    if target == OBJECT:
        return source != VOID
    if source == NULL:
        return not is_value_type(target)
    if target == DOUBLE:
        return source in (INT, CHAR)
    if target == INT:
        return source == CHAR
    if target.name == "Nullable":
        return assignable(source, target.args[0])
    if target.name == "IEnumerable":
        element = element_of(source)
        return element is not None and (element == target.args[0] or target.args[0] == OBJECT)
    return any(parent == target for parent in supertypes(source)[1:-1])


def common(left: Type, right: Type) -> Type | None:
    """The type of a value that is either of the two; None if C# would refuse the mixture."""
    if assignable(left, right):
        return nullable(right) if left == NULL else right
    if assignable(right, left):
        return nullable(left) if right == NULL else left
    if left == NULL:
        return nullable(right)
    if right == NULL:
        return nullable(left)
    return None


def substitute(kind: Type, bound: Mapping[str, Type]) -> Type:
    """The type with its type parameters replaced by what they stand for."""
    if kind.name in bound and not kind.args:
        return bound[kind.name]
    if not kind.args:
        return kind
    return Type(kind.name, tuple(substitute(arg, bound) for arg in kind.args))


def unify(pattern: Type, actual: Type, bound: dict[str, Type], free: frozenset[str]) -> bool:
    """Match a type that holds type parameters with a real one, noting what each stands for."""
    if pattern.name in free and not pattern.args:
        if pattern.name in bound:
            return assignable(actual, bound[pattern.name])
        if actual in (NULL, VOID):
            return False
        bound[pattern.name] = actual
        return True
    if not pattern.args:
        return assignable(actual, pattern)
    for candidate in supertypes(actual):
        if candidate.name == pattern.name and len(candidate.args) == len(pattern.args):
            pairs = zip(pattern.args, candidate.args, strict=True)
            return all(unify(p, a, bound, free) for p, a in pairs)
    return assignable(actual, substitute(pattern, bound))
