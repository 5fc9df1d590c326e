"""postprovision: seeds reference data, remembers what was made, says where everything is.

Safe to run again: an item of the container `reference` that exists is left alone, so nobody's edits
are lost. No key is read or printed, only the command that reads one.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hook_support import ROOT, Call, HookError, https, remember, run, say, setting, token

COSMOS = "https://cosmos.azure.com"
# A role takes minutes to reach the store; the others mean "later" as well.
RETRY = (401, 403, 408, 429, 449, 503)
PAUSE_S = 15.0
ATTEMPTS = 40
SUBSCRIPTIONS = ("basic-subscription", "premium-subscription")

Item = Mapping[str, Any]


def create_request(endpoint: str, database: str, item: Item) -> tuple[str, dict[str, str]]:
    """URL and headers that create one reference item, without the authorization."""
    url = f"{endpoint.rstrip('/')}/dbs/{database}/colls/reference/docs"
    return url, {
        "Content-Type": "application/json",
        "x-ms-version": "2018-12-31",
        "x-ms-date": formatdate(usegmt=True),
        "x-ms-documentdb-partitionkey": json.dumps([item["kind"]]),
    }


def seed(
    items: Iterable[Item],
    environ: Mapping[str, str],
    token_of: Callable[[str], str],
    call: Call,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[int, int]:
    """Create the items that are missing. Returns how many were created and how many existed.

    Raises:
        HookError: the store refuses for good, or still after ten minutes.
    """
    endpoint = setting("COSMOS_DB_ENDPOINT", environ)
    database = setting("COSMOS_DB_DATABASE_NAME", environ)
    authorization = quote(f"type=aad&ver=1.0&sig={token_of(COSMOS)}", safe="")
    created = existing = 0
    for item in items:
        url, headers = create_request(endpoint, database, item)
        headers["Authorization"] = authorization
        status = _create(url, headers, item, call, pause)
        if status not in (201, 409):
            raise HookError(f"Seeding {item['kind']} {item['id']}: the store answered {status}.")
        created += status == 201
        existing += status == 409
    return created, existing


def _create(
    url: str,
    headers: Mapping[str, str],
    item: Item,
    call: Call,
    pause: Callable[[float], None],
) -> int:
    """The status in the end, after every "later" has been waited for."""
    for _ in range(ATTEMPTS - 1):
        status = call("POST", url, headers, item).status
        if status not in RETRY:
            return status
        pause(PAUSE_S)
    return call("POST", url, headers, item).status


def registrations(environ: Mapping[str, str]) -> str:
    """Unique names of the app registrations that this deployment made; empty when it made none.

    The postdown hook deletes exactly these, so a registration that was given is never touched.
    """
    if (environ.get("ENTRA_MODE") or "create") != "create":
        return ""
    suffix = setting("API_AUDIENCE", environ).rpartition("/orders-")[2]
    return f"orders-api-{suffix} orders-backend-{suffix}"


def key_command(environ: Mapping[str, str], subscription: str) -> str:
    """The command that prints the primary key of one gateway subscription."""
    url = (
        f"https://management.azure.com/subscriptions/{setting('AZURE_SUBSCRIPTION_ID', environ)}"
        f"/resourceGroups/{setting('AZURE_RESOURCE_GROUP', environ)}"
        f"/providers/Microsoft.ApiManagement/service/{setting('APIM_NAME', environ)}"
        f"/subscriptions/{subscription}/listSecrets?api-version=2024-05-01"
    )
    return f"az rest --method post --url '{url}' --query primaryKey --output tsv"


def token_command(environ: Mapping[str, str]) -> str:
    """The command that prints an access token for the API."""
    scope = f"{setting('API_AUDIENCE', environ)}/.default"
    return f"az account get-access-token --scope '{scope}' --query accessToken --output tsv"


def environment_file(environ: Mapping[str, str]) -> str:
    """What `.local/azure.env` holds: addresses and names for the `orders` command, never a key."""
    names = {
        "ORDERS_URL": "APIM_GATEWAY_URL",
        "AZURE_RESOURCE_GROUP": "AZURE_RESOURCE_GROUP",
        "APIM_NAME": "APIM_NAME",
        "API_AUDIENCE": "API_AUDIENCE",
        "SERVICE_ORDERS_URI": "SERVICE_ORDERS_URI",
        "STORAGE_DATA_ACCOUNT": "STORAGE_DATA_ACCOUNT",
    }
    return "".join(f"{name}={setting(source, environ)}\n" for name, source in names.items())


def summary(environ: Mapping[str, str]) -> str:
    """What is printed at the end."""
    keys = "\n".join(f"  {name}:\n    {key_command(environ, name)}" for name in SUBSCRIPTIONS)
    return (
        f"Gateway: {setting('APIM_GATEWAY_URL', environ)}\n"
        f"Keys are not shown. Read one with:\n{keys}\n"
        f"A token for the API:\n    {token_command(environ)}\n"
        "Addresses for the orders command: .local/azure.env; the guide: docs/azure.md"
    )


def write_environment_file(text: str, root: Path = ROOT) -> Path:
    path = root / ".local" / "azure.env"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def main() -> None:
    environ = os.environ
    remember("CREDIT_INITIALISED", "true")
    remember("ENTRA_REGISTRATIONS", registrations(environ))
    items = json.loads((ROOT / "samples" / "reference.json").read_text(encoding="utf-8"))
    created, existing = seed(items, environ, token, https)
    say(f"Reference data: {created} items created, {existing} were there.")
    write_environment_file(environment_file(environ))
    say(summary(environ))


if __name__ == "__main__":
    run(main)
