"""What each policy does to a call, without a wire: steps on a context."""

# One case, one line.
# ruff: noqa: E501
import base64
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from multidict import CIMultiDict

from emulator.apim.context import Context
from emulator.apim.document import parse_document
from emulator.apim.errors import PolicyError
from emulator.apim.limits import SlidingWindow
from emulator.apim.messages import Body, Request, Response, Url
from emulator.apim.model import (
    Api,
    Backend,
    Deployment,
    Operation,
    Product,
    Subscription,
    parse_url,
)
from emulator.apim.openid import Metadata, OpenIdUnavailable
from emulator.apim.outbound import Outbound, OutboundFailed
from emulator.apim.policies.registry import POLICIES
from emulator.apim.services import Services
from emulator.apim.site import INBOUND, OUTBOUND, Environment, Scope, Site, run
from emulator.clock import ManualClock
from emulator.idp.keys import SigningKey, new_key

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KEY = new_key()
SECRET = base64.b64encode(b"s" * 32).decode()
URL = parse_url("http://127.0.0.1:7071/api")
API = Api("orders", "Orders", "", URL)


class FakeOutbound(Outbound):
    """Answers what it is told; keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__({})
        self.sent: list[tuple[str, str, dict[str, str], bytes | None, float]] = []
        self.answer: Response | OutboundFailed = Response(200, "OK", body=Body(b'{"a": 1}'))

    async def send(
        self, method: str, url: str, headers: CIMultiDict[str], body: bytes | None, timeout_s: float
    ) -> Response:
        self.resolve(url)
        self.sent.append((method, url, dict(headers), body, timeout_s))
        if isinstance(self.answer, OutboundFailed):
            raise self.answer
        return self.answer


class FakeOpenId:
    """One provider; `None` for one that cannot be reached."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] | None = {KEY.kid: KEY.private.public_key()}
        self.later: dict[str, Any] = {}

    async def metadata(self, url: str) -> Metadata:
        if self.keys is None:
            raise OpenIdUnavailable(url)
        return Metadata("https://issuer.example", self.keys)

    async def refreshed(self, url: str) -> Metadata:
        return Metadata("https://issuer.example", {**(self.keys or {}), **self.later})


class FakeIdentity:
    async def token(self, resource: str, client_id: str) -> str:
        if client_id == "unknown":
            raise LookupError("No such identity.")
        return f"token for {resource}"


class Backends:
    async def forward(self, context: Any, timeout_s: float) -> None:
        context.response = Response(200, "OK", CIMultiDict({"X-Timeout": str(timeout_s)}))


class Call:
    """A context, and the policies that run on it."""

    def __init__(self, path: str = "/orders/A", query: str = "", **headers: str) -> None:
        self.clock = ManualClock(START)
        self.outbound, self.openid = FakeOutbound(), FakeOpenId()
        services = Services(
            self.clock,
            lambda: self.clock.now().timestamp(),
            SlidingWindow(),
            self.outbound,
            self.openid,  # type: ignore[arg-type]
            FakeIdentity(),
            Backends(),
        )
        request = Request(
            "GET",
            Url("http", "127.0.0.1", 8080, path, query),
            CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}),
            body=Body(b"body"),
        )
        self.context = Context(
            services,
            request,
            uuid.UUID(int=7),
            START,
            START.timestamp(),
            API,
            Operation("getorder", "Get", "GET", "/orders/{id}"),
            Deployment(),
            URL,
            product=Product("basic", "Basic", apis=(API,)),
            subscription=Subscription("sub", "Sub", "/products/basic", "p", "s"),
        )

    async def run(
        self, text: str, section: str = INBOUND, values: Mapping[str, str] | None = None
    ) -> bool:
        """Run policies; whether they ended the pipeline."""
        environment = Environment(
            dict(values or {}), {"b": Backend("b", parse_url("http://127.0.0.1:1/x"))}, POLICIES
        )
        site = Site(environment, Scope("api", "orders", "test.xml"), section, [])
        steps = site.steps(parse_document(f"<x>{text}</x>".encode()).children)
        assert not environment.problems, environment.problems
        return await run(steps, self.context)

    async def fails(self, text: str, section: str = INBOUND) -> PolicyError:
        """Run policies that must fail; the error."""
        with pytest.raises(PolicyError) as caught:
            await self.run(text, section)
        return caught.value


