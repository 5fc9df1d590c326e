"""Names, conditions and events of blobs.

Pure. The event is what Event Grid sends for a storage account, in the CloudEvents schema, and the
filter is that of the deployed subscription (`infra/app/logicapp.bicep`); a test compares the two.

Source: "Naming and referencing containers, blobs, and metadata"; "Azure Blob Storage as an Event
Grid source"; "Event filtering for Event Grid subscriptions".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulator.blob.errors import (
    BlobAlreadyExists,
    BlobNotFound,
    ConditionNotMet,
    InvalidName,
)

BLOB_CREATED = "Microsoft.Storage.BlobCreated"
_CONTAINER = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){2,62}|\$root|\$web|\$logs")
_NAME_CHARACTERS = 1024


def check_container(name: str) -> None:
    """Pass a name that a container may have; raises InvalidName."""
    if not _CONTAINER.fullmatch(name):
        raise InvalidName


def check_blob_name(name: str) -> None:
    """Pass a name that a blob may have; raises InvalidName."""
    if not 0 < len(name) <= _NAME_CHARACTERS or "\x00" in name:
        raise InvalidName


@dataclass(frozen=True)
class Properties:
    """What is told of a blob beside its content."""

    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Blob:
    """A blob as it is stored; `file` names its content."""

    container: str
    name: str
    file: str
    size: int
    md5: str
    etag: str
    created: datetime
    modified: datetime
    properties: Properties


@dataclass(frozen=True)
class Conditions:
    """What a request wants of the blob that is there."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check_write(self, etag: str | None) -> None:
        """Pass a write over a blob with this etag, or over none."""
        if self.if_none_match == "*" and etag is not None:
            raise BlobAlreadyExists
        if self.if_match is not None and etag is None:
            raise BlobNotFound if self.if_match == "*" else ConditionNotMet
        if self.if_match not in (None, "*", etag) or (
            etag is not None and self.if_none_match == etag
        ):
            raise ConditionNotMet

    def is_unchanged(self, etag: str) -> bool:
        """Whether a reader has this version already; raises ConditionNotMet."""
        if self.if_match not in (None, "*", etag):
            raise ConditionNotMet
        return self.if_none_match in ("*", etag)


@dataclass(frozen=True)
class Subscription:
    """An Event Grid subscription of the storage account, with its filter."""

    name: str
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    included_event_types: tuple[str, ...] = (BLOB_CREATED,)
    apis: tuple[str, ...] = ()

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Whether an event passes the filter; subjects are compared without regard to case."""
        subject = event["subject"].lower()
        return (
            event["type"] in self.included_event_types
            and subject.startswith(self.subject_begins_with.lower())
            and subject.endswith(self.subject_ends_with.lower())
            and (not self.apis or event["data"]["api"] in self.apis)
        )


# The one that infra/app/logicapp.bicep deploys.
ORDER_FILES = Subscription(
    name="order-files",
    subject_begins_with="/blobServices/default/containers/inputfiles/blobs/",
    subject_ends_with=".json",
    apis=("PutBlob", "PutBlockList", "FlushWithClose"),
)


def created_event(
    blob: Blob, *, account: str, api: str, event_id: str, request_id: str, url: str, sequencer: int
) -> dict[str, Any]:
    """The CloudEvent of a blob that was created or replaced."""
    return {
        "specversion": "1.0",
        "type": BLOB_CREATED,
        "source": "/subscriptions/local/resourceGroups/local/providers/Microsoft.Storage/"
        f"storageAccounts/{account}",
        "id": event_id,
        "time": f"{blob.modified:%Y-%m-%dT%H:%M:%S.%f}0Z",
        "subject": f"/blobServices/default/containers/{blob.container}/blobs/{blob.name}",
        "dataschema": "#",
        "data": {
            "api": api,
            "requestId": request_id,
            "eTag": blob.etag.strip('"'),
            "contentType": blob.properties.content_type,
            "contentLength": blob.size,
            "blobType": "BlockBlob",
            "url": url,
            "sequencer": f"{sequencer:032X}",
            "storageDiagnostics": {"batchId": event_id},
        },
    }
