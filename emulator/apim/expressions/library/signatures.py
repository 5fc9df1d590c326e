"""Reads the one-line signatures of the library's tables, such as
`string.Substring(int start, int length): string` or `static DateTime.UtcNow: DateTime`.

A type parameter is a single capital letter: those of the owner (`IEnumerable<E>`) are told by the
receiver, those of the method by its arguments or by what the caller writes between `<` and `>`.
An indexer is called `[]`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.apim.expressions.types import Type, array

REQUIRED = object()
_SIGNATURE = re.compile(
    r"(?P<static>static )?(?P<owner>\w+(?:<[\w, ]+>)?)\.(?P<name>\w+|\[\])"
    r"(?:<(?P<free>[A-Z])>)?(?:\((?P<parameters>.*)\))?: (?P<returns>.+)"
)
_DEFAULTS = {"false": False, "true": True, "null": None}


@dataclass(frozen=True)
class Parameter:
    """A parameter; `rest` takes every argument that is left, `out` hands a value back."""

    type: Type
    name: str
    default: object = REQUIRED
    out: bool = False
    rest: bool = False


@dataclass(frozen=True)
class Function:
    """A member of a type.

    Attributes:
        parameters: None for a property.
        call: takes the receiver (unless static), then the arguments. Of a function with `out`
            parameters it returns a tuple: the result, then what they are set to.
        framed: `call` takes the frame before everything else.
        typed: the type parameter whose type `call` takes before the receiver.
        reads_body: which message's body must be in memory before (`request`, `response`).
    """

    owner: Type
    name: str
    static: bool
    parameters: tuple[Parameter, ...] | None
    returns: Type
    free: frozenset[str]
    type_parameter: str | None
    call: Callable[..., Any]
    framed: bool = False
    typed: str | None = None
    reads_body: str | None = None


def function(
    signature: str,
    call: Callable[..., Any],
    *,
    framed: bool = False,
    typed: str | None = None,
    reads_body: str | None = None,
) -> Function:
    """The member that a signature describes."""
    match = _SIGNATURE.fullmatch(signature)
    assert match is not None, signature
    owner = parse_type(match["owner"])
    free = {arg.name for arg in owner.args if _is_parameter(arg)}
    if match["free"]:
        free.add(match["free"])
    parameters = None
    if match["parameters"] is not None:
        pieces = _split(match["parameters"])
        parameters = tuple(_parameter(piece) for piece in pieces)
    return Function(
        owner=owner,
        name=match["name"],
        static=match["static"] is not None,
        parameters=parameters,
        returns=parse_type(match["returns"]),
        free=frozenset(free),
        type_parameter=match["free"],
        call=call,
        framed=framed,
        typed=typed,
        reads_body=reads_body,
    )


def _is_parameter(kind: Type) -> bool:
    return len(kind.name) == 1 and kind.name.isupper()


def _parameter(text: str) -> Parameter:
    text, _, default = text.partition(" = ")
    words = text.split(" ")
    out, rest = "out" in words, "params" in words
    kind, name = [word for word in words if word not in ("out", "params")]
    return Parameter(
        parse_type(kind), name, _DEFAULTS[default] if default else REQUIRED, out=out, rest=rest
    )


def parse_type(text: str) -> Type:
    """The type that a text such as `Func<E,R>` or `string[]` names."""
    text = text.strip()
    if text.endswith("[]"):
        return array(parse_type(text[:-2]))
    if text.endswith("?"):
        return Type("Nullable", (parse_type(text[:-1]),))
    name, bracket, rest = text.partition("<")
    if not bracket:
        return Type(name)
    # `Array<E>` is how the tables write the owner `E[]`.
    return Type(
        "[]" if name == "Array" else name,
        tuple(parse_type(part) for part in _split(rest.removesuffix(">"))),
    )


def _split(text: str) -> list[str]:
    """The parts between the commas that stand outside angle brackets."""
    parts, depth, current = [], 0, ""
    for char in text:
        depth += {"<": 1, ">": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [*parts, current.strip()] if current.strip() else parts