# --- Messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "values", "expected"),
    [
        ("override", ["new"], ["new"]),
        ("override", ["a", "b"], ["a,b"]),
        ("append", ["new"], ["old,new"]),
        ("skip", ["new"], ["old"]),
        ("delete", [], []),
    ],
)
async def test_set_header(action: str, values: list[str], expected: list[str]) -> None:
    call = Call(x_one="old")
    texts = "".join(f"<value>{value}</value>" for value in values)
    await call.run(f'<set-header name="X-One" exists-action="{action}">{texts}</set-header>')
    assert call.context.request.headers.getall("X-One", []) == expected


async def test_set_header_keeps_some_headers_apart_and_changes_the_response_outbound() -> None:
    call = Call()
    call.context.response = Response(200)
    text = '<set-header name="Set-Cookie"><value>a=1</value><value>b=2</value></set-header>'
    await call.run(text, OUTBOUND)
    assert call.context.response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert "Set-Cookie" not in call.context.request.headers


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ('name="a" exists-action="delete"', "?b=%20&c"),
        ('name="a"', "?b=%20&c&a=x%20y"),
        ('name="a" exists-action="append"', "?a=1&b=%20&A=2&c&a=x%20y".replace("&A=2", "&a=2")),
        ('name="a" exists-action="skip"', "?a=1&b=%20&a=2&c"),
        ('name="new" exists-action="skip"', "?a=1&b=%20&a=2&c&new=x%20y"),
    ],
)
async def test_set_query_parameter(policy: str, expected: str) -> None:
    call = Call(query="?a=1&b=%20&a=2&c")
    value = "" if "delete" in policy else "<value>x y</value>"
    await call.run(f"<set-query-parameter {policy}>{value}</set-query-parameter>")
    assert call.context.request.url.query_string == expected


async def test_rewrite_uri_fills_parameters_and_keeps_the_rest_of_the_query() -> None:
    call = Call("/orders/a%20b", "?x=1&y=2")
    call.context.request.matched = {"id": "a b"}
    await call.run('<rewrite-uri template="/v2/{id}?z={x}" />')
    assert (call.context.request.url.path, call.context.request.url.query_string) == (
        "/v2/a%20b",
        "?z=1&y=2",
    )
    await call.run('<rewrite-uri template="/plain" copy-unmatched-params="false" />')
    assert call.context.request.url.query_string == ""


async def test_set_method_status_and_body() -> None:
    call = Call()
    await call.run("<set-method>PUT</set-method><set-body> as is </set-body>")
    assert (call.context.request.method, call.context.request.body.content) == ("PUT", b" as is ")
    call.context.response = Response(200, "OK")
    await call.run('<set-status code="@(200 + 4)" reason="Gone" /><set-body>x</set-body>', OUTBOUND)
    assert (call.context.response.status, call.context.response.reason) == (204, "Gone")
    assert call.context.response.body.content == b"x"


async def test_return_response_ends_the_pipeline_with_what_it_builds() -> None:
    call = Call()
    text = (
        '<return-response><set-status code="418" reason="Teapot" /><set-header name="X-A">'
        "<value>1</value></set-header><set-body>@(context.Operation.Id)</set-body>"
        '</return-response><set-variable name="after" value="1" />'
    )
    assert await call.run(text)
    response = call.context.response
    assert response is not None
    assert (response.status, response.headers["X-A"], response.body.content) == (
        418,
        "1",
        b"getorder",
    )
    assert "after" not in call.context.variables


