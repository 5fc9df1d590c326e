"""Refusals of the token endpoint, in the vendor's form and with its codes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Refusal(Exception):
    """A token request that is refused.

    Attributes:
        error: the OAuth word.
        code: the vendor's number.
        text: what it means.
    """

    status: int
    error: str
    code: int
    text: str

    def body(self, now: datetime, trace_id: str) -> dict[str, Any]:
        """The JSON answer."""
        stamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} Trace ID: {trace_id} "
            f"Timestamp: {stamp}",
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace_id,
        }


def missing(name: str) -> Refusal:
    """A parameter that is not there."""
    text = f"The request body must contain the following parameter: '{name}'."
    return Refusal(400, "invalid_request", 900144, text)


def unknown_tenant(tenant: str) -> Refusal:
    """Another tenant than the local one."""
    return Refusal(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")


def unsupported_grant(grant: str) -> Refusal:
    """Any grant but `client_credentials`."""
    text = f"The app requested an unsupported grant type '{grant}'."
    return Refusal(400, "unsupported_grant_type", 70003, text)


def unknown_client(client_id: str, tenant: str) -> Refusal:
    """A client that is not registered."""
    text = f"Application with identifier '{client_id}' was not found in the directory '{tenant}'."
    return Refusal(400, "unauthorized_client", 700016, text)


def wrong_secret(client_id: str) -> Refusal:
    """A secret that is not the client's."""
    text = f"Invalid client secret provided for app '{client_id}'."
    return Refusal(401, "invalid_client", 7000215, text)


def unknown_scope(scope: str) -> Refusal:
    """A scope that names no resource of the tenant, or does not end in /.default."""
    text = f"The provided value for scope {scope} is not valid."
    return Refusal(400, "invalid_scope", 1002012, text)
