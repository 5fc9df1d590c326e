"""Every id and effect key, each made by one function here.

Effect keys hold the order's id, its digest and what is done, and nothing of the attempt, the
instance or the time: a retry, a redelivery and a replay come to the same key.
"""

import hashlib
from collections.abc import Sequence

# No order id holds a colon, so nothing below can be mistaken for one.
_BATCH = "batch:"


def order_instance_id(order_id: str) -> str:
    """The instance that runs an order which came by itself."""
    return order_id


def batch_instance_id(batch_id: str) -> str:
    """The instance that runs a batch."""
    return _BATCH + batch_id


def batch_id_of(instance_id: str) -> str:
    """The batch's id, from the id of its instance."""
    return instance_id.removeprefix(_BATCH)


def chunk_instance_id(batch_id: str, attempt: int, number: int) -> str:
    """The instance that runs one chunk of an attempt at a batch."""
    return f"{_BATCH}{batch_id}:{attempt}:{number}"


def child_prefix(order_id: str) -> str:
    """What the id of every instance begins with that runs this order on behalf of a batch."""
    return f"{order_id}:{_BATCH}"


def child_instance_id(order_id: str, batch_id: str, attempt: int) -> str:
    """The instance that runs an order on behalf of one attempt at a batch.

    Never the plain order id: see docs/decisions/children-of-a-batch.md.
    """
    return child_prefix(order_id) + _short(f"{batch_id}:{attempt}")


def batch_digest(digests: Sequence[str]) -> str:
    """What tells one batch's content from another's."""
    return hashlib.sha256("\n".join(digests).encode("utf-8")).hexdigest()


def derived_batch_id(digest: str) -> str:
    """The id of a batch whose sender gave none: the same content comes to the same batch."""
    return digest[:32]


def event_id(order_id: str, digest: str, status: str) -> str:
    """The id of the event that tells an order's outcome."""
    return f"{order_id}:{digest}:{status}"


def effect_key(order_id: str, digest: str, step: str) -> str:
    """The key under which a step's effect on the order is made once."""
    return f"{order_id}:{digest}:{step}"


def results_item_id(instance_id: str) -> str:
    """The item that keeps the step results of a failed run which its status cannot hold."""
    return f"results:{instance_id}"


def jitter_fraction(instance_id: str, step: str, attempt: int) -> float:
    """A number in [-1, 1) that is the same whenever the same attempt is looked at again."""
    word = hashlib.sha256(f"{instance_id}:{step}:{attempt}".encode()).digest()
    return int.from_bytes(word[:6], "big") / 2**47 - 1


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