async def test_return_response_may_start_from_a_response_in_a_variable() -> None:
    call = Call()
    call.context.variables["r"] = Response(201, "Made", CIMultiDict({"X-A": "1"}), Body(b"x"))
    assert await call.run('<return-response response-variable-name="r" />')
    assert call.context.response is not None
    assert (call.context.response.status, call.context.response.body.content) == (201, b"x")
    error = await Call().fails('<return-response response-variable-name="r" />')
    assert error.reason == "ExpressionValueEvaluationFailure"


# --- Flow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "expected"), [(1, "one"), (2, "two"), (3, "many")])
async def test_choose_runs_the_first_branch_that_holds(n: int, expected: str) -> None:
    call = Call()
    call.context.variables["n"] = n
    await call.run(
        '<choose><when condition="@((int)context.Variables[&quot;n&quot;] == 1)">'
        '<set-variable name="x" value="one" /></when>'
        '<when condition="@((int)context.Variables[&quot;n&quot;] &lt;= 2)">'
        '<set-variable name="x" value="two" /></when>'
        '<otherwise><set-variable name="x" value="many" /></otherwise></choose>'
    )
    assert call.context.variables["x"] == expected


async def test_a_condition_that_is_no_boolean_fails_the_call() -> None:
    error = await Call().fails('<choose id="c1"><when condition="{}" /></choose>'.format("maybe"))
    assert (error.source, error.reason) == ("choose", "ExpressionValueEvaluationFailure")
    assert (error.policy_id, error.scope) == ("c1", "api")


async def test_set_variable_keeps_the_type_of_an_expression() -> None:
    call = Call()
    await call.run(
        '<set-variable name="a" value="@(1 + 1)" /><set-variable name="b" value="{{v}}" />'
        '<set-variable name="c" value="v={{v}}" />',
        values={"v": "@(3)"},
    )
    # A named value that is a whole expression is one; inside other text it is only text.
    assert call.context.variables == {"a": 2, "b": 3, "c": "v=@(3)"}


async def test_limit_concurrency_lets_no_more_inside_and_counts_down_after_errors() -> None:
    call = Call()
    call.context.services.inside["k"] = 1
    error = await call.fails('<limit-concurrency key="k" max-count="1"></limit-concurrency>')
    assert (error.answer.status, error.reason) == (429, "ConcurrencyLimitExceeded")
    call.context.services.inside.clear()
    bad = '<limit-concurrency key="k" max-count="1"><set-variable name="x" value="{}" />{}'
    await call.fails(bad.format("@(1 / int.Parse(&quot;0&quot;))", "</limit-concurrency>"))
    assert call.context.services.inside == {}


async def test_the_value_cache_forgets_in_time() -> None:
    call = Call()
    await call.run('<cache-store-value key="k" value="@(5)" duration="10" />')
    lookup = '<cache-lookup-value key="k" variable-name="v" default-value="none" />'
    await call.run(lookup)
    assert call.context.variables["v"] == 5
    call.clock.advance(timedelta(seconds=11))
    await call.run(lookup)
    assert call.context.variables["v"] == "none"
    await call.run('<cache-store-value key="k" value="1" duration="10" />')
    await call.run('<cache-remove-value key="k" /><cache-lookup-value key="k" variable-name="w" />')
    assert "w" not in call.context.variables


async def test_trace_tells_only_who_asked() -> None:
    text = '<trace source="me"><message>@(context.Api.Id)</message></trace>'
    call = Call()
    await call.run(text)
    call.context.notes = []
    await call.run(text)
    assert call.context.notes == ["api/trace", "me: orders"]


async def test_backends_are_named_or_given() -> None:
    call = Call()
    await call.run('<set-backend-service base-url="http://127.0.0.1:2/y" />')
    assert (str(call.context.backend_url), call.context.backend) == ("http://127.0.0.1:2/y", None)
    await call.run('<set-backend-service backend-id="b" />')
    assert str(call.context.backend_url) == "http://127.0.0.1:1/x"
    await call.run('<forward-request timeout="7" />', "backend")
    assert call.context.response is not None
    assert call.context.response.headers["X-Timeout"] == "7.0"


