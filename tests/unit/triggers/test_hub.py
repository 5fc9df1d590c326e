"""Finding every run that ended badly, though a listing shows no more than a hundred."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.fakes import FakeHub, status
from triggers._hub import Hub

_PAGE = 100
_START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class PagedHub(FakeHub):
    """A task hub that shows a hundred instances by id, and tells no more than that."""

    def __init__(self, *statuses: Any) -> None:
        super().__init__(*statuses)
        self.listings = 0

    async def get_status_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: list[Any] | None = None,
        instance_id_prefix: str | None = None,
    ) -> list[Any]:
        self.listings += 1
        assert created_time_from is not None
        assert created_time_to is not None
        found = [
            each
            for name, each in sorted(self.statuses.items())
            if created_time_from <= each.created_time <= created_time_to
            and each.runtime_status in (runtime_status or [])
            and name.startswith(instance_id_prefix or "")
        ]
        return found[:_PAGE]


def failed(instance_id: str, created: datetime = _START, **more: Any) -> Any:
    return status(instance_id, "Failed", created=created.isoformat(), **more)


async def found(hub: Any) -> list[str]:
    return [view.instance_id for view in await Hub(hub).ended_badly()]


async def test_a_few_are_found_by_one_listing_oldest_first() -> None:
    hub = PagedHub(
        failed("B", _START),
        failed("A", _START + timedelta(seconds=1)),
        status("FINE", "Completed"),
        status("STOPPED", "Terminated", created=(_START + timedelta(seconds=2)).isoformat()),
        failed("batch:x", name="process_batch"),
    )
    assert await found(hub) == ["B", "A", "STOPPED"]
    assert hub.listings == 1


async def test_many_are_found_by_halving_their_time() -> None:
    ids = [f"ORD-{n:04}" for n in range(950)]
    hub = PagedHub(*(failed(each, _START + timedelta(seconds=n)) for n, each in enumerate(ids)))
    assert await found(hub) == ids


async def test_many_of_the_same_instant_are_told_apart_by_their_ids() -> None:
    ids = [f"ORD-{n:03}" for n in range(450)] + ["ORD-", "ORD", "o.r_d:batch:0123456789ab"]
    later = _START + timedelta(hours=1)
    hub = PagedHub(*(failed(each) for each in ids), failed("LATER", later))
    assert await found(hub) == [*sorted(ids), "LATER"]


async def test_what_ended_well_is_not_found_by_its_id_either() -> None:
    ids = [f"ORD-{n:03}" for n in range(150)]
    hub = PagedHub(*(failed(each) for each in ids), status("ORD-", "Completed"))
    assert await found(hub) == ids
