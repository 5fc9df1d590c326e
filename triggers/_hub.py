"""The task hub as the triggers need it: views of runs, and starting one.

Wraps the durable client, so that its manners (falsy statuses, JSON texts in JSON texts, bare
`Exception`s) stay here.
"""

import asyncio
import json
import string
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import aiohttp

from domain import keys
from domain.errors import StepError
from domain.payloads import PROCESS_ORDER
from domain.status import InstanceView, leading

_T = TypeVar("_T")

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
# What one listing shows at most, and the span below which it is not halved any further.
_PAGE = 100
_HALF_LIMIT = timedelta(milliseconds=2)
# As small as a span can be told to the task hub; what was created in it is told apart by its id.
_INSTANT = timedelta(microseconds=1)
# What the id of an instance of an order is made of.
_ID_LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "._-:"
# What one look at the latest runs may cost the task hub; the span of time that it begins with, and
# by how much the next is shorter where a listing is full, and longer where it is nearly empty.
_MAX_LISTINGS = 60
_FIRST_SPAN = timedelta(hours=1)
_SPAN_FACTOR = 4


class DurableClient(Protocol):
    """The calls of `DurableOrchestrationClient` (azure-functions-durable 1.7) that are used."""

    async def get_status(self, instance_id: str, show_history: bool = False) -> Any: ...

    async def get_status_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: list[Any] | None = None,
        instance_id_prefix: str | None = None,
    ) -> list[Any]: ...

    async def start_new(
        self, orchestration_function_name: str, instance_id: str, client_input: Any
    ) -> str: ...


@dataclass(frozen=True)
class Latest:
    """Runs, the latest created first, and whether these are all there are."""

    runs: list[InstanceView]
    is_whole: bool


class Hub:
    """The task hub behind a function's durable client binding."""

    def __init__(self, client: DurableClient) -> None:
        self._client = client

    async def run(self, instance_id: str) -> InstanceView | None:
        """The instance, or None when there is none.

        Raises:
            StepError: HUB_UNAVAILABLE, the task hub does not answer.
        """
        status = await _answer(self._client.get_status(instance_id))
        if not status and hasattr(status, "ExceptionMessage"):
            # The library makes an empty status of a failure's body.
            raise StepError("HUB_UNAVAILABLE", "The task hub cannot tell of a run.")
        return view_of(status) if status else None

    async def order_run(self, order_id: str) -> InstanceView | None:
        """The run that says how the order stands, whether it came by itself or in a batch.

        Raises:
            StepError: HUB_UNAVAILABLE, the task hub does not answer.
        """
        alone, children = await asyncio.gather(
            self.run(keys.order_instance_id(order_id)),
            _answer(self._client.get_status_by(instance_id_prefix=keys.child_prefix(order_id))),
        )
        views = [view_of(status) for status in children if status.name == PROCESS_ORDER]
        return leading([*views, *([alone] if alone is not None else [])])

    async def ended_badly(self) -> list[InstanceView]:
        """Every run of an order that failed or was terminated, oldest first.

        The library shows the first hundred of a listing and no way to the next; so the span of
        creation times is halved until each half comes back whole. The members of a batch may have
        been created in the same instant: those are listed by the beginnings of their ids.

        Raises:
            StepError: HUB_UNAVAILABLE, the task hub does not answer.
        """
        found: dict[str, InstanceView] = {}
        spans = [(_EPOCH, datetime.now(UTC) + _HALF_LIMIT)]
        while spans:
            begin, end = spans.pop()
            page = await _answer(self._client.get_status_by(begin, end, _ended_badly()))
            if len(page) >= _PAGE and end - begin > _INSTANT:
                middle = begin + (end - begin) / 2
                spans += [(middle, end), (begin, middle)]
                continue
            if len(page) >= _PAGE:
                page = await self._of_one_instant(begin, end)
            views = (view_of(status) for status in page if status.name == PROCESS_ORDER)
            found |= {view.instance_id: view for view in views}
        return sorted(found.values(), key=lambda view: (view.created_at or "", view.instance_id))

    async def _of_one_instant(self, begin: datetime, end: datetime) -> list[Any]:
        """As `ended_badly`, of a span that holds more than a listing shows and cannot be halved."""
        found: list[Any] = []
        prefixes = list(_ID_LETTERS)
        while prefixes:
            prefix = prefixes.pop()
            page = await _answer(self._client.get_status_by(begin, end, _ended_badly(), prefix))
            found += page
            if len(page) >= _PAGE:
                # Each of them begins with the prefix and one letter more, or is the prefix.
                prefixes += [prefix + letter for letter in _ID_LETTERS]
                alone = await _answer(self._client.get_status(prefix))
                found += [alone] if alone and alone.runtime_status in _ended_badly() else []
        return found

    async def latest(
        self, names: Collection[str], limit: int, states: Collection[str] = (), prefix: str = ""
    ) -> Latest:
        """The latest runs of these orchestrators, about `limit` of them.

        Args:
            states: runtime states, as the task hub names them; empty for all.
            prefix: what their instance ids begin with.

        Raises:
            StepError: HUB_UNAVAILABLE, the task hub does not answer.
        """
        found: dict[str, InstanceView] = {}
        wanted = _statuses(states)
        # Back from now in spans that fit what they find: runs come in clusters, of any age.
        end, width = datetime.now(UTC) + _HALF_LIMIT, _FIRST_SPAN
        for _ in range(_MAX_LISTINGS):
            if end <= _EPOCH or len(found) >= limit:
                break
            begin = max(end - width, _EPOCH)
            page = await _answer(self._client.get_status_by(begin, end, wanted, prefix or None))
            if len(page) >= _PAGE and end - begin > _HALF_LIMIT:
                width = (end - begin) / _SPAN_FACTOR
                continue
            if len(page) < _PAGE / _SPAN_FACTOR:
                width *= _SPAN_FACTOR
            end = begin
            views = (view_of(status) for status in page if status.name in names)
            found |= {view.instance_id: view for view in views}
        runs = sorted(found.values(), key=lambda v: (v.created_at or "", v.instance_id))
        return Latest(runs[::-1], is_whole=end <= _EPOCH)

    async def history(self, instance_id: str) -> list[Mapping[str, Any]]:
        """What happened in a run, oldest first; empty where the task hub does not tell.

        Raises:
            StepError: HUB_UNAVAILABLE, the task hub does not answer.
        """
        status = await _answer(self._client.get_status(instance_id, show_history=True))
        # The task hub's answer says `historyEvents`, where the library's property reads `history`.
        told = getattr(status, "historyEvents", None)
        return [event for event in told or () if isinstance(event, Mapping)]

    async def start(self, orchestrator: str, instance_id: str, value: Mapping[str, Any]) -> None:
        """The instance is accepted and durable.

        Raises:
            StepError: HUB_UNAVAILABLE, the task hub does not answer.
            Exception: the task hub refuses; the library raises nothing narrower.
        """
        await _answer(self._client.start_new(orchestrator, instance_id, value))


