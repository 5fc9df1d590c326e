"""The certificate and the local identity."""

import stat
from pathlib import Path

from cryptography import x509

from emulator.cosmos.tls import server_context
from emulator.identity import PATH, Identity


def test_certificate_is_made_once_and_only_its_owner_reads_the_key(tmp_path: Path) -> None:
    server_context(tmp_path)
    first = (tmp_path / "localhost.crt").read_bytes()
    server_context(tmp_path)
    assert (tmp_path / "localhost.crt").read_bytes() == first
    assert stat.S_IMODE((tmp_path / "localhost.key").stat().st_mode) == 0o600
    names = x509.load_pem_x509_certificate(first).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]


def test_damaged_certificate_is_made_anew(tmp_path: Path) -> None:
    server_context(tmp_path)
    (tmp_path / "localhost.crt").write_text("damaged")
    server_context(tmp_path)
    assert (tmp_path / "localhost.crt").read_text().startswith("-----BEGIN CERTIFICATE")


def test_settings_point_to_the_endpoint() -> None:
    settings = Identity(secret="s").settings("http://127.0.0.1:1")
    assert settings == {
        "IDENTITY_ENDPOINT": f"http://127.0.0.1:1{PATH}",
        "IDENTITY_HEADER": "s",
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
    }
