"""Reads a policy file: well-formed XML with the line of every element, and nothing that expands.

Document types, entities and processing instructions are refused, so a policy file can neither grow
without end nor reach for another file. The vendor's "raw" form, with bare quotes inside an
attribute, is not XML: it is refused with a hint, since the files are deployed with `format 'xml'`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import create_parser

# The vendor's limit for one policy document.
SIZE_LIMIT = 256 * 1024
DEPTH_LIMIT = 50
_BARE_QUOTE = re.compile(r'="@[({][^"]*"[^\s/>]')


class DocumentError(Exception):
    """The file is no policy document; `line` says where."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass
class Element:
    """An element; `text` is the character data directly inside it."""

    name: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def every(self) -> Iterator["Element"]:
        """The element and all below it."""
        yield self
        for child in self.children:
            yield from child.every()


class _Builder(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[list[str]] = []

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX names it
        locator = self._locator  # type: ignore[attr-defined]  # set by ContentHandler
        line = locator.getLineNumber()
        if len(self._open) >= DEPTH_LIMIT:
            raise DocumentError(line, f"elements are nested deeper than {DEPTH_LIMIT}")
        element = Element(name, dict(attrs.items()), line)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.append([])

    def characters(self, content: str) -> None:
        self._text[-1].append(content)

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002 - SAX names it
        self._open.pop().text = "".join(self._text.pop())

    def processingInstruction(self, target: str, data: str) -> None:  # noqa: N802, ARG002 - SAX
        locator = self._locator  # type: ignore[attr-defined]  # set by ContentHandler
        raise DocumentError(locator.getLineNumber(), "processing instructions are not allowed")


def read_document(path: Path) -> Element:
    """The root element of a policy file.

    Raises:
        DocumentError: it cannot be read, is no well-formed XML, or holds a document type.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(1, f"cannot be read: {error.strerror}") from error
    return parse_document(data)


def parse_document(data: bytes) -> Element:
    """The root element of a policy document; raises as `read_document`."""
    if len(data) > SIZE_LIMIT:
        raise DocumentError(1, f"is larger than {SIZE_LIMIT // 1024} KiB")
    builder = _Builder()
    parser = create_parser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(builder)
    try:
        parser.parse(BytesIO(data))
    except SAXParseException as error:
        raise DocumentError(*_explained(error, data)) from error
    except DefusedXmlException as error:
        raise DocumentError(1, "document types and entities are not allowed") from error
    except SAXException as error:
        raise DocumentError(1, f"is not well-formed XML: {error}") from error
    if builder.root is None:
        raise DocumentError(1, "is empty")
    return builder.root


def _explained(error: SAXParseException, data: bytes) -> tuple[int, str]:
    line = error.getLineNumber() or 1
    text = f"is not well-formed XML: {error.getMessage()}"
    lines = data.decode("utf-8", "replace").splitlines()
    around = lines[max(0, line - 3) : line]
    if any(_BARE_QUOTE.search(candidate) for candidate in around):
        text += '; quotes inside an attribute are written &quot; (this is the "raw" policy form)'
    return line, text
