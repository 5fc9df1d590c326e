"""What callers and editors do to the gateway that they should not: edges, sizes, smuggling."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from emulator.faults import FaultRule
from tests.support.gateway import (
    Stage,
    entities_with,
    infra_with,
    policy,
    raw,
    running_gateway,
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with running_gateway(tmp_path, with_ledger=True) as found:
        yield found


async def _statuses(stage: Stage, count: int, **call: Any) -> dict[int, int]:
    replies = await asyncio.gather(*(stage.call(**call) for _ in range(count)))
    found: dict[int, int] = {}
    for reply in replies:
        found[reply.status] = found.get(reply.status, 0) + 1
    return found


# --- The edge of credit and limit -----------------------------------------------------------------


async def test_200_calls_at_once_with_credit_100(stage: Stage) -> None:
    await stage.set_credit("100")
    assert await _statuses(stage, 200) == {200: 100, 429: 100}
    assert len(stage.backend.received) == 100
    # A new text met by all of them at once is granted once.
    await stage.set_credit("100#second")
    assert await _statuses(stage, 200) == {200: 100, 429: 100}
    item = await stage.ledger()
    assert item is not None
    assert (item["balance"], item["used"]) == (0, 200)


async def test_20_calls_at_once_at_the_limit_of_5(stage: Stage) -> None:
    assert await _statuses(stage, 20, product="basic") == {200: 5, 429: 15}


async def test_two_subscriptions_never_share_credit(tmp_path: Path) -> None:
    def add(management: dict[str, Any]) -> None:
        management["subscriptions"].append({"name": "second", "product": "premium"})

    async with running_gateway(tmp_path, entities=entities_with(add), with_ledger=True) as stage:
        await stage.set_credit("3")
        second = stage.gateway.subscriptions.get("second")
        assert second is not None
        headers = {"Ocp-Apim-Subscription-Key": second.primary_key}
        both = await asyncio.gather(
            _statuses(stage, 10), _statuses(stage, 10, product=None, headers=headers)
        )
        assert both == [{200: 3, 429: 7}, {200: 3, 429: 7}]


@pytest.mark.parametrize("seed", range(3))
async def test_however_calls_and_grants_interleave_no_more_pass_than_was_granted(
    stage: Stage, seed: int
) -> None:
    grants = [4, 1, 6, 2]
    accepted = 0

    async def caller(count: int) -> None:
        nonlocal accepted
        for n in range(count):
            reply = await stage.call()
            assert reply.status in (200, 429), reply.text
            accepted += reply.status == 200
            if (n + seed) % 3 == 0:
                await asyncio.sleep(0)

    async def owner() -> None:
        for n, grant in enumerate(grants):
            await stage.set_credit(f"{grant}#{n}")
            for _ in range(4 + seed):
                await stage.call(path="/nothing")

    await asyncio.gather(owner(), *(caller(12) for _ in range(4)))
    item = await stage.ledger()
    assert item is not None
    assert item["used"] == accepted == len(stage.backend.received)
    assert accepted <= sum(grants)
    # What is left of the last grant can still be spent, and then nothing more.
    left = await _statuses(stage, 10)
    assert left.get(200, 0) == item["balance"]


async def test_a_ledger_that_is_down_charges_nothing_and_lets_nothing_through(stage: Stage) -> None:
    await stage.set_credit("5")
    assert (await stage.call()).status == 200
    assert stage.stop_cosmos is not None
    await stage.stop_cosmos()
    reply = await stage.call()
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert reply.json()["error"]["code"] == "CREDIT_LEDGER_UNAVAILABLE"
    assert len(stage.backend.received) == 1


async def test_a_ledger_that_fails_for_a_moment_is_503_then_well_again(stage: Stage) -> None:
    await stage.set_credit("2")
    assert (await stage.call()).headers["X-Credit-Remaining"] == "1"
    stage.faults.add(FaultRule("cosmos.request", "fail", {"method": "PATCH"}))
    assert (await stage.call()).status == 503
    assert (await stage.call()).headers["X-Credit-Remaining"] == "0"


async def test_a_deleted_ledger_item_is_made_anew(stage: Stage) -> None:
    await stage.set_credit("2")
    assert (await stage.call()).status == 200
    endpoint = stage.gateway.named_values.texts()["cosmos-endpoint"]
    deleted = await stage.send(
        "DELETE",
        f"{endpoint}dbs/orders/colls/credits/docs/premium-subscription",
        {
            "Authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtest",
            "x-ms-version": "2018-12-31",
            "x-ms-documentdb-partitionkey": '["premium-subscription"]',
        },
    )
    assert deleted.status == 204
    assert (await stage.call()).headers["X-Credit-Remaining"] == "1"


async def test_a_refund_does_not_add_to_a_newer_grant(stage: Stage) -> None:
    await stage.set_credit("3")
    entered, leave = asyncio.Event(), asyncio.Event()

    async def fails_late(_: web.Request) -> web.Response:
        entered.set()
        await leave.wait()
        return web.Response(status=500)

    stage.backend.answer = fails_late
    late = asyncio.create_task(stage.call())
    await entered.wait()
    await stage.set_credit("1")
    stage.backend.answer = None
    assert (await stage.call()).headers["X-Credit-Remaining"] == "0"
    leave.set()
    assert (await late).status == 500
    await stage.gateway.services.one_way.drain()
    assert (await stage.call()).status == 429


# --- Named-value mode -----------------------------------------------------------------------------


async def test_the_same_story_holds_in_named_value_mode(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, credit_mode="named-value") as stage:
        assert (await stage.call()).status == 429
        await stage.set_credit("1")
        accepted = await stage.call()
        assert (accepted.status, accepted.headers["X-Credit-Remaining"]) == (200, "0")
        assert stage.gateway.named_values.texts()["credit"] == "0"
        refused = await stage.call()
        assert refused.status == 429
        assert refused.json()["error"]["code"] == "CREDIT_LIMIT_EXCEEDED"
        assert len(stage.backend.received) == 1


async def test_named_value_mode_lets_too_many_through_while_a_value_travels(
    tmp_path: Path,
) -> None:
    """Documents the weakness that ledger mode does not have; it is not a wish."""
    async with running_gateway(
        tmp_path, credit_mode="named-value", propagation_delay_s=2, named_values={"credit": "1"}
    ) as stage:
        passed = 0
        for _ in range(10):
            passed += (await stage.call()).status == 200
        assert passed == 10
        assert stage.gateway.named_values.texts()["credit"] == "0"


async def test_a_charge_that_the_management_api_refuses_is_not_a_free_call(tmp_path: Path) -> None:
    async with running_gateway(
        tmp_path, credit_mode="named-value", named_values={"credit": "5"}
    ) as stage:
        stage.gateway.outbound.routes["https://management.azure.com/"] = f"{stage.url}/nothing/"
        reply = await stage.call()
        assert reply.status == 503
        assert reply.json()["error"]["code"] == "CREDIT_LEDGER_UNAVAILABLE"
        assert not stage.backend.received


async def test_named_value_mode_charges_one_call_at_a_time(tmp_path: Path) -> None:
    async with running_gateway(
        tmp_path, credit_mode="named-value", named_values={"credit": "100"}
    ) as stage:
        found = await _statuses(stage, 20)
        assert set(found) <= {200, 429}
        assert found[200] == len(stage.backend.received)


# --- Sizes ----------------------------------------------------------------------------------------


async def test_a_large_body_streams_through_whole(stage: Stage) -> None:
    piece, count = b"x" * 65_536, 512
    received = 0

    async def count_bytes(request: web.Request) -> web.Response:
        nonlocal received
        async for chunk in request.content.iter_any():
            received += len(chunk)
        return web.Response(text=request.headers.get("Content-Length", "chunked"))

    async def body() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece

    stage.backend.answer = count_bytes
    reply = await stage.call("POST", product="basic", data=body())
    assert (reply.text, received) == ("chunked", len(piece) * count)
    received = 0
    reply = await stage.call("POST", product="basic", data=piece * 32)
    assert (reply.text, received) == (str(len(piece) * 32), len(piece) * 32)


async def test_the_backend_sees_a_body_begin_before_it_has_ended(stage: Stage) -> None:
    began = asyncio.Event()

    async def early(request: web.Request) -> web.Response:
        await request.content.readany()
        began.set()
        await request.read()
        return web.Response(text="whole")

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.wait_for(began.wait(), 20)
        yield b"last"

    stage.backend.answer = early
    assert (await stage.call("POST", product="basic", data=body())).text == "whole"


async def test_the_caller_sees_an_answer_begin_before_it_has_ended(stage: Stage) -> None:
    seen = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await asyncio.wait_for(seen.wait(), 20)
        await response.write(b"data: 2\n\n")
        return response

    stage.backend.answer = slow
    headers = {
        "Ocp-Apim-Subscription-Key": stage.key("basic"),
        "Authorization": f"Bearer {stage.token()}",
    }
    async with stage.http.get(f"{stage.url}/orders", headers=headers) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        seen.set()
        assert await answer.content.read() == b"data: 2\n\n"


async def test_a_slow_call_does_not_hold_up_another(stage: Stage) -> None:
    leave = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("slow"):
            await asyncio.wait_for(leave.wait(), 20)
        return web.Response()

    stage.backend.answer = answer
    slow = asyncio.create_task(stage.call(path="/orders/slow", product="basic"))
    assert (await stage.call(path="/orders/quick", product="basic")).status == 200
    assert not slow.done()
    leave.set()
    assert (await slow).status == 200


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(stage: Stage) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "200000"})
        await response.prepare(request)
        await response.write(b"x" * 100_000)
        assert request.transport is not None
        request.transport.close()
        return response

    stage.backend.answer = broken
    with pytest.raises(Exception, match=r"payload|Connection|disconnected"):
        await stage.call(product="basic")


async def test_a_backend_that_answers_before_the_body_has_come(stage: Stage) -> None:
    async def refuses(_: web.Request) -> web.Response:
        return web.Response(status=413, headers={"Connection": "close"})

    stage.backend.answer = refuses
    reply = await stage.call("POST", product="basic", data=b"x" * 300_000)
    assert reply.status in (413, 500)
    stage.backend.answer = None
    assert (await stage.call(product="basic")).status == 200


async def test_a_body_too_large_for_a_policy_that_reads_it(tmp_path: Path) -> None:
    reads = (
        '<set-header name="X-Length"><value>@(context.Request.Body.As&lt;string&gt;'
        "(preserveContent: true).Length.ToString())</value></set-header>"
    )
    infra = infra_with(tmp_path, {"product-basic.xml": policy(reads)})
    async with running_gateway(tmp_path, infra=infra) as stage:
        reply = await stage.call("POST", product="basic", data=b"x" * 1000)
        assert reply.status == 200
        assert stage.backend.received[0].headers["X-Length"] == "1000"
        assert stage.backend.received[0].body == b"x" * 1000
        reply = await stage.call("POST", product="basic", data=b"x" * (5 * 1024 * 1024 + 1))
        assert reply.status == 413
        assert reply.json()["statusCode"] == 413


async def test_long_urls_and_headers_are_refused(stage: Stage) -> None:
    assert (await stage.call(path=f"/orders?x={'y' * 17_000}", product="basic")).status in (
        400,
        414,
    )
    one = await stage.call(product="basic", headers={"X-Big": "y" * 70_000})
    assert one.status in (400, 431)
    many = await stage.call(product="basic", headers={f"X-{n}": "y" * 7_000 for n in range(10)})
    assert many.status == 431
    assert not stage.backend.received
    fits = await stage.call(product="basic", headers={f"X-{n}": "y" * 5_000 for n in range(10)})
    assert fits.status == 200


# --- Requests that are read in two ways -----------------------------------------------------------


def _smuggled(stage: Stage, lines: str, body: str) -> bytes:
    key, token = stage.key("basic"), stage.token()
    return (
        f"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nOcp-Apim-Subscription-Key: {key}\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\n{lines}\r\n{body}"
    ).encode()


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
        ("Content-Length: 4\r\nContent-Length: 5\r\n", "abcde"),
        ("Content-Length: 4, 5\r\n", "abcde"),
        ("Content-Length: +4\r\n", "abcd"),
        ("Content-Length: -1\r\n", "abcd"),
        ("Content-Length: 0x4\r\n", "abcd"),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "zz\r\nab\r\n0\r\n\r\n"),
        ("X-A: b\r\n continued: c\r\n", ""),
        ("X A: b\r\n", ""),
        (": b\r\n", ""),
    ],
)
async def test_an_ambiguous_request_reaches_no_backend(stage: Stage, lines: str, body: str) -> None:
    answer = await raw(stage.url, _smuggled(stage, lines, body))
    status = int(answer.split(b" ")[1])
    assert status in (400, 500), answer[:200]
    assert not stage.backend.received


@pytest.mark.parametrize(
    "start",
    [
        "GET http://evil.example/orders HTTP/1.1",
        "GET orders HTTP/1.1",
        "CONNECT evil.example:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET /orders HTTP/3.0",
        "GET /orders\x00 HTTP/1.1",
        "noise",
    ],
)
async def test_odd_start_lines_reach_no_backend(stage: Stage, start: str) -> None:
    answer = await raw(
        stage.url, f"{start}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    )
    assert int(answer.split(b" ")[1]) >= 400
    assert not stage.backend.received


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil", ""])
async def test_only_the_gateways_own_names_are_answered(stage: Stage, host: str) -> None:
    for path in ("/health", "/emulator/apim/named-values", "/orders"):
        answer = await raw(
            stage.url, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        assert int(answer.split(b" ")[1]) == 400
    assert not stage.backend.received


async def test_hop_by_hop_headers_stay_behind(stage: Stage) -> None:
    headers = {
        "Connection": "keep-alive, X-Secret",
        "X-Secret": "1",
        "Proxy-Authorization": "Basic x",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Expect": "100-continue",
    }
    assert (await stage.call("POST", product="basic", headers=headers, data=b"x")).status == 200
    seen = {name.lower() for name in stage.backend.received[0].headers}
    assert not seen & {"x-secret", "proxy-authorization", "te", "upgrade", "expect"}


async def test_a_header_cannot_be_split(tmp_path: Path) -> None:
    splits = (
        '<set-header name="X-Echo"><value>@(context.Request.Url.Query.GetValueOrDefault("x", ""))'
        "</value></set-header>"
    )
    infra = infra_with(tmp_path, {"product-basic.xml": policy(splits)})
    async with running_gateway(tmp_path, infra=infra) as stage:
        reply = await stage.call(path="/orders?x=a%0d%0aX-Evil:%201", product="basic")
        assert reply.status == 500
        assert not stage.backend.received


async def test_trace_ids_continue_or_begin(stage: Stage) -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    for given in (good, "00-" + "0" * 32 + "-" + "b" * 16 + "-01", "noise"):
        await stage.call(product="basic", headers={"traceparent": given})
    first, *others = [seen.headers["traceparent"] for seen in stage.backend.received]
    assert first == good
    assert all(text.startswith("00-") and len(text) == 55 for text in others)


# --- What the log and the doors tell --------------------------------------------------------------


async def test_no_key_or_token_is_in_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await stage.set_credit("1")
    for product in ("basic", "premium"):
        await stage.call(product=product)
        await stage.call(product=product)
    await stage.call(path=f"/orders?subscription-key={stage.key('basic')}", product=None)
    token = stage.token()
    await stage.call(client=None, headers={"Authorization": f"Bearer {token[:-3]}xxx"})
    assert "subscription=premium-subscription" in caplog.text
    secrets = [stage.key(p, w) for p in ("basic", "premium") for w in ("primary", "secondary")]
    assert not [secret for secret in [*secrets, token[:40]] if secret in caplog.text]


async def test_keys_are_in_a_file_of_their_owner_and_nowhere_else(stage: Stage) -> None:
    path = stage.running.subscriptions_path
    for file in path.parent.iterdir():
        if file.suffix == ".json":
            assert file.stat().st_mode & 0o777 == 0o600, file
    shown = await stage.send("GET", "/emulator/apim/subscriptions")
    assert stage.key("basic") not in shown.text
    assert {entry["name"] for entry in json.loads(path.read_text())} == {
        "basic-subscription",
        "premium-subscription",
    }


async def test_a_trace_shows_policies_only_where_it_is_switched_on(tmp_path: Path) -> None:
    for trace in (True, False):
        async with running_gateway(tmp_path / str(trace), trace=trace) as stage:
            reply = await stage.call(product="basic", headers={"X-Emulator-Trace": "true"})
            assert ("X-Emulator-Policy-Trace" in reply.headers) is trace
            if trace:
                shown = reply.headers["X-Emulator-Policy-Trace"].split("; ")
                assert shown.index("api/validate-jwt") < shown.index("product/rate-limit-by-key")
                assert "global/forward-request" in shown


async def test_an_open_circuit_answers_at_once_and_closes_again(stage: Stage) -> None:
    stage.backend.answers(500)
    for _ in range(5):
        assert (await stage.send("GET", "/health")).status == 500
    count = len(stage.backend.received)
    reply = await stage.send("GET", "/health")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "30")
    assert len(stage.backend.received) == count
    stage.backend.answer = None
    stage.advance(31)
    assert (await stage.send("GET", "/health")).status == 200


async def test_an_injected_fault_is_a_backend_that_fails(stage: Stage) -> None:
    stage.faults.add(FaultRule("apim.forward", "fail", {"path": "/orders"}))
    assert (await stage.call(product="basic")).status == 500
    assert (await stage.call(product="basic")).status == 200
