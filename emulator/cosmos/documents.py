"""The routes of items: single operations, batches, queries, lists and the change feed.

Each takes a `Call` and gives a `Reply`; what an operation means is in `changes`, `query` and
`feed`. Source: specification, sections 6.5, 7 and 9.1.
"""

import json
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from emulator.cosmos.catalogue import Live
from emulator.cosmos.changes import BatchFailed, Change, Outcome
from emulator.cosmos.errors import (
    CosmosError,
    bad_request,
    not_supported,
    too_large,
)
from emulator.cosmos.feed import FeedRequest
from emulator.cosmos.items import Target, new_item
from emulator.cosmos.model import MAX_BODY_BYTES, Container
from emulator.cosmos.paging import page_size
from emulator.cosmos.partition import EVERYTHING, Range
from emulator.cosmos.patch import read_patch
from emulator.cosmos.query import read_parameters
from emulator.cosmos.scope import QueryRequest
from emulator.cosmos.wire import (
    Call,
    Reply,
    continuation_header,
    feed_reply,
    item_reply,
    metric_headers,
)

_KEY = "x-ms-documentdb-partitionkey"
_MAX_BATCH = 100


def _target(call: Call, live: Live) -> Target:
    """The item that the path and the key header name, with its preconditions."""
    get = call.headers.get
    return Target(
        call.ids[2],
        live.container.partition_key.of_header(get(_KEY)),
        live.container.id != call.ids[1],
        get("If-Match"),
        get("If-None-Match"),
    )


async def post(call: Call) -> Reply:
    """Create, upsert, batch or query: a header tells which."""
    get = call.headers.get
    if call.is_true("x-ms-cosmos-is-query-plan-request"):
        raise not_supported("A query plan")
    if get("x-ms-documentdb-isquery") or get("Content-Type", "").startswith(
        "application/query+json"
    ):
        return await query(call)
    if call.is_true("x-ms-cosmos-is-batch-request"):
        return await batch(call)
    live = call.live()
    _check_size(call)
    epk = live.container.partition_key.of_header(get(_KEY))
    item = new_item(live.container, call.json(), epk)
    kind = "Upsert" if call.is_true("x-ms-documentdb-is-upsert") else "Create"
    target = Target(item.id, epk, False, get("If-Match"), get("If-None-Match"))
    outcome, lsn = await call.service.change(live, Change(kind, target, item))
    return item_reply(call, live, outcome.status, outcome.row, lsn)


def _check_size(call: Call) -> None:
    if len(call.body) > MAX_BODY_BYTES:
        raise too_large()


async def read(call: Call) -> Reply:
    """Read one item; 304 where the caller has this version."""
    live = call.live()
    target = _target(call, live)
    try:
        row = call.service.read(live, target)
    except CosmosError as error:
        if error.status != 304:
            raise
        return Reply(304, headers=dict(error.headers), live=live)
    return item_reply(call, live, 200, row, live.watermark.lsn)


async def replace(call: Call) -> Reply:
    """Replace one item; its id may change."""
    live = call.live()
    _check_size(call)
    target = _target(call, live)
    item = new_item(live.container, call.json(), target.epk)
    outcome, lsn = await call.service.change(live, Change("Replace", target, item))
    return item_reply(call, live, outcome.status, outcome.row, lsn)


async def patch(call: Call) -> Reply:
    """Change parts of one item."""
    live = call.live()
    _check_size(call)
    change = Change("Patch", _target(call, live), patch=read_patch(call.json()))
    outcome, lsn = await call.service.change(live, change)
    return item_reply(call, live, outcome.status, outcome.row, lsn)


async def delete(call: Call) -> Reply:
    """Delete one item."""
    live = call.live()
    outcome, lsn = await call.service.change(live, Change("Delete", _target(call, live)))
    return item_reply(call, live, outcome.status, outcome.row, lsn)


async def delete_partition(call: Call) -> Reply:
    """Delete all items of a partition key's value."""
    live = call.live()
    epk = live.container.partition_key.of_header(call.headers.get(_KEY))
    await call.service.delete_partition(live, epk)
    return Reply(200, live=live)


async def batch(call: Call) -> Reply:
    """Up to a hundred operations on one partition key's value, all or nothing."""
    live = call.live()
    _check_size(call)
    entries = call.json()
    if not isinstance(entries, list) or not entries:
        raise bad_request("Batch request has no operations.")
    if len(entries) > _MAX_BATCH:
        raise bad_request("Batch request has more operations than what is supported.")
    epk = live.container.partition_key.of_header(call.headers.get(_KEY))
    changes: list[Change] = []
    try:
        for entry in entries:
            changes.append(_entry(live.container, entry, epk))
        outcomes, lsn = await call.service.batch(live, changes)
    except BatchFailed as failed:
        return _failed_batch(live, len(entries), failed.index, failed.error)
    except CosmosError as error:
        if len(changes) == len(entries):
            raise
        return _failed_batch(live, len(entries), len(changes), error)
    results = [_result(live.container, outcome) for outcome in outcomes]
    return Reply(200, f"[{','.join(results)}]".encode(), live=live, lsn=lsn)