# --- Calls of its own -----------------------------------------------------------------------------


async def test_send_request_builds_a_message_and_keeps_the_answer() -> None:
    call = Call(x_own="1")
    await call.run(
        '<send-request mode="new" response-variable-name="r" timeout="3"><set-url>'
        '@("http://localhost/" + context.Operation.Id)</set-url><set-method>patch</set-method>'
        '<set-header name="X-A"><value>1</value></set-header><set-body>{"b": 1}</set-body>'
        '<authentication-managed-identity resource="res" /></send-request>'
        '<set-variable name="a" value="@(((IResponse)context.Variables[&quot;r&quot;]).Body'
        '.As&lt;JObject&gt;()[&quot;a&quot;].ToString())" />'
    )
    assert call.outbound.sent == [
        (
            "PATCH",
            "http://localhost/getorder",
            {"X-A": "1", "Authorization": "Bearer token for res"},
            b'{"b": 1}',
            3.0,
        )
    ]
    assert call.context.variables["a"] == "1"


async def test_send_request_may_copy_the_request() -> None:
    call = Call(x_own="1", host="outside")
    await call.run(
        '<send-request mode="copy" response-variable-name="r"><set-url>http://localhost/</set-url>'
        "</send-request>"
    )
    assert call.outbound.sent[0][:4] == ("GET", "http://localhost/", {"x-own": "1"}, b"body")


@pytest.mark.parametrize(
    ("timed_out", "reason"), [(True, "Timeout"), (False, "BackendConnectionFailure")]
)
async def test_a_call_without_an_answer_is_an_error_or_null(timed_out: bool, reason: str) -> None:
    text = '<send-request response-variable-name="r" {}><set-url>http://localhost/</set-url></send-request>'
    call = Call()
    call.outbound.answer = OutboundFailed("gone", timed_out=timed_out)
    error = await call.fails(text.format(""))
    assert (error.source, error.reason) == ("send-request", reason)
    await call.run(text.format('ignore-error="true"'))
    assert call.context.variables["r"] is None


async def test_any_status_is_a_success_of_send_request() -> None:
    call = Call()
    call.outbound.answer = Response(500)
    await call.run(
        '<send-request response-variable-name="r"><set-url>http://localhost/</set-url></send-request>'
    )
    assert call.context.variables["r"].status == 500


@pytest.mark.parametrize("url", ["https://example.com/", "http://10.0.0.1/", "file:///etc/passwd",
                                 "http://127.0.0.1.evil.example/", "http://localhost@evil.example/"])  # fmt: skip
async def test_no_policy_calls_beyond_this_machine(url: str) -> None:
    call = Call()
    error = await call.fails(
        f'<send-request response-variable-name="r"><set-url>{url}</set-url></send-request>'
    )
    assert "not on this machine" in error.message
    assert not call.outbound.sent


async def test_a_one_way_request_is_not_waited_for_and_its_failure_is_nobodys() -> None:
    call = Call()
    call.outbound.answer = OutboundFailed("gone")
    await call.run(
        "<send-one-way-request><set-url>http://localhost/</set-url></send-one-way-request>"
    )
    await call.context.services.one_way.drain()
    assert len(call.outbound.sent) == 1


async def test_the_managed_identity_replaces_the_callers_token_or_fills_a_variable() -> None:
    call = Call(authorization="Bearer callers")
    await call.run(
        '<authentication-managed-identity resource="r" output-token-variable-name="t" />'
    )
    assert call.context.variables["t"] == "token for r"
    assert call.context.request.headers["Authorization"] == "Bearer callers"
    await call.run('<authentication-managed-identity resource="r" />')
    assert call.context.request.headers.getall("Authorization") == ["Bearer token for r"]
    error = await call.fails('<authentication-managed-identity resource="r" client-id="unknown" />')
    assert error.answer.status == 500
    await call.run(
        '<authentication-managed-identity resource="r" client-id="unknown" ignore-error="true"'
        ' output-token-variable-name="t" />'
    )
    assert call.context.variables["t"] is None


