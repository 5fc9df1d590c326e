"""Calls one function: decode the inputs, call, check the return value, encode the outputs.

The order is fixed and any exception in it fails the invocation, with no output sent. Where a call
runs (the event loop, which thread) is decided by `worker`; this module only knows the steps.

Source: the Python worker's invocation request; the conversions are `azure.functions`' own.
"""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import azure.functions as func

from .context import Context, attributed, invocation_id, make_context
from .datums import from_library, to_library
from .protocol import Datum, Frame, from_wire_all, to_wire, to_wire_all
from .signatures import BoundParameter, FunctionPlan, converter

_OWN_FILES = str(Path(__file__).parent)


class OutBox(func.Out[Any]):
    """What an output parameter receives; made anew for each invocation."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Keep the value that is to be sent; the last one counts."""
        self._value = val

    def get(self) -> Any:
        """The value that was set, or None."""
        return self._value


def call_sync(plan: FunctionPlan, frame: Frame) -> Frame:
    """Run a sync function on this thread; the outcome of the `invoke` frame."""
    context = make_context(plan.name, plan.directory, frame["context"])
    with attributed(context.invocation_id):
        try:
            called_with = arguments(plan, frame, context)
            return success(plan, called_with, plan.function(**called_with))
        except BaseException as error:  # noqa: BLE001 - a function must not end the worker
            return failure(error)


async def call_async(plan: FunctionPlan, frame: Frame) -> Frame:
    """Run an async function in the current task, which must be its alone; else as `call_sync`."""
    context = make_context(plan.name, plan.directory, frame["context"])
    invocation_id.set(context.invocation_id)
    try:
        called_with = arguments(plan, frame, context)
        return success(plan, called_with, await plan.function(**called_with))
    except BaseException as error:  # noqa: BLE001 - a function must not end the worker
        return failure(error)


def arguments(plan: FunctionPlan, frame: Frame, context: Context) -> dict[str, Any]:
    """The keyword arguments of a call, decoded from an `invoke` frame.

    Raises: what a converter raises for a datum it cannot take.
    """
    metadata = {
        name: to_library(datum)
        for name, datum in from_wire_all(frame.get("metadata") or {}).items()
        if datum.kind is not None
    }
    given = from_wire_all(frame["inputs"])
    decoded = {
        name: _decode(plan.inputs[name], datum, metadata)
        for name, datum in given.items()
        if name in plan.inputs
    }
    decoded.update((name, OutBox()) for name in plan.outputs)
    if plan.wants_context:
        decoded["context"] = context
    return decoded


def _decode(parameter: BoundParameter, datum: Datum, metadata: Mapping[str, Any]) -> Any:
    found = converter(parameter.binding_type)
    shown = metadata if found.has_trigger_support() else {}
    try:
        return found.decode(to_library(datum), trigger_metadata=shown)
    except NotImplementedError:
        raise TypeError(
            "unable to decode incoming TypedData: unsupported combination of TypedData field "
            f"{datum.kind!r} and expected binding type {found!r}"
        ) from None


def success(plan: FunctionPlan, called_with: Mapping[str, Any], result: Any) -> Frame:
    """The outcome of a call that returned, with its outputs encoded.

    Raises: RuntimeError if a value was returned that no binding takes; what a converter raises for
        a value it cannot encode.
    """
    if result is not None and plan.returns is None:
        raise RuntimeError(
            f"function {plan.name!r} without a $return binding returned a non-None value"
        )
    outputs: dict[str, Datum] = {}
    for name, parameter in plan.outputs.items():
        value = called_with[name].get()
        if value is not None:
            outputs[name] = _encode(parameter, value)
    returned = _encode(plan.returns, result) if plan.returns is not None else Datum(None)
    return {"ok": True, "return": to_wire(returned), "outputs": to_wire_all(outputs)}


def _encode(parameter: BoundParameter, value: Any) -> Datum:
    try:
        encoded = converter(parameter.binding_type).encode(
            value, expected_type=parameter.annotation
        )
        return from_library(encoded)
    except NotImplementedError:
        raise TypeError(
            f'unable to encode outgoing TypedData: unsupported type "{parameter.binding_type}" '
            f'for Python type "{type(value).__name__}"'
        ) from None


def failure(error: BaseException) -> Frame:
    """The outcome of a call that raised: the type, the text, and the trace without our frames."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception whose text cannot be had is still reported
        text = "Unhandled exception in function. Could not serialize original exception message."
    return {
        "ok": False,
        "type": type(error).__name__,
        "message": text,
        "trace": format_trace(error),
    }


def format_trace(error: BaseException) -> str:
    """The traceback as Python prints it, from the app's first frame on."""
    try:
        return "".join(traceback.format_exception(_without_own_frames(error)))
    except Exception as fault:  # noqa: BLE001 - an app's exception may refuse to be printed
        return f"Could not extract traceback. Sub-exception: {type(fault).__name__}: {fault}"


def _without_own_frames(error: BaseException) -> BaseException:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN_FILES):
        trace = trace.tb_next
    return error.with_traceback(trace)
