"""preprovision: refuses contradictory choices early, and asks Azure whether `credit` exists.

The named value `credit` is created once and then belongs to whoever edits it, so Bicep must know
whether it is there (CREDIT_INITIALISED). Asked of Azure rather than remembered alone: a pipeline
starts with a fresh environment, and somebody may have deleted the gateway by hand.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from hook_support import Call, HookError, https, remember, run, say, token

MANAGEMENT = "https://management.azure.com"
API_VERSION = "2024-05-01"
CREDIT = re.compile(r"[0-9]{1,9}(#[A-Za-z0-9._-]{1,32})?")
CHOICES = {
    "DURABLE_BACKEND": ("dts", "storage"),
    "DURABLE_SKU": ("Consumption", "Dedicated"),
    "APIM_SKU": ("BasicV2", "StandardV2", "Developer", "Consumption"),
    "CREDIT_MODE": ("ledger", "named-value"),
    "ENTRA_MODE": ("create", "existing"),
}
EXISTING = ("ENTRA_API_CLIENT_ID", "ENTRA_API_AUDIENCE", "ENTRA_BACKEND_CLIENT_ID")


def faults(environ: Mapping[str, str]) -> list[str]:
    """Every choice that cannot be deployed, in words; none when empty."""
    found = [
        f"{name} is '{environ[name]}'; it must be one of {', '.join(allowed)}."
        for name, allowed in CHOICES.items()
        if environ.get(name) and environ[name] not in allowed
    ]
    if environ.get("ENTRA_MODE") == "existing":
        found += [
            f"ENTRA_MODE is existing, so {n} is needed." for n in EXISTING if not environ.get(n)
        ]
    initial = environ.get("INITIAL_CREDIT")
    if initial and not CREDIT.fullmatch(initial):
        found.append(f"INITIAL_CREDIT is '{initial}'; it must be a whole number such as 100.")
    return found


def gateway_of(listing: Mapping[str, Any], environment: str) -> str | None:
    """Id of the gateway that this azd environment made, among those of its resource group."""
    for service in listing.get("value", []):
        if (service.get("tags") or {}).get("azd-env-name") == environment:
            return str(service["id"])
    return None


def credit_exists(environ: Mapping[str, str], token_of: Callable[[str], str], call: Call) -> bool:
    """Whether the gateway has the named value `credit`.

    Raises:
        HookError: Azure answered something else than yes or no.
    """
    subscription, name = environ.get("AZURE_SUBSCRIPTION_ID"), environ.get("AZURE_ENV_NAME")
    if not subscription or not name:
        return False  # the first deployment: azd asks for these after this hook
    headers = {"Authorization": f"Bearer {token_of(MANAGEMENT)}"}
    group = environ.get("AZURE_RESOURCE_GROUP") or f"rg-{name}"
    services = (
        f"{MANAGEMENT}/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.ApiManagement/service?api-version={API_VERSION}"
    )
    listing = call("GET", services, headers, None)
    if listing.status not in (200, 404):
        raise HookError(f"Looking for the gateway in {group}: Azure answered {listing.status}.")
    gateway = gateway_of(listing.body or {}, name) if listing.status == 200 else None
    if gateway is None:
        return False
    url = f"{MANAGEMENT}{gateway}/namedValues/credit?api-version={API_VERSION}"
    found = call("GET", url, headers, None)
    if found.status not in (200, 404):
        raise HookError(f"Looking for the named value credit: Azure answered {found.status}.")
    return found.status == 200


def main() -> None:
    wrong = faults(os.environ)
    if wrong:
        raise HookError("\n".join(wrong))
    exists = credit_exists(os.environ, token, https)
    remember("CREDIT_INITIALISED", "true" if exists else "false")
    say("The named value credit is kept as it is." if exists else "The named value credit is made.")


if __name__ == "__main__":
    run(main)