# --- Limits ---------------------------------------------------------------------------------------


async def test_a_limit_reports_in_headers_and_variables() -> None:
    text = (
        '<rate-limit-by-key calls="2" renewal-period="60" counter-key="k" '
        'remaining-calls-header-name="X-Left" total-calls-header-name="X-All" '
        'remaining-calls-variable-name="left" retry-after-header-name="X-Wait" '
        'retry-after-variable-name="wait" />'
    )
    call = Call()
    await call.run(text)
    assert call.context.reply_headers == {"X-Left": "1", "X-All": "2"}
    assert call.context.variables["left"] == 1
    await call.run(text)
    error = await call.fails(text)
    assert (error.answer.status, error.answer.headers) == (429, {"X-Wait": "60"})
    assert call.context.variables["wait"] == 60
    assert call.context.reply_headers["X-Left"] == "0"


async def test_a_condition_that_does_not_hold_is_checked_but_not_counted() -> None:
    call = Call()
    text = '<rate-limit-by-key calls="1" renewal-period="60" counter-key="k" {} />'
    for _ in range(3):
        await call.run(text.format('increment-condition="@(false)"'))
    await call.run(text.format(""))
    assert (await call.fails(text.format('increment-condition="@(false)"'))).answer.status == 429


async def test_a_condition_on_the_response_counts_when_it_is_known() -> None:
    call = Call()
    text = (
        '<rate-limit-by-key calls="1" renewal-period="60" counter-key="k" '
        'increment-condition="@(context.Response.StatusCode == 200)" increment-count="1" />'
    )
    await call.run(text)
    await call.run(text)
    for status in (404, 200):
        call.context.response = Response(status)
        for hook in call.context.when_answered:
            hook(call.context)
        call.context.when_answered.clear()
        if status == 404:
            await call.run(text)
    assert (await call.fails(text)).answer.status == 429


async def test_rate_limit_counts_by_subscription_and_ignores_calls_without_one() -> None:
    text = '<rate-limit calls="1" renewal-period="60" />'
    call = Call()
    await call.run(text)
    assert (await call.fails(text)).source == "rate-limit"
    call.context.subscription = None
    await call.run(text)


# --- Tokens ---------------------------------------------------------------------------------------

PROVIDER = (
    '<validate-jwt header-name="Authorization" {}><openid-config url="https://login.example" />'
    "{}</validate-jwt>"
)
INLINE = (
    '<validate-jwt header-name="Authorization" {}><issuer-signing-keys>{}</issuer-signing-keys>'
    "</validate-jwt>"
)


