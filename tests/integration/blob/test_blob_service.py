"""The account as an HTTP client sees it, and its events."""

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import httpx
import pytest

from emulator.blob import Upload
from emulator.clock import ManualClock
from emulator.faults import FaultRule, Faults
from tests.support.blob import running_blobs, serve

BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}
START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class Inbox:
    """Takes events; fails as often as it is told to."""

    def __init__(self) -> None:
        self.events: list = []
        self.failures = 0
        self._arrived = asyncio.Event()

    async def __call__(self, event) -> None:
        if self.failures:
            self.failures -= 1
            self._arrived.set()
            raise ConnectionError("nobody is there")
        self.events.append(event)
        self._arrived.set()

    async def until(self, count: int) -> list:
        async with asyncio.timeout(10):
            while len(self.events) < count:
                await self.called()
        return self.events

    async def called(self) -> None:
        async with asyncio.timeout(10):
            await self._arrived.wait()
        self._arrived.clear()


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
async def service(tmp_path, inbox, faults):
    async with running_blobs(tmp_path, inbox, faults=faults) as service:
        yield service


@pytest.fixture
async def client(service):
    async with serve(service) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def put(client, name="orders.json", content=b'{"id":"A"}', **headers):
    return await client.put(f"/inputfiles/{name}", content=content, headers=BLOCK_BLOB | headers)


def code(response: httpx.Response) -> str:
    found = ET.fromstring(response.text).findtext("Code")  # the server under test wrote it
    assert response.headers["x-ms-error-code"] == found
    return found or ""


async def names(client, **query):
    query = {"restype": "container", "comp": "list"} | query
    root = ET.fromstring((await client.get("/inputfiles", params=query)).text)
    found = [node.findtext("Name") for node in root.findall("Blobs/*")]
    return found, root.findtext("NextMarker") or ""


async def test_a_blob_is_written_read_and_deleted(client):
    made = await put(client, **{"Content-Type": "application/json", "x-ms-meta-kind": "test"})
    assert made.status_code == 201
    assert made.headers["Content-MD5"]
    got = await client.get("/inputfiles/orders.json")
    assert (got.status_code, got.content) == (200, b'{"id":"A"}')
    assert got.headers["ETag"] == made.headers["ETag"]
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["x-ms-meta-kind"] == "test"
    head = await client.head("/inputfiles/orders.json")
    assert (head.headers["Content-Length"], head.content) == ("10", b"")
    assert (await client.delete("/inputfiles/orders.json")).status_code == 202
    gone = await client.get("/inputfiles/orders.json")
    assert (gone.status_code, code(gone)) == (404, "BlobNotFound")


async def test_a_created_blob_is_told_once_with_its_place_and_size(client, inbox):
    await put(client, "day%201/%C3%A9.json")
    (event,) = await inbox.until(1)
    assert event["type"] == "Microsoft.Storage.BlobCreated"
    assert event["subject"] == "/blobServices/default/containers/inputfiles/blobs/day 1/é.json"
    assert event["data"]["contentLength"] == 10
    assert event["data"]["api"] == "PutBlob"
    assert event["data"]["url"].endswith("/inputfiles/day%201/%C3%A9.json")


async def test_what_the_subscription_does_not_want_is_not_told(client, inbox):
    await put(client, "orders.csv")
    await put(client, "last.json")
    assert [e["subject"].rsplit("/")[-1] for e in await inbox.until(1)] == ["last.json"]


async def test_a_replaced_blob_is_told_again_and_only_the_new_content_is_there(
    client, service, inbox
):
    first = await put(client)
    second = await put(client, content=b"second")
    assert first.headers["ETag"] != second.headers["ETag"]
    assert (await client.get("/inputfiles/orders.json")).content == b"second"
    await inbox.until(2)
    assert (
        len(
            list(
                service.content_path(
                    await service.find("inputfiles", "orders.json")
                ).parent.iterdir()
            )
        )
        == 1
    )


async def test_an_upload_that_breaks_off_is_no_blob_and_tells_nothing(
    client, service, inbox, tmp_path
):
    async def half():
        yield b'{"id":'
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await client.put("/inputfiles/half.json", content=half(), headers=BLOCK_BLOB)
    await put(client, "whole.json")
    assert [e["data"]["contentLength"] for e in await inbox.until(1)] == [10]
    assert await names(client) == (["whole.json"], "")


async def test_blocks_become_a_blob_by_their_list(client, inbox):
    ids = [base64.b64encode(f"{n:04}".encode()).decode() for n in range(3)]
    for number, block in enumerate(ids):
        query = {"comp": "block", "blockid": block}
        made = await client.put("/inputfiles/big.json", params=query, content=b"%d" % number * 5)
        assert made.status_code == 201
    missing = await client.get("/inputfiles/big.json")
    assert missing.status_code == 404
    latest = "".join(f"<Latest>{block}</Latest>" for block in reversed(ids))
    body = f"<BlockList>{latest}</BlockList>"
    query = {"comp": "blocklist"}
    headers = {"x-ms-blob-content-type": "application/json"}
    made = await client.put("/inputfiles/big.json", params=query, content=body, headers=headers)
    assert made.status_code == 201
    got = await client.get("/inputfiles/big.json")
    assert (got.content, got.headers["Content-Type"]) == (b"222221111100000", "application/json")
    assert (await inbox.until(1))[0]["data"]["api"] == "PutBlockList"
    again = await client.put("/inputfiles/big.json", params=query, content=body)
    assert (again.status_code, code(again)) == (400, "InvalidBlockList")


