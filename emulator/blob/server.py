"""The Blob service's HTTP door, for the operations in the table of `COVERAGE.md`.

The URL has the account first, as Azurite's. Any authorization is taken as it is, never checked.
Mounted by the host on a port of its own. What is not here is refused with 501.

Source: Blob service REST reference.
"""

import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import web

from emulator.blob.errors import (
    BlobError,
    InvalidHeader,
    NotImplementedHere,
    ResourceNotFound,
    TooLarge,
)
from emulator.blob.model import Blob
from emulator.blob.service import BlobService, Upload
from emulator.blob.wire import (
    ListRequest,
    blob_headers,
    blob_list,
    container_list,
    read_block_list,
    read_conditions,
    read_md5,
    read_properties,
    read_range,
)
from emulator.database import StorageError
from emulator.faults import InjectedFault

_Handler = Callable[[BlobService, web.Request], Awaitable[web.StreamResponse]]
_VERSION = "2021-12-02"
_MAX_LIST = 5000
_MAX_BLOCK_LIST_BYTES = 8 * 1024 * 1024
_COPY_BYTES = 256 * 1024
# Headers that ask for more than a plain write or read.
_REFUSED = ("x-ms-copy-source", "x-ms-lease-id", "x-ms-encryption-key", "x-ms-tags")


def create_app(service: BlobService) -> web.Application:
    """The application, to be served on a port of its own."""

    async def handle(request: web.Request) -> web.StreamResponse:
        request_id = str(uuid.uuid4())
        try:
            response = await _handler(service, request)(service, request)
        except BlobError as error:
            response = _refusal(error)
        except (InjectedFault, StorageError) as error:
            failure = BlobError(f"Server encountered an internal error: {error}")
            failure.status, failure.code = 500, "InternalError"
            response = _refusal(failure)
        if not response.prepared:
            response.headers["x-ms-request-id"] = request_id
            response.headers["x-ms-version"] = request.headers.get("x-ms-version", _VERSION)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


def _refusal(error: BlobError) -> web.Response:
    headers = {"x-ms-error-code": error.code}
    if error.status == 304:
        return web.Response(status=304, headers=headers)
    return web.Response(
        status=error.status,
        text=error.xml(),
        headers=headers,
        content_type="application/xml",
        charset="utf-8",
    )


def _place(request: web.Request) -> tuple[str, str, str]:
    """Account, container and blob of the path; what is not there is empty."""
    account, _, rest = request.raw_path.partition("?")[0].lstrip("/").partition("/")
    container, _, name = rest.partition("/")
    return unquote(account), unquote(container), unquote(name)


def _handler(service: BlobService, request: web.Request) -> _Handler:
    account, container, name = _place(request)
    if account != service.account:
        raise ResourceNotFound
    if any(header in request.headers for header in _REFUSED):
        raise NotImplementedHere
    level = "blob" if name else "container" if container else "account"
    kind = (level, request.method, request.query.get("restype", ""), request.query.get("comp", ""))
    handler = _TABLE.get(kind)
    if handler is None:
        raise NotImplementedHere
    return handler


async def _list_containers(service: BlobService, request: web.Request) -> web.StreamResponse:
    prefix = request.query.get("prefix", "")
    found = await service.list_containers(prefix)
    return _xml(container_list(f"{request.url.origin()}/{service.account}", prefix, found))


async def _create_container(service: BlobService, request: web.Request) -> web.StreamResponse:
    etag, _ = await service.create_container(_place(request)[1])
    return web.Response(status=201, headers={"ETag": etag})


async def _show_container(service: BlobService, request: web.Request) -> web.StreamResponse:
    etag, _ = await service.find_container(_place(request)[1])
    return web.Response(status=200, headers={"ETag": etag, "x-ms-lease-state": "available"})


async def _delete_container(service: BlobService, request: web.Request) -> web.StreamResponse:
    await service.delete_container(_place(request)[1])
    return web.Response(status=202)


async def _list_blobs(service: BlobService, request: web.Request) -> web.StreamResponse:
    container = _place(request)[1]
    limit = request.query.get("maxresults", str(_MAX_LIST))
    if not limit.isdecimal() or not 1 <= int(limit) <= _MAX_LIST:
        raise BlobError(f"The query parameter 'maxresults' must be from 1 to {_MAX_LIST}.")
    asked = ListRequest(
        prefix=request.query.get("prefix", ""),
        delimiter=request.query.get("delimiter", ""),
        marker=request.query.get("marker", ""),
        limit=int(limit),
    )
    found, following = await _page(service, container, asked)
    origin = f"{request.url.origin()}/{service.account}"
    return _xml(blob_list(origin, container, asked, found, following))


