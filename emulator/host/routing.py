"""Answers "which function does this path belong to": route templates and their order.

Functions are tried in the order of their names and the first match wins; there is no ranking by
how specific a template is. A method that is not listed means no match, never 405. Pure.

Source: the host's router and ASP.NET Core's route templates.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from emulator.host.constraints import Check, make_check
from emulator.host.errors import FunctionInError

_RESERVED = ("admin", "runtime")
_NAME = re.compile(r"^[^/{}?*:=]+$")


@dataclass(frozen=True)
class _Parameter:
    name: str
    optional: bool = False
    catch_all: bool = False
    default: str | None = None
    checks: tuple[Check, ...] = ()

    def accepts(self, value: str) -> bool:
        return all(check(value) for check in self.checks)


@dataclass(frozen=True)
class _Segment:
    """One part between slashes: `pattern` has a group for each parameter, in their order."""

    pattern: re.Pattern[str]
    parameters: tuple[_Parameter, ...]

    @property
    def may_be_missing(self) -> bool:
        return len(self.parameters) == 1 and (
            self.parameters[0].optional
            or self.parameters[0].catch_all
            or self.parameters[0].default is not None
        )


@dataclass(frozen=True)
class Template:
    """A parsed route template; `text` as written, without outer slashes."""

    text: str
    segments: tuple[_Segment, ...]

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """Route values of a path cut at its slashes and decoded, or None if it does not fit."""
        values: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if len(segment.parameters) == 1 and segment.parameters[0].catch_all:
                rest = "/".join(parts[index:])
                return _take(values, segment.parameters[0], rest or None)
            if index >= len(parts):
                if not segment.may_be_missing:
                    return None
                if _take(values, segment.parameters[0], None) is None:
                    return None
                continue
            found = segment.pattern.fullmatch(parts[index])
            if found is None:
                return None
            for parameter, value in zip(segment.parameters, found.groups(), strict=True):
                if _take(values, parameter, value) is None:
                    return None
        return values if len(parts) <= len(self.segments) else None


def _take(
    values: dict[str, str], parameter: _Parameter, value: str | None
) -> dict[str, str] | None:
    if value is None:
        value = parameter.default
    if value is None:
        # Constraints of a value that is not there do not apply.
        return values
    if not parameter.accepts(value):
        return None
    values[parameter.name] = value
    return values


def parse_template(text: str) -> Template:
    """Parse a template such as `items/{id:int?}`.

    Raises:
        FunctionInError: it is not one that the router can take.
    """
    if "//" in text or text.startswith("/"):
        raise FunctionInError(
            "The route template separator character '/' cannot appear consecutively. It must be "
            "separated by either a parameter or a literal value. (A route that starts with '/' "
            'needs "routePrefix": "" in host.json.)'
        )
    trimmed = text.strip("/")
    segments: list[_Segment] = []
    names: set[str] = set()
    pieces = _split(trimmed)
    for index, piece in enumerate(pieces):
        segment = _segment(piece, last=index == len(pieces) - 1)
        for parameter in segment.parameters:
            if parameter.name.lower() in names:
                raise FunctionInError(
                    f"The route parameter name '{parameter.name}' appears more than one time in "
                    "the route template."
                )
            names.add(parameter.name.lower())
        segments.append(segment)
    return Template(trimmed, tuple(segments))


def _split(text: str) -> list[str]:
    """Cut at slashes that are outside of braces (a regex may hold them)."""
    pieces, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == "/" and depth == 0:
            pieces.append(text[start:index])
            start = index + 1
    return [*pieces, text[start:]] if text else []


def _segment(text: str, *, last: bool) -> _Segment:
    pattern = ""
    parameters: list[_Parameter] = []
    index, end = 0, len(text)
    while index < end:
        char = text[index]
        if text.startswith(("{{", "}}"), index):
            pattern += re.escape(char)
            index += 2
        elif char == "}":
            raise _malformed(text)
        elif char == "{":
            stop = _closing(text, index)
            parameter = _parameter(text[index + 1 : stop])
            if (parameter.optional or parameter.catch_all) and not last:
                raise FunctionInError(
                    f"The parameter '{parameter.name}' may only appear at the end of the route "
                    f"template: only the last segment can be optional or a catch-all ('{text}')."
                )
            whole = index == 0 and stop == end - 1
            if not whole and (parameter.catch_all or parameter.optional):
                raise _malformed(text)
            if parameters and pattern.endswith(")"):
                raise FunctionInError(
                    f"The route template segment '{text}' has two consecutive parameters."
                )
            parameters.append(parameter)
            pattern += "(.+?)" if not whole else "(.+)"
            index = stop + 1
        else:
            pattern += re.escape(char)
            index += 1
    return _Segment(re.compile(pattern, re.IGNORECASE | re.DOTALL), tuple(parameters))


def _malformed(text: str) -> FunctionInError:
    return FunctionInError(f"There is an incomplete parameter in the route template: '{text}'.")


def _closing(text: str, start: int) -> int:
    """Index of the brace that closes the parameter opened at `start`; doubled ones are text."""
    index = start + 1
    while index < len(text):
        if text.startswith(("{{", "}}"), index):
            index += 2
            continue
        if text[index] == "}":
            return index
        if text[index] == "{":
            break
        index += 1
    raise _malformed(text)


def _parameter(text: str) -> _Parameter:
    stars = len(text) - len(text.lstrip("*"))
    body = text[stars:]
    name = re.split(r"[:=?]", body, maxsplit=1)[0]
    rest = body[len(name) :]
    optional = rest.endswith("?")
    if optional:
        rest = rest[:-1]
    constraints, default = _constraints(rest)
    if not _NAME.match(name) or stars > 2 or (optional and (stars or default is not None)):
        raise FunctionInError(f"The route parameter '{{{text}}}' is invalid.")
    return _Parameter(
        name,
        optional,
        stars > 0,
        default,
        tuple(make_check(constraint) for constraint in constraints),
    )


def _constraints(text: str) -> tuple[list[str], str | None]:
    """Cut `:a:b(1,2)=default` into its constraints and the default."""
    constraints: list[str] = []
    depth, start = 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and char in ":=":
            if index > start:
                constraints.append(text[start + 1 : index])
            start = index
            if char == "=":
                return constraints, text[index + 1 :]
    if text:
        constraints.append(text[start + 1 :])
    return constraints, None


@dataclass(frozen=True)
class Route:
    """A function's route; `methods` empty means all of them."""

    function: str
    template: Template
    methods: frozenset[str] = frozenset()

    def overlaps(self, other: "Route") -> bool:
        """Whether the two cannot both be registered."""
        if self.template.text.lower() != other.template.text.lower():
            return False
        return not self.methods or not other.methods or bool(self.methods & other.methods)


