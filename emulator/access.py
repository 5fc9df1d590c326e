"""What a caller of the local gateway needs: its address, a subscription key, a token.

    eval "$(python -m emulator.access)"            the address, key and token in the environment
    python -m emulator.access --product basic --client orders-client

Reads the files that the gateway keeps in the data folder, and asks the identity provider for a
token. Printing keys is the point of this command; nothing else of the emulator ever shows them.
Standard library only, so that it answers at once.
"""

import argparse
import json
import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

_TIMEOUT_S = 10
DATA_VARIABLE = "EMULATOR_DATA_DIR"


class NoAccess(Exception):
    """Something is missing; the text says what to do."""


@dataclass(frozen=True)
class Access:
    """All that a call needs."""

    url: str
    key: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The two headers of a call."""
        return {
            "Ocp-Apim-Subscription-Key": self.key,
            "Authorization": f"Bearer {self.token}",
        }


def find_access(data: Path, product: str = "premium", client: str = "orders-operator") -> Access:
    """Access to the gateway that was started on a data folder.

    Raises:
        NoAccess: no gateway was started there, it does not answer, or a name is unknown.
    """
    folder = data / "apim"
    about = _read(folder / "gateway.json", "Start the emulator first: make start.")
    subscriptions = _read(folder / "subscriptions.json", "The gateway makes it when it starts.")
    clients = _read(folder / "identity-clients.json", "The gateway makes it when it starts.")
    key = _one(subscriptions, "scope", f"/products/{product}", "product")["primaryKey"]
    entry = _one(clients, "displayName", client, "client")
    return Access(about["gateway"], key, _token(about["tokenEndpoint"], entry))


def _read(path: Path, advice: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NoAccess(f"Cannot read {path}. {advice}") from error


def _one(entries: list[dict[str, Any]], member: str, value: str, what: str) -> dict[str, Any]:
    for entry in entries:
        if entry.get(member) == value:
            return entry
    known = ", ".join(str(entry.get(member)).rpartition("/")[2] for entry in entries)
    raise NoAccess(f"There is no {what} {value.rpartition('/')[2]}; there are: {known}.")


def _token(endpoint: str, client: dict[str, Any]) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": client["appId"],
        "client_secret": client["password"],
        "scope": client["scope"],
    }
    # The endpoint is what this machine's gateway wrote into its own file: a loopback address.
    request = Request(endpoint, urlencode(form).encode())  # noqa: S310
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            token: str = json.load(answer)["access_token"]
            return token
    except (URLError, OSError, ValueError, KeyError) as error:
        raise NoAccess(f"{endpoint} gives no token ({error}). Is the emulator running?") from error


def main(arguments: list[str]) -> int:
    """Print shell exports; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m emulator.access", description="Prints exports for calls of the gateway."
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get(DATA_VARIABLE, ".local")),
        help=f"the emulator's (default: ${DATA_VARIABLE}, else .local)",
    )
    parser.add_argument("--product", default="premium", help="basic or premium")
    parser.add_argument("--client", default="orders-operator", help="or orders-client")
    given = parser.parse_args(arguments)
    try:
        access = find_access(given.data_dir, given.product, given.client)
    except NoAccess as error:
        sys.stderr.write(f"{error}\n")
        return 1
    values = {"ORDERS_URL": access.url, "ORDERS_KEY": access.key, "ORDERS_TOKEN": access.token}
    for name, value in values.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
