"""Functions of texts. `startsWith`, `endsWith`, `indexOf` do not mind the case, as the service's.

Pure. Source: Logic Apps documentation, "Reference guide to workflow expression functions".
"""

import uuid
from typing import Any

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.functions.registry import as_integer, as_text, function
from emulator.logicapp.expressions.values import to_text


@function("concat", 1, None)
def _concat(*values: Any) -> Any:
    if all(isinstance(value, list) for value in values):
        return [each for value in values for each in value]
    return "".join(to_text(value) for value in values)


@function("substring", 2, 3)
def _substring(text: Any, start: Any, length: Any = None) -> str:
    value, first = as_text("substring", text), as_integer("substring", start)
    count = len(value) - first if length is None else as_integer("substring", length)
    if first < 0 or count < 0 or first + count > len(value):
        raise ExpressionFailed(
            "The template language function 'substring' parameters are out of range: 'start index' "
            "and 'length' must name a place inside the string."
        )
    return value[first : first + count]


@function("slice", 2, 3)
def _slice(text: Any, start: Any, end: Any = None) -> str:
    stop = None if end is None else as_integer("slice", end)
    return as_text("slice", text)[as_integer("slice", start) : stop]


@function("replace", 3)
def _replace(text: Any, old: Any, new: Any) -> str:
    if old == "":
        raise ExpressionFailed("The 'old text' of the function 'replace' must not be empty.")
    return as_text("replace", text).replace(as_text("replace", old), as_text("replace", new))


@function("toLower", 1)
def _to_lower(text: Any) -> str:
    return as_text("toLower", text).lower()


@function("toUpper", 1)
def _to_upper(text: Any) -> str:
    return as_text("toUpper", text).upper()


@function("trim", 1)
def _trim(text: Any) -> str:
    return as_text("trim", text).strip()


@function("split", 2)
def _split(text: Any, mark: Any) -> list[str]:
    value, at = as_text("split", text), as_text("split", mark)
    return value.split(at) if at else [value]


@function("indexOf", 2)
def _index_of(text: Any, part: Any) -> int:
    return as_text("indexOf", text).lower().find(as_text("indexOf", part).lower())


@function("lastIndexOf", 2)
def _last_index_of(text: Any, part: Any) -> int:
    return as_text("lastIndexOf", text).lower().rfind(as_text("lastIndexOf", part).lower())


@function("startsWith", 2)
def _starts_with(text: Any, part: Any) -> bool:
    return as_text("startsWith", text).lower().startswith(as_text("startsWith", part).lower())


@function("endsWith", 2)
def _ends_with(text: Any, part: Any) -> bool:
    return as_text("endsWith", text).lower().endswith(as_text("endsWith", part).lower())


@function("guid", 0)
def _guid() -> str:
    return str(uuid.uuid4())