def _entry(container: Container, entry: Any, epk: str) -> Change:
    kind = entry.get("operationType") if isinstance(entry, dict) else None
    if kind not in ("Create", "Upsert", "Replace", "Read", "Patch", "Delete"):
        raise bad_request(f"The operation '{kind}' of the batch is not supported.")
    body = entry.get("resourceBody")
    item = None
    if kind in ("Create", "Upsert", "Replace"):
        item = new_item(container, body, epk)
    name = entry.get("id") or (item.id if item is not None else None)
    if not isinstance(name, str):
        raise bad_request(f"The operation '{kind}' of the batch needs an id.")
    target = Target(name, epk, False, entry.get("ifMatch"), entry.get("ifNoneMatch"))
    return Change(kind, target, item, read_patch(body) if kind == "Patch" else None)


def _result(container: Container, outcome: Outcome) -> str:
    text = f'{{"statusCode":{outcome.status},"requestCharge":1'
    if outcome.row is not None:
        text += f',"eTag":{json.dumps(outcome.row.etag)}'
        text += f',"resourceBody":{outcome.row.text(container)}'
    return text + "}"


def _failed_batch(live: Live, count: int, index: int, error: CosmosError) -> Reply:
    results = [{"statusCode": 424, "requestCharge": 0} for _ in range(count)]
    results[index] = {"statusCode": error.status, "requestCharge": 1}
    if error.substatus:
        results[index]["subStatusCode"] = error.substatus
    return Reply(207, json.dumps(results).encode(), live=live)


async def query(call: Call) -> Reply:
    """One page of a query."""
    live = call.live()
    body = call.json()
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise bad_request("The query must be an object with a member 'query'.")
    get = call.headers.get
    keys, is_one = _scope(call, live.container)
    request = QueryRequest(
        text=body["query"],
        parameters=read_parameters(body.get("parameters")),
        keys=keys,
        may_cross=call.is_true("x-ms-documentdb-query-enablecrosspartition")
        or get("x-ms-documentdb-partitionkeyrangeid") is not None,
        is_one_partition=is_one,
        size=page_size(get("x-ms-max-item-count")),
        token=get("x-ms-continuation"),
    )
    return await _query_page(call, live, request)


async def _query_page(call: Call, live: Live, request: QueryRequest) -> Reply:
    lsn = live.watermark.lsn
    page = await call.service.query(live, request)
    headers = continuation_header(page.token)
    headers.update(metric_headers(call, page.rows))
    headers["x-ms-request-charge"] = "2.83"
    return feed_reply(live, "Documents", page.rows, headers, lsn)


def _scope(call: Call, container: Container) -> tuple[Range | None, bool]:
    """The keys that the headers limit a query to, and whether that is one value."""
    get = call.headers.get
    start, end = get("x-ms-start-epk"), get("x-ms-end-epk")
    key = get(_KEY)
    if key is not None:
        keys = container.partition_key.range_of_header(key)
        return keys, keys[1] == keys[0] + "\0"
    if start is not None or end is not None:
        return (start or "", end or "FF"), False
    return None, False


async def get_feed(call: Call) -> Reply:
    """The change feed where it is asked for, else all items."""
    feed = call.headers.get("A-IM")
    if feed is None:
        return await read_all(call)
    if feed.lower() != "incremental feed":
        raise bad_request(
            "Change feed with all versions and deletes is not enabled for this account."
        )
    return await changes(call)


async def read_all(call: Call) -> Reply:
    """All items, in pages."""
    live = call.live()
    get = call.headers.get
    keys, _ = _scope(call, live.container)
    request = QueryRequest(
        "SELECT * FROM c",
        keys=keys or EVERYTHING,
        size=page_size(get("x-ms-max-item-count")),
        token=get("x-ms-continuation"),
    )
    return await _query_page(call, live, request)


async def changes(call: Call) -> Reply:
    """One page of the change feed; 304 where nothing is new."""
    live = call.live()
    get = call.headers.get
    # Taken before the items are read, which shows at least this much.
    seen = live.watermark.lsn
    condition = get("If-None-Match")
    if condition == "*":
        return _nothing_new(live, seen)
    since = get("If-Modified-Since")
    keys, _ = _scope(call, live.container)
    request = FeedRequest(
        0 if condition is None else _lsn(condition),
        page_size(get("x-ms-max-item-count")),
        keys or EVERYTHING,
        None if since is None else _second(since),
    )
    rows = await call.service.changes(live, request)
    if not rows:
        return _nothing_new(live, max(seen, request.after_lsn))
    container = live.container
    texts = [f'{row.text(container)[:-1]},"_lsn":{row.lsn}}}' for row in rows]
    return feed_reply(live, "Documents", texts, {"etag": f'"{rows[-1].lsn}"'}, seen)


def _nothing_new(live: Live, lsn: int) -> Reply:
    return Reply(304, headers={"etag": f'"{lsn}"'}, live=live)


def _lsn(condition: str) -> int:
    text = condition.strip('"')
    if not text.isdecimal():
        raise bad_request(f"The change feed's position {condition[:50]} is invalid.")
    return int(text)


def _second(header: str) -> int:
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        raise bad_request(f"The date '{header[:50]}' is invalid.") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
