"""The local identity provider: tokens for the demo clients, and for the gateway's own identity.

Real tokens, signed with RS256, whose issuers have the form of Azure's: policies and applications
cannot tell. Nothing but client credentials is offered, and only on this machine.
"""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

from emulator.clock import Clock
from emulator.idp.errors import (
    missing,
    unknown_client,
    unknown_scope,
    unsupported_grant,
    wrong_secret,
)
from emulator.idp.keys import load_keys, new_key, save_keys
from emulator.idp.model import (
    APPLICATIONS,
    TOKEN_LIFETIME_S,
    Application,
    Tenant,
    application_claims,
    audience_of_scope,
    identity_claims,
    local_id,
)
from emulator.private_files import read_json, write_json

# A kept token is renewed when less than this is left of it.
_MARGIN_S = 300


class IdentityProvider:
    """The provider of one tenant.

    Args:
        folder: where keys and the clients' secrets are kept, readable by their owner only.
    """

    def __init__(self, folder: Path, clock: Clock, tenant: Tenant | None = None) -> None:
        self.tenant = tenant or Tenant()
        self.clients_path = folder / "identity-clients.json"
        self._keys_path = folder / "identity-keys.json"
        self._clock = clock
        self._tokens: dict[str, tuple[str, int]] = {}
        self._keys = load_keys(self._keys_path)
        self._clients = _load_clients(self.clients_path, self.tenant)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims, signed with the newest key."""
        key = self._keys[0]
        return jwt.encode(dict(claims), key.private, "RS256", headers={"kid": key.kid})

    async def token(self, resource: str, client_id: str) -> str:
        """A token of the gateway's managed identity; kept until shortly before it expires.

        Raises:
            LookupError: no such identity is assigned to the gateway.
        """
        if client_id not in ("", self.tenant.identity_client_id):
            raise LookupError(f"No managed identity with the client id {client_id} is assigned.")
        kept, now = self._tokens.get(resource), self._now()
        if kept is not None and kept[1] - now > _MARGIN_S:
            return kept[0]
        claims = identity_claims(self.tenant, resource, now)
        token = self.sign(claims)
        self._tokens[resource] = (token, claims["exp"])
        return token

    def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a token request.

        Raises:
            Refusal: a parameter is missing or wrong.
        """
        for name in ("grant_type", "client_id"):
            if not form.get(name):
                raise missing(name)
        if form["grant_type"] != "client_credentials":
            raise unsupported_grant(form["grant_type"])
        client = self._clients.get(form["client_id"])
        if client is None:
            raise unknown_client(form["client_id"], self.tenant.id)
        for name in ("client_secret", "scope"):
            if not form.get(name):
                raise missing(name)
        if not hmac.compare_digest(form["client_secret"].encode(), client.secret.encode()):
            raise wrong_secret(client.client_id)
        if not audience_of_scope(self.tenant, form["scope"]):
            raise unknown_scope(form["scope"])
        token = self.sign(application_claims(self.tenant, client, self._now()))
        return {
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME_S - 1,
            "ext_expires_in": TOKEN_LIFETIME_S - 1,
            "access_token": token,
        }

    def key_set(self) -> dict[str, Any]:
        """The public keys."""
        return {"keys": [key.public_jwk() for key in self._keys]}

    async def rotate(self) -> str:
        """Sign with a new key from now on; the id of it. The last key stays in the key set."""
        key = await asyncio.to_thread(new_key)
        self._keys = await asyncio.to_thread(save_keys, self._keys_path, [key, *self._keys])
        self._tokens.clear()
        return key.kid


def _load_clients(path: Path, tenant: Tenant) -> dict[str, Application]:
    """The demo clients; those that the file lacks are made, with random secrets.

    The file has the form of `az ad sp create-for-rbac` output, with the roles beside it.
    """
    kept = {entry["displayName"]: entry for entry in read_json(path) or []}
    made = dict(kept)
    for name, roles in APPLICATIONS.items():
        if name not in made:
            made[name] = {
                "appId": local_id(f"client/{name}"),
                "displayName": name,
                "password": secrets.token_urlsafe(30),
                "tenant": tenant.id,
                "roles": list(roles),
                "scope": f"{tenant.api_audience}/.default",
            }
    if made != kept:
        write_json(path, list(made.values()))
    return {
        entry["appId"]: Application(
            entry["appId"], entry["displayName"], tuple(entry["roles"]), entry["password"]
        )
        for entry in made.values()
    }
