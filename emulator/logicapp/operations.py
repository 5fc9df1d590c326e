"""The operations of managed connectors that there are, found by connector, method and path.

Pure. A path is looked up with its expressions blotted out, so that an operation that is not
supported is refused when the workflow is loaded.

Source: the connectors' reference, "Service Bus", "Azure Blob Storage", "Azure Cosmos DB".
"""

from dataclasses import dataclass

from emulator.logicapp.expressions.syntax import Interpolation


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        path: its segments; `*` is one that the workflow names.
        times_encoded: how often such a segment is percent-encoded.
    """

    api: str
    name: str
    method: str
    path: tuple[str, ...]
    times_encoded: int


def _operation(api: str, name: str, method: str, path: str, times_encoded: int) -> Operation:
    return Operation(api, name, method, tuple(path.split("/")), times_encoded)


PEEK_LOCK = _operation("servicebus", "peek", "get", "*/messages/head/peek", 2)
OPERATIONS = (
    PEEK_LOCK,
    _operation("servicebus", "complete", "delete", "*/messages/complete", 2),
    _operation("servicebus", "deadletter", "post", "*/messages/deadletter", 2),
    _operation("servicebus", "abandon", "post", "*/messages/abandon", 2),
    _operation("servicebus", "renewlock", "post", "*/messages/renewlock", 2),
    _operation("azureblob", "read", "get", "v2/datasets/*/GetFileContentByPath", 2),
    _operation("documentdb", "upsert", "post", "v2/cosmosdb/*/dbs/*/colls/*/docs", 1),
)


def find_operation(api: str, method: str, path: str | Interpolation) -> Operation | None:
    """The operation that a path of the definition means; None if there is none."""
    segments = _blotted(path).strip("/").split("/")
    for operation in OPERATIONS:
        if (operation.api, operation.method) != (api, method.lower()):
            continue
        if len(segments) == len(operation.path) and all(
            wanted == "*" or wanted.lower() == found.lower()
            for wanted, found in zip(operation.path, segments, strict=True)
        ):
            return operation
    return None


def _blotted(path: str | Interpolation) -> str:
    if isinstance(path, str):
        return path
    return "".join(part if isinstance(part, str) else "*" for part in path.parts)
