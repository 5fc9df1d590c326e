"""The vendor's texts for what can go wrong, and the refusals that carry them to a client.

Source: protocol specification, 3.11, 4, 9, 10.13.
"""

import json
from collections.abc import Collection


class Refused(Exception):
    """A management operation that is not done.

    Attributes:
        status: the HTTP status.
        body: the JSON body; None for an empty one.
    """

    def __init__(self, status: int, body: object = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def not_found() -> Refused:
    return Refused(404)


def gone() -> Refused:
    return Refused(410)


def bad_argument(text: str) -> Refused:
    """400 for an argument that cannot be."""
    return Refused(
        400,
        {
            "Message": "One or more of the arguments submitted is incorrect",
            "ExceptionMessage": text,
            "ExceptionType": "System.ArgumentException",
            "StackTrace": None,
        },
    )


def invalid_operation(text: str) -> Refused:
    """500 for what the instance's state does not allow."""
    return Refused(
        500,
        {
            "Message": "Something went wrong while processing your request",
            "ExceptionMessage": text,
            "ExceptionType": "System.InvalidOperationException",
            "StackTrace": None,
        },
    )


def invalid_json(text: str) -> Refused:
    """400 for a body that is not JSON."""
    return Refused(
        400,
        {
            "Message": "Invalid JSON content",
            "ExceptionMessage": text,
            "ExceptionType": "Newtonsoft.Json.JsonReaderException",
            "StackTrace": None,
        },
    )


def already_exists(status: str) -> Refused:
    return invalid_operation(f"An Orchestration instance with the status {status} already exists.")


def unknown_function(name: str, kind: str, known: Collection[str]) -> str:
    """Args: kind: `orchestrator`, `activity` or `entity`."""
    names = ", ".join(f"'{each}'" for each in sorted(known))
    return (
        f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. "
        f"Additional info: The following are the known {kind} functions: {names}."
    )


def orchestrator_failed(name: str, error: str) -> str:
    """The output of a failed orchestration."""
    return f"Orchestrator function '{name}' failed: {error}"


def unhandled(error: str, trace: str) -> str:
    """What went wrong when the code raised outside the SDK's own reporting."""
    stack = trace.strip()
    return f"One or more errors occurred. (Result: Failure\nException: {error}\nStack: {stack})"


def activity_failed(name: str, error_type: str, message: str) -> tuple[str, str]:
    """Reason and details of a failed activity; applications parse `Message` of the details."""
    text = f" {error_type}: {message}"
    details = json.dumps(
        {
            "$type": "System.Exception, System.Private.CoreLib",
            "ClassName": "System.Exception",
            "Message": text,
            "Data": None,
            "InnerException": None,
            "StackTraceString": None,
            "HResult": -2146233088,
        },
        separators=(",", ":"),
    )
    return f"Activity function '{name}' failed: {text}", details


def activity_refused(name: str, text: str) -> tuple[str, str]:
    """Reason and details of an activity that failed without its code saying so."""
    return (
        f"Activity function '{name}' failed: {text}",
        json.dumps({"ClassName": "System.Exception", "Message": text}, separators=(",", ":")),
    )


def custom_status_too_large(text: str | None) -> str | None:
    """What to say of a custom status above 16 KB, or None."""
    if text is None or len(text) * 2 < 17 * 1024:
        return None
    shown = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    size_kb = len(shown.encode("utf-16-le", "surrogatepass")) // 1024
    if size_kb <= 16:
        return None
    return (
        "The UTF-16 size of the JSON-serialized payload must not exceed 16 KB. "
        f"The current payload size is {size_kb} KB."
    )


def actions_exceeded(limit: int) -> str:
    return (
        f"Maximum amount of orchestration actions ({limit:,}) has been reached. This value can be "
        "configured in host.json file as MaxOrchestrationActions."
    )
