"""Functions that make an object of another.

Pure. Source: Logic Apps documentation, "Reference guide to workflow expression functions".
"""

from typing import Any

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.functions.registry import as_object, as_text, function


@function("setProperty", 3)
def _set_property(target: Any, name: Any, value: Any) -> dict[str, Any]:
    return as_object("setProperty", target) | {as_text("setProperty", name): value}


@function("addProperty", 3)
def _add_property(target: Any, name: Any, value: Any) -> dict[str, Any]:
    if as_text("addProperty", name) in as_object("addProperty", target):
        raise ExpressionFailed(f"The function 'addProperty': the property '{name}' exists already.")
    return as_object("addProperty", target) | {str(name): value}


@function("removeProperty", 2)
def _remove_property(target: Any, name: Any) -> dict[str, Any]:
    wanted = as_text("removeProperty", name)
    items = as_object("removeProperty", target).items()
    return {key: value for key, value in items if key != wanted}
