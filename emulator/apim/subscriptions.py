"""Subscriptions and their keys: made at first start, kept in a file that only its owner can read.

The file has the form of `az apim subscription` output: a list of objects with name, displayName,
scope, state, primaryKey, secondaryKey. Keys are never logged and never leave through a door.
"""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.apim.model import Api, Product, Subscription
from emulator.clock import Clock
from emulator.private_files import read_json, write_json

STATES = ("active", "suspended", "submitted", "rejected", "cancelled", "expired")


class Subscriptions:
    """The subscriptions in force.

    Args:
        path: the file with the keys.
        entries: those of entities.json; one that the file lacks is made, with random keys.
    """

    def __init__(self, path: Path, entries: Iterable[Mapping[str, Any]], clock: Clock) -> None:
        self.path = path
        self._lock = asyncio.Lock()
        kept = read_json(path) or []
        self._all = {entry["name"]: _from_json(entry) for entry in kept}
        before = len(self._all)
        for entry in entries:
            if entry["name"] not in self._all:
                self._all[entry["name"]] = _new(entry, clock.now())
        if len(self._all) != before:
            write_json(path, [_to_json(subscription) for subscription in self._all.values()])

    def all(self) -> list[Subscription]:
        """Every subscription."""
        return list(self._all.values())

    def get(self, name: str) -> Subscription | None:
        """One of them, or None."""
        return self._all.get(name)

    def find(self, key: str) -> Subscription | None:
        """The active subscription with a key. Every one is compared, whichever fits."""
        found = None
        for subscription in self._all.values():
            if subscription.has_key(key) and subscription.state == "active":
                found = subscription
        return found

    async def regenerate(self, name: str, which: str) -> Subscription:
        """Replace the `primary` or `secondary` key. Raises KeyError if the name is unknown."""
        key = secrets.token_hex(16)
        found = self._all[name]
        if which == "primary":
            return await self._keep(replace(found, primary_key=key))
        return await self._keep(replace(found, secondary_key=key))

    async def set_state(self, name: str, state: str) -> Subscription:
        """Change the state. Raises KeyError if there is none of the name."""
        return await self._keep(replace(self._all[name], state=state))

    async def _keep(self, changed: Subscription) -> Subscription:
        async with self._lock:
            every = {**self._all, changed.id: changed}
            await asyncio.to_thread(write_json, self.path, [_to_json(s) for s in every.values()])
            self._all = every
            return changed


def covering_product(
    subscription: Subscription, api: Api, products: Iterable[Product]
) -> tuple[bool, Product | None]:
    """Whether a subscription opens an API, and the product through which it does."""
    if subscription.scope == "/apis":
        return True, None
    kind, _, name = subscription.scope.removeprefix("/").partition("/")
    if kind == "apis":
        return name == api.id, None
    for product in products:
        if product.id == name:
            return product.holds(api), product
    return False, None


def _new(entry: Mapping[str, Any], now: datetime) -> Subscription:
    return Subscription(
        entry["name"],
        entry.get("displayName", entry["name"]),
        f"/products/{entry['product']}" if "product" in entry else entry["scope"],
        secrets.token_hex(16),
        secrets.token_hex(16),
        created=now,
    )


def _from_json(entry: Mapping[str, Any]) -> Subscription:
    return Subscription(
        entry["name"],
        entry.get("displayName", entry["name"]),
        entry["scope"],
        entry["primaryKey"],
        entry["secondaryKey"],
        entry.get("state", "active"),
        datetime.fromisoformat(entry["createdDate"]),
    )


def describe(subscription: Subscription) -> dict[str, Any]:
    """A subscription without its keys."""
    created = subscription.created.isoformat() if subscription.created else None
    return {
        "name": subscription.id,
        "displayName": subscription.name,
        "scope": subscription.scope,
        "state": subscription.state,
        "createdDate": created,
    }


def _to_json(subscription: Subscription) -> dict[str, Any]:
    keys = {
        "primaryKey": subscription.primary_key,
        "secondaryKey": subscription.secondary_key,
    }
    return {**describe(subscription), **keys}
