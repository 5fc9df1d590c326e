"""Whether a bearer token is good: signature, lifetime, issuer, audience, claims.

Pure but for the keys, which are handed in. The signature is checked by a kept library (PyJWT on
cryptography); everything it leaves to the caller is decided here, in the order of the vendor's
documentation, with the vendor's reasons. A shared-secret algorithm is never tried with a key that
came from a key set, whatever the token says of itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt as pyjwt

from emulator.apim.jwt import Jwt, make_jwt

ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256"})
SYMMETRIC = frozenset({"HS256", "HS384", "HS512"})
# The library checks the signature; the rest is ours, with the clock that is handed in.
_ONLY_SIGNATURE: Any = {
    "verify_signature": True,
    **{f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},
}


class TokenRefused(Exception):
    """The token is not accepted; `reason` is what LastError shows."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class InlineKey:
    """A key that the policy itself holds: a shared secret (bytes) or a public key."""

    id: str
    key: Any


@dataclass(frozen=True)
class ClaimRule:
    """A claim that must be there, with `all` or `any` of some values (none: any value)."""

    name: str
    match: str
    separator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class TokenRules:
    """What is asked of a token.

    Attributes:
        audiences: None if not checked, as for `issuers`.
    """

    require_expiration: bool = True
    require_signature: bool = True
    clock_skew_s: int = 0
    audiences: frozenset[str] | None = None
    issuers: frozenset[str] | None = None
    claims: tuple[ClaimRule, ...] = ()
    inline_keys: tuple[InlineKey, ...] = ()


def read_header(text: str) -> dict[str, Any]:
    """What a token says of itself, unverified.

    Raises:
        TokenRefused: it is not a token.
    """
    try:
        header = pyjwt.get_unverified_header(text)
    except pyjwt.PyJWTError as error:
        raise _invalid("The token is malformed") from error
    if not isinstance(header.get("alg"), str):
        raise _invalid("The token names no algorithm")
    if "crit" in header:
        raise _invalid("The token asks for extensions that are not understood")
    return header


def verify(text: str, header: Mapping[str, Any], rules: TokenRules, keys: Mapping[str, Any]) -> Jwt:
    """The token, its signature verified with the provider's `keys` or the policy's own.

    Raises:
        TokenRefused: `TokenSignatureKeyNotFound` if no key fits, which a refresh may cure.
    """
    algorithm = header["alg"]
    if algorithm == "none":
        return _unsigned(text, rules)
    if algorithm not in ASYMMETRIC | SYMMETRIC:
        raise _invalid(f"The algorithm {algorithm} is not supported")
    candidates = _candidates(algorithm, header.get("kid"), rules.inline_keys, keys)
    if not candidates:
        raise TokenRefused(
            "TokenSignatureKeyNotFound", "The signing key was not found. Access denied."
        )
    for key in candidates:
        try:
            found = pyjwt.decode_complete(
                text, key, algorithms=[algorithm], options=_ONLY_SIGNATURE
            )
        except pyjwt.InvalidSignatureError:
            continue
        except pyjwt.PyJWTError as error:
            raise _invalid("The token is malformed") from error
        return make_jwt(found["header"], found["payload"])
    raise TokenRefused("TokenSignatureInvalid", "The signature is invalid. Access denied.")


def _candidates(
    algorithm: str, kid: object, inline: Sequence[InlineKey], keys: Mapping[str, Any]
) -> list[Any]:
    """The keys of the right kind: the one with the token's key id, or all if it has none."""
    symmetric = algorithm in SYMMETRIC
    own = [(k.id, k.key) for k in inline if isinstance(k.key, bytes) == symmetric]
    # A key set is public: its keys verify asymmetric signatures and nothing else.
    known = own if symmetric else [*own, *keys.items()]
    if kid is None:
        return [key for _, key in known]
    return [key for key_id, key in known if key_id in (kid, "")]


def _unsigned(text: str, rules: TokenRules) -> Jwt:
    if rules.require_signature:
        raise _invalid("The token is not signed")
    found = pyjwt.decode_complete(text, options={"verify_signature": False})
    if found["signature"]:
        raise _invalid("The token has a signature and says that it has none")
    return make_jwt(found["header"], found["payload"])


def check_claims(token: Jwt, rules: TokenRules, now: datetime) -> None:
    """Lifetime, issuer, audience, required claims, in this order.

    Raises:
        TokenRefused: one of them does not hold.
    """
    _check_lifetime(token, rules, now.timestamp())
    issuer = token.payload.get("iss")
    if rules.issuers is not None and issuer not in rules.issuers:
        raise TokenRefused("TokenIssuerNotAllowed", "The issuer is not allowed. Access denied.")
    if rules.audiences is not None and not rules.audiences & set(token.audiences):
        raise TokenRefused("TokenAudienceNotAllowed", "The audience is not allowed. Access denied.")
    missing = [rule.name for rule in rules.claims if rule.name not in token.payload]
    if missing:
        names = ", ".join(missing)
        raise TokenRefused(
            "TokenClaimNotFound",
            f"JWT token is missing the following claims: {names}. Access denied.",
        )
    for rule in rules.claims:
        _check_claim(token, rule)


def _check_lifetime(token: Jwt, rules: TokenRules, now: float) -> None:
    expires, starts = _seconds(token, "exp"), _seconds(token, "nbf")
    if expires is None and rules.require_expiration:
        raise _invalid("The token has no expiration time")
    if expires is not None and now > expires + rules.clock_skew_s:
        raise TokenRefused("TokenExpired", "The token is expired. Access denied.")
    if starts is not None and starts > now + rules.clock_skew_s:
        raise _invalid("The token is not valid yet")


def _seconds(token: Jwt, name: str) -> float | None:
    value = token.payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _invalid(f"The claim {name} is not a number")
    return float(value)


def _check_claim(token: Jwt, rule: ClaimRule) -> None:
    found = token.claims.getall(rule.name, [])
    if rule.separator:
        found = [part for text in found for part in text.split(rule.separator)]
    present = [value in found for value in rule.values]
    if rule.values and not (any(present) if rule.match == "any" else all(present)):
        value = ",".join(found)
        raise TokenRefused(
            "TokenClaimValueNotAllowed",
            f"Claim {rule.name} value of {value} is not allowed. Access denied.",
        )


def _invalid(text: str) -> TokenRefused:
    return TokenRefused("JwtInvalid", f"{text}. Access denied.")
