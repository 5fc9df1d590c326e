"""The routes of the account, databases, containers, partition key ranges and offers.

Source: specification, sections 6.1 to 6.4 and 6.6.
"""

import json
from functools import partial
from typing import Any

from emulator.cosmos import store
from emulator.cosmos.catalogue import Live
from emulator.cosmos.errors import OWNER_NOT_FOUND, bad_request, not_found, not_supported
from emulator.cosmos.model import Database, check_id, etag_of
from emulator.cosmos.query import read_parameters
from emulator.cosmos.resources import select_resources
from emulator.cosmos.store import Offer
from emulator.cosmos.wire import Call, Reply, json_reply

_THROUGHPUT = "x-ms-offer-throughput"
_AUTOPILOT = "x-ms-cosmos-offer-autopilot-settings"


async def account(call: Call) -> Reply:
    """The account; its endpoint is where the caller came in, for all later requests go there."""
    place = [{"name": "Local", "databaseAccountEndpoint": f"{call.origin}/"}]
    replicas = {"minReplicaSetSize": 1, "maxReplicasetSize": 1}
    return json_reply(
        200,
        {
            "_self": "",
            "id": "local",
            "_rid": "local",
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": place,
            "readableLocations": place,
            "enableMultipleWriteLocations": False,
            "enablePerPartitionFailoverBehavior": False,
            "continuousBackupEnabled": False,
            "userReplicationPolicy": {"asyncReplication": False, **replicas},
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "systemReplicationPolicy": replicas,
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
            "queryEngineConfiguration": '{"maxSqlQueryInputLength":524288}',
        },
    )


def _is_query(call: Call) -> bool:
    return bool(call.headers.get("x-ms-documentdb-isquery")) or call.headers.get(
        "Content-Type", ""
    ).startswith("application/query+json")


def _listed(member: str, rid: str, resources: list[Any]) -> Reply:
    return json_reply(200, {"_rid": rid, member: resources, "_count": len(resources)})


def _selected(call: Call, resources: list[dict[str, Any]]) -> list[Any]:
    """What a query on resources answers."""
    body = call.json()
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise bad_request("The query must be an object with a member 'query'.")
    parameters = read_parameters(body.get("parameters"))
    return select_resources(body["query"], parameters, resources, call.service.clock.now())


async def list_databases(call: Call) -> Reply:
    """All databases."""
    return _listed("Databases", "", [d.resource() for d in call.service.catalogue.databases])


async def post_database(call: Call) -> Reply:
    """Make a database, or query them."""
    if _is_query(call):
        found = _selected(call, [d.resource() for d in call.service.catalogue.databases])
        return _listed("Databases", "", found)
    body = call.json()
    name = check_id(body.get("id") if isinstance(body, dict) else None, 255)
    database = await call.service.create_database(name)
    await _keep_throughput(call, f"dbs/{database.rid}/", database.rid)
    return _resource(201, database.resource())


def _resource(status: int, resource: dict[str, Any]) -> Reply:
    return json_reply(status, resource, etag=resource["_etag"])


def _database(call: Call, substatus: int = 0) -> Database:
    return call.service.catalogue.database(call.ids[0], substatus)


async def read_database(call: Call) -> Reply:
    """Read a database."""
    return _resource(200, _database(call).resource())


async def delete_database(call: Call) -> Reply:
    """Delete a database with its containers."""
    await call.service.delete_database(_database(call))
    return Reply(204)


async def list_containers(call: Call) -> Reply:
    """The containers of a database."""
    database = _database(call, OWNER_NOT_FOUND)
    resources = [live.container.resource() for live in call.service.catalogue.containers(database)]
    return _listed("DocumentCollections", database.rid, resources)


async def post_container(call: Call) -> Reply:
    """Make a container, or query them."""
    database = _database(call, OWNER_NOT_FOUND)
    if _is_query(call):
        every = [live.container.resource() for live in call.service.catalogue.containers(database)]
        return _listed("DocumentCollections", database.rid, _selected(call, every))
    live = await call.service.create_container(database, call.json())
    await _keep_throughput(call, live.container.link, live.container.rid)
    reply = _container(201, live)
    reply.headers["x-ms-alt-content-path"] = f"dbs/{database.id}"
    return reply


def _container(status: int, live: Live) -> Reply:
    reply = _resource(status, live.container.resource())
    reply.live = live
    return reply