@dataclass
class Router:
    """The routes in the order in which they are tried."""

    routes: list[Route] = field(default_factory=list)

    def add(self, route: Route) -> None:
        """Register a route.

        Raises:
            FunctionInError: it takes the place of a built-in one or of another function's.
        """
        first = route.template.text.split("/", 1)[0].lower()
        if first in _RESERVED:
            raise FunctionInError("The specified route conflicts with one or more built in routes.")
        for other in self.routes:
            if route.overlaps(other):
                raise FunctionInError(
                    "The route specified conflicts with the route defined by function "
                    f"'{other.function}'."
                )
        self.routes.append(route)
        self.routes.sort(key=lambda item: item.function.lower())

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The function for a request and its route values, or None for 404.

        Args:
            method: upper case.
            path: the raw path, still encoded.
        """
        parts = [decode_segment(part) for part in path.split("?", 1)[0].strip("/").split("/")]
        if parts == [""]:
            parts = []
        for route in self.routes:
            if route.methods and method not in route.methods:
                continue
            values = route.template.match(parts)
            if values is not None:
                return route.function, values
        return None


def decode_segment(part: str) -> str:
    """URL-decode, but keep an encoded slash encoded, as the real server does."""
    if "%" not in part:
        return part
    pieces = re.split(r"(%2[fF])", part)
    return "".join(piece if index % 2 else unquote(piece) for index, piece in enumerate(pieces))
