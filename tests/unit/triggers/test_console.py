"""The operators' page and its data, and the rule for writes that come from a browser."""

import base64
import hashlib
import json
import re
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pathspec import GitIgnoreSpec

from domain.payloads import PROCESS_BATCH, PROCESS_ORDER, REPLAY_FAILED
from tests.support.fakes import Context, FakeHub, request, status
from tests.support.orders import an_order, order_input
from triggers import console as subject
from triggers._hub import Hub
from triggers.console import console, console_data
from triggers.replay_orders import replay_failed_orders

FAILED = {"stage": "enrich", "code": "STORE_UNAVAILABLE", "message": "no answer"}


class ListingHub(FakeHub):
    """Lists as the library does: a hundred at most, by creation time, state and prefix."""

    def __init__(self, *statuses: Any) -> None:
        super().__init__(*statuses)
        self.listings = 0
        self.history: list[dict[str, Any]] = []

    async def get_status(self, instance_id: str, show_history: bool = False) -> Any:
        found = await super().get_status(instance_id)
        if show_history:
            found.historyEvents = self.history  # type: ignore[attr-defined]
        return found

    async def get_status_by(  # type: ignore[override]
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: list[Any] | None = None,
        instance_id_prefix: str | None = None,
    ) -> list[Any]:
        self.listings += 1
        found = [
            s
            for name, s in self.statuses.items()
            if name.startswith(instance_id_prefix or "")
            and (created_time_from is None or created_time_from <= s.created_time)
            and (created_time_to is None or s.created_time <= created_time_to)
            and (not runtime_status or s.runtime_status in runtime_status)
        ]
        return found[:100]


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many items have which status."""
    counts = {"processed": 7, "rejected": 2}

    async def count(name: str) -> int:
        return counts[name]

    async def of_customer(customer: str, limit: int) -> list[dict[str, Any]]:
        return [{**an_order(customerId=customer), "status": "processed", "_etag": "e"}]

    monkeypatch.setattr(subject, "count_orders", count)
    monkeypatch.setattr(subject, "orders_of_customer", of_customer)
    return counts


def failed(number: int, **more: Any) -> Any:
    order_id = f"ORD-{number}"
    created = f"2026-11-20T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    told = {"input": order_input(id=order_id), "customStatus": {"error": FAILED, **more}}
    return status(order_id, "Failed", name=PROCESS_ORDER, createdTime=created, **told)


async def data(hub: FakeHub, headers: dict[str, str] | None = None, **query: str) -> Any:
    return await console_data(request(headers=headers, query=query), hub, Context())  # type: ignore[arg-type]


def told(response: Any) -> Any:
    return json.loads(response.get_body())


async def test_the_page_s_policy_allows_its_own_script_and_style_and_nothing_else() -> None:
    response = await console(request())
    page = response.get_body().decode()
    policy = dict(p.split(" ", 1) for p in response.headers["Content-Security-Policy"].split("; "))
    for kind in ("script", "style"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.mimetype == "text/html"


async def test_the_page_needs_nothing_that_its_policy_forbids() -> None:
    page = (await console(request())).get_body().decode()
    assert re.search(r"<[^>]*\s(on\w+|style|srcdoc)=", page) is None
    assert re.search(r"""(src|href|action)=["'](https?:)?//""", page) is None
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page)


async def test_a_page_that_is_there_already_is_not_sent_again() -> None:
    tag = (await console(request())).headers["ETag"]
    response = await console(request(headers={"If-None-Match": tag}))
    assert (response.status_code, response.get_body()) == (304, b"")


async def test_counts_are_of_items_and_of_runs() -> None:
    running = status("ORD-9", "Running", name=PROCESS_ORDER, input=order_input(id="ORD-9"))
    body = told(await data(ListingHub(failed(1), failed(2), running)))
    assert body["counts"] == {
        **{"queued": 0, "running": 1, "processed": 7},
        **{"rejected": 2, "failed": 2, "terminated": 0},
    }
    assert body["atLeast"] == []
    assert {order["orderId"] for order in body["orders"]} == {"ORD-1", "ORD-2", "ORD-9"}


@pytest.mark.parametrize(
    ("enrich", "counted"), [("completed", (6, 2)), ("skipped", (7, 1)), (None, (7, 2))]
)
async def test_an_order_that_failed_after_it_was_stored_counts_once(
    enrich: str | None, counted: tuple[int, int]
) -> None:
    steps = [{"name": "enrich", "state": enrich}, {"name": "persist", "state": "completed"}]
    body = told(await data(ListingHub(failed(1, steps=steps if enrich else []))))
    assert (body["counts"]["processed"], body["counts"]["rejected"]) == counted
    assert body["counts"]["failed"] == 1


