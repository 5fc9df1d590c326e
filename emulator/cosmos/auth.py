"""Who may call: the master key's signature, or a bearer token.

Answers 401 for a missing or wrong signature. Tokens are taken as they come: the local token
endpoint hands them out to anybody on this machine, so there is nothing to verify. DIFFERS: the
date's window is not checked, and roles are not looked at.

Source: specification, section 3.
"""

import base64
import hmac
from collections.abc import Sequence
from urllib.parse import parse_qs, unquote

from emulator.cosmos.errors import CosmosError

# The key that every Cosmos DB emulator has; it is public and protects nothing.
EMULATOR_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
_CACHE_LIMIT = 8192


class Authenticator:
    """Checks requests against one key; remembers what it accepted.

    All writes to one container within a second carry the same signature, so most checks are one
    look into a set.
    """

    def __init__(self, key: str = EMULATOR_KEY) -> None:
        self._key = base64.b64decode(key)
        self._accepted: set[tuple[str, str, str, str]] = set()

    def check(
        self, verb: str, path: str, segments: Sequence[str], headers: tuple[str | None, str | None]
    ) -> None:
        """Return if the request may go on.

        Args:
            verb: the HTTP method.
            path: the raw path, which only serves to remember the answer.
            segments: the path's parts, percent-decoded.
            headers: `authorization` and `x-ms-date`.
        Raises:
            CosmosError: 401.
        """
        authorization, date = headers
        if not authorization:
            raise CosmosError(
                401,
                "Required Header authorization is missing. Ensure a valid Authorization token is "
                "passed.",
            )
        seen = (authorization, verb, path, date or "")
        if seen in self._accepted:
            return
        self._verify(verb, segments, authorization, date or "")
        if len(self._accepted) >= _CACHE_LIMIT:
            self._accepted.clear()
        self._accepted.add(seen)

    def _verify(self, verb: str, segments: Sequence[str], authorization: str, date: str) -> None:
        # parse_qs would read a plus sign of the signature as a space.
        fields = parse_qs(unquote(authorization).replace("+", "%2B"))
        kind, given = fields.get("type", [""])[0], fields.get("sig", [""])[0]
        if kind == "aad" and given:
            return
        if kind != "master" or not given:
            raise CosmosError(401, "Authorization header doesn't confirm to the required format.")
        payloads = signed_texts(verb, segments, date)
        if not any(hmac.compare_digest(self.sign(text), given) for text in payloads):
            shown = payloads[0].replace("\n", "\\n")
            raise CosmosError(
                401,
                "The input authorization token can't serve the request. The wrong key is being "
                "used or the expected payload is not built as per the protocol. Please check your "
                f"key. Server used the following payload to sign: '{shown}'",
            )

    def sign(self, text: str) -> str:
        """The signature of a text."""
        return base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()


def signed_texts(verb: str, segments: Sequence[str], date: str) -> list[str]:
    """The texts that a signature may cover: by names, and by resource ids."""
    kind, link = _type_and_link(segments)
    texts = [_text(verb, kind, link, date)]
    last = link.rpartition("/")[2].lower()
    if last != link:
        texts.append(_text(verb, kind, last, date))
    return texts


def _type_and_link(segments: Sequence[str]) -> tuple[str, str]:
    if not segments:
        return "", ""
    if segments[-2:] == ["operations", "partitionkeydelete"]:
        return "colls", "/".join(segments[:-2])
    if segments[0] == "offers":
        return "offers", segments[1].lower() if len(segments) > 1 else ""
    if len(segments) % 2:
        return segments[-1], "/".join(segments[:-1])
    return segments[-2], "/".join(segments)


def _text(verb: str, kind: str, link: str, date: str) -> str:
    return f"{verb.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