def refused(error: Exception) -> Exception:
    """What to raise when the task hub refused a start although no run is in its way.

    The library raises the text of a 400, which no repetition helps, and the body of everything
    else: then the task hub cannot start anything at present.
    """
    told = error.args[0] if error.args else None
    if not isinstance(told, Mapping):
        return error
    reason = str(told.get("ExceptionMessage") or told.get("Message") or told)[:200]
    return StepError("HUB_UNAVAILABLE", f"The task hub cannot start a run ({reason}).")


def view_of(status: Any) -> InstanceView:
    """A `DurableOrchestrationStatus` as plain values."""
    given = _parsed(status.input_)
    told = status.custom_status
    return InstanceView(
        instance_id=status.instance_id,
        name=status.name,
        runtime_status=status.runtime_status.value,
        created_at=_text(status.created_time),
        updated_at=_text(status.last_updated_time),
        input=given if isinstance(given, dict) else {},
        custom_status=told if isinstance(told, dict) else {},
        output=status.output,
    )


def _ended_badly() -> list[Any]:
    return _statuses(["Failed", "Terminated"])


def _statuses(names: Collection[str]) -> list[Any]:
    from azure.durable_functions import OrchestrationRuntimeStatus as Status  # noqa: PLC0415 - cold start

    return [Status(name) for name in names]


async def _answer(call: Awaitable[_T]) -> _T:
    try:
        return await call
    except (aiohttp.ClientError, TimeoutError) as error:
        kind = type(error).__name__
        raise StepError("HUB_UNAVAILABLE", f"The task hub does not answer ({kind}).") from error


def _parsed(value: Any) -> Any:
    # `start_new` stores a JSON text of a JSON text, so the status holds a text.
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return None


def _text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
