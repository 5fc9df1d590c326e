"""Which API and operation a request is for.

The API whose path is the longest prefix, segment by segment, wins; inside it a literal segment
beats a parameter, from left to right, and `{*rest}` comes last. A slash at the end does not count.
Segments that walk (`.` and `..`, encoded or not) match nothing, so no request can leave its API.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from emulator.apim.model import Api, Operation

_LITERAL, _PARAMETER, _REST = 0, 1, 2


@dataclass(frozen=True)
class Match:
    """An operation found.

    Attributes:
        parameters: decoded values of the template's parameters.
        rest: the path below the API's own, as it was sent.
    """

    api: Api
    operation: Operation
    parameters: dict[str, str]
    rest: str


@dataclass(frozen=True)
class _Template:
    api: Api
    operation: Operation
    segments: tuple[tuple[int, str], ...]

    def match(self, segments: list[str]) -> dict[str, str] | None:
        found: dict[str, str] = {}
        for index, (kind, name) in enumerate(self.segments):
            if kind == _REST:
                found[name] = "/".join(segments[index:])
                return found
            if index >= len(segments) or not segments[index]:
                return None
            if kind == _PARAMETER:
                found[name] = segments[index]
            elif segments[index] != name:
                return None
        return found if len(segments) == len(self.segments) else None


class Router:
    """The operations of some APIs, ordered once."""

    def __init__(self, apis: Iterable[Api]) -> None:
        self._apis = sorted(apis, key=lambda api: -len(_segments(f"/{api.path}")))
        self._templates: dict[tuple[str, str], list[_Template]] = defaultdict(list)
        for api in self._apis:
            for operation in api.operations:
                template = _Template(api, operation, _parsed(operation.url_template))
                self._templates[api.id, operation.method].append(template)
        for templates in self._templates.values():
            templates.sort(key=lambda template: [kind for kind, _ in template.segments])

    def api(self, path: str) -> tuple[Api, str] | None:
        """The API of a path, and what of the path is left for its operations."""
        segments = _segments(path)
        decoded = [unquote(segment) for segment in segments]
        if any(segment in (".", "..") for segment in decoded):
            return None
        for api in self._apis:
            own = _segments(f"/{api.path}")
            if decoded[: len(own)] == own:
                rest = "/".join(segments[len(own) :])
                return api, f"/{rest}" if rest else ""
        return None

    def operation(self, api: Api, rest: str, method: str) -> Match | None:
        """The operation for the path below an API's own."""
        segments = [unquote(segment) for segment in _segments(rest)]
        for template in self._templates.get((api.id, method), ()):
            parameters = template.match(segments)
            if parameters is not None:
                return Match(api, template.operation, parameters, rest)
        return None

    def has_method(self, api: Api, rest: str, method: str) -> bool:
        """Whether the API has an operation of that method there."""
        return self.operation(api, rest, method) is not None


def _segments(path: str) -> list[str]:
    pieces = path.split("/")[1:]
    if pieces and not pieces[-1]:
        pieces.pop()
    return pieces


def _parsed(template: str) -> tuple[tuple[int, str], ...]:
    segments = []
    for segment in _segments(template):
        if segment.startswith("{*") and segment.endswith("}"):
            segments.append((_REST, segment[2:-1]))
        elif segment.startswith("{") and segment.endswith("}"):
            segments.append((_PARAMETER, segment[1:-1]))
        else:
            segments.append((_LITERAL, segment))
    return tuple(segments)
