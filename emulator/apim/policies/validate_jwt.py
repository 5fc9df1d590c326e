"""`validate-jwt`: a bearer token of a provider, or one signed with a key the policy holds."""

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.policies.token_policy import (
    COMMON,
    TokenPolicy,
    compile_claims,
    compile_failure,
    compile_source,
    compile_texts,
    texts,
    token_step,
)
from emulator.apim.site import INBOUND, Policy, Site, Step, Value
from emulator.apim.tokens import InlineKey, TokenRules

_ORDER = ("openid-config", "issuer-signing-keys", "audiences", "issuers", "required-claims")
_CLOCK_SKEW_LIMIT_S = 86_400


def _compile(element: Element, site: Site) -> Step:
    _check_order(element, site)
    audiences = compile_texts(site.only(element, "audiences"), "audience", site)
    issuers = compile_texts(site.only(element, "issuers"), "issuer", site)
    claims = compile_claims(site.only(element, "required-claims"), site)
    keys = _inline_keys(site.only(element, "issuer-signing-keys"), site)
    skew = site.number(element, "clock-skew", 0, low=0, high=_CLOCK_SKEW_LIMIT_S)
    expires = site.flag(element, "require-expiration-time", default=True)
    signed = site.flag(element, "require-signed-tokens", default=True)
    providers = _providers(element, site)
    if not (providers or keys) and signed:
        site.problem(element, "validate-jwt needs openid-config or issuer-signing-keys")

    def rules(context: Context) -> TokenRules:
        return TokenRules(
            require_expiration=expires,
            require_signature=signed,
            clock_skew_s=skew.integer(context),
            audiences=texts(audiences, context),
            issuers=texts(issuers, context),
            claims=tuple(claim.rule(context) for claim in claims),
            inline_keys=keys,
        )

    status, message = compile_failure(element, site)
    variable = site.literal(element, "output-token-variable-name")
    find = compile_source(element, site)
    return token_step(TokenPolicy(element.name, find, rules, providers, status, message, variable))


def _check_order(element: Element, site: Site) -> None:
    last = 0
    for child in element.children:
        place = _ORDER.index(child.name)
        if place < last:
            site.problem(child, f"the elements of validate-jwt have the order {', '.join(_ORDER)}")
        last = max(last, place)


def _providers(element: Element, site: Site) -> tuple[Value, ...]:
    found = [child for child in element.children if child.name == "openid-config"]
    return tuple(
        site.attribute(child, "url")
        for child in found
        if site.check(child, {"url": True}, frozenset())
    )


def _inline_keys(parent: Element | None, site: Site) -> tuple[InlineKey, ...]:
    if parent is None:
        return ()
    site.check(parent, {}, frozenset({"key"}))
    keys = []
    for item in parent.children:
        if "certificate-id" in item.attributes:
            site.problem(item, "certificate-id is not supported")
            continue
        if not site.check(item, {"id": False, "n": False, "e": False}, frozenset()):
            continue
        try:
            keys.append(InlineKey(site.literal(item, "id"), _inline_key(item, site)))
        except ValueError:
            site.problem(item, "the key is not base64, or too short to be one")
    return tuple(keys)


def _inline_key(item: Element, site: Site) -> object:
    """A public key of `n` and `e`, or the bytes of a shared secret.

    Raises:
        ValueError: it is neither.
    """
    if "n" in item.attributes and "e" in item.attributes:
        n, e = (int.from_bytes(_url_bytes(site.literal(item, name)), "big") for name in "ne")
        return RSAPublicNumbers(e, n).public_key()
    try:
        secret = base64.b64decode(site.content(item).constant, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(secret) < 32:
        raise ValueError("shorter than 256 bits")
    return secret


def _url_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


POLICY = Policy(
    "validate-jwt",
    frozenset({INBOUND}),
    _compile,
    {
        **COMMON,
        "require-expiration-time": False,
        "require-signed-tokens": False,
        "require-scheme": False,
        "clock-skew": False,
    },
    frozenset(_ORDER),
)
