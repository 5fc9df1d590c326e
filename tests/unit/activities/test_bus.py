"""Requests to the queue: their signature, and how they show who sends them."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qs

import pytest

from activities import _bus
from activities._bus import shared_access_signature
from activities._settings import BusConnection

URL = "https://orders.servicebus.windows.net"


def test_signature_is_made_as_documented() -> None:
    """The key signs the encoded address, a line feed, and the second in which it expires."""
    # The expected text was made with other tools:
    #   printf '%s\n%s' https%3A%2F%2Forders.servicebus.windows.net 1700000600 |
    #     openssl dgst -sha256 -hmac 'key/with+signs=' -binary | base64
    # and its "+", "/" and "=" then written as %2B, %2F and %3D.
    assert shared_access_signature(URL, "RootKey", "key/with+signs=", 1_700_000_000) == (
        "SharedAccessSignature sr=https%3A%2F%2Forders.servicebus.windows.net"
        "&sig=%2FiJlH%2Fc58SclrwX687X9os81yc%2FStr51%2BSy9Uv0f1EE%3D&se=1700000600&skn=RootKey"
    )


def test_signature_depends_on_each_of_its_parts() -> None:
    first = shared_access_signature(URL, "n", "k", 0)
    others = [
        shared_access_signature(URL + "/x", "n", "k", 0),
        shared_access_signature(URL, "n", "l", 0),
        shared_access_signature(URL, "n", "k", 1),
    ]
    signatures = {parse_qs(text)["sig"][0] for text in (first, *others)}
    assert len(signatures) == 4
    digest = hmac.new(b"k", f"{_encoded(URL)}\n600".encode(), hashlib.sha256).digest()
    assert parse_qs(first)["sig"] == [base64.b64encode(digest).decode()]


def _encoded(url: str) -> str:
    return url.replace(":", "%3A").replace("/", "%2F")


async def test_key_signs_and_identity_brings_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    class Credential:
        async def get_token(self, scope: str) -> object:
            assert scope == "https://servicebus.azure.net/.default"
            return type("Token", (), {"token": "a-token"})()

    asked: list[str | None] = []

    def credential(client_id: str | None) -> Credential:
        asked.append(client_id)
        return Credential()

    monkeypatch.setattr(_bus, "_credential", credential)
    by_key = await _bus._authorization(BusConnection("orders", URL, "n", "k", None))
    assert by_key.startswith("SharedAccessSignature sr=")
    assert asked == []
    by_identity = await _bus._authorization(BusConnection("orders", URL, None, None, "client-1"))
    assert (by_identity, asked) == ("Bearer a-token", ["client-1"])
