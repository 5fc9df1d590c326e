"""Blob triggers, inputs and outputs of a real app; blobs are put at the account's own door."""

import json
import socket
from pathlib import Path

import pytest

from tests.support.emulator import Emulator, running, until, write_app
from tests.support.reports import REPORT, Reports

APP = (
    f"""
    import io, json, os
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
{REPORT}"""
    + """
    ACCOUNT = "AzureWebJobsStorage"

    @app.blob_trigger(arg_name="blob", path="inbox/{name}.{ext}", connection=ACCOUNT)
    @app.blob_input(arg_name="side", path="side/{name}", connection=ACCOUNT)
    @app.blob_output(arg_name="out", path="out/{name}-{ext}", connection=ACCOUNT)
    def copy(blob: func.InputStream, side: func.InputStream, out: func.Out[bytes]):
        content = blob.read()
        report(fn="copy", name=blob.name, length=blob.length, uri=blob.uri,
            type=blob.blob_properties["ContentType"], metadata=blob.metadata,
            side=side and side.read().decode())
        out.set(content[::-1])

    @app.blob_trigger(arg_name="blob", path="bad/{name}", connection=ACCOUNT)
    def bad(blob: func.InputStream):
        report(fn="bad", name=blob.name)
        raise ValueError("told to fail")

    @app.blob_trigger(arg_name="blob", path="texts", connection=ACCOUNT)
    def text(blob: str):
        report(fn="text", type=type(blob).__name__, text=blob)

    @app.blob_trigger(arg_name="blob", path="raw/{name}", connection=ACCOUNT, data_type="binary")
    def raw(blob: bytes):
        report(fn="raw", content=list(blob))

    @app.route(route="blobs/{container}/{name}", methods=["PUT"])
    @app.blob_output(arg_name="out", path="{container}/{name}", connection=ACCOUNT)
    def put(req: func.HttpRequest, out: func.Out[func.InputStream]) -> str:
        out.set(io.BytesIO(req.get_body()))
        return "put"

    @app.route(route="blobs/{container}/{name}", methods=["GET"])
    @app.blob_input(arg_name="blob", path="{container}/{name}", connection=ACCOUNT)
    def get(req: func.HttpRequest, blob: func.InputStream) -> func.HttpResponse:
        return func.HttpResponse("none", status_code=404) if blob is None else func.HttpResponse(
            blob.read())

    @app.blob_trigger(arg_name="blob", path="{container}/x", connection=ACCOUNT)
    def nowhere(blob: func.InputStream): ...

    @app.blob_trigger(arg_name="blob", path="inbox/{name}{name}", connection=ACCOUNT)
    def twice(blob: func.InputStream): ...

    @app.blob_trigger(arg_name="blob", path="inbox/{name", connection=ACCOUNT)
    def open_brace(blob: func.InputStream): ...

    @app.route(route="pathless")
    @app.blob_output(arg_name="out", path="only-a-container", connection=ACCOUNT)
    def pathless(req: func.HttpRequest, out: func.Out[str]) -> str: ...
"""
)
VALUES = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("blobs")
    host = {"extensions": {"blobs": {"poisonBlobThreshold": 3}}}
    write_app(made / "app", APP, values={**VALUES, "REPORT": str(made / "report")}, host=host)
    return made


async def put(emulator: Emulator, path: str, content: bytes, **headers: str) -> None:
    """Put a blob at the account's door, as a storage client does."""
    account = f"{emulator.doors.blob}/devstoreaccount1"
    container = path.split("/", 1)[0]
    async with emulator.http.put(f"{account}/{container}?restype=container") as made:
        assert made.status in (201, 409)
    given = {"x-ms-blob-type": "BlockBlob", **headers}
    async with emulator.http.put(f"{account}/{path}", data=content, headers=given) as answer:
        assert answer.status == 201, await answer.text()


async def test_blob_and_what_is_known_of_it_reach_the_function(
    emulator: Emulator, reports: Reports
) -> None:
    await put(emulator, "side/a.b", b"beside")
    await put(emulator, "inbox/no-dot", b"not meant")
    kind = {"Content-Type": "text/csv", "x-ms-meta-origin": "shop"}
    await put(emulator, "inbox/a.b.csv", b"1,2", **kind)
    [seen] = await reports.until("copy")
    assert seen == {
        "fn": "copy",
        "name": "inbox/a.b.csv",
        "length": 3,
        "uri": f"{emulator.doors.blob}/devstoreaccount1/inbox/a.b.csv",
        "type": "text/csv",
        "metadata": {"origin": "shop"},
        "side": "beside",
    }
    await emulator.logged("(Reason='New blob detected(LogsAndContainerScan): inbox/a.b.csv', Id=")

    async def written() -> bool:
        return (await emulator.get("/api/blobs/out/a.b-csv")).text == "2,1"

    await until(written, "the output blob is there")


