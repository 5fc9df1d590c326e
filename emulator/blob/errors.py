"""What Blob storage says when it refuses: status, code, message; as XML on the wire.

Source: Blob service REST reference, "Blob service error codes". Texts were not compared with the
service.
"""

from xml.sax.saxutils import escape


class BlobError(Exception):
    """A refusal."""

    status = 400
    code = "InvalidInput"
    message = "One of the request inputs is not valid."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    def xml(self) -> str:
        """The answer's body."""
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            f"<Error><Code>{self.code}</Code><Message>{escape(str(self))}</Message></Error>"
        )


class InvalidHeader(BlobError):
    """A header has a value that makes no sense."""

    code = "InvalidHeaderValue"
    message = "The value for one of the HTTP headers is not in the correct format."


class InvalidName(BlobError):
    """The name of a container or blob is not allowed."""

    code = "InvalidResourceName"
    message = "The specified resource name contains invalid characters."


class InvalidBlockList(BlobError):
    """A block of the list was not uploaded."""

    code = "InvalidBlockList"
    message = "The specified block list is invalid."


class Md5Mismatch(BlobError):
    """The content is not what its sender says."""

    code = "Md5Mismatch"
    message = "The MD5 value specified in the request did not match with the MD5 value calculated."


class BlobNotFound(BlobError):
    """There is no such blob."""

    status = 404
    code = "BlobNotFound"
    message = "The specified blob does not exist."


class ContainerNotFound(BlobError):
    """There is no such container."""

    status = 404
    code = "ContainerNotFound"
    message = "The specified container does not exist."


class ResourceNotFound(BlobError):
    """There is no such account."""

    status = 404
    code = "ResourceNotFound"
    message = "The specified resource does not exist."


class BlobAlreadyExists(BlobError):
    """The blob is there, and must not be."""

    status = 409
    code = "BlobAlreadyExists"
    message = "The specified blob already exists."


class ContainerAlreadyExists(BlobError):
    """The container is there."""

    status = 409
    code = "ContainerAlreadyExists"
    message = "The specified container already exists."


class ConditionNotMet(BlobError):
    """The blob has another etag than the request wants."""

    status = 412
    code = "ConditionNotMet"
    message = "The condition specified using HTTP conditional header(s) is not met."


class TooLarge(BlobError):
    """More bytes than one request may bring."""

    status = 413
    code = "RequestBodyTooLarge"
    message = "The request body is too large and exceeds the maximum permissible limit."


class InvalidRange(BlobError):
    """The range lies outside of the blob."""

    status = 416
    code = "InvalidRange"
    message = "The range specified is invalid for the current size of the resource."


class NotImplementedHere(BlobError):
    """An operation that the emulator does not have."""

    status = 501
    code = "APINotImplemented"
    message = "Current API is not implemented by the emulator."
