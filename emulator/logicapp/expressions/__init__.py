"""The expressions of the workflow definition language: reading, compiling, evaluating."""

from emulator.logicapp.expressions.context import Context
from emulator.logicapp.expressions.evaluate import (
    Template,
    compile_expression,
    compile_template,
    escape_pointer,
)

__all__ = ["Context", "Template", "compile_expression", "compile_template", "escape_pointer"]
