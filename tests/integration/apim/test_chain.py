"""Scopes, `<base />` and the way of a call through the sections."""

from pathlib import Path
from typing import Any

from tests.support.gateway import Stage, entities_with, infra_with, policy, running_gateway

TRACED = {"X-Emulator-Trace": "true"}


def _marks(name: str, *, before_base: bool = False) -> str:
    """A document that leaves its name in a response header, before or after the wider scopes."""
    mark = f'<set-header name="X-Marks" exists-action="append"><value>{name}</value></set-header>'
    outbound = f"{mark}<base />" if before_base else f"<base />{mark}"
    return policy(outbound=outbound)


async def _answer(stage: Stage, path: str = "/orders/A") -> Any:
    return await stage.call(path=path, product="basic", headers=TRACED)


async def test_base_stands_for_the_next_wider_scope(tmp_path: Path) -> None:
    def with_operation(management: dict[str, Any]) -> None:
        management["apis"][0]["operationPolicies"] = {"getorder": "policies/operation.xml"}

    files = {
        "global.xml": policy(outbound="")
        .replace("<base />", "", 1)
        .replace("<backend><base /></backend>", "<backend><forward-request /></backend>"),
        "api-orders.xml": _marks("api", before_base=True),
        "product-basic.xml": _marks("product"),
        "operation.xml": _marks("operation"),
    }
    async with running_gateway(
        tmp_path,
        infra=infra_with(tmp_path, files),
        entities=entities_with(with_operation),
    ) as stage:
        assert (await _answer(stage)).headers["X-Marks"] == "api,product,operation"
        # Another operation has no document of its own.
        assert (await _answer(stage, "/orders")).headers["X-Marks"] == "api,product"


async def test_without_base_nothing_is_inherited(tmp_path: Path) -> None:
    text = "<policies><inbound /><backend /><outbound /><on-error /></policies>"
    async with running_gateway(
        tmp_path, infra=infra_with(tmp_path, {"api-orders.xml": text})
    ) as stage:
        reply = await _answer(stage)
        # No policy forwarded the call.
        assert (reply.status, reply.body) == (200, b"")
        assert not stage.backend.received


async def test_a_returned_response_skips_what_comes_after_it(tmp_path: Path) -> None:
    returned = '<return-response><set-status code="299" reason="Mine" /></return-response>'
    text = policy(
        returned, outbound='<base /><set-header name="X-Out"><value>1</value></set-header>'
    )
    async with running_gateway(
        tmp_path, infra=infra_with(tmp_path, {"product-basic.xml": text})
    ) as stage:
        reply = await _answer(stage)
        assert (reply.status, reply.reason) == (299, "Mine")
        assert "X-Out" not in reply.headers
        assert not stage.backend.received


ON_ERROR = """
<base />
<set-header name="X-Source"><value>@(context.LastError.Source)</value></set-header>
<set-header name="X-Reason"><value>@(context.LastError.Reason)</value></set-header>
<set-header name="X-Message"><value>@(context.LastError.Message)</value></set-header>
<set-header name="X-Policy">
<value>@(context.LastError.PolicyId + context.LastError.Scope)</value></set-header>
"""


async def test_on_error_sees_what_went_wrong_and_may_add_to_the_answer(tmp_path: Path) -> None:
    fails = '<set-variable id="p1" name="x" value="@(int.Parse(&quot;x&quot;))" />'
    infra = infra_with(tmp_path, {"api-orders.xml": policy(fails, on_error=ON_ERROR)})
    async with running_gateway(tmp_path, infra=infra) as stage:
        reply = await _answer(stage)
        assert reply.status == 500
        assert reply.headers["X-Source"] == "set-variable"
        assert reply.headers["X-Reason"] == "ExpressionValueEvaluationFailure"
        assert reply.headers["X-Policy"] == "p1api"
        missing = await stage.call(product=None)
        assert (missing.status, missing.headers["X-Reason"]) == (401, "SubscriptionKeyNotFound")
        assert missing.headers["X-Message"].endswith("to this API.")
        assert missing.text.count("to an API.") == 1


async def test_on_error_may_replace_the_answer(tmp_path: Path) -> None:
    replaced = (
        '<return-response><set-status code="302" reason="Found" /><set-header name="Location">'
        "<value>/elsewhere</value></set-header></return-response>"
    )
    infra = infra_with(tmp_path, {"api-orders.xml": policy(on_error=replaced)})
    async with running_gateway(tmp_path, infra=infra) as stage:
        reply = await stage.call(product=None)
        assert (reply.status, reply.headers["Location"], reply.body) == (302, "/elsewhere", b"")


async def test_an_error_in_on_error_keeps_the_answer_made_so_far(tmp_path: Path) -> None:
    broken = (
        '<set-header name="X-Before"><value>1</value></set-header>'
        '<set-variable name="x" value="@(int.Parse(&quot;x&quot;))" />'
        '<set-header name="X-After"><value>1</value></set-header>'
    )
    infra = infra_with(tmp_path, {"api-orders.xml": policy(on_error=broken)})
    async with running_gateway(tmp_path, infra=infra) as stage:
        reply = await stage.call(product=None)
        assert (reply.status, reply.headers["X-Before"]) == (401, "1")
        assert "X-After" not in reply.headers


async def test_a_limit_may_count_by_the_answer(tmp_path: Path) -> None:
    limit = (
        '<rate-limit-by-key calls="2" renewal-period="60" counter-key="k" '
        'increment-condition="@(context.Response.StatusCode == 200)" '
        'remaining-calls-header-name="X-Left" />'
    )
    infra = infra_with(tmp_path, {"product-basic.xml": policy(limit)})
    async with running_gateway(tmp_path, infra=infra) as stage:
        stage.backend.answers(404)
        for _ in range(5):
            assert (await _answer(stage)).status == 404
        stage.backend.answers(200)
        statuses = [(await _answer(stage)).status for _ in range(3)]
        assert statuses == [200, 200, 429]


async def test_an_outbound_policy_may_change_a_body_that_streams(tmp_path: Path) -> None:
    changes = (
        "<base /><set-body>@(context.Response.Body.As&lt;JObject&gt;(preserveContent: true)"
        "[&quot;ok&quot;].ToString() + context.Response.StatusCode)</set-body>"
    )
    infra = infra_with(tmp_path, {"product-basic.xml": policy(outbound=changes)})
    async with running_gateway(tmp_path, infra=infra) as stage:
        reply = await _answer(stage)
        assert (reply.text, reply.headers["Content-Length"]) == ("True200", "7")


async def test_the_consumption_variant_limits_by_subscription(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tier="consumption") as stage:
        statuses = [(await stage.call(product="basic")).status for _ in range(6)]
        assert statuses == [200] * 5 + [429]


async def test_the_token_bucket_gives_a_call_back_after_its_share(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tier="v2") as stage:
        statuses = [(await stage.call(product="basic")).status for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        stage.advance(12)
        assert (await stage.call(product="basic")).status == 200
        refused = await stage.call(product="basic")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "12")
