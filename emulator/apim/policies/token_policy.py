"""What `validate-jwt` and `validate-azure-ad-token` share: finding the token, keys, failing."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.errors import reason_phrase, token_refused
from emulator.apim.jwt import Jwt
from emulator.apim.openid import Metadata, OpenIdUnavailable
from emulator.apim.site import Site, Step, Value
from emulator.apim.tokens import (
    ClaimRule,
    TokenRefused,
    TokenRules,
    check_claims,
    read_header,
    verify,
)

SOURCES = {"header-name": False, "query-parameter-name": False, "token-value": False}
COMMON = {
    **SOURCES,
    "failed-validation-httpcode": False,
    "failed-validation-error-message": False,
    "output-token-variable-name": False,
}


@dataclass(frozen=True)
class TokenPolicy:
    """A policy that validates tokens.

    Attributes:
        find: the token's text of a call, or None.
        rules: made for the call, since values may be expressions.
        providers: addresses of OpenID metadata.
        check: what else is asked of the token.
    """

    name: str
    find: Callable[[Context], str | None]
    rules: Callable[[Context], TokenRules]
    providers: tuple[Value, ...]
    status: Value
    message: Value
    variable: str
    check: Callable[[Context, Jwt], None] = lambda _context, _token: None


def token_step(policy: TokenPolicy) -> Step:
    """The step of a token policy."""

    async def step(context: Context) -> bool:
        try:
            token = await _validated(policy, context)
        except TokenRefused as refused:
            status = policy.status.integer(context)
            message = policy.message.text(context) or refused.message
            error = token_refused(policy.name, refused.reason, status, message)
            error.message = refused.message
            raise error from refused
        if policy.variable:
            context.variables[policy.variable] = token
        return False

    return step


async def _validated(policy: TokenPolicy, context: Context) -> Jwt:
    text = policy.find(context)
    if not text:
        raise TokenRefused("TokenNotPresent", "JWT not present.")
    header = read_header(text)
    rules = policy.rules(context)
    urls = [url.text(context) for url in policy.providers]
    documents = [await _metadata(context, url) for url in urls]
    try:
        token = verify(text, header, rules, _keys(documents))
    except TokenRefused as refused:
        if refused.reason != "TokenSignatureKeyNotFound" or not urls or header.get("kid") is None:
            raise
        documents = [await _refreshed(context, url) for url in urls]
        token = verify(text, header, rules, _keys(documents))
    # Assumed: issuers that are listed add to those of the metadata.
    if urls:
        named = frozenset(document.issuer for document in documents)
        rules = replace(rules, issuers=(rules.issuers or frozenset()) | named)
    check_claims(token, rules, context.now())
    policy.check(context, token)
    return token


async def _metadata(context: Context, url: str) -> Metadata:
    try:
        return await context.services.openid.metadata(url)
    except OpenIdUnavailable as error:
        raise _no_keys() from error


async def _refreshed(context: Context, url: str) -> Metadata:
    try:
        return await context.services.openid.refreshed(url)
    except OpenIdUnavailable as error:
        raise _no_keys() from error


def _no_keys() -> TokenRefused:
    return TokenRefused(
        "TokenSignatureKeyNotFound", "The signing key was not found. Access denied."
    )


def _keys(documents: list[Metadata]) -> dict[str, object]:
    return {kid: key for document in documents for kid, key in document.keys.items()}


def compile_source(
    element: Element, site: Site, *, default_header: str = ""
) -> Callable[[Context], str | None]:
    """Where the token is: a header, a query parameter or a value."""
    given = [name for name in SOURCES if name in element.attributes]
    if len(given) > 1 or not (given or default_header):
        site.problem(element, f"{element.name} needs one of {', '.join(SOURCES)}")
    if "token-value" in element.attributes:
        value = site.attribute(element, "token-value")
        return lambda context: _without_bearer(value.text(context))
    if "query-parameter-name" in element.attributes:
        parameter = site.literal(element, "query-parameter-name")
        return lambda context: context.request.original_url.query.get(parameter)
    header = site.literal(element, "header-name", default_header)
    scheme = site.literal(element, "require-scheme")
    if scheme and header.lower() == "authorization":
        return lambda context: _after_scheme(context.request.headers.get(header), scheme)
    return lambda context: _without_bearer(context.request.headers.get(header))


def _after_scheme(text: str | None, scheme: str) -> str | None:
    given, _, rest = (text or "").partition(" ")
    return rest.strip() if given.lower() == scheme.lower() else None


def _without_bearer(text: str | None) -> str | None:
    if text is None:
        return None
    return text[7:].strip() if text[:7].lower() == "bearer " else text.strip()


def compile_failure(element: Element, site: Site) -> tuple[Value, Value]:
    """The status and the message of a failure."""
    status = site.number(element, "failed-validation-httpcode", 401, low=100, high=599)
    if status.expression is None and status.constant.isdigit():
        reason_phrase(int(status.constant))
    return status, site.attribute(element, "failed-validation-error-message")


def compile_texts(parent: Element | None, child: str, site: Site) -> tuple[Value, ...] | None:
    """The texts of the children of a list element; None if there is no such list."""
    if parent is None:
        return None
    site.check(parent, {}, frozenset({child}))
    for item in parent.children:
        site.check(item, {}, frozenset())
    if not parent.children:
        site.problem(parent, f"{parent.name} needs a {child}")
    return tuple(site.content(item) for item in parent.children)


def texts(values: tuple[Value, ...] | None, context: Context) -> frozenset[str] | None:
    """The texts of values for a call; None stays None."""
    return None if values is None else frozenset(value.text(context) for value in values)


@dataclass(frozen=True)
class CompiledClaim:
    """A required claim whose values may be expressions."""

    name: str
    match: str
    separator: str
    values: tuple[Value, ...]

    def rule(self, context: Context) -> ClaimRule:
        """The claim's rule for a call."""
        values = tuple(value.text(context) for value in self.values)
        return ClaimRule(self.name, self.match, self.separator, values)


def compile_claims(parent: Element | None, site: Site) -> tuple[CompiledClaim, ...]:
    """The claims of a `required-claims` element."""
    if parent is None:
        return ()
    site.check(parent, {}, frozenset({"claim"}))
    claims = []
    for item in parent.children:
        allowed = {"name": True, "match": False, "separator": False}
        if not site.check(item, allowed, frozenset({"value"})):
            continue
        match = site.literal(item, "match", "all")
        if match not in ("all", "any"):
            site.problem(item, "match is all or any")
        values = tuple(site.content(value) for value in item.children)
        separator = site.literal(item, "separator")
        claims.append(CompiledClaim(site.literal(item, "name"), match, separator, values))
    return tuple(claims)
