"""Start once: brings an order or a batch to the task hub unless it is there already.

The rule is `domain.starting`; what is known of an earlier run comes from the task hub. Called by
`ProcessOrders`, and for the same decision by `SubmitOrders`.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from domain import keys
from domain.batches import content_digest
from domain.errors import StepError
from domain.order import digest
from domain.payloads import (
    PROCESS_BATCH,
    PROCESS_ORDER,
    ProcessBatchInput,
    ProcessOrderInput,
    Source,
)
from domain.starting import Decision, EarlierRun, Start, decide_start
from domain.status import InstanceView
from triggers._hub import Hub, refused

_log = logging.getLogger("orders.start")


class Conflict(Exception):
    """Other content has this id already; the text says so in a sentence."""


def start_after(run: InstanceView | None, content: str, source: Source | None = None) -> Start:
    """What the rule says about content with this digest, by this message, after that run."""
    if run is None:
        return decide_start(content, None)
    given = run.input
    earlier = EarlierRun(
        run.runtime_status,
        given.get("digest"),
        given.get("attempt", 1),
        Source.from_dict(given.get("source")),
    )
    return decide_start(content, earlier, source)


async def start_order(hub: Hub, raw: dict[str, Any], source: Source) -> Decision:
    """The order has a run that was started for it, now or earlier.

    Raises:
        Conflict: another order with this id is running or was completed.
        StepError: the task hub does not answer.
    """
    order_id, content = raw["id"], digest(raw)

    async def start(attempt: int) -> None:
        value = ProcessOrderInput(raw, content, attempt, source).to_dict()
        await hub.start(PROCESS_ORDER, keys.order_instance_id(order_id), value)

    async def look() -> InstanceView | None:
        return await hub.order_run(order_id)

    return await _once(f"order {order_id}", content, source, look, start)


async def start_batch(
    hub: Hub, batch_id: str, entries: tuple[Any, ...], source: Source
) -> Decision:
    """The batch has a run that was started for it, now or earlier.

    Raises:
        Conflict: another batch with this id is running or was completed.
        StepError: the task hub does not answer.
    """
    content, instance_id = content_digest(entries), keys.batch_instance_id(batch_id)

    async def start(attempt: int) -> None:
        value = ProcessBatchInput(batch_id, list(entries), content, attempt, source).to_dict()
        await hub.start(PROCESS_BATCH, instance_id, value)

    async def look() -> InstanceView | None:
        return await hub.run(instance_id)

    return await _once(f"batch {batch_id}", content, source, look, start)


async def _once(
    what: str,
    content: str,
    source: Source,
    look: Callable[[], Coroutine[Any, Any, InstanceView | None]],
    start: Callable[[int], Coroutine[Any, Any, None]],
) -> Decision:
    wanted = start_after(await look(), content, source)
    if wanted.decision is Decision.START:
        try:
            await start(wanted.attempt)
        except StepError:
            raise
        except Exception as error:
            # The task hub refuses an id that is active: another delivery was faster. Whether it
            # was for the same content is looked up; any other refusal goes on.
            wanted = start_after(await look(), content, source)
            if wanted.decision is Decision.START:
                raise refused(error) from error
    if wanted.decision is Decision.CONFLICT:
        raise Conflict(f"Another {what} with other content is running or was completed.")
    _log.info("%s: %s, attempt %d", what, wanted.decision.value, wanted.attempt)
    return wanted.decision
