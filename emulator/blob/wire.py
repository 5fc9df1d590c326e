"""Blob storage over HTTP: headers in and out, XML lists.

Pure. Used by `server` only. Source: Blob service REST reference.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from xml.etree import ElementTree as ET

from defusedxml import ElementTree as SafeET
from defusedxml.common import DefusedXmlException

from emulator.blob.errors import BlobError, InvalidBlockList, InvalidHeader, InvalidRange
from emulator.blob.model import Blob, Conditions, Properties

_META = "x-ms-meta-"
_BINARY = "application/octet-stream"


@dataclass(frozen=True)
class ListRequest:
    """What a listing asks for; `marker` is the name after which it goes on."""

    prefix: str = ""
    delimiter: str = ""
    marker: str = ""
    limit: int = 5000


def read_properties(headers: Mapping[str, str]) -> Properties:
    """What a request says of the blob it brings."""
    metadata = {
        name[len(_META) :]: value
        for name, value in headers.items()
        if name.lower().startswith(_META)
    }
    return Properties(
        content_type=headers.get("x-ms-blob-content-type")
        or headers.get("Content-Type")
        or _BINARY,
        content_encoding=headers.get("x-ms-blob-content-encoding"),
        metadata=metadata,
    )


def read_conditions(headers: Mapping[str, str]) -> Conditions:
    """What a request wants of the blob that is there."""
    return Conditions(headers.get("If-Match"), headers.get("If-None-Match"))


def read_md5(headers: Mapping[str, str]) -> str | None:
    """The digest that the sender says the body has; raises InvalidHeader."""
    text = headers.get("Content-MD5")
    if text is None:
        return None
    try:
        is_digest = len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        is_digest = False
    if not is_digest:
        raise InvalidHeader
    return text


def read_range(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """First and last byte that are asked for; None is all of them.

    Raises:
        InvalidRange: the first byte lies behind the last of the blob.
    """
    text = headers.get("x-ms-range") or headers.get("Range")
    if text is None:
        return None
    first, dash, last = text.removeprefix("bytes=").partition("-")
    if not text.startswith("bytes=") or not dash or not first.isdecimal():
        return None  # as for a range that cannot be read, HTTP says: all of it
    if int(first) >= size:
        raise InvalidRange
    end = min(int(last), size - 1) if last.isdecimal() else size - 1
    return (int(first), end) if end >= int(first) else None


def read_block_list(body: bytes) -> list[str]:
    """The ids of a block list; raises InvalidBlockList, BlobError."""
    try:
        root = SafeET.fromstring(body)
    except (ET.ParseError, DefusedXmlException, ValueError) as error:
        raise BlobError("One of the XML nodes is not in the correct format.") from error
    ids: list[str] = []
    for node in root:
        if node.tag == "Committed":
            raise InvalidBlockList("Committed blocks cannot be used again in the emulator.")
        ids.append((node.text or "").strip())
    return ids


def blob_headers(blob: Blob) -> dict[str, str]:
    """What an answer says of a blob."""
    headers = {
        "ETag": blob.etag,
        "Last-Modified": _rfc1123(blob.modified),
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": _rfc1123(blob.created),
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
        "Content-Type": blob.properties.content_type,
    }
    if blob.properties.content_encoding:
        headers["Content-Encoding"] = blob.properties.content_encoding
    return headers | {f"{_META}{key}": value for key, value in blob.properties.metadata.items()}


def container_list(
    service: str, prefix: str, containers: Iterable[tuple[str, str, datetime]]
) -> str:
    """The XML of a list of containers."""
    root = ET.Element("EnumerationResults", ServiceEndpoint=service)
    ET.SubElement(root, "Prefix").text = prefix
    listed = ET.SubElement(root, "Containers")
    for name, etag, modified in containers:
        entry = ET.SubElement(listed, "Container")
        ET.SubElement(entry, "Name").text = name
        properties = ET.SubElement(entry, "Properties")
        ET.SubElement(properties, "Last-Modified").text = _rfc1123(modified)
        ET.SubElement(properties, "Etag").text = etag
    ET.SubElement(root, "NextMarker")
    return _text(root)


def blob_list(
    service: str,
    container: str,
    asked: ListRequest,
    found: Sequence[Blob | str],
    following: str,
) -> str:
    """The XML of a list of blobs; a text among them is a prefix that stands for several."""
    root = ET.Element("EnumerationResults", ServiceEndpoint=service, ContainerName=container)
    for name, value in (
        ("Prefix", asked.prefix),
        ("Marker", asked.marker),
        ("MaxResults", str(asked.limit)),
        ("Delimiter", asked.delimiter),
    ):
        if value:
            ET.SubElement(root, name).text = value
    listed = ET.SubElement(root, "Blobs")
    for each in found:
        if isinstance(each, str):
            ET.SubElement(ET.SubElement(listed, "BlobPrefix"), "Name").text = each
        else:
            _blob_entry(listed, each)
    ET.SubElement(root, "NextMarker").text = following
    return _text(root)


def _blob_entry(listed: ET.Element, blob: Blob) -> None:
    entry = ET.SubElement(listed, "Blob")
    ET.SubElement(entry, "Name").text = blob.name
    properties = ET.SubElement(entry, "Properties")
    for name, value in (
        ("Creation-Time", _rfc1123(blob.created)),
        ("Last-Modified", _rfc1123(blob.modified)),
        ("Etag", blob.etag.strip('"')),
        ("Content-Length", str(blob.size)),
        ("Content-Type", blob.properties.content_type),
        ("Content-MD5", blob.md5),
        ("BlobType", "BlockBlob"),
        ("LeaseStatus", "unlocked"),
        ("LeaseState", "available"),
    ):
        ET.SubElement(properties, name).text = value


def _rfc1123(instant: datetime) -> str:
    return format_datetime(instant, usegmt=True)


def _text(root: ET.Element) -> str:
    return ET.tostring(root, encoding="unicode", xml_declaration=True)
