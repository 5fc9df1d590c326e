"""A message in the dead-letter queue: what it is, and why it could not be processed. Pure.

Service Bus says no more than that a message was delivered too often. What was wrong with it is read
from its body, by the same rule that refused it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from domain.messages import OrderBatch, SingleOrder, Unusable, interpret

PREVIEW_CHARACTERS = 200


class InvalidSelection(ValueError):
    """The request cannot be understood; `field` names the member."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter; `enqueued_at` is an RFC 1123 date, as the broker tells it."""

    sequence_number: int
    message_id: str | None
    delivery_count: int
    enqueued_at: str | None
    reason: str | None
    description: str | None
    body: bytes

    def to_dict(self) -> dict[str, Any]:
        """As the API tells it."""
        return {
            "sequenceNumber": self.sequence_number,
            "messageId": self.message_id,
            "orderId": self.order_id,
            "deliveryCount": self.delivery_count,
            "enqueuedAt": _rfc3339(self.enqueued_at),
            "reason": self.reason,
            "description": self.description,
            "refusal": self.refusal,
            "bodyPreview": self.body[: 4 * PREVIEW_CHARACTERS].decode("utf-8", "replace")[
                :PREVIEW_CHARACTERS
            ],
            "bodyBytes": len(self.body),
        }

    @property
    def order_id(self) -> str | None:
        """The order's id, where the message is one order."""
        found = interpret(self.body)
        return found.raw["id"] if isinstance(found, SingleOrder) else None

    @property
    def refusal(self) -> dict[str, str]:
        """Why it could not be processed: a code and a sentence."""
        found = interpret(self.body)
        if isinstance(found, Unusable):
            return {"code": found.code, "message": found.reason}
        what = "batch" if isinstance(found, OrderBatch) else "order"
        return {
            "code": "not_started",
            "message": f"The body is a usable {what}: another with this id and other content was "
            "taken before, or a service did not answer at any delivery.",
        }


@dataclass(frozen=True)
class LetterSelection:
    """Which dead letters to send back; all of the filters that are given must hold."""

    sequence_numbers: frozenset[int] = frozenset()
    order_ids: frozenset[str] = frozenset()
    code: str | None = None
    is_all: bool = False

    def takes(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of those."""
        if self.sequence_numbers and letter.sequence_number not in self.sequence_numbers:
            return False
        if self.order_ids and letter.order_id not in self.order_ids:
            return False
        return self.code in (None, letter.refusal["code"])


def read_selection(body: Any) -> LetterSelection:
    """The body of a resubmission.

    Raises:
        InvalidSelection: a member is unknown or wrong, or nothing is selected.
    """
    if not isinstance(body, Mapping):
        raise InvalidSelection("", 'The body is a JSON object such as {"all": true}.')
    known = {"sequenceNumbers", "orderIds", "code", "all"}
    unknown = sorted(set(body) - known)
    if unknown:
        raise InvalidSelection(unknown[0], f"There is no such member; there are {sorted(known)}.")
    if nothing := [name for name, value in body.items() if value in (None, [], "")]:
        raise InvalidSelection(nothing[0], "It is empty; leave it out instead.")
    numbers, ids, code = body.get("sequenceNumbers", []), body.get("orderIds", []), body.get("code")
    if not isinstance(numbers, list) or not all(_is_sequence_number(n) for n in numbers):
        raise InvalidSelection("sequenceNumbers", "It is a list of whole numbers of 64 bits.")
    if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
        raise InvalidSelection("orderIds", "It is a list of order ids.")
    if code is not None and not isinstance(code, str):
        raise InvalidSelection("code", "It is a string.")
    is_all = body.get("all", False)
    if not isinstance(is_all, bool):
        raise InvalidSelection("all", "It is true or false.")
    if not (numbers or ids or code or is_all):
        raise InvalidSelection("", 'Say which: sequenceNumbers, orderIds, code, or "all": true.')
    return LetterSelection(frozenset(numbers), frozenset(ids), code, is_all)


def _is_sequence_number(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _rfc3339(date: str | None) -> str | None:
    if date is None:
        return None
    moment = parsedate_to_datetime(date).astimezone(UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
