"""What the endpoint can do: one table.

A path alternates between words and ids (`dbs/shop/colls/orders/docs`), so its words, and whether it
ends in an id, say which resource it is. What is listed as refused has the vendor's manners: lists
are empty, the rest is 400 with a clear text.

Source: specification, sections 1 and 6.
"""

from collections.abc import Awaitable, Callable

from emulator.cosmos import control, documents
from emulator.cosmos.errors import not_found, not_supported
from emulator.cosmos.wire import Call, Reply, invalid_url, json_reply, unsupported_verb

Handler = Callable[[Call], Awaitable[Reply]]
_DB, _COLL = ("dbs",), ("dbs", "colls")


def _empty(member: str) -> Handler:
    async def handler(call: Call) -> Reply:
        call.service.catalogue.database(call.ids[0])
        return json_reply(200, {"_rid": "", member: [], "_count": 0})

    return handler


def _refused(what: str) -> Handler:
    async def handler(_call: Call) -> Reply:
        raise not_supported(what)

    return handler


async def _missing(_call: Call) -> Reply:
    raise not_found()


ROUTES: dict[tuple[tuple[str, ...], bool], dict[str, Handler]] = {
    # words of the path, whether it ends in an id
    ((), False): {"GET": control.account},
    (_DB, False): {"GET": control.list_databases, "POST": control.post_database},
    (_DB, True): {"GET": control.read_database, "DELETE": control.delete_database},
    (_COLL, False): {"GET": control.list_containers, "POST": control.post_container},
    (_COLL, True): {
        "GET": control.read_container,
        "PUT": control.replace_container,
        "DELETE": control.delete_container,
    },
    ((*_COLL, "pkranges"), False): {"GET": control.partition_key_ranges},
    ((*_COLL, "docs"), False): {"GET": documents.get_feed, "POST": documents.post},
    ((*_COLL, "docs"), True): {
        "GET": documents.read,
        "PUT": documents.replace,
        "PATCH": documents.patch,
        "DELETE": documents.delete,
    },
    ((*_COLL, "operations"), True): {"POST": documents.delete_partition},
    (("offers",), False): {"GET": control.list_offers, "POST": control.query_offers},
    (("offers",), True): {"GET": control.read_offer, "PUT": control.replace_offer},
}

for _parent, _word, _member, _what in (
    (_COLL, "sprocs", "StoredProcedures", "A stored procedure"),
    (_COLL, "triggers", "Triggers", "A trigger"),
    (_COLL, "udfs", "UserDefinedFunctions", "A user-defined function"),
    (_DB, "users", "Users", "A user"),
    (_COLL, "conflicts", "Conflicts", "A conflict"),
    ((*_DB, "users"), "permissions", "Permissions", "A permission"),
):
    _refuse = _refused(_what)
    ROUTES[(*_parent, _word), False] = {"GET": _empty(_member), "POST": _refuse}
    ROUTES[(*_parent, _word), True] = {
        "GET": _missing,
        "PUT": _refuse,
        "POST": _refuse,
        "DELETE": _missing,
    }


def route(verb: str, segments: list[str]) -> tuple[Handler, list[str]]:
    """The handler of a request, and the ids of its path.

    Raises:
        CosmosError: 400 for a path that is none of the service's, 405 for a wrong verb.
    """
    words, ids = tuple(segments[0::2]), segments[1::2]
    by_verb = ROUTES.get((words, len(segments) % 2 == 0 and bool(segments)))
    if by_verb is None or (words[-1:] == ("operations",) and ids[-1] != "partitionkeydelete"):
        raise invalid_url()
    handler = by_verb.get(verb)
    if handler is None:
        raise unsupported_verb()
    return handler, ids
