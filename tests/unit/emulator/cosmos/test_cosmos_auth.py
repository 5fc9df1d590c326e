"""Signatures, tokens, and what is signed for each kind of path."""

from urllib.parse import quote

import pytest

from emulator.cosmos.auth import Authenticator, signed_texts
from emulator.cosmos.errors import CosmosError

DATE = "Mon, 23 Nov 2026 22:38:47 GMT"


def header(authenticator: Authenticator, text: str) -> str:
    return quote(f"type=master&ver=1.0&sig={authenticator.sign(text)}", safe="")


@pytest.mark.parametrize(
    ("path", "kind", "link"),
    [
        ("", "", ""),
        ("dbs", "dbs", ""),
        ("dbs/Shop", "dbs", "dbs/Shop"),
        ("dbs/Shop/colls", "colls", "dbs/Shop"),
        ("dbs/Shop/colls/Orders/docs", "docs", "dbs/Shop/colls/Orders"),
        ("dbs/Shop/colls/Orders/docs/O 1", "docs", "dbs/Shop/colls/Orders/docs/O 1"),
        ("dbs/Shop/colls/Orders/pkranges", "pkranges", "dbs/Shop/colls/Orders"),
        ("dbs/Shop/colls/Orders/operations/partitionkeydelete", "colls", "dbs/Shop/colls/Orders"),
        ("offers", "offers", ""),
        ("offers/ABC", "offers", "abc"),
        ("dbs/DAAAAQ==/colls/DAAAAYAAAAE=", "colls", "daaaayaaaae="),
    ],
)
def test_signature_covers_verb_type_link_and_date(path: str, kind: str, link: str) -> None:
    authenticator = Authenticator()
    segments = [part for part in path.split("/") if part]
    text = f"get\n{kind}\n{link}\n{DATE.lower()}\n\n"
    assert text in signed_texts("GET", segments, DATE)
    authenticator.check("GET", path, segments, (header(authenticator, text), DATE))


def test_other_verb_path_date_or_key_is_refused() -> None:
    authenticator = Authenticator()
    segments = ["dbs", "shop"]
    good = header(authenticator, signed_texts("GET", segments, DATE)[0])
    authenticator.check("GET", "/dbs/shop", segments, (good, DATE))
    # Once more, from memory; and the memory does not mix requests up.
    authenticator.check("GET", "/dbs/shop", segments, (good, DATE))
    other = Authenticator("b3RoZXI=")
    for verb, path, parts, date, who in (
        ("POST", "/dbs/shop", segments, DATE, authenticator),
        ("GET", "/dbs/other", ["dbs", "other"], DATE, authenticator),
        ("GET", "/dbs/shop", segments, DATE.replace("22:38", "22:39"), authenticator),
        ("GET", "/dbs/shop", segments, DATE, other),
    ):
        with pytest.raises(CosmosError) as refused:
            who.check(verb, path, parts, (good, date))
        assert refused.value.status == 401


@pytest.mark.parametrize(
    "authorization", [None, "", "nonsense", "type=master&ver=1.0", "type=aad&ver=1.0&sig="]
)
def test_missing_or_malformed_authorization_is_refused(authorization: str | None) -> None:
    with pytest.raises(CosmosError) as refused:
        Authenticator().check("GET", "/", [], (authorization, DATE))
    assert refused.value.status == 401


def test_any_token_is_taken() -> None:
    for text in ("type=aad&ver=1.0&sig=local.token", quote("type=aad&ver=1.0&sig=x", safe="")):
        Authenticator().check("GET", "/", [], (text, None))