async def test_more_runs_than_are_listed_are_told_as_at_least() -> None:
    body = told(await data(ListingHub(*(failed(n) for n in range(700)))))
    assert "failed" in body["atLeast"]
    assert "processed" not in body["atLeast"]
    assert subject.MAX_RUNS <= body["counts"]["failed"] < 700
    # The latest are those that are shown.
    assert "ORD-699" in {order["orderId"] for order in body["orders"]}
    assert "ORD-0" not in {order["orderId"] for order in body["orders"]}


@pytest.mark.parametrize("age", ["1 minute", "1 hour", "9 days", "5 years"])
async def test_the_latest_runs_are_all_there_whatever_their_number_and_age(
    age: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = datetime.fromisoformat("2026-11-20T00:05:49+00:00")
    passed = {
        "1 minute": timedelta(minutes=1),
        "1 hour": timedelta(hours=1),
        "9 days": timedelta(days=9),
        "5 years": timedelta(days=5 * 365),
    }

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return latest + passed[age]

    monkeypatch.setattr("triggers._hub.datetime", Clock)
    hub = ListingHub(*(failed(n) for n in range(350)))
    found = await Hub(hub).latest([PROCESS_ORDER], 1000, ["Failed"])
    assert found.is_whole
    assert [run.instance_id for run in found.runs] == [f"ORD-{n}" for n in reversed(range(350))]
    assert hub.listings <= 60


async def test_batches_and_bulk_replays_tell_their_progress() -> None:
    batch = status(
        "batch:morning",
        "Running",
        name=PROCESS_BATCH,
        customStatus={"stage": "run", "total": 10, "processed": 3, "failed": 1, "running": 6},
    )
    replay = status(
        "batch:replay-1", "Running", name=REPLAY_FAILED, customStatus={"total": 5, "queued": 2}
    )
    body = told(await data(ListingHub(batch, replay)))
    assert {(b["batchId"], b["kind"], b["total"], b["done"]) for b in body["batches"]} == {
        ("morning", "batch", 10, 4),
        ("replay-1", "replay", 5, 2),
    }


async def test_data_that_has_not_changed_is_not_sent_again() -> None:
    hub = ListingHub(failed(1))
    tag = (await data(hub)).headers["ETag"]
    assert (await data(hub, {"If-None-Match": tag})).status_code == 304


async def test_one_run_is_told_with_its_order_and_its_spans() -> None:
    hub = ListingHub(failed(1, steps=[{"name": "enrich", "state": "failed", "started": "s"}]))
    hub.history = [
        {
            "EventType": "TaskFailed",
            "FunctionName": "enrich_order",
            "ScheduledTime": "a",
            "Timestamp": "b",
        }
    ]
    body = told(await data(hub, order="ORD-1"))
    assert body["order"]["id"] == "ORD-1"
    assert [(s["step"], s["from"], s["to"]) for s in body["timeline"]] == [("enrich", "a", "b")]


@pytest.mark.parametrize("order_id", ["ORD-404", "../x", "<b>"])
async def test_a_run_that_is_not_known_is_not_found(order_id: str) -> None:
    assert (await data(ListingHub(), order=order_id)).status_code == 404


async def test_a_customer_s_orders_are_told_without_the_store_s_fields() -> None:
    (order,) = told(await data(ListingHub(), customer="C-7"))["orders"]
    assert (order["customerId"], "_etag" in order) == ("C-7", False)
    assert (await data(ListingHub(), customer="C" * 101)).status_code == 400


JSON = {"Content-Type": "application/json; charset=utf-8"}
MINE = {"X-Orders-Console": "1"}
FROM_BROWSER = {"Origin": "https://elsewhere.example"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (FROM_BROWSER, 403),
        (FROM_BROWSER | JSON, 403),
        (FROM_BROWSER | MINE, 403),
        (FROM_BROWSER | MINE | {"Content-Type": "text/plain"}, 403),
        ({"Origin": "null"} | JSON, 403),
        ({"Sec-Fetch-Site": "cross-site"} | JSON, 403),
        (FROM_BROWSER | JSON | MINE, 200),
        # A program: no browser, so nobody's cookie.
        ({}, 200),
    ],
)
async def test_a_write_from_a_browser_needs_what_no_form_can_send(
    headers: dict[str, str], expected: int
) -> None:
    asked = request("POST", body=b'{"reason": "r", "dryRun": true}', headers=headers)
    answer = await replay_failed_orders(asked, ListingHub(), Context())  # type: ignore[arg-type]
    assert answer.status_code == expected
    if expected == 403:
        assert told(answer)["type"].endswith(":cross-site")


def test_the_page_goes_to_azure_and_into_the_package() -> None:
    root = Path(__file__).resolve().parents[3]
    ignored = (root / ".funcignore").read_text(encoding="utf-8").splitlines()
    assert not GitIgnoreSpec.from_lines(ignored).match_file("triggers/console.html")
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert "*.html" in settings["tool"]["setuptools"]["package-data"]["triggers"]
