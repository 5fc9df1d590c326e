"""Azure Blob storage, locally: block blobs in a folder, and the events that tell of them."""

from emulator.blob.errors import BlobError
from emulator.blob.model import ORDER_FILES, Blob, Conditions, Properties, Subscription
from emulator.blob.receipts import Receipts
from emulator.blob.server import create_app
from emulator.blob.service import ACCOUNT, BlobService, Upload
from emulator.blob.store import SCHEMA, SCHEMA_VERSION

__all__ = [
    "ACCOUNT",
    "ORDER_FILES",
    "SCHEMA",
    "SCHEMA_VERSION",
    "Blob",
    "BlobError",
    "BlobService",
    "Conditions",
    "Properties",
    "Receipts",
    "Subscription",
    "Upload",
    "create_app",
]
