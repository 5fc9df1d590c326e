"""Policy files: what is read, and what is refused before it can do harm."""

import pytest

from emulator.apim.document import DocumentError, parse_document


def test_elements_have_their_lines_attributes_and_texts() -> None:
    root = parse_document(
        b'<policies>\n <inbound>\n  <set-header name="a">\n<value>x &lt; y</value></set-header>'
        b"\n </inbound></policies>"
    )
    header = root.children[0].children[0]
    assert (header.name, header.line, header.attributes) == ("set-header", 3, {"name": "a"})
    assert header.children[0].text == "x < y"
    assert header.children[0].line == 4


def test_comments_and_cdata_are_read_as_xml_has_them() -> None:
    root = parse_document(b"<a><!-- <b/> --><set-body><![CDATA[<x/>]]></set-body></a>")
    assert [child.text for child in root.children] == ["<x/>"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no element found"),
        (b"<a>", "no element found"),
        (b"<a></b>", "mismatched tag"),
        (b'<a x="1" x="2"/>', "duplicate attribute"),
        (b"\xff\xfe<", "not well-formed"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document types and entities"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document types and entities"),
        (
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
            "document types and entities",
        ),
        (
            b'<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;">]><a>&c;</a>',
            "document types and entities",
        ),
        (b"<!DOCTYPE a><a/>", "document types and entities"),
        (b"<a>&undefined;</a>", "undefined entity"),
        (b"<a><?php x ?></a>", "processing instructions"),
        (b"<a>" * 60 + b"</a>" * 60, "nested deeper than 50"),
        (b"<a>" + b" " * 300_000 + b"</a>", "larger than 256 KiB"),
    ],
)
def test_what_is_no_policy_document_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        parse_document(data)


def test_the_raw_form_is_refused_with_a_hint() -> None:
    data = b'<policies>\n<inbound>\n<set-variable name="x" value="@("a" + 1)" />\n</inbound>'
    with pytest.raises(DocumentError, match="&quot;") as caught:
        parse_document(data)
    assert caught.value.line == 3
