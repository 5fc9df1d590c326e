"""`rate-limit-by-key` and `rate-limit`: so many calls in so many seconds.

The check happens inbound. The count happens there too, unless the increment's condition speaks of
the response (or `increment-after-response` says so): then it is made when the response is known.
Headers go on every answer of a call that executed the policy, refusals included.
"""

from dataclasses import dataclass

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.errors import rate_limited
from emulator.apim.expressions import ExpressionFailure
from emulator.apim.site import INBOUND, Policy, Site, Step, Value

_PERIOD_LIMIT_S = 300
_NAMES = {
    "retry-after-header-name": False,
    "retry-after-variable-name": False,
    "remaining-calls-header-name": False,
    "remaining-calls-variable-name": False,
    "total-calls-header-name": False,
}


@dataclass(frozen=True)
class _Names:
    """The headers and variables that a policy reports in; empty for none."""

    retry_header: str
    retry_variable: str
    remaining_header: str
    remaining_variable: str
    total_header: str


@dataclass(frozen=True)
class _Rule:
    """What a policy of either kind limits."""

    source: str
    calls: Value
    period: Value
    names: _Names


def _rule(element: Element, site: Site) -> _Rule:
    return _Rule(
        element.name,
        site.number(element, "calls", 1, low=1, high=2**31 - 1),
        site.number(element, "renewal-period", 60, low=1, high=_PERIOD_LIMIT_S),
        _Names(
            site.literal(element, "retry-after-header-name", "Retry-After"),
            site.literal(element, "retry-after-variable-name"),
            site.literal(element, "remaining-calls-header-name"),
            site.literal(element, "remaining-calls-variable-name"),
            site.literal(element, "total-calls-header-name"),
        ),
    )


def _apply(context: Context, rule: _Rule, key: str, *, amount: int) -> None:
    """Check, count `amount` at once, report."""
    services, names = context.services, rule.names
    calls, period_s = rule.calls.integer(context), rule.period.integer(context)
    if calls < 1 or not 1 <= period_s <= _PERIOD_LIMIT_S:
        raise ExpressionFailure("calls and renewal-period are out of range.")
    now = services.monotonic()
    verdict = services.limiter.check(key, calls, period_s, now)
    if verdict.allowed:
        services.limiter.count(key, calls, period_s, now, amount)
    remaining = max(0, verdict.remaining - (amount if verdict.allowed else 0))
    if names.remaining_header:
        context.reply_headers[names.remaining_header] = str(remaining)
    if names.total_header:
        context.reply_headers[names.total_header] = str(calls)
    if names.remaining_variable:
        context.variables[names.remaining_variable] = remaining
    if not verdict.allowed:
        if names.retry_variable:
            context.variables[names.retry_variable] = verdict.retry_after_s
        raise rate_limited(rule.source, verdict.retry_after_s, names.retry_header)


def _compile_by_key(element: Element, site: Site) -> Step:
    if not site.environment.rate_limits_by_key:
        site.problem(element, "rate-limit-by-key does not exist in the Consumption tier")
    rule, key = _rule(element, site), site.attribute(element, "counter-key")
    condition = (
        site.attribute(element, "increment-condition")
        if "increment-condition" in element.attributes
        else None
    )
    count = site.number(element, "increment-count", 1, low=0, high=2**31 - 1)
    later = site.flag(element, "increment-after-response", default=False)
    if condition is not None and "context.Response" in element.attributes["increment-condition"]:
        later = True
        if condition.expression is not None and condition.expression.reads:
            site.problem(element, "increment-condition may not read a body")

    def amount(context: Context) -> int:
        counts = condition is None or condition.boolean(context)
        return count.integer(context) if counts else 0

    async def step(context: Context) -> bool:
        text = key.text(context)
        _apply(context, rule, text, amount=0 if later else amount(context))
        if later:
            calls, period_s = rule.calls.integer(context), rule.period.integer(context)

            def count_now(answered: Context) -> None:
                services = answered.services
                services.limiter.count(
                    text, calls, period_s, services.monotonic(), amount(answered)
                )

            context.when_answered.append(count_now)
        return False

    return step


def _compile(element: Element, site: Site) -> Step:
    if site.scope.kind == "global":
        site.problem(element, "rate-limit is allowed in product, API and operation scope")
    for name in ("calls", "renewal-period"):
        site.literal(element, name)
    rule = _rule(element, site)
    place = f"rate-limit:{site.scope.kind}:{site.scope.id}"

    async def step(context: Context) -> bool:
        # Without a subscription there is nobody to limit.
        if context.subscription is not None:
            _apply(context, rule, f"{place}:{context.subscription.id}", amount=1)
        return False

    return step


BY_KEY = Policy(
    "rate-limit-by-key",
    frozenset({INBOUND}),
    _compile_by_key,
    {
        "calls": True,
        "renewal-period": True,
        "counter-key": True,
        "increment-condition": False,
        "increment-count": False,
        "increment-after-response": False,
        **_NAMES,
    },
)
BY_SUBSCRIPTION = Policy(
    "rate-limit", frozenset({INBOUND}), _compile, {"calls": True, "renewal-period": True, **_NAMES}
)
