"""postdown: deletes what lives outside the resource group, and forgets what no longer exists.

The app registrations are in the tenant, so `azd down` does not see them. Exactly those that
postprovision wrote down are deleted, and purged: a soft-deleted one would block its name for 30
days. Safe to run again.
"""

import os
from collections.abc import Mapping

from hook_support import Call, HookError, https, remember, run, say, token

GRAPH = "https://graph.microsoft.com"


def delete_registration(name: str, headers: Mapping[str, str], call: Call) -> bool:
    """Delete and purge one app registration. False when there was none.

    Raises:
        HookError: Graph refused.
    """
    found = call("GET", f"{GRAPH}/v1.0/applications(uniqueName='{name}')?$select=id", headers, None)
    if found.status == 404:
        return False
    if found.status != 200:
        raise HookError(f"Looking for {name}: Microsoft Graph answered {found.status}.")
    for url in (f"applications/{found.body['id']}", f"directory/deletedItems/{found.body['id']}"):
        status = call("DELETE", f"{GRAPH}/v1.0/{url}", headers, None).status
        if status not in (204, 404):
            raise HookError(
                f"Deleting {name}: Microsoft Graph answered {status}. Delete it by hand."
            )
    return True


def main() -> None:
    names = os.environ.get("ENTRA_REGISTRATIONS", "").split()
    remember("CREDIT_INITIALISED", "false")
    if not names:
        return
    headers = {"Authorization": f"Bearer {token(GRAPH)}"}
    for name in names:
        deleted = delete_registration(name, headers, https)
        say(f"App registration {name}: {'deleted' if deleted else 'was not there'}.")
    remember("ENTRA_REGISTRATIONS", "")


if __name__ == "__main__":
    run(main)
