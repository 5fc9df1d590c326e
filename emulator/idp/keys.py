"""Signing keys: RSA, made at first start, kept in a file that only its owner can read.

A rotation puts a new key in front; the last one stays in the key set, since tokens it signed are
still under way. Key ids are RFC 7638 thumbprints.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from emulator.private_files import read_json, write_json

_KEPT = 2


@dataclass(frozen=True)
class SigningKey:
    """A key pair and its id."""

    kid: str
    private: RSAPrivateKey

    def public_jwk(self) -> dict[str, Any]:
        """Its public half, as a key set shows it."""
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            **_numbers(self.private),
        }


def _numbers(private: RSAPrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    return {"n": _text(numbers.n), "e": _text(numbers.e)}


def _text(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> SigningKey:
    """A new key; takes a while, so not on the event loop."""
    return _named(generate_private_key(public_exponent=65537, key_size=2048))


def _named(private: RSAPrivateKey) -> SigningKey:
    numbers = _numbers(private)
    canonical = json.dumps(
        {"e": numbers["e"], "kty": "RSA", "n": numbers["n"]}, separators=(",", ":")
    )
    digest = hashlib.sha256(canonical.encode()).digest()
    return SigningKey(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), private)


def load_keys(path: Path) -> list[SigningKey]:
    """The keys of a file, newest first; made and written if there is none.

    Raises:
        ValueError: the file is damaged.
    """
    kept = read_json(path)
    if kept is None:
        return save_keys(path, [new_key()])
    keys = []
    for entry in kept:
        private = load_pem_private_key(entry["pem"].encode(), password=None)
        if not isinstance(private, RSAPrivateKey):
            raise ValueError(f"{path} holds a key that is not RSA.")
        keys.append(_named(private))
    return keys


def save_keys(path: Path, keys: list[SigningKey]) -> list[SigningKey]:
    """Write the newest keys, and return those that were kept."""
    kept = keys[:_KEPT]
    write_json(path, [{"kid": key.kid, "pem": _pem(key)} for key in kept])
    return kept


def _pem(key: SigningKey) -> str:
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()
