"""The gateway with the deployed policies: the test vectors of its specification, over the wire."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yarl import URL

from emulator.idp.keys import new_key
from tests.support.gateway import (
    OPERATOR,
    Stage,
    entities_with,
    infra_with,
    policy,
    running_gateway,
)

MISSING = (
    b'{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure '
    b'to include subscription key when making requests to an API." }'
)
INVALID = (
    b'{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure '
    b'to provide a valid key for an active subscription." }'
)
NOT_FOUND = b'{ "statusCode": 404, "message": "Resource not found" }'
JWT_MESSAGE = "Unauthorized. Access token is missing or invalid."
EXHAUSTED = (
    b'{"error": {"code": "CREDIT_LIMIT_EXCEEDED","message": "Your credit limit is insufficient. '
    b'Please check your account or contact support."}}'
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with running_gateway(tmp_path, with_ledger=True) as found:
        yield found


async def test_a_call_without_a_key_is_refused_in_the_vendors_words(stage: Stage) -> None:
    reply = await stage.call(product=None)
    assert (reply.status, reply.reason, reply.body) == (401, "Access Denied", MISSING)
    assert len(reply.body) == 152
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["WWW-Authenticate"] == (
        f'AzureApiManagementKey realm="{stage.url}/",name="Ocp-Apim-Subscription-Key",type="header"'
    )


async def test_a_key_that_opens_nothing_is_refused(stage: Stage) -> None:
    wrong = await stage.call(product=None, headers={"Ocp-Apim-Subscription-Key": "0" * 32})
    assert (wrong.status, wrong.body, len(wrong.body)) == (401, INVALID, 143)
    await stage.gateway.subscriptions.set_state("basic-subscription", "suspended")
    suspended = await stage.call(product="basic")
    assert (suspended.status, suspended.body) == (401, INVALID)
    # No product holds the health API: a key is invalid there, although none is needed.
    assert (await stage.call(path="/health", product="premium")).body == INVALID
    assert not stage.backend.received


async def test_the_query_is_not_consulted_when_the_header_is_wrong(stage: Stage) -> None:
    path = f"/orders?subscription-key={stage.key('basic')}"
    wrong = await stage.call(path=path, product=None, headers={"Ocp-Apim-Subscription-Key": "x"})
    assert (wrong.status, wrong.body) == (401, INVALID)
    assert (await stage.call(path=path, product=None)).status == 200


async def test_a_call_without_a_token_does_not_touch_the_limiter(stage: Stage) -> None:
    for _ in range(7):
        refused = await stage.call(product="basic", client=None)
        assert (refused.status, refused.json()["message"]) == (401, JWT_MESSAGE)
        assert "X-RateLimit-Remaining" not in refused.headers
    accepted = await stage.call(product="basic")
    assert (accepted.status, accepted.headers["X-RateLimit-Remaining"]) == (200, "4")


@pytest.mark.parametrize(("ago_s", "status"), [(30, 200), (90, 401)])
async def test_a_token_may_be_as_old_as_the_clock_skew_allows(
    stage: Stage, ago_s: int, status: int
) -> None:
    expired = stage.token(exp=int(stage.clock.now().timestamp()) - ago_s)
    reply = await stage.call(
        product="basic", client=None, headers={"Authorization": f"Bearer {expired}"}
    )
    assert reply.status == status


def _forged(stage: Stage, how: str) -> str:
    """A token that must not pass."""
    token = stage.token()
    head, body, signature = token.split(".")
    kid = stage.provider.key_set()["keys"][0]["kid"]
    public = stage.provider._keys[0].private.public_key()
    now = int(stage.clock.now().timestamp())

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    def hmac_signed(key: bytes) -> str:
        text = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{body}"
        mac = base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256))
        return f"{text}.{mac.rstrip(b'=').decode()}"

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = jwt.decode(token, options={"verify_signature": False})
    forged = {
        "another audience": lambda: stage.token(aud="00000003-0000-0000-c000-000000000000"),
        "another tenant": lambda: stage.token(iss="https://login.microsoftonline.com/x/v2.0"),
        "alg none": lambda: f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "alg none with kid": lambda: f"{part({'alg': 'none', 'kid': kid})}.{body}.{signature}",
        "alg None": lambda: f"{part({'alg': 'None', 'typ': 'JWT'})}.{body}.",
        "HS256 with the public key": lambda: hmac_signed(pem),
        "HS256 with the modulus": lambda: hmac_signed(
            stage.provider.key_set()["keys"][0]["n"].encode()
        ),
        "HS256 with nothing": lambda: hmac_signed(b""),
        "another key of the same kid": lambda: jwt.encode(
            payload, new_key().private, "RS256", headers={"kid": kid}
        ),
        "its own key in the header": lambda: jwt.encode(
            payload, (own := new_key()).private, "RS256", headers={"jwk": own.public_jwk()}
        ),
        "a changed claim": lambda: f"{head}.{part({**payload, 'sub': 'root'})}.{signature}",
        "an unknown kid": lambda: jwt.encode(
            payload, new_key().private, "RS256", headers={"kid": "unknown"}
        ),
        "no expiry": lambda: stage.token(exp=None),
        "an expiry that is no number": lambda: stage.token(exp="never"),
        "an endless expiry": lambda: stage.token(exp=float("inf")),
        "not yet valid": lambda: stage.token(nbf=now + 120),
        "critical extensions": lambda: jwt.encode(
            payload,
            stage.provider._keys[0].private,
            "RS256",
            headers={"kid": kid, "crit": ["x"], "x": 1},
        ),
        "two parts": lambda: f"{head}.{body}",
        "noise": lambda: "noise",
        "empty": lambda: "",
        "no audience": lambda: stage.token(aud=None),
        "an audience among none of ours": lambda: stage.token(aud=["a", "b"]),
    }
    return forged[how]()


FORGERIES = [
    "another audience", "another tenant", "alg none", "alg none with kid", "alg None",
    "HS256 with the public key", "HS256 with the modulus", "HS256 with nothing",
    "another key of the same kid", "its own key in the header", "a changed claim",
    "an unknown kid", "no expiry", "an expiry that is no number", "an endless expiry",
    "not yet valid", "critical extensions", "two parts", "noise", "empty", "no audience",
    "an audience among none of ours",
]  # fmt: skip


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_token_is_refused_and_costs_nothing(stage: Stage, how: str) -> None:
    await stage.set_credit("5")
    token = _forged(stage, how)
    reply = await stage.call(client=None, headers={"Authorization": f"Bearer {token}"})
    assert (reply.status, reply.json()["message"]) == (401, JWT_MESSAGE)
    assert await stage.ledger() is None
    assert not stage.backend.received


@pytest.mark.parametrize("header", ["Basic {}", "{}", "Token {}", "Bearer", "bearer\t{}"])
async def test_another_scheme_is_no_token(stage: Stage, header: str) -> None:
    reply = await stage.call(
        client=None, headers={"Authorization": header.format(stage.token())}, product="basic"
    )
    assert reply.status == 401


async def test_keys_may_rotate_while_tokens_are_under_way(stage: Stage) -> None:
    before = stage.token()
    assert (await stage.call(product="basic")).status == 200
    await stage.provider.rotate()
    for token in (before, stage.token()):
        reply = await stage.call(
            product="basic", client=None, headers={"Authorization": f"Bearer {token}"}
        )
        assert reply.status == 200


async def test_unknown_key_ids_do_not_make_the_gateway_ask_again_and_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    send = stage.gateway.outbound.send

    async def counted(method: str, url: str, *rest: Any) -> Any:
        fetched.append(url)
        return await send(method, url, *rest)

    monkeypatch.setattr(stage.gateway.outbound, "send", counted)
    foreign = new_key()
    for _ in range(5):
        token = jwt.encode({"sub": "x"}, foreign.private, "RS256", headers={"kid": "made-up"})
        reply = await stage.call(client=None, headers={"Authorization": f"Bearer {token}"})
        assert reply.status == 401
    # Metadata and key set, once at first and once for the unknown id.
    assert len(fetched) == 4
    stage.advance(301)
    token = jwt.encode({"sub": "x"}, foreign.private, "RS256", headers={"kid": "made-up"})
    await stage.call(client=None, headers={"Authorization": f"Bearer {token}"})
    assert len(fetched) == 6


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/orders/A/replay"),
        ("POST", "/orders/replay"),
        ("GET", "/orders/dead-letters"),
        ("POST", "/orders/dead-letters/resubmit"),
    ],
)
async def test_an_operators_operation_needs_the_role(stage: Stage, method: str, path: str) -> None:
    await stage.set_credit("5")
    refused = await stage.call(method, path)
    assert refused.status == 403
    assert refused.json()["error"] == {
        "code": "ROLE_REQUIRED",
        "message": "This operation needs the role Orders.Operate.",
    }
    assert await stage.ledger() is None
    assert (await stage.call(method, path, client=OPERATOR)).status == 200


@pytest.mark.parametrize(
    ("roles", "method", "status"),
    [
        (None, "GET", 403),
        ([], "GET", 403),
        ("Orders.Read", "GET", 200),
        (["Orders.Write"], "GET", 403),
        (["Orders.Read"], "POST", 403),
        (["Orders.Write"], "POST", 200),
        (["xOrders.Read", "Orders.Readx"], "GET", 403),
    ],
)
async def test_reading_and_writing_need_their_roles(
    stage: Stage, roles: Any, method: str, status: int
) -> None:
    token = stage.token(roles=roles)
    reply = await stage.call(
        method, product="basic", client=None, headers={"Authorization": f"Bearer {token}"}
    )
    assert reply.status == status


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("access_as_user", "/orders", 200),
        ("openid access_as_user", "/orders", 200),
        ("access_as_users", "/orders", 403),
        (None, "/orders", 403),
        ("access_as_user", "/orders/dead-letters", 403),
    ],
)
async def test_a_signed_in_user_reads_and_submits_and_does_not_operate(
    stage: Stage, scope: str | None, path: str, status: int
) -> None:
    token = stage.token(roles=None, scp=scope, idtyp=None)
    for method in ("GET", "POST") if path == "/orders" else ("GET",):
        reply = await stage.call(
            method, path, product="basic", client=None, headers={"Authorization": f"Bearer {token}"}
        )
        assert reply.status == status


async def test_basic_lets_five_calls_a_minute_pass(stage: Stage) -> None:
    remaining = []
    for _ in range(5):
        reply = await stage.call(product="basic")
        assert (reply.status, reply.headers["X-RateLimit-Limit"]) == (200, "5")
        remaining.append(reply.headers["X-RateLimit-Remaining"])
    assert remaining == ["4", "3", "2", "1", "0"]
    refused = await stage.call(product="basic")
    assert (refused.status, refused.reason) == (429, "Too Many Requests")
    assert refused.body == (
        b'{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 60 seconds." }'
    )
    assert len(refused.body) == 84
    assert refused.headers["Retry-After"] == "60"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert len(stage.backend.received) == 5


async def test_the_worked_example_of_the_sliding_window(stage: Stage) -> None:
    expected = [
        (0, 200, "4", None), (1, 200, "3", None), (2, 200, "2", None), (3, 200, "1", None),
        (4, 200, "0", None), (5, 429, "0", "55"), (30, 429, "0", "30"), (60, 200, "0", None),
        (60.5, 429, "0", "1"),
    ]  # fmt: skip
    now = 0.0
    for at, status, remaining, retry_after in expected:
        stage.advance(at - now)
        now = at
        reply = await stage.call(product="basic")
        assert (reply.status, reply.headers["X-RateLimit-Remaining"]) == (status, remaining), at
        assert reply.headers.get("Retry-After") == retry_after


async def test_both_keys_of_a_subscription_share_one_counter(stage: Stage) -> None:
    statuses = []
    for n in range(6):
        key = stage.key("basic", "primary" if n % 2 else "secondary")
        reply = await stage.call(product=None, headers={"Ocp-Apim-Subscription-Key": key})
        statuses.append(reply.status)
    assert statuses == [200] * 5 + [429]


async def test_credit_0_then_1(stage: Stage) -> None:
    refused = await stage.call()
    assert (refused.status, refused.reason, refused.body) == (429, "Too Many Requests", EXHAUSTED)
    assert refused.headers["Content-Type"] == "application/json"
    await stage.set_credit("1")
    accepted = await stage.call()
    assert (accepted.status, accepted.headers["X-Credit-Remaining"]) == (200, "0")
    assert (await stage.call()).body == EXHAUSTED
    assert len(stage.backend.received) == 1


async def test_credit_is_granted_again_by_another_text(stage: Stage) -> None:
    seen = []
    for text in ("2", "2#again", "1", "0", "1", "3#x"):
        await stage.set_credit(text)
        seen.append([(await stage.call()).status for _ in range(4)].count(200))
    # "0" is never told to the ledger, so the "1" behind it is the text it has seen.
    assert seen == [2, 2, 1, 0, 0, 3]


@pytest.mark.parametrize(
    "text",
    [" 1", "-1", "abc", "", "1 ", "1\n", "1 000", "1.5", "0x10", "१", "99999999999", "1#", "1#a b",
     "@(5)", '@("5")', '"; 5', "1' or '1'='1", "{{credit}}", "#1", "1#" + "m" * 33, "null"],
)  # fmt: skip
async def test_credit_that_is_no_number_is_503_and_never_free(tmp_path: Path, text: str) -> None:
    for mode in ("ledger", "named-value"):
        async with running_gateway(
            tmp_path / mode, credit_mode=mode, named_values={"credit": text}, with_ledger=True
        ) as stage:
            reply = await stage.call()
            assert reply.status == 503
            assert reply.json()["error"]["code"] == "CREDIT_MISCONFIGURED"
            assert not stage.backend.received
            assert await stage.ledger() is None


async def test_parallel_calls_spend_what_there_is_and_no_more(stage: Stage) -> None:
    await stage.set_credit("10")
    replies = await asyncio.gather(*(stage.call() for _ in range(50)))
    assert sorted(reply.status for reply in replies) == [200] * 10 + [429] * 40
    assert len(stage.backend.received) == 10
    item = await stage.ledger()
    assert item is not None
    assert (item["balance"], item["used"], item["seen"]) == (0, 10, "10")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("DELETE", "/orders"),
        ("GET", "/orders/a/b/c"),
        ("GET", "/orders//status"),
        ("GET", "/orders/../admin/host/status"),
        ("GET", "/orders/%2e%2e/status"),
        ("GET", "/orders/./status"),
        ("GET", "//orders"),
        ("GET", "/ORDERS"),
        ("PATCH", "/orders/A/status"),
        ("GET", "/admin/host/status"),
        ("GET", "/api/orders"),
    ],
)
async def test_what_is_not_an_operation_is_not_found(stage: Stage, method: str, path: str) -> None:
    async with stage.http.request(method, URL(stage.url + path, encoded=True)) as answer:
        assert (answer.status, answer.reason) == (404, "Resource Not Found")
        assert await answer.read() == NOT_FOUND
    assert not stage.backend.received


async def test_a_stopped_backend_is_500_with_an_activity_id_and_refunds(tmp_path: Path) -> None:
    async with running_gateway(
        tmp_path, with_ledger=True, host_origin="http://127.0.0.1:9"
    ) as stage:
        await stage.set_credit("3")
        reply = await stage.call()
        assert (reply.status, reply.reason) == (500, "Internal Server Error")
        assert set(reply.json()) == {"statusCode", "message", "activityId"}
        await stage.gateway.services.one_way.drain()
        item = await stage.ledger()
        assert item is not None
        assert (item["balance"], item["used"]) == (3, 0)


async def test_a_failing_backend_refunds_and_the_answer_passes(stage: Stage) -> None:
    await stage.set_credit("3")
    stage.backend.answers(503, text="busy")
    reply = await stage.call()
    assert (reply.status, reply.text) == (503, "busy")
    assert "X-Credit-Remaining" not in reply.headers
    await stage.gateway.services.one_way.drain()
    item = await stage.ledger()
    assert item is not None
    assert (item["balance"], item["used"]) == (3, 0)
    stage.backend.answers(404)
    assert (await stage.call()).headers["X-Credit-Remaining"] == "2"


async def test_a_preflight_request_needs_no_key(tmp_path: Path) -> None:
    cors = (
        '<cors allow-credentials="false" terminate-unmatched-request="false"><allowed-origins>'
        "<origin>https://shop.example</origin></allowed-origins><allowed-methods "
        'preflight-result-max-age="300"><method>GET</method></allowed-methods><allowed-headers>'
        "<header>*</header></allowed-headers></cors>"
    )
    text = policy().replace("<inbound>", f"<inbound>{cors}")
    async with running_gateway(
        tmp_path, infra=infra_with(tmp_path, {"api-orders.xml": text})
    ) as stage:
        asked = {
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        }
        reply = await stage.send("OPTIONS", "/orders", asked)
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert reply.headers["Access-Control-Allow-Headers"] == "authorization"
        assert reply.headers["Access-Control-Max-Age"] == "300"
        other = await stage.send("OPTIONS", "/orders", {**asked, "Origin": "https://evil.example"})
        assert other.status == 200
        assert not [name for name in other.headers if name.startswith("Access-Control")]
        simple = await stage.call(
            product="basic", client=None, headers={"Origin": "https://shop.example"}
        )
        assert simple.headers["Access-Control-Allow-Origin"] == "https://shop.example"


async def test_without_a_cors_policy_a_preflight_request_allows_nothing(stage: Stage) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    reply = await stage.send("OPTIONS", "/orders", asked)
    assert not [name for name in reply.headers if name.startswith("Access-Control")]


async def test_a_202_with_a_relative_location_is_unchanged(stage: Stage) -> None:
    headers = {"Location": "/orders/A/status", "Retry-After": "1", "X-Own": "a, b"}
    stage.backend.answers(202, body=b'{"orderId": "A"}', headers=headers)
    reply = await stage.call("POST", product="basic", data=b"{}")
    assert (reply.status, reply.body) == (202, b'{"orderId": "A"}')
    assert {name: reply.headers[name] for name in headers} == headers


async def test_the_app_is_told_who_calls_and_believes_nobody_else(stage: Stage) -> None:
    forged = {
        "X-Orders-Caller": "root",
        "X-Orders-Plan": "unlimited",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
    }
    path = f"/orders?a=%20b&subscription-key={stage.key('basic')}&c=1"
    await stage.call(path=path, product=None, headers=forged)
    seen = stage.backend.received[0]
    subject = jwt.decode(stage.token(), options={"verify_signature": False})["sub"]
    assert seen.path == "/api/orders?a=%20b&c=1"
    assert seen.headers.getall("X-Orders-Caller") == [subject]
    assert seen.headers.getall("X-Orders-Plan") == ["basic"]
    assert seen.headers.getall("X-Forwarded-Host") == [stage.url.removeprefix("http://")]
    assert seen.headers.getall("X-Forwarded-Proto") == ["http"]
    assert seen.headers["X-Forwarded-For"] == "127.0.0.1"
    assert "Ocp-Apim-Subscription-Key" not in seen.headers
    identity = jwt.decode(
        seen.headers["Authorization"].removeprefix("Bearer "), options={"verify_signature": False}
    )
    assert identity["aud"] == stage.provider.tenant.backend_audience
    assert identity["appid"] == stage.provider.tenant.identity_client_id


async def test_health_needs_neither_key_nor_token_and_costs_nothing(stage: Stage) -> None:
    for _ in range(8):
        reply = await stage.send("GET", "/health")
        assert reply.status == 200
    assert {seen.path for seen in stage.backend.received} == {"/api/health"}
    assert stage.backend.received[0].headers["Authorization"].startswith("Bearer ")


async def test_subscriptions_of_the_whole_service_run_no_product_policy(tmp_path: Path) -> None:
    def add(management: dict[str, Any]) -> None:
        management["subscriptions"] += [
            {"name": "all", "scope": "/apis"},
            {"name": "one", "scope": "/apis/orders"},
            {"name": "other", "scope": "/apis/orders-health"},
        ]

    async with running_gateway(tmp_path, entities=entities_with(add)) as stage:
        for name, status in (("all", 200), ("one", 200), ("other", 401)):
            found = stage.gateway.subscriptions.get(name)
            assert found is not None
            headers = {"Ocp-Apim-Subscription-Key": found.primary_key}
            assert (await stage.call(product=None, headers=headers)).status == status
        assert stage.backend.received[0].headers["X-Orders-Plan"] == "none"


async def test_an_open_product_needs_no_key(tmp_path: Path) -> None:
    def opened(management: dict[str, Any]) -> None:
        management["products"][0]["subscriptionRequired"] = False

    text = policy('<set-header name="X-Open"><value>@(context.Product.Id)</value></set-header>')
    async with running_gateway(
        tmp_path,
        entities=entities_with(opened),
        infra=infra_with(tmp_path, {"product-basic.xml": text}),
    ) as stage:
        assert (await stage.call(product=None)).status == 200
        assert stage.backend.received[0].headers["X-Open"] == "basic"


async def test_a_head_request_is_answered_without_a_body(tmp_path: Path) -> None:
    def add(management: dict[str, Any]) -> None:
        management["apis"][1]["operations"].append(
            {"name": "headhealth", "method": "HEAD", "urlTemplate": "/"}
        )

    async with running_gateway(tmp_path, entities=entities_with(add)) as stage:

        async def answer(_: web.Request) -> web.Response:
            return web.Response(headers={"Content-Length": "17"})

        stage.backend.answer = answer
        reply = await stage.send("HEAD", "/health")
        assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", "17")


async def test_a_named_client_is_only_the_gateways_identity(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, named_values={"apim-client-id": "someone"}) as stage:
        reply = await stage.call(product="basic")
        assert reply.status == 500
        assert "activityId" in reply.json()
        assert not stage.backend.received