async def _page(
    service: BlobService, container: str, asked: ListRequest
) -> tuple[list[Blob | str], str]:
    """Blobs, or prefixes up to the delimiter, and where the next page begins."""
    found: list[Blob | str] = []
    after = asked.marker
    while True:
        blobs = await service.list_blobs(
            container, prefix=asked.prefix, after=after, limit=asked.limit + 1
        )
        for number, blob in enumerate(blobs):
            if len(found) == asked.limit:
                return found, after
            rest = blob.name[len(asked.prefix) :]
            head, mark, _ = rest.partition(asked.delimiter) if asked.delimiter else (rest, "", "")
            if mark:
                prefix = asked.prefix + head + mark
                found.append(prefix)
                # Go on behind everything that the prefix stands for.
                after = prefix + "\U0010ffff"
                break
            found.append(blob)
            after = blob.name
            if number == len(blobs) - 1 and len(blobs) <= asked.limit:
                return found, ""
        else:
            return found, "" if len(blobs) <= asked.limit else after


async def _put_blob(service: BlobService, request: web.Request) -> web.StreamResponse:
    if request.headers.get("x-ms-blob-type") != "BlockBlob":
        raise InvalidHeader("Only the blob type 'BlockBlob' is supported by the emulator.")
    blob = await service.put(_upload(request), request.content.iter_any())
    return _created(blob)


async def _put_block(service: BlobService, request: web.Request) -> web.StreamResponse:
    _, container, name = _place(request)
    block_id = request.query.get("blockid")
    if not block_id:
        raise BlobError("The query parameter 'blockid' is missing.")
    written = await service.put_block(container, name, block_id, request.content.iter_any())
    return web.Response(status=201, headers={"Content-MD5": written.md5})


async def _put_block_list(service: BlobService, request: web.Request) -> web.StreamResponse:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > _MAX_BLOCK_LIST_BYTES:
            raise TooLarge
        chunks.append(chunk)
    upload = _upload(request, is_list=True)
    return _created(await service.put_block_list(upload, read_block_list(b"".join(chunks))))


def _upload(request: web.Request, *, is_list: bool = False) -> Upload:
    _, container, name = _place(request)
    headers = request.headers.copy()
    if is_list:
        # Those are of the list; the blob has its own.
        headers.popall("Content-Type", None)
        headers.popall("Content-MD5", None)
    return Upload(
        container=container,
        name=name,
        properties=read_properties(headers),
        conditions=read_conditions(headers),
        md5=read_md5(headers),
    )


def _created(blob: Blob) -> web.Response:
    headers = blob_headers(blob)
    kept = {name: headers[name] for name in ("ETag", "Last-Modified", "x-ms-server-encrypted")}
    return web.Response(
        status=201,
        headers=kept | {"Content-MD5": blob.md5, "x-ms-request-server-encrypted": "true"},
    )


async def _get_blob(service: BlobService, request: web.Request) -> web.StreamResponse:
    _, container, name = _place(request)
    blob, content = await service.open(container, name)
    with content:
        if read_conditions(request.headers).is_unchanged(blob.etag):
            return web.Response(status=304, headers={"ETag": blob.etag})
        wanted = read_range(request.headers, blob.size)
        headers = blob_headers(blob)
        first, last = wanted or (0, blob.size - 1)
        if wanted is None:
            headers["Content-MD5"] = blob.md5
        else:
            headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
            headers["x-ms-blob-content-md5"] = blob.md5
        headers["x-ms-version"] = request.headers.get("x-ms-version", _VERSION)
        headers["x-ms-request-id"] = str(uuid.uuid4())
        response = web.StreamResponse(status=200 if wanted is None else 206, headers=headers)
        response.content_length = last - first + 1
        await response.prepare(request)
        content.seek(first)
        remaining = last - first + 1
        while remaining > 0 and (chunk := content.read(min(_COPY_BYTES, remaining))):
            remaining -= len(chunk)
            await response.write(chunk)
        await response.write_eof()
        return response


async def _head_blob(service: BlobService, request: web.Request) -> web.StreamResponse:
    _, container, name = _place(request)
    blob = await service.find(container, name)
    if read_conditions(request.headers).is_unchanged(blob.etag):
        return web.Response(status=304, headers={"ETag": blob.etag})
    headers = blob_headers(blob) | {"Content-MD5": blob.md5, "Content-Length": str(blob.size)}
    return web.Response(status=200, headers=headers)


async def _delete_blob(service: BlobService, request: web.Request) -> web.StreamResponse:
    _, container, name = _place(request)
    await service.delete(container, name, read_conditions(request.headers))
    return web.Response(status=202, headers={"x-ms-delete-type-permanent": "true"})


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/xml", charset="utf-8")


# Level, method, `restype`, `comp`.
_TABLE: dict[tuple[str, str, str, str], _Handler] = {
    ("account", "GET", "", "list"): _list_containers,
    ("container", "PUT", "container", ""): _create_container,
    ("container", "GET", "container", ""): _show_container,
    ("container", "HEAD", "container", ""): _show_container,
    ("container", "DELETE", "container", ""): _delete_container,
    ("container", "GET", "container", "list"): _list_blobs,
    ("blob", "PUT", "", ""): _put_blob,
    ("blob", "PUT", "", "block"): _put_block,
    ("blob", "PUT", "", "blocklist"): _put_block_list,
    ("blob", "GET", "", ""): _get_blob,
    ("blob", "HEAD", "", ""): _head_blob,
    ("blob", "DELETE", "", ""): _delete_blob,
}
