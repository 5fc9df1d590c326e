"""Loads a function app's script and lists its functions, as the Python worker does.

One exception anywhere means that the app has no functions at all. The script is imported by its
stem, so that custom objects find their module, and `get_functions()` is called once: the library
remembers the names and refuses them the second time.

Source: the Python worker's loader. DIFFERS: a script that is missing is an error here (Azure finds
zero functions and says nothing), and so are two names that differ by case only (they collide in the
host).
"""

import importlib
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.functions import FunctionRegister

from .signatures import FunctionPlan, plan_function

_DEFAULT_SCRIPT = "function_app.py"
_SCRIPT_NAME = re.compile(r"^[a-zA-Z0-9_][a-zA-Z0-9_\-]*\.py$")
_MODULE_HINT = (
    "Cannot find module. Please check the requirements.txt file for the missing module. For more "
    "info, please refer the troubleshooting guide: https://aka.ms/functions-modulenotfound. "
    "Current sys.path: "
)


class InvalidFileNameError(Exception):
    """`PYTHON_SCRIPT_FILE_NAME` is no name of a script."""


class ScriptNotFoundError(Exception):
    """The folder holds no function app."""


@dataclass(frozen=True)
class LoadedFunction:
    """A function that can be called, and what the host is told of it."""

    plan: FunctionPlan
    metadata: dict[str, Any]


def load_app(script_root: Path, environ: Mapping[str, str]) -> list[LoadedFunction]:
    """Import the app and plan every function of it, in the library's order.

    Raises: whatever the app or a check raises; the app then has no functions.
    """
    script = environ.get("PYTHON_SCRIPT_FILE_NAME") or _DEFAULT_SCRIPT
    if not _SCRIPT_NAME.match(script):
        raise InvalidFileNameError(f"Invalid file name: {script}")
    if not (script_root / script).is_file():
        raise ScriptNotFoundError(
            f"There is no {script} in {script_root}. A function app of the v2 programming model "
            "has one; PYTHON_SCRIPT_FILE_NAME names it where it is called otherwise."
        )
    app = _find_app(_import(script), script)
    functions = app.get_functions()
    _refuse_same_names(functions)
    return [_load(function) for function in functions]


def _import(script: str) -> Any:
    try:
        return importlib.import_module(Path(script).stem)
    except ImportError as error:
        text = (getattr(error, "msg", None) or str(error)).rstrip(".")
        hinted = type(error)(f"{text}. {_MODULE_HINT}{' '.join(sys.path)}")
        raise hinted.with_traceback(error.__traceback__) from None


def _find_app(module: Any, script: str) -> Any:
    found: FunctionRegister | None = None
    for name in module.__dir__():
        value = getattr(module, name, None)
        if not isinstance(value, FunctionRegister):
            continue
        if found is not None:
            raise ValueError(
                f"More than one {type(found).__name__} or other top level function app instances "
                "are defined."
            )
        found = value
    if found is None:
        raise ValueError(f"Could not find top level function app instances in {script}.")
    return found


def _refuse_same_names(functions: list[Any]) -> None:
    seen: dict[str, str] = {}
    for function in functions:
        name = function.get_function_name()
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise ValueError(
                f"The functions '{other}' and '{name}' differ by case only. The host compares "
                "names ignoring case; change one of them."
            )


def _load(function: Any) -> LoadedFunction:
    plan = plan_function(function)
    metadata = {
        "name": plan.name,
        "bindings": [json.loads(binding) for binding in function.get_raw_bindings()],
        "retry": _retry(function.get_settings_dict("retry_policy")),
        "is_async": plan.is_async,
        "http_type": getattr(function, "http_type", "function"),
        "script_file": function.function_script_file,
        "trigger_type": plan.trigger_type,
        "trigger_name": plan.trigger_name,
    }
    return LoadedFunction(plan, metadata)


def _retry(settings: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """The retry policy as the app declares it, once it is known to make sense.

    Raises:
        TypeError, ValueError: an interval is missing where it is needed, or is not `HH:MM:SS`.
    """
    if not settings:
        return None
    int(settings["max_retry_count"])
    if settings.get("strategy") == "fixed_delay":
        _check_interval(settings.get("delay_interval"))
    for name in ("minimum_interval", "maximum_interval"):
        if settings.get(name):
            _check_interval(settings[name])
    return settings


def _check_interval(interval: Any) -> None:
    time.strptime(interval, "%H:%M:%S")
