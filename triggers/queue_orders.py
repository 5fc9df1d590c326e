"""`QueueOrders`: what is new in the container `toprocess` goes to the queue, as it was told.

The change feed moves on when this returns, so the function is registered with a retry that never
ends, and nothing in here may fail for one document's sake: a document too large for a message goes
as a claim check, one that is no order goes as it is and ends in the dead-letter queue.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import azure.functions as func

from domain.items import as_told
from domain.jsontext import encode
from domain.messages import MAX_BODY_BYTES, STORED_MEMBER


def queue_orders(documents: func.DocumentList, messages: func.Out[str]) -> None:
    """Every document has a message when the host has sent what is set here."""
    messages.set(bodies(document.to_dict() for document in documents))  # type: ignore[arg-type]


def bodies(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """The messages' bodies, one for each document."""
    return [_body(document) for document in documents]


def _body(document: Mapping[str, Any]) -> str:
    body = encode(as_told(document))
    if len(body.encode("utf-8")) <= MAX_BODY_BYTES:
        return body
    return encode({STORED_MEMBER: document["id"]})