async def read_container(call: Call) -> Reply:
    """Read a container."""
    live = call.service.catalogue.container(call.ids[0], call.ids[1], 0)
    reply = _container(200, live)
    if call.is_true("x-ms-documentdb-populatequotainfo"):
        reply.headers["x-ms-resource-usage"] = "documentSize=0;documentsSize=0;collectionSize=0;"
        reply.headers["x-ms-resource-quota"] = "collectionSize=20971520;"
    return reply


async def replace_container(call: Call) -> Reply:
    """Keep a container's new definition."""
    live = call.service.catalogue.container(call.ids[0], call.ids[1], 0)
    return _container(200, await call.service.replace_container(live, call.json()))


async def delete_container(call: Call) -> Reply:
    """Delete a container with its items."""
    live = call.service.catalogue.container(call.ids[0], call.ids[1], 0)
    await call.service.delete_container(live)
    return Reply(204)


async def partition_key_ranges(call: Call) -> Reply:
    """The one range of a container. The client asks again until it hears that nothing changed."""
    live = call.live()
    if call.headers.get("If-None-Match") == '"1"':
        return Reply(304, headers={"etag": '"1"'}, live=live)
    container = live.container
    key_range = {
        "id": "0",
        "_rid": container.rid,
        "_etag": etag_of(1, container.ts),
        "minInclusive": "",
        "maxExclusive": "FF",
        "ridPrefix": 0,
        "_self": f"{container.link}pkranges/{container.rid}/",
        "throughputFraction": 1,
        "status": "online",
        "parents": [],
        "_ts": container.ts,
        "lsn": live.watermark.lsn,
    }
    reply = _listed("PartitionKeyRanges", container.rid, [key_range])
    reply.headers["etag"], reply.live = '"1"', live
    return reply


# Offers


async def _keep_throughput(call: Call, link: str, rid: str) -> None:
    """Store the throughput that a new resource was asked for with."""
    manual, autopilot = call.headers.get(_THROUGHPUT), call.headers.get(_AUTOPILOT)
    content: dict[str, Any]
    if manual is not None:
        if not manual.isdecimal() or int(manual) < 400:
            raise bad_request("The offer throughput must be a whole number from 400.")
        content = {"offerThroughput": int(manual)}
    elif autopilot is not None:
        settings = json.loads(autopilot)
        content = {"offerThroughput": settings.get("maxThroughput", 0) // 10}
        content["offerAutopilotSettings"] = settings
    else:
        return
    ts = call.service.now_s()
    await call.service.storage.write(
        lambda connection: store.put_offer(connection, link, rid, content, ts)
    )


def _offer(offer: Offer) -> dict[str, Any]:
    name = f"of{offer.num:04d}"
    return {
        "id": name,
        "_rid": name,
        "_self": f"offers/{name}/",
        "resource": offer.resource,
        "offerType": "Invalid",
        "offerResourceId": offer.resource_rid,
        "offerVersion": "V2",
        "content": offer.content,
        "_etag": etag_of(offer.num, offer.ts),
        "_ts": offer.ts,
    }


async def _offers(call: Call) -> list[dict[str, Any]]:
    return [_offer(offer) for offer in await call.service.storage.read(store.offers)]


async def list_offers(call: Call) -> Reply:
    """All offers."""
    return _listed("Offers", "", await _offers(call))


async def query_offers(call: Call) -> Reply:
    """The offers of a resource."""
    if not _is_query(call):
        raise not_supported("Creating an offer by itself")
    return _listed("Offers", "", _selected(call, await _offers(call)))


async def read_offer(call: Call) -> Reply:
    """One offer."""
    for offer in await _offers(call):
        if offer["id"] == call.ids[0]:
            return _resource(200, offer)
    raise not_found()


async def replace_offer(call: Call) -> Reply:
    """Keep the new throughput of a resource; it has no effect."""
    body = call.json()
    content = body.get("content") if isinstance(body, dict) else None
    if not isinstance(content, dict):
        raise bad_request("The offer needs a content.")
    for offer in await call.service.storage.read(store.offers):
        if _offer(offer)["id"] == call.ids[0]:
            ts = call.service.now_s()
            await call.service.storage.write(
                partial(
                    store.put_offer,
                    resource=offer.resource,
                    rid=offer.resource_rid,
                    content=content,
                    ts=ts,
                )
            )
            return await read_offer(call)
    raise not_found()
