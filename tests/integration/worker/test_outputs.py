"""What becomes of what a function returns or sets, by output binding and annotation."""

import json
from typing import Any

import pytest
import pytest_asyncio

from emulator.host.worker_process import InvocationResult, WorkerProcess
from emulator.worker.protocol import UNSET, Datum
from tests.integration.worker.conftest import Start

EVENT = {
    "id": "e1",
    "subject": "s",
    "dataVersion": "1",
    "eventType": "T",
    "data": {"a": 1},
    "eventTime": "2026-01-02T03:04:05",
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(start_shared: Start) -> WorkerProcess:
    return await start_shared("outputs")


async def run(worker: WorkerProcess, function: str, item: str) -> InvocationResult:
    return await worker.invoke(function, {"item": Datum("string", item)})


def parsed(datum: Datum) -> Any:
    """A datum in a form that does not depend on how its JSON is spaced."""
    return (datum.kind, json.loads(datum.value)) if datum.kind == "json" else datum


CASES = [
    ("sb_text", "text", Datum("string", "text")),
    ("sb_text", "bytes", Datum("bytes", b"\x00\xff")),
    ("sb_text", "list", ("json", ["a", {"b": 1}])),
    ("sb_text", "dict", ("json", {"a": [1]})),
    ("sb_text", "int", Datum("int", 7)),
    ("sb_text", "bool", Datum("int", 1)),
    ("sb_text", "float", Datum("double", 1.5)),
    ("sb_bytes", "bytes", Datum("bytes", b"\x00\xff")),
    ("sb_bare", "text", Datum("string", "text")),
    ("sb_bare", "bytes", Datum("bytes", b"\x00\xff")),
    ("cosmos_typed", "document", ("json", [{"id": "1"}])),
    ("cosmos_typed", "documents", ("json", [{"id": "1"}])),
    ("cosmos_list", "documents", ("json", [{"id": "1"}])),
    ("cosmos_text", "text", Datum("string", "text")),
    ("cosmos_text", "dict", ("json", {"a": [1]})),
    ("cosmos_text", "list", ("json", ["a", {"b": 1}])),
    ("grid_typed", "event", ("json", EVENT)),
    ("grid_list", "events", ("json", [EVENT, EVENT])),
    ("grid_text", "text", Datum("string", "text")),
    ("grid_text", "list", ("json", ["a", {"b": 1}])),
    ("blob_bytes", "bytes", Datum("bytes", b"\x00\xff")),
    ("blob_text", "text", Datum("string", "text")),
]


@pytest.mark.parametrize(("function", "item", "expected"), CASES)
async def test_what_was_set_becomes_a_datum(
    worker: WorkerProcess, function: str, item: str, expected: Any
) -> None:
    result = await run(worker, function, item)
    assert result.ok, result.trace
    assert {name: parsed(datum) for name, datum in result.outputs.items()} == {"out": expected}
    assert result.return_value == UNSET


async def test_an_event_that_is_a_dict_becomes_the_list_of_its_keys(worker: WorkerProcess) -> None:
    result = await run(worker, "grid_typed", "dict")
    assert parsed(result.outputs["out"]) == ("json", ["a"])


@pytest.mark.parametrize("function", ["sb_text", "cosmos_typed", "grid_typed", "blob_bytes"])
async def test_nothing_is_sent_for_none(worker: WorkerProcess, function: str) -> None:
    result = await run(worker, function, "nothing")
    assert result.ok
    assert result.outputs == {}


UNABLE = 'unable to encode outgoing TypedData: unsupported type "{}" for Python type "{}"'


@pytest.mark.parametrize(
    ("function", "item", "binding_type", "python_type"),
    [
        ("sb_text", "object", "generic", "object"),
        ("sb_text", "tuple", "generic", "tuple"),
        ("sb_bare", "list", "serviceBus", "list"),
        ("sb_return", "list", "serviceBus", "list"),
        ("sb_return", "nothing", "serviceBus", "NoneType"),
        ("cosmos_typed", "dict", "cosmosDB", "dict"),
    ],
)
async def test_what_a_converter_does_not_take_fails_the_invocation(
    worker: WorkerProcess, function: str, item: str, binding_type: str, python_type: str
) -> None:
    result = await run(worker, function, item)
    assert not result.ok
    assert result.outputs == {}
    assert result.error_text == "TypeError: " + UNABLE.format(binding_type, python_type)


async def test_a_return_value_for_an_output_binding(worker: WorkerProcess) -> None:
    assert (await run(worker, "sb_return", "text")).return_value == Datum("string", "text")


async def test_a_value_that_no_binding_takes_fails_the_invocation(worker: WorkerProcess) -> None:
    result = await run(worker, "no_output", "text")
    assert result.error_text == (
        "RuntimeError: function 'no_output' without a $return binding returned a non-None value"
    )
    assert (await run(worker, "no_output", "nothing")).ok


async def test_an_exception_sends_nothing_of_what_was_set(worker: WorkerProcess) -> None:
    result = await run(worker, "set_then_raise", "text")
    assert not result.ok
    assert result.outputs == {}
    assert result.error_text == "ValueError: text"


async def http(worker: WorkerProcess, function: str, value: str) -> InvocationResult:
    trigger = {"method": "GET", "url": "http://localhost/", "params": {"value": value}}
    return await worker.invoke(function, {"req": Datum("http", trigger)})


async def test_http_responses(worker: WorkerProcess) -> None:
    assert (await http(worker, "http", "text")).return_value == Datum("string", "text")
    binary = (await http(worker, "http", "response")).return_value
    assert binary.value == {
        "status_code": 201,
        "headers": {"content-type": "image/png"},
        "cookies": [],
        "body": b"\x00\xff",
    }
    as_json = (await http(worker, "http", "json_response")).return_value
    assert as_json.value["headers"] == {"content-type": "application/json"}
    assert as_json.value["body"] == b'{"a": 1}'


async def test_two_cookies_at_once_leave_the_headers(worker: WorkerProcess) -> None:
    response = (await http(worker, "http", "cookies")).return_value.value
    assert response["cookies"] == ["a=1; HttpOnly; Path=/", "b=2; SameSite=Lax"]
    assert {name.lower() for name in response["headers"]} == {"x-one", "content-type"}


@pytest.mark.parametrize("value", ["nothing", "dict", "bytes", "int", "tuple"])
async def test_other_http_returns_fail(worker: WorkerProcess, value: str) -> None:
    result = await http(worker, "http", value)
    assert result.error_type == "TypeError"


async def test_a_generator_as_http_function_fails_when_it_is_called(worker: WorkerProcess) -> None:
    trigger = Datum("http", {"method": "GET", "url": "http://localhost/"})
    result = await worker.invoke("http_generator", {"req": trigger})
    assert result.error_text == "TypeError: " + UNABLE.format("http", "generator")


async def test_a_named_http_output(worker: WorkerProcess) -> None:
    result = await http(worker, "http_named", "response")
    assert result.outputs["res"].value["status_code"] == 201
    assert result.return_value == UNSET
    assert (await http(worker, "http_named", "unset")).outputs == {}
