"""The same calls through Azure's own worker library, where it can be installed (Python 3.13)."""

import importlib.util
import re
import sys
import uuid
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from emulator.host.worker_process import InvocationContext, WorkerProcess
from emulator.worker import datums
from emulator.worker.protocol import UNSET, Datum
from tests.integration.worker import test_inputs as inputs
from tests.integration.worker import test_outputs as outputs
from tests.integration.worker.conftest import APPS, Start

pytest.importorskip("azure_functions_runtime")
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Library:
    """An app served by the vendor's library in this process."""

    def __init__(self, app: str) -> None:
        meta = importlib.import_module("azure_functions_runtime.bindings.meta")
        events = importlib.import_module("azure_functions_runtime.handle_event")
        pool = importlib.import_module("azure_functions_runtime.utils.threadpool")
        self.native = importlib.import_module("azure_functions_runtime.native_invocation")
        meta.load_binding_registry()
        pool.start_threadpool_executor()
        info = ModuleType("BindingInfo")
        info.inout, info.out, info.undefined = 2, 1, 0  # type: ignore[attr-defined]  # a stand-in
        protos = ModuleType("protos")
        protos.BindingInfo = info  # type: ignore[attr-defined]  # a stand-in
        for function in load(app).get_functions():
            events._functions.add_indexed_function(function=function, protos=protos)

    async def invoke(
        self,
        function: str,
        inputs: Mapping[str, Datum],
        metadata: Mapping[str, Datum],
        context: InvocationContext,
    ) -> tuple[str | None, dict[str, Datum], Datum]:
        """The error's text, the outputs and the return value."""
        ok, returned, sent, error, _ = await self.native.invocation_request_native(
            context.invocation_id,
            str(uuid.uuid5(uuid.NAMESPACE_OID, function)),
            [(name, datums.to_library(datum)) for name, datum in inputs.items()],
            {k: datums.to_library(v) for k, v in metadata.items() if v.kind is not None},
            context.trace_parent,
            context.trace_state,
        )
        if not ok:
            return error, {}, UNSET
        told = {name: datums.from_library(datum) for name, datum in sent}
        return None, told, datums.from_library(returned)


def load(app: str) -> Any:
    """The app of a script, under a module name that no other test uses."""
    name = f"oracle_{app}"
    spec = importlib.util.spec_from_file_location(name, APPS / app / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bindings(start_shared: Start) -> WorkerProcess:
    return await start_shared("bindings")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outputs_app(start_shared: Start) -> WorkerProcess:
    return await start_shared("outputs")


async def compare(
    worker: WorkerProcess,
    library: Library,
    function: str,
    given: Mapping[str, Datum],
    metadata: Mapping[str, Datum],
) -> None:
    context = InvocationContext(trace_parent="00-aa-bb-01", trace_state="s")
    ours = await worker.invoke(function, given, metadata, context)
    error, sent, returned = await library.invoke(function, given, metadata, context)
    assert ours.ok == (error is None), (ours, error)
    if error is None:
        assert (dict(ours.outputs), ours.return_value) == (sent, returned)
    else:  # the library gives the exception's repr
        text = error.replace("\\'", "'").replace('\\"', '"')
        assert text.startswith(f"{ours.error_type}(")
        assert ADDRESS.sub("", ours.error_message) in ADDRESS.sub("", text)


ADDRESS = re.compile(r"0x[0-9a-f]+|[()'\"]")
BATCH = {
    "UserPropertiesArray": inputs.as_json([{"n": 1}, {"n": 2}]),
    "SequenceNumberArray": Datum("collection_sint64", [7, 8]),
    "CorrelationIdArray": Datum("collection_string", ["c2"]),
}
CALLS: list[tuple[str, dict[str, Datum], dict[str, Datum]]] = [
    ("http", {"req": inputs.request(body=b"\x00", query={"a": "1"}, params={"id": "5"})}, {}),
    ("sb_single", {"msg": inputs.text('{"a": 1}')}, inputs.MESSAGE),
    ("sb_single", {"msg": Datum("bytes", b"raw")}, inputs.MESSAGE),
    ("sb_single", {"msg": UNSET}, inputs.MESSAGE),
    ("sb_text", {"msg": inputs.text("plain")}, inputs.MESSAGE),
    ("sb_batch", {"msgs": inputs.as_json([{"a": 1}, {"a": 2}])}, BATCH),
    ("sb_batch", {"msgs": Datum("collection_string", ["only one"])}, BATCH),
    ("sb_batch", {"msgs": Datum("collection_bytes", [b"1", b"2"])}, BATCH),
    ("cosmos", {"docs": inputs.text('[{"id":"1"}]')}, {}),
    ("cosmos", {"docs": inputs.text("null")}, {}),
    ("lookup", {"req": inputs.request(), "doc": UNSET, "blob": UNSET}, {}),
    ("lookup", {"req": inputs.request(), "doc": inputs.text("{}"), "blob": inputs.text("b")}, {}),
    ("lookup", {"req": inputs.request()}, {}),
    ("timer", {"timer": inputs.as_json({"IsPastDue": True})}, {}),
    ("blob", {"blob": Datum("bytes", b"b")}, {"BlobTrigger": inputs.text("in/a")}),
    ("queue", {"item": inputs.text("hello")}, {"Id": inputs.text("q1")}),
    ("generic", {"thing": inputs.as_json({"a": 1})}, {}),
    ("generic", {"thing": Datum("bytes", b"b")}, {}),
]


@pytest.fixture(scope="module")
def library() -> Library:
    return Library("bindings")


@pytest.fixture(scope="module")
def outputs_library() -> Library:
    return Library("outputs")


@pytest.mark.parametrize(("function", "given", "metadata"), CALLS)
async def test_functions_are_given_the_same(
    bindings: WorkerProcess,
    library: Library,
    function: str,
    given: dict[str, Datum],
    metadata: dict[str, Datum],
) -> None:
    await compare(bindings, library, function, given, metadata)


ITEMS = ["nothing", "text", "bytes", "list", "dict", "int", "float", "tuple", "document", "event"]
FUNCTIONS = sorted({function for function, _, _ in outputs.CASES} | {"sb_return", "no_output"})


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_what_functions_set_and_return_becomes_the_same(
    outputs_app: WorkerProcess, outputs_library: Library, function: str
) -> None:
    for item in ITEMS:
        given = {"item": inputs.text(item)}
        await compare(outputs_app, outputs_library, function, given, {})


@pytest.mark.parametrize("value", ["text", "response", "json_response", "cookies", "dict"])
async def test_http_responses_become_the_same(
    outputs_app: WorkerProcess, outputs_library: Library, value: str
) -> None:
    given = {"req": inputs.request(params={"value": value})}
    await compare(outputs_app, outputs_library, "http", given, {})
