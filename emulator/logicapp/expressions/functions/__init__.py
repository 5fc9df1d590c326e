"""The functions that look at nothing but their arguments: one table, filled by the modules here.

Left out: XML, formatting of dates and numbers, data URIs; a name that is not in the table is
refused when the workflow is loaded.
"""

from emulator.logicapp.expressions.functions import (
    collections,
    conversion,
    dates,
    logic,
    numbers,
    objects,
    texts,
)
from emulator.logicapp.expressions.functions.registry import FUNCTIONS, Function

__all__ = [
    "FUNCTIONS",
    "Function",
    "collections",
    "conversion",
    "dates",
    "logic",
    "numbers",
    "objects",
    "texts",
]
