"""OpenID metadata and signing keys, as `validate-jwt` uses them.

Metadata is kept for an hour. A key id that is not among the keys causes one refresh, but not more
often than every five minutes, so that tokens with made-up key ids cannot make the gateway call the
provider again and again. Only asymmetric keys are taken from a key set: a set that held a shared
secret would let anyone who reads it sign.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt as pyjwt
from multidict import CIMultiDict

from emulator.apim.outbound import Outbound, OutboundFailed

KEPT_S = 3600.0
REFRESH_S = 300.0
_TIMEOUT_S = 10.0
_log = logging.getLogger("emulator.apim")


class OpenIdUnavailable(Exception):
    """The metadata cannot be read and none is known from before."""


@dataclass(frozen=True)
class Metadata:
    """What a provider says: its issuer and its signing keys by id."""

    issuer: str
    keys: dict[str, Any]


@dataclass
class _Entry:
    metadata: Metadata | None = None
    fetched: float = 0.0
    refreshed: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class OpenIdKeys:
    """The metadata of every provider that policies name."""

    def __init__(self, outbound: Outbound, monotonic: Callable[[], float]) -> None:
        self._outbound = outbound
        self._monotonic = monotonic
        self._entries: dict[str, _Entry] = {}

    async def metadata(self, url: str) -> Metadata:
        """The metadata, at most an hour old while the provider can be reached.

        Raises:
            OpenIdUnavailable: it cannot be read.
        """
        entry = self._entries.setdefault(url, _Entry())
        if entry.metadata is not None and self._monotonic() - entry.fetched < KEPT_S:
            return entry.metadata
        async with entry.lock:
            if entry.metadata is None or self._monotonic() - entry.fetched >= KEPT_S:
                await self._fetch(url, entry)
            assert entry.metadata is not None
            return entry.metadata

    async def refreshed(self, url: str) -> Metadata:
        """The metadata, read again unless that was done less than five minutes ago."""
        entry = self._entries.setdefault(url, _Entry())
        async with entry.lock:
            if self._monotonic() - entry.refreshed >= REFRESH_S:
                entry.refreshed = self._monotonic()
                await self._fetch(url, entry)
        return await self.metadata(url)

    async def _fetch(self, url: str, entry: _Entry) -> None:
        try:
            document = await self._json(url)
            keys = await self._json(str(document.get("jwks_uri", "")))
        except OutboundFailed as error:
            _log.error("OpenID metadata of %s cannot be read: %s", url, error)
            if entry.metadata is None:
                raise OpenIdUnavailable(str(error)) from error
            # What is known stays in use; the next attempt waits like any other.
            entry.fetched = self._monotonic() - KEPT_S + REFRESH_S
            return
        entry.metadata = Metadata(str(document.get("issuer", "")), _signing_keys(keys))
        entry.fetched = self._monotonic()

    async def _json(self, url: str) -> dict[str, Any]:
        answer = await self._outbound.send("GET", url, CIMultiDict(), None, _TIMEOUT_S)
        if answer.status != 200:
            raise OutboundFailed(f"{url} answered {answer.status}.")
        try:
            found = json.loads(answer.body.content or b"")
        except ValueError as error:
            raise OutboundFailed(f"{url} did not answer with JSON.") from error
        if not isinstance(found, dict):
            raise OutboundFailed(f"{url} did not answer with a JSON object.")
        return found


def _signing_keys(key_set: dict[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for entry in key_set.get("keys", []):
        if not isinstance(entry, dict) or entry.get("kty") != "RSA":
            continue
        if entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), str):
            continue
        try:
            keys[entry["kid"]] = pyjwt.PyJWK.from_dict(entry, algorithm="RS256").key
        except pyjwt.PyJWTError as error:
            _log.error("A key of a key set is malformed: %s", error)
    return keys