def _token(key: SigningKey = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    now = int(START.timestamp())
    payload = {"iss": "https://issuer.example", "exp": now + 60, **claims}
    headers = {"kid": key.kid}
    return jwt.encode(
        {k: v for k, v in payload.items() if v is not None}, key.private, algorithm, headers=headers
    )


def _with(token: str, prefix: str = "Bearer ") -> Call:
    return Call(authorization=prefix + token)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256"])
async def test_asymmetric_algorithms_pass(algorithm: str) -> None:
    call = _with(_token(algorithm=algorithm, sub="me", n=5, ok=True, list=["a", "b"]))
    await call.run(PROVIDER.format('output-token-variable-name="jwt"', ""))
    token = call.context.variables["jwt"]
    assert (token.text("sub"), token.claims.getall("list")) == ("me", ["a", "b"])


@pytest.mark.parametrize(
    ("claims", "children", "reason"),
    [
        ({"exp": int(START.timestamp()) - 1}, "", "TokenExpired"),
        ({"exp": None}, "", "JwtInvalid"),
        ({"nbf": int(START.timestamp()) + 1}, "", "JwtInvalid"),
        ({"iss": "https://other.example"}, "", "TokenIssuerNotAllowed"),
        ({"iss": None}, "", "TokenIssuerNotAllowed"),
        ({"aud": "x"}, "<audiences><audience>y</audience></audiences>", "TokenAudienceNotAllowed"),
        ({}, '<required-claims><claim name="a"/><claim name="b"/></required-claims>', "TokenClaimNotFound"),
        ({"a": "1"}, '<required-claims><claim name="a"><value>2</value></claim></required-claims>',
         "TokenClaimValueNotAllowed"),
        ({"a": ["1"]}, '<required-claims><claim name="a"><value>1</value><value>2</value></claim>'
         "</required-claims>", "TokenClaimValueNotAllowed"),
        ({"a": "1 2"}, '<required-claims><claim name="a"><value>1</value></claim></required-claims>',
         "TokenClaimValueNotAllowed"),
    ],
)  # fmt: skip
async def test_a_claim_that_does_not_hold_is_named(
    claims: dict[str, Any], children: str, reason: str
) -> None:
    error = await _with(_token(**claims)).fails(PROVIDER.format("", children))
    assert (error.source, error.reason, error.answer.status) == ("validate-jwt", reason, 401)
    assert error.answer.message.endswith("Access denied.")


@pytest.mark.parametrize(
    ("claims", "children"),
    [
        ({"aud": ["x", "y"]}, "<audiences><audience>y</audience></audiences>"),
        ({"aud": "anything"}, ""),
        ({"iss": "https://listed.example"}, "<issuers><issuer>https://listed.example</issuer></issuers>"),
        ({}, "<issuers><issuer>https://listed.example</issuer></issuers>"),
        ({"a": ["1", "2", "3"]}, '<required-claims><claim name="a"><value>1</value><value>2</value>'
         "</claim></required-claims>"),
        ({"a": "2"}, '<required-claims><claim name="a" match="any"><value>1</value><value>2</value>'
         "</claim></required-claims>"),
        ({"scp": "read write"}, '<required-claims><claim name="scp" separator=" "><value>write'
         "</value></claim></required-claims>"),
        ({"a": None, "b": ""}, '<required-claims><claim name="b"/></required-claims>'),
    ],
)  # fmt: skip
async def test_claims_that_hold_pass(claims: dict[str, Any], children: str) -> None:
    await _with(_token(**claims)).run(PROVIDER.format("", children))


async def test_messages_and_statuses_of_a_policy() -> None:
    assert (await Call().fails(PROVIDER.format("", ""))).answer.message == "JWT not present."
    error = await Call().fails(
        PROVIDER.format(
            'failed-validation-httpcode="403" failed-validation-error-message="No."', ""
        )
    )
    assert (error.answer.status, error.answer.reason, error.answer.message) == (
        403,
        "Forbidden",
        "No.",
    )
    assert (error.reason, error.message) == ("TokenNotPresent", "JWT not present.")
    missing = '<required-claims><claim name="a"/><claim name="b"/></required-claims>'
    error = await _with(_token()).fails(PROVIDER.format("", missing))
    assert error.message == "JWT token is missing the following claims: a, b. Access denied."


async def test_a_new_key_is_found_by_one_refresh() -> None:
    fresh = new_key()
    call = _with(_token(fresh))
    assert (await call.fails(PROVIDER.format("", ""))).reason == "TokenSignatureKeyNotFound"
    call.openid.later = {fresh.kid: fresh.private.public_key()}
    await call.run(PROVIDER.format("", ""))


async def test_a_provider_that_cannot_be_reached_lets_nobody_in() -> None:
    call = _with(_token())
    call.openid.keys = None
    assert (await call.fails(PROVIDER.format("", ""))).answer.status == 401


async def test_tokens_may_be_elsewhere() -> None:
    token = _token()
    body = '<openid-config url="https://login.example" /></validate-jwt>'
    await Call(x_token=token).run(f'<validate-jwt header-name="X-Token">{body}')
    call = Call(query=f"?t={token}")
    await call.run(f'<validate-jwt query-parameter-name="t">{body}')
    call = Call()
    call.context.variables["t"] = f"Bearer {token}"
    await call.run(
        f'<validate-jwt token-value="@((string)context.Variables[&quot;t&quot;])">{body}'
    )


def _shared(algorithm: str = "HS256", key: bytes = b"s" * 32, **headers: str) -> str:
    payload = {"exp": int(START.timestamp()) + 60}
    return jwt.encode(payload, key, algorithm, headers=headers)


async def test_a_shared_secret_of_the_policy_verifies_symmetric_tokens_only() -> None:
    policy = INLINE.format("", f'<key id="k">{SECRET}</key>')
    await _with(_shared()).run(policy)
    await _with(_shared(kid="k")).run(policy)
    assert (await _with(_shared(kid="x")).fails(policy)).reason == "TokenSignatureKeyNotFound"
    other = await _with(_shared(key=b"t" * 32)).fails(policy)
    assert other.reason == "TokenSignatureInvalid"
    assert (await _with(_token()).fails(policy)).reason == "TokenSignatureKeyNotFound"


async def test_a_public_key_of_the_policy_verifies_asymmetric_tokens_only() -> None:
    numbers = KEY.public_jwk()
    policy = INLINE.format("", f'<key n="{numbers["n"]}" e="{numbers["e"]}" />')
    await _with(_token()).run(policy)
    modulus = base64.urlsafe_b64decode(numbers["n"] + "==")
    error = await _with(_shared(key=modulus)).fails(policy)
    assert error.reason == "TokenSignatureKeyNotFound"


async def test_an_unsigned_token_passes_only_where_the_policy_says_so() -> None:
    payload = {"exp": int(START.timestamp()) + 60}
    token = jwt.encode(payload, None, "none")
    assert (await _with(token).fails(PROVIDER.format("", ""))).reason == "JwtInvalid"
    allowed = (
        '<validate-jwt header-name="Authorization" require-signed-tokens="false"></validate-jwt>'
    )
    await _with(token).run(allowed)
    assert (await _with(token + "x").fails(allowed)).reason == "JwtInvalid"


AZURE = (
    '<validate-azure-ad-token tenant-id="t"><client-application-ids><application-id>c1'
    "</application-id></client-application-ids><audiences><audience>api</audience></audiences>"
    "</validate-azure-ad-token>"
)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"azp": "c1"}, None),
        ({"appid": "c1", "iss": "https://sts.windows.net/t/"}, None),
        ({"azp": "c2"}, "TokenClaimValueNotAllowed"),
        ({}, "TokenClaimValueNotAllowed"),
        ({"azp": "c1", "aud": "other"}, "TokenAudienceNotAllowed"),
        ({"azp": "c1", "iss": "https://sts.windows.net/other/"}, "TokenIssuerNotAllowed"),
    ],
)
async def test_validate_azure_ad_token(claims: dict[str, Any], reason: str | None) -> None:
    given = {"aud": "api", "iss": "https://login.microsoftonline.com/t/v2.0", **claims}
    call = _with(_token(**given))
    if reason is None:
        await call.run(AZURE)
    else:
        error = await call.fails(AZURE)
        assert (error.source, error.reason) == ("validate-azure-ad-token", reason)


# --- CORS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "terminates", "ended", "headers"),
    [
        ("https://a.example", "true", False, {"Access-Control-Allow-Origin": "https://a.example"}),
        ("https://b.example", "true", True, {}),
        ("https://b.example", "false", False, {}),
        (None, "true", False, {}),
    ],
)
async def test_cors_of_a_simple_request(
    origin: str | None, terminates: str, ended: bool, headers: dict[str, str]
) -> None:
    call = Call(**({"Origin": origin} if origin else {}))
    text = (
        f'<cors terminate-unmatched-request="{terminates}"><allowed-origins><origin>'
        "https://a.example</origin></allowed-origins><expose-headers><header>X-A</header>"
        "</expose-headers></cors>"
    )
    assert await call.run(text) is ended
    assert headers.items() <= call.context.reply_headers.items()
    assert bool(call.context.reply_headers) is bool(headers)
