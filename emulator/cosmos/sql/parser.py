"""From the text of a query to its tree.

Trees are cached by text, since an app asks few queries many times. The grammar is loaded at the
first use, or by `warm_up`, because that takes a third of a second.

Source: specification, sections 8.1 and 8.3.
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from emulator.cosmos.errors import CosmosError, query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.builder import Builder

MAX_QUERY_BYTES = 512 * 1024
# The tree of a long query is large and rarely wanted again.
_CACHED_LENGTH = 8 * 1024


def parse_query(text: str) -> ast.Query:
    """The tree of a query.

    Raises:
        CosmosError: 400 with the place where the text is wrong.
    """
    if len(text) > MAX_QUERY_BYTES:
        raise query_error("SC1000", "The SQL query text exceeded the maximum limit of 524288.")
    return _parse(text) if len(text) <= _CACHED_LENGTH else _parse.__wrapped__(text)


def warm_up() -> None:
    """Load the grammar now rather than at the first query."""
    _lark()


@lru_cache(maxsize=512)
def _parse(text: str) -> ast.Query:
    try:
        tree: Any = _lark().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, CosmosError):
            raise error.orig_exc from None
        raise
    assert isinstance(tree, ast.Query)
    return tree


@cache
def _lark() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar, parser="lalr", lexer="contextual", transformer=Builder(), maybe_placeholders=True
    )


def _syntax_error(text: str, error: UnexpectedInput) -> CosmosError:
    start = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    near = ""
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        near = str(error.token)
    elif isinstance(error, UnexpectedCharacters):
        near = text[start : start + 1]
    if not near:
        start = len(text)
        return query_error("SC1001", "Syntax error, unexpected end of query.", start, start + 1)
    return query_error(
        "SC1001", f"Syntax error, incorrect syntax near '{near}'.", start, start + len(near)
    )