async def test_conditions_are_kept(client):
    etag = (await put(client)).headers["ETag"]
    exists = await put(client, **{"If-None-Match": "*"})
    assert (exists.status_code, code(exists)) == (409, "BlobAlreadyExists")
    other = await put(client, **{"If-Match": '"0x0"'})
    assert (other.status_code, code(other)) == (412, "ConditionNotMet")
    assert (await put(client, content=b"2", **{"If-Match": etag})).status_code == 201
    etag = (await client.head("/inputfiles/orders.json")).headers["ETag"]
    same = await client.get("/inputfiles/orders.json", headers={"If-None-Match": etag})
    assert same.status_code == 304


async def test_a_range_is_a_part(client):
    await put(client, content=b"0123456789")
    part = await client.get("/inputfiles/orders.json", headers={"x-ms-range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    behind = await client.get("/inputfiles/orders.json", headers={"Range": "bytes=10-"})
    assert (behind.status_code, code(behind)) == (416, "InvalidRange")


async def test_a_digest_that_does_not_fit_keeps_the_content_out(client):
    wrong = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    response = await put(client, **{"Content-MD5": wrong})
    assert (response.status_code, code(response)) == (400, "Md5Mismatch")
    assert await names(client) == ([], "")
    right = base64.b64encode(hashlib.md5(b'{"id":"A"}').digest()).decode()
    assert (await put(client, **{"Content-MD5": right})).status_code == 201


async def test_a_listing_is_paged_and_folded(client):
    for name in ("a/1", "a/2", "b", "c/1", "d"):
        await put(client, name)
    assert await names(client) == (["a/1", "a/2", "b", "c/1", "d"], "")
    first, marker = await names(client, maxresults="2")
    assert first == ["a/1", "a/2"]
    assert (await names(client, maxresults="3", marker=marker)) == (["b", "c/1", "d"], "")
    assert await names(client, delimiter="/") == (["a/", "b", "c/", "d"], "")
    folded, marker = await names(client, delimiter="/", maxresults="1")
    assert folded == ["a/"]
    assert await names(client, delimiter="/", marker=marker) == (["b", "c/", "d"], "")
    assert await names(client, prefix="a/") == (["a/1", "a/2"], "")


async def test_containers_come_and_go(client):
    query = {"restype": "container"}
    assert (await client.put("/new-one", params=query)).status_code == 201
    again = await client.put("/new-one", params=query)
    assert (again.status_code, code(again)) == (409, "ContainerAlreadyExists")
    listed = (await client.get("", params={"comp": "list"})).text
    assert "<Name>inputfiles</Name>" in listed
    assert "<Name>new-one</Name>" in listed
    assert (await client.delete("/new-one", params=query)).status_code == 202
    assert (await client.get("/new-one", params=query)).status_code == 404
    bad = await client.put("/Bad", params=query)
    assert (bad.status_code, code(bad)) == (400, "InvalidResourceName")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("PUT", "/inputfiles/x", {"x-ms-blob-type": "PageBlob"}, 400),
        ("PUT", "/inputfiles/x?comp=metadata", {}, 501),
        ("PUT", "/inputfiles/x?comp=lease", {}, 501),
        ("PUT", "/inputfiles/x", BLOCK_BLOB | {"x-ms-copy-source": "http://x"}, 501),
        ("POST", "/inputfiles/x", {}, 501),
        ("PUT", "/nowhere/x", BLOCK_BLOB, 404),
    ],
)
async def test_what_is_not_supported_is_refused(client, method, path, headers, status):
    response = await client.request(method, path, headers=headers, content=b"x")
    assert response.status_code == status
    assert code(response)


async def test_another_account_is_not_found(client):
    url = str(client.base_url).replace("devstoreaccount1", "other")
    assert (await client.get(f"{url}?comp=list")).status_code == 404


async def test_blobs_and_undelivered_events_are_there_after_a_restart(tmp_path, inbox):
    clock = ManualClock(START)
    inbox.failures = 1
    async with running_blobs(tmp_path, inbox, clock=clock) as service:
        await service.put(Upload("inputfiles", "a.json"), b"{}")
        await inbox.called()
        assert inbox.events == []
    clock.advance(timedelta(seconds=10))
    async with running_blobs(tmp_path, inbox, clock=clock) as service:
        await inbox.until(1)
        assert await service.read("inputfiles", "a.json") == b"{}"


async def test_contents_that_a_crash_left_are_cleared_away(tmp_path, inbox):
    async with running_blobs(tmp_path, inbox) as service:
        await service.put(Upload("inputfiles", "a.json"), b"{}")
    (tmp_path / "blobs" / "left-over").write_bytes(b"half")
    async with running_blobs(tmp_path, inbox) as service:
        assert await service.read("inputfiles", "a.json") == b"{}"
        assert len(list((tmp_path / "blobs").iterdir())) == 1


async def test_an_event_may_come_twice(client, inbox, faults):
    faults.add(FaultRule("blob.event", "duplicate", {"subscription": "order-files"}))
    await put(client)
    first, second = await inbox.until(2)
    assert first == second


async def test_an_upload_that_cannot_be_written_is_an_error_and_leaves_nothing(
    client, faults, tmp_path
):
    faults.add(FaultRule("blob.commit.before", "fail"))
    assert (await put(client)).status_code == 500
    assert list((tmp_path / "blobs").iterdir()) == []
    assert (await put(client)).status_code == 201


async def test_a_blob_whose_content_is_missing_is_an_error_and_no_endless_search(tmp_path, inbox):
    async with running_blobs(tmp_path, inbox) as service:
        blob = await service.put(Upload("inputfiles", "a.json"), b"{}")
        service.content_path(blob).unlink()
        with pytest.raises(Exception, match="missing on disk"):
            await service.read("inputfiles", "a.json")
