"""What the console shows when the host is ready: harnesses wait for these lines.

Source: Core Tools' output, in its order: version block, functions with the HTTP ones first,
functions in error and disabled ones, the hint.
"""

from collections.abc import Iterable, Sequence

from emulator.config import VERSION
from emulator.host.admin import VERSION as RUNTIME_VERSION
from emulator.host.functions import Function

VERSION_BLOCK = f"""
Azure Functions Core Tools
Core Tools Version:       {VERSION} Commit hash: N/A (64-bit)
Function Runtime Version: {RUNTIME_VERSION}

Local emulator of Azure Functions. Not for production.
"""
VERBOSE_HINT = "For detailed output, run func with --verbose flag."


def function_lines(functions: Iterable[Function], origin: str, route_prefix: str) -> list[str]:
    """The block that lists what runs, and what does not and why."""
    every = list(functions)
    running = [function for function in every if function.runs]
    lines: list[str] = []
    if running:
        http = [function for function in running if function.trigger.type == "httpTrigger"]
        rest = [function for function in running if function.trigger.type != "httpTrigger"]
        lines += ["", "Functions:", ""]
        for function in http:
            lines += [
                f"\t{function.name}: {_methods(function)} {_url(function, origin, route_prefix)}",
                "",
            ]
        for function in rest:
            lines += [f"\t{function.name}: {function.trigger.type}", ""]
    for function in every:
        if function.disabled:
            lines.append(f"Function {function.name} is disabled.")
    return lines


def error_lines(functions: Iterable[Function]) -> list[str]:
    """One line for every function that is in error."""
    return [
        f"The '{function.name}' function is in error: {function.error}"
        for function in functions
        if function.error is not None
    ]


def _methods(function: Function) -> str:
    methods: Sequence[str] | None = function.trigger.values.get("methods")
    return f"[{','.join(str(method).upper() for method in methods)}]" if methods else ""


def _url(function: Function, origin: str, route_prefix: str) -> str:
    route = function.trigger.text("route") or function.name
    # The address that people type: the real tool shows localhost.
    shown = origin.replace("//127.0.0.1:", "//localhost:")
    return "/".join(part for part in (shown, route_prefix, route.lstrip("/")) if part)
