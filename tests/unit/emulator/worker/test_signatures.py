"""Signatures are refused with the worker's texts, and planned as the worker plans them.

On Python 3.13, where the worker's own library can be installed, it is asked the same questions.
"""

import sys
import types
from typing import Any

import azure.functions as func
import pytest

from emulator.worker.signatures import FunctionPlan, plan_function
from tests.support.load_cases import HEAD, SIGNATURES, LoadCase


def functions_of(source: str, name: str) -> list[Any]:
    module = types.ModuleType(f"case_{name}")
    sys.modules[module.__name__] = module
    exec(compile(source, __file__, "exec"), module.__dict__)
    return module.app.get_functions()


def refusal(plan: Any, functions: list[Any]) -> tuple[str, str] | None:
    try:
        for function in functions:
            plan(function)
    except Exception as error:  # noqa: BLE001 - whatever is raised is the refusal
        return type(error).__name__, str(error)
    return None


@pytest.mark.parametrize("case", SIGNATURES, ids=lambda case: case.name)
def test_a_signature_is_refused_with_the_workers_text_or_planned(case: LoadCase) -> None:
    expected = (case.error_type, case.error) if case.error_type else None
    assert refusal(plan_function, functions_of(case.source, case.name)) == expected


@pytest.mark.parametrize("case", SIGNATURES, ids=lambda case: case.name)
def test_the_workers_own_library_says_the_same(case: LoadCase) -> None:
    library = pytest.importorskip("azure_functions_runtime.functions")
    meta = pytest.importorskip("azure_functions_runtime.bindings.meta")
    meta.load_binding_registry()
    info = types.SimpleNamespace(inout=2, out=1, undefined=0)
    protos = types.SimpleNamespace(BindingInfo=info)
    registry = library.Registry()

    def add(function: Any) -> Any:
        return registry.add_indexed_function(function=function, protos=protos)

    theirs = refusal(add, functions_of(case.source, case.name))
    assert theirs == refusal(plan_function, functions_of(case.source, case.name))


def plan_of(body: str) -> FunctionPlan:
    return plan_function(functions_of(HEAD + body, "plan")[0])


def test_text_parameters_take_the_generic_converter() -> None:
    plan = plan_of(
        '@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="SB")\n'
        '@app.service_bus_queue_output(arg_name="out", queue_name="q", connection="SB")\n'
        "def f(msg: str, out: func.Out[bytes]): ...\n"
    )
    assert plan.inputs["msg"].binding_type == "generic"
    assert plan.outputs["out"].binding_type == "generic"
    assert plan.outputs["out"].annotation is bytes
    assert plan.returns is None


def test_untyped_parameters_take_the_converter_of_their_binding() -> None:
    plan = plan_of(
        '@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="SB")\n'
        "def f(msg): ...\n"
    )
    assert plan.inputs["msg"].binding_type == "serviceBusTrigger"
    assert not plan.is_async
    assert not plan.wants_context


def test_an_explicit_return_goes_before_a_generic_triggers_own_output() -> None:
    plan = plan_of(
        '@app.generic_trigger(arg_name="x", type="someTrigger")\n'
        '@app.generic_output_binding(arg_name="$return", type="queue")\n'
        "def f(x: str) -> str: ...\n"
    )
    assert plan.returns is not None
    assert plan.returns.binding_type == "queue"


def test_a_generic_trigger_takes_the_return_value_by_itself() -> None:
    plan = plan_of('@app.generic_trigger(arg_name="x", type="someTrigger")\ndef f(x): ...\n')
    assert plan.returns is not None
    assert plan.returns.binding_type == "someTrigger"


def test_a_context_that_is_bound_is_the_binding() -> None:
    plan = plan_of(
        '@app.generic_trigger(arg_name="context", type="someTrigger")\nasync def f(context): ...\n'
    )
    assert not plan.wants_context
    assert plan.trigger_name == "context"
    assert plan.is_async


def test_types_of_the_binding_extensions_are_refused_by_name() -> None:
    functions = functions_of(
        HEAD
        + "class BlobClient: __module__ = 'azurefunctions.extensions.bindings.blob'\n"
        + '@app.blob_trigger(arg_name="blob", path="a/{b}", connection="S")\n'
        + "def f(blob: BlobClient): ...\n",
        "extension",
    )
    assert refusal(plan_function, functions) == (
        "FunctionLoadError",
        "cannot load the f function: binding blob uses azurefunctions.extensions.bindings.blob."
        "BlobClient: SDK-type bindings and streaming HTTP are not supported by the local emulator",
    )


def test_the_library_still_names_what_the_plans_stand_on() -> None:
    assert func.get_binding_registry().get("httpTrigger") is not None