async def test_replaced_blob_is_new_again_and_a_missing_input_is_none(
    emulator: Emulator, reports: Reports
) -> None:
    before = len(reports.of("copy"))
    for content in (b"first", b"second"):
        await put(emulator, "inbox/again.txt", content)
        found = await reports.until("copy", before + 1)
        before += 1
        assert (found[-1]["length"], found[-1]["side"]) == (len(content), None)


async def test_blob_that_fails_is_tried_again_and_noted_as_poison(
    emulator: Emulator, reports: Reports
) -> None:
    await put(emulator, "bad/x", b"evil")
    url = (
        f"{emulator.doors.servicebus}/$emulator/storage-queues/webjobs-blobtrigger-poison/messages"
    )

    async def noted() -> list[str]:
        async with emulator.http.get(url) as response:
            return [message["body"] for message in (await response.json())["messages"]]

    [note] = await until(noted, "the blob is noted")
    told = json.loads(note)
    assert (told["ContainerName"], told["BlobName"]) == ("bad", "x")
    assert told["FunctionId"] == "Host.Functions.bad"
    assert len(reports.of("bad")) == 3


async def test_text_and_bytes(emulator: Emulator, reports: Reports) -> None:
    await put(emulator, "texts/any/name", "\u00e9".encode())
    [text] = await reports.until("text")
    assert (text["type"], text["text"]) == ("str", "\u00e9")
    await put(emulator, "raw/x", b"plain")
    [raw] = await reports.until("raw")
    assert bytes(raw["content"]) == b"plain"
    await put(emulator, "inbox/binary.bin", b"\x00\xff")
    await emulator.logged("'Functions.copy' is given a blob that is no text.")

    async def written() -> bool:
        return (await emulator.get("/api/blobs/out/binary-bin")).body == b"\xff\x00"

    await until(written, "the bytes are as they were")


async def test_inputs_and_outputs_beside_another_trigger(emulator: Emulator) -> None:
    assert (await emulator.get("/api/blobs/new-one/x")).status == 404
    assert (await emulator.ask("PUT", "/api/blobs/new-one/x", data=b"content")).text == "put"
    assert (await emulator.get("/api/blobs/new-one/x")).text == "content"
    # No container can have this name, so the output fails, and with it the function.
    assert (await emulator.ask("PUT", "/api/blobs/No_Name/x", data=b"content")).status == 500


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("nowhere", "'{container}' cannot be the name of a container"),
        ("twice", "'name' is captured twice"),
        ("open_brace", "a curly brace has no partner"),
        ("pathless", "Paths must be in the format 'container/blob'"),
    ],
)
async def test_path_that_cannot_be_is_an_error_of_its_function(
    emulator: Emulator, function: str, reason: str
) -> None:
    [line] = [line for line in emulator.log.splitlines() if f"The '{function}' function" in line]
    assert reason in line


async def test_each_version_is_handled_once_over_restarts(tmp_path: Path) -> None:
    report = tmp_path / "report"
    values = {**VALUES, "REPORT": str(report)}
    app = write_app(tmp_path / "app", APP, values=values)
    async with running(app, tmp_path / "data", arguments=["--functions", "put"]) as emulator:
        assert (await emulator.ask("PUT", "/api/blobs/texts/old", data=b"old")).status == 200
    only = ["--functions", "put", "text"]
    async with running(app, tmp_path / "data", arguments=only):
        # What was there before the function is new to it.
        await Reports(report).until("text", 1)
    async with running(app, tmp_path / "data", arguments=only) as emulator:
        assert (await emulator.ask("PUT", "/api/blobs/texts/new", data=b"new")).status == 200
        found = await Reports(report).until("text", 2)
    assert [each["text"] for each in found] == ["old", "new"]


async def test_port_that_another_has_leaves_the_bindings_working(tmp_path: Path) -> None:
    """As where Azurite runs, which has the same port."""
    app = write_app(tmp_path / "app", APP, values={**VALUES, "REPORT": str(tmp_path / "report")})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--functions", "put", "get", "--blob-port", port]
        async with running(app, tmp_path / "data", arguments=arguments) as emulator:
            assert (await emulator.ask("PUT", "/api/blobs/some/x", data=b"content")).status == 200
            assert (await emulator.get("/api/blobs/some/x")).text == "content"
            await emulator.logged(f"Port {port} is unavailable.")
            assert emulator.doors.blob == ""
