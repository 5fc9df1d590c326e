"""A request and an answer as the routes see them, and the headers that every answer carries.

Source: specification, sections 2 and 4.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from emulator.cosmos.account import Account
from emulator.cosmos.catalogue import Live
from emulator.cosmos.errors import CosmosError, bad_request, stale_container
from emulator.cosmos.items import Row
from emulator.cosmos.model import Container
from emulator.cosmos.values import parse

_BASE_HEADERS = {
    "x-ms-gatewayversion": "version=2.14.0",
    "x-ms-serviceversion": "version=2.14.0.0",
    "x-ms-request-charge": "1",
}
_CONTAINER_HEADERS = {
    "x-ms-schemaversion": "1.18",
    "x-ms-documentdb-partitionkeyrangeid": "0",
}
_QUERY_METRICS = (
    "totalExecutionTimeInMs=0.5;queryCompileTimeInMs=0.1;queryLogicalPlanBuildTimeInMs=0;"
    "queryPhysicalPlanBuildTimeInMs=0;queryOptimizationTimeInMs=0;VMExecutionTimeInMs=0.3;"
    "indexLookupTimeInMs=0.1;instructionCount=1;documentLoadTimeInMs=0.1;"
    "systemFunctionExecuteTimeInMs=0;userFunctionExecuteTimeInMs=0;retrievedDocumentCount={0};"
    "retrievedDocumentSize={1};outputDocumentCount={0};outputDocumentSize={1};"
    "writeOutputTimeInMs=0;indexUtilizationRatio=1.00"
)
# {"UtilizedSingleIndexes":[],"PotentialSingleIndexes":[],"UtilizedCompositeIndexes":[],
#  "PotentialCompositeIndexes":[]} in base64
_NO_INDEXES = (
    "eyJVdGlsaXplZFNpbmdsZUluZGV4ZXMiOltdLCJQb3RlbnRpYWxTaW5nbGVJbmRleGVzIjpbXSwiVXRpbGl6ZWRDb21w"
    "b3NpdGVJbmRleGVzIjpbXSwiUG90ZW50aWFsQ29tcG9zaXRlSW5kZXhlcyI6W119"
)


@dataclass(slots=True)
class Call:
    """A request.

    Attributes:
        verb: the HTTP method.
        ids: the ids of the path, percent-decoded, in order: database, container, item.
        headers: its headers; names in any case.
        body: its body.
        origin: scheme and host by which the caller came.
    """

    service: Account
    verb: str
    ids: list[str]
    headers: Mapping[str, str]
    body: bytes
    origin: str

    def json(self) -> Any:
        """The body as JSON; 400 where it is none."""
        return parse(self.body)

    def live(self, substatus: int = 1003) -> Live:
        """The container that the path names.

        Raises:
            CosmosError: 404 where it is missing; 400/1024 where the client means another one.
        """
        live = self.service.catalogue.container(self.ids[0], self.ids[1], substatus)
        intended = self.headers.get("x-ms-cosmos-intended-collection-rid")
        if intended is not None and intended != live.container.rid:
            raise stale_container()
        return live

    def is_true(self, header: str) -> bool:
        """Whether a header says `true`."""
        return self.headers.get(header, "").lower() == "true"

    def wants_body(self) -> bool:
        """Whether the answer to a change shall hold the item."""
        return self.headers.get("Prefer") != "return=minimal"


@dataclass(slots=True)
class Reply:
    """An answer. `live` and `lsn` give the headers of what belongs to a container."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    live: Live | None = None
    lsn: int | None = None


def json_reply(status: int, value: Any, **headers: str) -> Reply:
    """An answer with a JSON value."""
    return Reply(status, json.dumps(value).encode(), dict(headers))


def item_reply(call: Call, live: Live, status: int, row: Row | None, lsn: int) -> Reply:
    """The answer to an operation on an item."""
    if row is None:
        return Reply(status, live=live, lsn=lsn)
    body = row.text(live.container).encode() if call.wants_body() else b""
    return Reply(status, body, {"etag": row.etag}, live, lsn)


def feed_reply(
    live: Live, member: str, texts: list[str], headers: dict[str, str], lsn: int | None = None
) -> Reply:
    """An answer with a list of JSON texts under a member's name."""
    listed = ",".join(texts)
    body = f'{{"_rid":"{live.container.rid}","{member}":[{listed}],"_count":{len(texts)}}}'
    headers["x-ms-item-count"] = str(len(texts))
    return Reply(200, body.encode(), headers, live, lsn)


def metric_headers(call: Call, texts: list[str]) -> dict[str, str]:
    """The made-up metrics that a client may ask for."""
    headers: dict[str, str] = {}
    if call.is_true("x-ms-documentdb-populatequerymetrics"):
        size = sum(len(text) for text in texts)
        headers["x-ms-documentdb-query-metrics"] = _QUERY_METRICS.format(len(texts), size)
    if call.is_true("x-ms-cosmos-populateindexmetrics"):
        headers["x-ms-cosmos-index-utilization"] = _NO_INDEXES
    return headers


def answer_headers(reply: Reply, activity_id: str) -> dict[str, str]:
    """All headers of an answer."""
    headers = {**_BASE_HEADERS, "x-ms-activity-id": activity_id, **reply.headers}
    live = reply.live
    if live is not None:
        container: Container = live.container
        lsn = live.watermark.lsn if reply.lsn is None else reply.lsn
        headers.update(_CONTAINER_HEADERS)
        headers["x-ms-session-token"] = f"0:-1#{lsn}"
        headers["lsn"] = str(lsn)
        headers["x-ms-alt-content-path"] = container_path(container)
        headers["x-ms-content-path"] = container.rid
    return headers


def container_path(container: Container) -> str:
    """The path of a container by names, as a header can carry it."""
    path = f"dbs/{container.database.id}/colls/{container.id}"
    return path if path.isascii() and path.isprintable() else quote(path)


def activity_id(given: str | None) -> str:
    """The caller's activity id, or a new one."""
    return given or str(uuid.uuid4())


def error_reply(error: CosmosError, activity: str) -> Reply:
    """The answer that refuses."""
    headers = dict(error.headers)
    if error.substatus:
        headers["x-ms-substatus"] = str(error.substatus)
    return Reply(error.status, error.body(activity), headers)


def continuation_header(token: str | None) -> dict[str, str]:
    """The header for a page's token."""
    return {} if token is None else {"x-ms-continuation": token}


def unsupported_verb() -> CosmosError:
    """405."""
    return CosmosError(405, "The requested verb is not supported.")


def invalid_url() -> CosmosError:
    """400 for a path that is none of the service's."""
    return bad_request("Request url is invalid.")
