"""What the local identity provider knows and says: its tenant, applications, claims.

Pure: the time is handed in. Ids are made of names, so they are the same on every machine and can be
written into settings; secrets and keys never are.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LOGIN = "https://login.microsoftonline.com"
TOKEN_LIFETIME_S = 3600


def local_id(name: str) -> str:
    """The id of a local thing."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"durable-orders/local/{name}"))


@dataclass(frozen=True)
class Tenant:
    """The tenant and what is registered in it.

    Attributes:
        api_client_id: the application that clients ask tokens for (`aud` of v2 tokens).
        api_audience: its identifier URI.
        backend_audience: the audience of the gateway's calls to the app.
        identity_client_id: the client id of the gateway's managed identity.
        identity_principal_id: its object id.
    """

    id: str = field(default_factory=lambda: local_id("tenant"))
    api_client_id: str = field(default_factory=lambda: local_id("orders-api"))
    api_audience: str = ""
    backend_audience: str = ""
    identity_client_id: str = field(default_factory=lambda: local_id("id-apim/client"))
    identity_principal_id: str = field(default_factory=lambda: local_id("id-apim/principal"))

    def __post_init__(self) -> None:
        # Frozen, so the two that depend on the id are set around the guard.
        if not self.api_audience:
            object.__setattr__(self, "api_audience", f"api://{self.id}/orders-local")
        if not self.backend_audience:
            object.__setattr__(self, "backend_audience", f"api://{self.id}/orders-backend-local")

    @property
    def issuer_v1(self) -> str:
        """The issuer of v1 tokens, in the real form, so that policy files need no change."""
        return f"https://sts.windows.net/{self.id}/"

    @property
    def issuer_v2(self) -> str:
        """The issuer of v2 tokens."""
        return f"{LOGIN}/{self.id}/v2.0"


@dataclass(frozen=True)
class Application:
    """A client that may ask for tokens with its secret."""

    client_id: str
    name: str
    roles: tuple[str, ...]
    secret: str = field(repr=False)


# Two clients to try roles with; their secrets are made at first start.
APPLICATIONS = {
    "orders-client": ("Orders.Read", "Orders.Write"),
    "orders-operator": ("Orders.Read", "Orders.Write", "Orders.Operate"),
}


def application_claims(tenant: Tenant, application: Application, now: int) -> dict[str, Any]:
    """The claims of a v2 token for the Orders API."""
    principal = local_id(f"principal/{application.client_id}")
    return {
        "aud": tenant.api_client_id,
        "iss": tenant.issuer_v2,
        "iat": now,
        "nbf": now,
        "exp": now + TOKEN_LIFETIME_S,
        "azp": application.client_id,
        "azpacr": "1",
        "idtyp": "app",
        "oid": principal,
        "roles": list(application.roles),
        "sub": principal,
        "tid": tenant.id,
        "uti": uuid.uuid4().hex[:22],
        "ver": "2.0",
    }


def identity_claims(tenant: Tenant, resource: str, now: int) -> dict[str, Any]:
    """The claims of a token of the gateway's managed identity for a resource."""
    return {
        "aud": resource,
        "iss": tenant.issuer_v1,
        "iat": now,
        "nbf": now,
        "exp": now + TOKEN_LIFETIME_S,
        "appid": tenant.identity_client_id,
        "appidacr": "2",
        "azp": tenant.identity_client_id,
        "idtyp": "app",
        "oid": tenant.identity_principal_id,
        "sub": tenant.identity_principal_id,
        "tid": tenant.id,
        "uti": uuid.uuid4().hex[:22],
        "ver": "1.0",
    }


def audience_of_scope(tenant: Tenant, scope: str) -> bool:
    """Whether a scope asks for the Orders API: its client id or URI, then `/.default`."""
    names: Iterable[str] = (tenant.api_client_id, tenant.api_audience)
    return scope in {f"{name}/.default" for name in names}
