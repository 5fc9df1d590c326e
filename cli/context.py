"""What every command is handed: the client, the printer, and how errors become exit codes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import typer

from cli import exit_codes
from cli.client import ApiError, OrdersApi, Unreachable
from cli.inputs import BadInput
from cli.output import Output

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Session:
    """One run of `orders`."""

    api: OrdersApi
    output: Output


def session(context: typer.Context) -> Session:
    """The session that the main callback made."""
    found = context.find_object(Session)
    assert found is not None
    return found


def reports_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Turn what went wrong into one line on stderr and a documented exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except BadInput as error:
            raise _end(str(error), exit_codes.USAGE) from error
        except Unreachable as error:
            raise _end(str(error), exit_codes.UNAVAILABLE) from error
        except ApiError as error:
            raise _end(explain(error), _code(error.status)) from error
        except OSError as error:  # the output's end, such as a full disk
            raise _end(f"Cannot write: {error.strerror}.", exit_codes.NOT_ALL_WELL) from error

    return run


def explain(error: ApiError) -> str:
    """One line, and one more for every entry of the problem's `errors`."""
    lines = [f"{error.status} {error.problem.get('title', '')}: {error}".strip()]
    if error.status == 401:
        lines.append(
            "Give a subscription key (--key, ORDERS_KEY) and a token (--token, ORDERS_TOKEN)."
        )
    if error.retry_after_s is not None and error.status in (429, 503):
        lines.append(f"Try again in {error.retry_after_s:g} s.")
    entries: list[Any] = error.problem.get("errors") or []
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        told = f"{entry.get('field', '')}: {entry.get('message', '')}"
        if told != str(error):  # of a single entry the detail may be just that
            lines.append(f"  {told}")
    return "\n".join(lines)


def _code(status: int) -> int:
    if status == 404:
        return exit_codes.NOT_FOUND
    return exit_codes.REFUSED if status < 500 else exit_codes.UNAVAILABLE


def _end(text: str, code: int) -> typer.Exit:
    sys.stderr.write(f"orders: {text}\n")
    return typer.Exit(code)


def confirm_bulk(what: str, *, yes: bool) -> None:
    """Ask before a write that touches more than what was named.

    Raises:
        BadInput: nobody can be asked (no terminal), and `--yes` was not given.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(f"{what} is a bulk write: give --yes where no terminal can be asked.")
    if not typer.confirm(f"{what}?", err=True):
        raise typer.Exit(exit_codes.USAGE)
