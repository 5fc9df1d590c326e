"""Uploads a file of orders to the container `inputfiles`, local or on Azure.

One Put Blob request: the file appears whole or not at all. To an https address it goes with a token
of whoever is signed in (azure-identity); a loopback address needs none.

Source: Blob service REST API, "Put Blob".
"""

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

import httpx

from cli.client import ApiError, Unreachable
from cli.inputs import BadInput

_SCOPE = "https://storage.azure.com/.default"
_VERSION = "2023-11-03"
_TIMEOUT_S = 120.0


def upload(path: Path, name: str, container_url: str) -> str:
    """The file is in the container; returns its URL.

    Args:
        name: the blob's name; only `*.json` is taken up.
        container_url: such as `https://<account>.blob.core.windows.net/inputfiles`.

    Raises:
        BadInput: the file cannot be read, or its name is not one that is taken up.
        ApiError: the storage account refuses.
        Unreachable: it does not answer, or nobody is signed in.
    """
    if not name.endswith(".json"):
        raise BadInput(f"{name} would not be taken up: only files that end in .json are.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror}.") from error
    url = f"{container_url.rstrip('/')}/{quote(name)}"
    headers = {
        "Content-Type": "application/json",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-version": _VERSION,
        "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
    }
    if url.startswith("https://"):
        headers["Authorization"] = f"Bearer {_token()}"
    try:
        answer = httpx.put(url, content=content, headers=headers, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        told = error or type(error).__name__
        raise Unreachable(f"No answer from {container_url}: {told}.") from error
    if answer.status_code >= 400:
        code = answer.headers.get("x-ms-error-code", answer.reason_phrase)
        raise ApiError(answer.status_code, {"title": code, "detail": f"{name} was refused."}, None)
    return url


def _token() -> str:
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - slow to import
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow to import

    try:
        return DefaultAzureCredential().get_token(_SCOPE).token
    except ClientAuthenticationError as error:
        raise Unreachable("Nobody is signed in: run az login, or azd auth login.") from error
