"""A token as policies see it, and the reading of one that nobody has verified.

Verification is `policies/validate_jwt.py`'s; `"…".AsJwt()` in an expression only decodes, as on
the real gateway.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt as pyjwt
from multidict import MultiDict


@dataclass(frozen=True)
class Jwt:
    """A decoded token; `claims` has every claim as texts, arrays as several."""

    header: dict[str, Any]
    payload: dict[str, Any]
    claims: MultiDict[str]

    @property
    def audiences(self) -> list[str]:
        return self.claims.getall("aud", [])

    def text(self, name: str) -> str | None:
        """The first value of a claim."""
        return self.claims.get(name)

    def instant(self, name: str) -> datetime | None:
        """A claim that counts seconds."""
        value = self.payload.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, ValueError, OSError):
            return None


@dataclass(frozen=True)
class BasicCredentials:
    """The two halves of a Basic authorization header."""

    user: str
    password: str


def make_jwt(header: dict[str, Any], payload: dict[str, Any]) -> Jwt:
    """The token of its two decoded parts."""
    claims: MultiDict[str] = MultiDict()
    for name, value in payload.items():
        for item in value if isinstance(value, list) else [value]:
            claims.add(name, _claim_text(item))
    return Jwt(header, payload, claims)


def _claim_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def decode_unverified(text: str) -> Jwt | None:
    """What a token says of itself; None if it is not a token."""
    text = text[7:] if text[:7].lower() == "bearer " else text
    try:
        # Decoding without verifying is what `AsJwt` is; no decision of the gateway rests on it.
        found = pyjwt.decode_complete(text, options={"verify_signature": False})
    except pyjwt.PyJWTError:
        return None
    return make_jwt(found["header"], found["payload"])
