"""Codes of what can stop a step, whether a retry can help, and the texts they travel in.

An activity's failure reaches its orchestrator as text only: `Activity function 'persist_order'
failed:  StoreUnavailable: [STORE_UNAVAILABLE] ...`, a blank, a new line and a JSON object that
repeats it. So a `StepError` writes its code in brackets before its sentence, and `read_failure`
finds it again. A final failure of an order ends its instance in the same manner, with
`ORDER_FAILED stage=... code=...`, which `read_order_failed` finds in what the task hub kept.

Left out on purpose: business refusals, which are results (`order.Fault`), not errors.
"""

import json
import re
from dataclasses import dataclass

# Whether the same call can succeed later without anybody changing anything.
RETRYABLE: dict[str, bool] = {
    "STORE_UNAVAILABLE": True,
    "STORE_BUSY": True,
    "STORE_CONTENDED": True,
    "STORE_REFUSED": False,
    "STORE_MISSING": False,
    "ITEM_TOO_LARGE": False,
    "ORDER_CONFLICT": False,
    "REFERENCE_INVALID": False,
    "SETTING_INVALID": False,
    "HUB_UNAVAILABLE": True,
    "QUEUE_UNAVAILABLE": True,
    "QUEUE_REFUSED": False,
    "ACTIVITY_TIMEOUT": True,
    "ACTIVITY_MISSING": False,
    "PAYLOAD_INVALID": False,
    "UNEXPECTED": True,
}
# Mistakes in the program: the next call comes to the same end.
_PROGRAM_FAULTS = frozenset(
    {"AttributeError", "ImportError", "KeyError", "NameError", "TypeError", "ModuleNotFoundError"}
)
ORDER_FAILED = "ORDER_FAILED"
BATCH_FAILED = "BATCH_FAILED"
MAX_MESSAGE = 500

_CODE = re.compile(r"\[([A-Z][A-Z0-9_]{2,39})\]\s*(.*)", re.DOTALL)
_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*):\s*(.*)", re.DOTALL)
_PREFIX = re.compile(r"^(?:Activity|Orchestrator) function '[^']*' failed:\s*")
_FAILED = re.compile(
    r"(?:ORDER|BATCH)_FAILED stage=(\S+) code=(\S+) attempts=(\d+): (.*)", re.DOTALL
)


class StepError(Exception):
    """Stops a step for a reason that has a code; the text says it in one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Failure:
    """Why a step stopped, as its orchestrator and the API tell it."""

    code: str
    message: str
    is_retryable: bool

    def to_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True)
class OrderFailure:
    """Why an order could not go on: where, a code, and how often it was tried there."""

    stage: str
    code: str
    attempts: int
    message: str

    def to_text(self, head: str = ORDER_FAILED) -> str:
        """The text that the instance ends with."""
        return (
            f"{head} stage={self.stage} code={self.code} attempts={self.attempts}: {self.message}"
        )

    def to_dict(self) -> dict[str, str]:
        return {"stage": self.stage, "code": self.code, "message": self.message}


def read_failure(text: str) -> Failure:
    """What the text of a failed activity says; a text without a code comes to one of its own."""
    message = _message(text)
    coded = _CODE.search(message) or _CODE.search(text)
    if coded is not None:
        code = coded[1]
        return Failure(code, _short(coded[2]), RETRYABLE.get(code, True))
    if "Timeout value of" in message:
        return Failure("ACTIVITY_TIMEOUT", _short(message), True)
    if "is not an activity function" in message:
        return Failure("ACTIVITY_MISSING", _short(message), False)
    raised = _EXCEPTION.match(message)
    if raised is not None and raised[1].rsplit(".")[-1] in _PROGRAM_FAULTS:
        return Failure("PAYLOAD_INVALID", _short(message), False)
    return Failure("UNEXPECTED", _short(message), True)


def read_order_failed(text: str) -> OrderFailure | None:
    """What the text says with which an order's instance ended; None when it says something else."""
    found = _FAILED.search(text)
    if found is None:
        return None
    return OrderFailure(found[1], found[2], int(found[3]), _short(_message(found[4])))


def _message(text: str) -> str:
    """The one sentence in a failure text, without what the platform wraps around it."""
    reason, _, details = text.partition(" \n ")
    if details.startswith("{"):
        try:
            told = json.loads(details.splitlines()[0]).get("Message")
        except json.JSONDecodeError:
            told = None
        if isinstance(told, str) and told.strip():
            return _PREFIX.sub("", told.strip())
    return _PREFIX.sub("", reason).strip()


def _short(message: str) -> str:
    message = " ".join(message.split())
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
