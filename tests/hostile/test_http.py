"""Malformed requests at the host and at the gateway: each is refused in so many words, nothing of
it comes back as anything but text, and what was taken before and after is kept.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.hostile import corpus
from tests.support.hostile import PROBLEM, Sent, Target, exchange, target
from tests.support.orders import an_order

# What an answer may take up, whatever was sent.
_MOST_BYTES = 20_000
DOORS = ("host", "gateway")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("http")) as found:
        yield found


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def client(running: Target, door: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=running.base(door), headers=running.headers(door), timeout=30
    ) as found:
        yield found


def is_refused(status: int, content_type: str, body: bytes) -> dict[str, Any]:
    """The problem that says so, and what to do."""
    assert content_type == PROBLEM
    assert len(body) <= _MOST_BYTES
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == status
    assert len(problem["detail"]) > 10
    return problem


def test_no_body_is_too_odd_to_be_refused(client: httpx.Client) -> None:
    wrong = {}
    for sent in corpus.REFUSED:
        headers = {"Content-Type": "application/json", **sent.headers}
        answer = client.post("/orders", content=sent.data, headers=headers)
        if answer.status_code != sent.status:
            wrong[sent.name] = answer.status_code
            continue
        is_refused(sent.status, answer.headers["Content-Type"], answer.content)
    assert wrong == {}
    assert client.get("/orders/HOSTILE/status").status_code == 404


def test_an_order_that_is_odd_is_taken_and_ends(
    client: httpx.Client, running: Target, door: str
) -> None:
    refused = {}
    for name, order in corpus.TAKEN.items():
        answer = client.post("/orders", json={**order, "id": f"{name}-{door}"})
        if answer.status_code == 202:
            running.remember(202, answer.json())
        else:
            refused[name] = answer.status_code
    assert refused == {}
    assert running.lost() == {}
    for name, order in corpus.TAKEN.items():
        item = client.get(f"/orders/{name}-{door}").json()
        # A name that is the system's or the store's own is put aside, unharmed like the others.
        kept = {**item, **item.get("original", {}), "id": order["id"]}
        assert {each: kept[each] for each in order} == order, name


def test_faults_of_a_batch_are_told_in_bounds(client: httpx.Client) -> None:
    answer = client.post("/orders", json=[{"id": "/"}] * 5000)
    problem = is_refused(400, answer.headers["Content-Type"], answer.content)
    assert "5000 of 5000" in problem["detail"]
    assert len(problem["errors"]) == 100


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/orders/{}"),
        ("GET", "/orders/{}/status"),
        ("GET", "/batches/{}/status"),
        ("POST", "/orders/{}/replay"),
    ],
)
def test_no_id_leads_elsewhere(running: Target, door: str, method: str, path: str) -> None:
    for segment in corpus.SEGMENTS:
        body = b'{"reason": "x"}' if method == "POST" else None
        sent = Sent(method, path.format(segment), running.headers(door), body)
        status, headers, answered = exchange(running.base(door), sent)
        assert status == 404, segment
        assert "x-evil" not in headers
        if segment != "%2e%2e":
            # That one is taken out of the path before anybody reads it.
            is_refused(404, headers["content-type"], answered)


def test_no_query_is_too_odd_to_be_refused(running: Target, door: str) -> None:
    for query in corpus.QUERIES:
        for path in ("/orders", "/orders/dead-letters"):
            if path != "/orders" and not query.startswith("limit"):
                continue
            sent = Sent("GET", f"{path}?{query}", running.headers(door))
            status, headers, body = exchange(running.base(door), sent)
            assert status == 400, query
            is_refused(400, headers["content-type"], body)


def test_what_is_no_parameter_is_passed_over(running: Target, door: str) -> None:
    for query in corpus.HARMLESS_QUERIES:
        for path in ("/orders", "/orders/dead-letters"):
            sent = Sent("GET", f"{path}?{query}", running.headers(door))
            assert exchange(running.base(door), sent)[0] == 200, query


def test_no_header_is_too_odd(running: Target, client: httpx.Client, door: str) -> None:
    order = f"HEADERS-{door}"
    running.remember(202, client.post("/orders", json=an_order(id=order)).json())
    assert running.lost() == {}
    for odd in corpus.READ_HEADERS:
        for path in ("/orders", f"/orders/{order}", f"/orders/{order}/status"):
            sent = Sent("GET", path, {**running.headers(door), **odd})
            status, headers, _ = exchange(running.base(door), sent)
            assert status == 200, (odd, path)
            assert not any("evil" in value for value in headers.values())


def test_a_key_for_repeating_is_an_id(running: Target, client: httpx.Client) -> None:
    batch = [an_order(id="KEYED")]
    for key in ("", '""', "a b", "../x", "x" * 101, '"', "a,b"):
        answer = client.post("/orders", json=batch, headers={"Idempotency-Key": key})
        is_refused(400, answer.headers["Content-Type"], answer.content)
    assert client.get("/orders/KEYED/status").status_code == 404


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "BREW", "PROPFIND"])
def test_a_method_of_no_operation_is_404(running: Target, door: str, method: str) -> None:
    sent = Sent(method, "/orders", {**running.headers(door), "X-Told": "secret"})
    status, _, body = exchange(running.base(door), sent)
    # Here a method that nobody has registered is no HTTP, which it is for Kestrel.
    assert status == (400 if method == "BREW" else 404)
    assert b"secret" not in body


def test_what_was_acknowledged_is_there(running: Target) -> None:
    running.remember(
        202, httpx.post(f"{running.base('host')}/orders", json=an_order(id="LAST")).json()
    )
    assert running.lost() == {}
