"""One order: validate, enrich, persist, notify; a refused one is persisted and told too.

Started by `ProcessOrders`, by `process_chunk` for an order of a batch, and by a replay, which
brings the results that a failed attempt had come to. Ends `Failed`, with a text that carries stage
and code, when a step has failed for the last time.
"""

import logging
from collections.abc import Mapping
from typing import Any

from domain.errors import OrderFailure
from domain.items import Write
from domain.payloads import KEEP_RESULTS, STEPS, NotifyInput, PersistInput, ProcessOrderInput
from orchestrators._context import OrchestrationContext, Steps
from orchestrators._progress import Progress, instant
from orchestrators._retry import GaveUp, Unobserved, call_with_retry

_log = logging.getLogger("orders.process_order")
# Faults that the instance's output repeats; all of them are in the item.
_MAX_TOLD_ERRORS = 20


class OrderFailed(Exception):
    """The order cannot go on; the text says where and why."""


def process_order(context: OrchestrationContext) -> Steps:
    """Runs one attempt at an order and returns what became of it.

    Raises:
        OrderFailed: a step failed for the last time.
    """
    run = _Run(context, ProcessOrderInput.from_dict(context.get_input()))
    errors = (yield from run.step("validate", {"order": run.given.order}))["errors"]
    priced: Mapping[str, Any] = {}
    if errors:
        run.progress.skip("enrich")
    else:
        priced = yield from run.step("enrich", {"order": run.given.order})
    persisted = yield from run.step("persist", run.persist_input(errors, priced).to_dict())
    if persisted["write"] in {Write.DUPLICATE, Write.SUPERSEDED}:
        # Another run of the same order has written, and tells the world about it.
        run.progress.skip("notify")
    else:
        yield from run.step("notify", run.notify_input(errors, priced, persisted).to_dict())
    return {
        "orderId": run.given.order["id"],
        "status": persisted["status"],
        "attempt": run.given.attempt,
        "digest": run.given.digest,
        "write": persisted["write"],
        "errors": errors[:_MAX_TOLD_ERRORS],
    }


class _Run:
    """One attempt: its input, its progress, and the results so far."""

    def __init__(self, context: OrchestrationContext, given: ProcessOrderInput) -> None:
        self.given = given
        self.progress = Progress(context, given.attempt)
        self._context = context
        self._results: dict[str, Any] = dict(given.carried)

    def step(self, name: str, payload: Mapping[str, Any]) -> Steps:
        """The step's result: carried from a former attempt, or the activity's."""
        if name in self.given.carried:
            self.progress.skip(name, "carried")
            return self.given.carried[name]
        try:
            result = yield from call_with_retry(
                self._context, STEPS[name], payload, self.progress.observe(name)
            )
        except GaveUp as end:
            failure = OrderFailure(name, end.failure.code, end.attempts, end.failure.message)
            yield from self._give_up(failure)
            raise OrderFailed(failure.to_text()) from None
        self._results[name] = result
        self.progress.complete(name)
        return result

    def persist_input(self, errors: list[Any], priced: Mapping[str, Any]) -> PersistInput:
        """What the item is made of."""
        return PersistInput(
            order=self.given.order,
            digest=self.given.digest,
            attempt=self.given.attempt,
            instance_id=self._context.instance_id,
            status="rejected" if errors else "processed",
            processed_at=instant(self._context.current_utc_datetime),
            source=self.given.source,
            totals=priced.get("totals"),
            enrichment=priced.get("enrichment"),
            errors=errors,
            replay=self.given.replay,
        )

    def notify_input(
        self, errors: list[Any], priced: Mapping[str, Any], persisted: Mapping[str, Any]
    ) -> NotifyInput:
        """What the event tells."""
        customer = self.given.order.get("customerId")
        return NotifyInput(
            order_id=self.given.order["id"],
            digest=self.given.digest,
            status=persisted["status"],
            attempt=self.given.attempt,
            processed_at=persisted["processedAt"],
            customer_id=customer if isinstance(customer, str) else None,
            totals=priced.get("totals"),
            errors=errors,
        )

    def _give_up(self, failure: OrderFailure) -> Steps:
        """Shows the failure, keeps the results for a replay, and logs once."""
        if not self.progress.fail(failure, self._results):
            kept = {"instanceId": self._context.instance_id, "results": self._results}
            try:
                yield from call_with_retry(self._context, KEEP_RESULTS, kept, Unobserved())
            except GaveUp:
                # A replay finds nothing and runs the steps again: they only read, or are
                # recognised by their effect key.
                self._report(f"{self._context.instance_id}: step results could not be kept")
        self._report(f"{failure.to_text()} (instance {self._context.instance_id})")

    def _report(self, text: str) -> None:
        if not self._context.is_replaying:
            _log.error(text, exc_info=True)
