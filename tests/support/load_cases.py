"""Small function apps that load or do not, with the text that the Python worker refuses them with.

Each case is an app's `function_app.py`. `error` is the whole text after the exception's type, a
piece of it where it holds addresses or paths, or None for an app that loads.
"""

from dataclasses import dataclass

HEAD = """
import typing
from typing import List, Optional
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""
_QUEUE = '@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="SB")\n'
_SB_OUT = '@app.service_bus_queue_output(arg_name="out", queue_name="q", connection="SB")\n'
_COSMOS_OUT = (
    '@app.cosmos_db_output(arg_name="out", database_name="d", container_name="c", connection="C")\n'
)
_GRID_OUT = (
    '@app.event_grid_output(arg_name="out", topic_endpoint_uri="U", topic_key_setting="K")\n'
)
_CANNOT = "cannot load the f function: "
_MISMATCH = (
    'binding type "\'{}\'" and dataType "{}" in the binding decorator do not match the '
    "corresponding function parameter's Python type annotation {}"
)


@dataclass(frozen=True)
class LoadCase:
    """One app.

    Attributes:
        error_type: the exception's class name; None for an app that loads.
    """

    name: str
    source: str
    error_type: str | None = None
    error: str = ""


def _refused(name: str, body: str, error: str) -> LoadCase:
    return LoadCase(name, HEAD + body, "FunctionLoadError", _CANNOT + error)


def _loads(name: str, body: str) -> LoadCase:
    return LoadCase(name, HEAD + body)


# What a signature may and may not be.
SIGNATURES = [
    _refused(
        "parameter_that_is_not_bound",
        '@app.route()\ndef f(req, other): return "x"\n',
        "the following parameters are declared in Python but not in the function definition "
        "(function.json or function decorators):  {'other'}",
    ),
    _refused(
        "parameter_with_a_default_is_not_exempt",
        '@app.route()\ndef f(req, other=1): return "x"\n',
        "the following parameters are declared in Python but not in the function definition "
        "(function.json or function decorators):  {'other'}",
    ),
    _refused(
        "keyword_arguments_are_not_exempt",
        '@app.route()\ndef f(req, **rest): return "x"\n',
        "the following parameters are declared in Python but not in the function definition "
        "(function.json or function decorators):  {'rest'}",
    ),
    _refused(
        "binding_without_a_parameter",
        '@app.route()\ndef f(): return "x"\n',
        "Extra parameters in binding definition — the following parameters are declared as "
        "bindings but are not present in Python: {'req'}",
    ),
    _refused(
        "context_of_a_wrong_type",
        '@app.route()\ndef f(req, context: str): return "x"\n',
        'the "context" parameter is expected to be of type azure.functions.Context, '
        "got \"<class 'str'>\"",
    ),
    _loads("context_without_a_type", '@app.route()\ndef f(req, context): return "x"\n'),
    _loads(
        "context_with_its_type", '@app.route()\ndef f(req, context: func.Context): return "x"\n'
    ),
    _loads(
        "context_of_any_type_of_that_name",
        'class Context: pass\n@app.route()\ndef f(req, context: Context): return "x"\n',
    ),
    _refused(
        "optional_return",
        "@app.route()\ndef f(req) -> Optional[str]: ...\n",
        "has invalid non-type return annotation typing.Optional[str]",
    ),
    _refused(
        "union_return",
        "@app.route()\ndef f(req) -> str | None: ...\n",
        "has invalid non-type return annotation str | None",
    ),
    _refused(
        "none_return_on_http",
        "@app.route()\ndef f(req) -> None: ...\n",
        'Python return annotation "NoneType" does not match binding type "http"',
    ),
    _refused(
        "list_return_on_service_bus",
        "@app.route(binding_arg_name='res')\n"
        "@app.service_bus_queue_output(arg_name='$return', queue_name='q', connection='SB')\n"
        "def f(req, res: func.Out[func.HttpResponse]) -> list: ...\n",
        'Python return annotation "list" does not match binding type "serviceBus"',
    ),
    _refused(
        "return_annotated_as_out",
        "@app.route()\ndef f(req) -> func.Out[str]: ...\n",
        "return annotation should not be azure.functions.Out",
    ),
    _refused(
        "out_binding_that_is_not_annotated_as_out",
        _QUEUE + _SB_OUT + "def f(msg, out: str): ...\n",
        'binding out is declared to have the "out" direction, but its annotation in Python is not '
        "a subclass of azure.functions.Out",
    ),
    _refused(
        "in_binding_annotated_as_out",
        _QUEUE + "def f(msg: func.Out[str]): ...\n",
        'binding msg is declared to have the "in" direction in the binding decorator, but its '
        "annotation is azure.functions.Out in Python",
    ),
    _refused(
        "bare_out",
        _QUEUE + _SB_OUT + "def f(msg, out: func.Out): ...\n",
        "binding out has invalid Out annotation <class 'azure.functions._abc.Out'>",
    ),
    _refused(
        "union_parameter",
        _QUEUE + "def f(msg: Optional[str]): ...\n",
        "binding msg has invalid non-type annotation typing.Optional[str]",
    ),
    _refused(
        "builtin_generic_parameter",
        _QUEUE.replace("connection", 'cardinality="many", connection')
        + "def f(msg: list[func.ServiceBusMessage]): ...\n",
        "binding msg has invalid non-type annotation "
        "list[azure.functions._servicebus.ServiceBusMessage]",
    ),
    _refused(
        "trigger_of_a_wrong_type",
        _QUEUE + "def f(msg: int): ...\n",
        _MISMATCH.format("msg", "serviceBusTrigger", "int"),
    ),
    _refused(
        "trigger_of_a_wrong_type_with_an_undefined_data_type",
        _QUEUE.replace("connection", 'data_type="undefined", connection')
        + "def f(msg: int): ...\n",
        'type of msg binding in the binding decorator "serviceBusTrigger" does not match its '
        'Python annotation "int"',
    ),
    _refused(
        "trigger_of_a_wrong_type_with_a_data_type",
        _QUEUE.replace("connection", 'data_type="binary", connection') + "def f(msg: int): ...\n",
        _MISMATCH.format("msg", "serviceBusTrigger", "int"),
    ),
    _refused(
        "out_list_on_service_bus",
        _QUEUE + _SB_OUT + "def f(msg, out: func.Out[list]): ...\n",
        _MISMATCH.format("out", "serviceBus", "list"),
    ),
    _refused(
        "out_message_on_service_bus",
        _QUEUE + _SB_OUT + "def f(msg, out: func.Out[func.ServiceBusMessage]): ...\n",
        _MISMATCH.format("out", "serviceBus", "ServiceBusMessage"),
    ),
    LoadCase(
        "out_list_of_text_on_service_bus",
        HEAD + _QUEUE + _SB_OUT + "def f(msg, out: func.Out[List[str]]): ...\n",
        "TypeError",
        "issubclass() arg 1 must be a class",
    ),
    _loads("out_text_on_service_bus", _QUEUE + _SB_OUT + "def f(msg, out: func.Out[str]): ...\n"),
    _loads("out_without_a_type", _QUEUE + _SB_OUT + "def f(msg, out): ...\n"),
    _loads("out_text_on_cosmos", _QUEUE + _COSMOS_OUT + "def f(msg, out: func.Out[str]): ...\n"),
    _loads(
        "out_document_on_cosmos",
        _QUEUE + _COSMOS_OUT + "def f(msg, out: func.Out[func.Document]): ...\n",
    ),
    _loads(
        "out_list_of_events",
        _QUEUE + _GRID_OUT + "def f(msg, out: func.Out[List[func.EventGridOutputEvent]]): ...\n",
    ),
    _loads(
        "batch_of_messages",
        _QUEUE.replace("connection", 'cardinality="many", connection')
        + "def f(msg: List[func.ServiceBusMessage]): ...\n",
    ),
    LoadCase(
        "annotations_as_text",
        "from __future__ import annotations\n"
        + HEAD
        + "@app.route()\ndef f(req: func.HttpRequest, context: 'func.Context')"
        " -> func.HttpResponse: ...\n",
    ),
    LoadCase(
        "annotation_that_names_nothing",
        "from __future__ import annotations\n" + HEAD + "@app.route()\ndef f(req: Nothing): ...\n",
        "NameError",
        "name 'Nothing' is not defined",
    ),
]

# What an app's module may and may not be.
MODULES = [
    LoadCase("app_without_functions", HEAD),
    LoadCase(
        "no_app",
        "import azure.functions as func\nbp = func.Blueprint()\n",
        "ValueError",
        "Could not find top level function app instances in function_app.py.",
    ),
    LoadCase(
        "two_apps",
        HEAD + "other = func.FunctionApp()\n",
        "ValueError",
        "More than one FunctionApp or other top level function app instances are defined.",
    ),
    LoadCase(
        "one_app_by_two_names",
        HEAD + "alias = app\n",
        "ValueError",
        "More than one FunctionApp or other top level function app instances are defined.",
    ),
    LoadCase(
        "names_that_are_equal",
        HEAD
        + '@app.function_name("f")\n@app.route("a")\ndef one(req): ...\n'
        + '@app.function_name("f")\n@app.route("b")\ndef two(req): ...\n',
        "ValueError",
        "Function f does not have a unique function name. Please change @app.function_name() or "
        "the function method name to be unique.",
    ),
    LoadCase(
        "names_that_differ_by_case",
        HEAD + '@app.route("a")\ndef f(req): ...\n@app.route("b")\ndef F(req): ...\n',
        "ValueError",
        "The functions 'f' and 'F' differ by case only. The host compares names ignoring case; "
        "change one of them.",
    ),
    LoadCase(
        "missing_module",
        "import nowhere_to_be_found\n",
        "ModuleNotFoundError",
        "No module named 'nowhere_to_be_found'. Cannot find module. Please check the "
        "requirements.txt file for the missing module.",
    ),
    LoadCase("error_at_import", 'raise RuntimeError("at import")\n', "RuntimeError", "at import"),
    LoadCase("exit_at_import", "raise SystemExit(4)\n", "SystemExit", "4"),
    LoadCase("syntax_error", "def f(:\n", "SyntaxError", "invalid syntax"),
    LoadCase(
        "no_trigger",
        HEAD + _SB_OUT + "def f(out: func.Out[str]): ...\n",
        "ValueError",
        "Function f does not have a trigger. A valid function must have one and only one trigger",
    ),
    LoadCase(
        "two_triggers",
        HEAD + _QUEUE + '@app.route()\ndef f(req, msg): return "x"\n',
        "ValueError",
        "A trigger was already registered to this function. Adding another trigger is not the "
        "correct behavior as a function can only have one trigger.",
    ),
    LoadCase(
        "fixed_delay_without_an_interval",
        HEAD
        + '@app.retry(strategy="fixed_delay", max_retry_count="3")\n'
        + '@app.schedule(arg_name="t", schedule="0 * * * * *")\ndef f(t): ...\n',
        "TypeError",
        "strptime() argument 0 must be str, not <class 'NoneType'>",
    ),
    LoadCase(
        "async_generator",
        HEAD + "@app.route()\nasync def f(req):\n    yield 1\n",
        "FunctionLoadError",
        _CANNOT + "async generators are not supported: a function returns one value",
    ),
]
