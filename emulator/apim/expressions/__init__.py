"""Policy expressions: `@(…)` and `@{…}`, the subset of C# that the gateway carries out.

`compile_text` is called once, when policies are loaded; the `Expression` it makes runs for each
call. There is no translation to Python source and no `eval`: text becomes tokens (`lexer`), a tree
(`parser`), typed closures (`compiler`, `statements`) over the members listed in `library`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from emulator.apim.expressions.errors import ExpressionError, ExpressionFailure
from emulator.apim.expressions.parser import parse_block, parse_expression
from emulator.apim.expressions.statements import BlockCompiler
from emulator.apim.expressions.types import Type
from emulator.apim.expressions.values import Frame

__all__ = ["Expression", "ExpressionError", "ExpressionFailure", "compile_text", "is_expression"]


@dataclass(frozen=True)
class Expression:
    """A compiled expression.

    Attributes:
        type: what it gives, as C# types it.
        reads: the messages (`request`, `response`) whose bodies must be in memory before it runs.
    """

    type: Type
    reads: frozenset[str]
    size: int
    run: Callable[[Frame], Any]

    def evaluate(self, context: object) -> Any:
        """The value for a context.

        Raises:
            ExpressionFailure: the expression threw.
        """
        try:
            return self.run(Frame(context, self.size))
        except ExpressionFailure:
            raise
        except Exception as error:
            raise ExpressionFailure(f"{type(error).__name__}: {error}") from error


def is_expression(text: str) -> bool:
    """Whether a whole value is an expression; text that merely contains `@(` is literal."""
    return (text.startswith("@(") and text.endswith(")")) or (
        text.startswith("@{") and text.endswith("}")
    )


@lru_cache(maxsize=1024)
def compile_text(text: str) -> Expression:
    """The expression of a text for which `is_expression` holds.

    Raises:
        ExpressionError: it cannot be understood, or uses what is not supported.
    """
    compiler = BlockCompiler()
    inner = text[2:-1]
    try:
        if text.startswith("@("):
            code = compiler.code(parse_expression(inner))
        else:
            code = compiler.block(parse_block(inner))
    except ExpressionError as error:
        raise ExpressionError(str(error), error.position + 2) from error
    return Expression(code.type, frozenset(compiler.reads), compiler.size, code.run)
