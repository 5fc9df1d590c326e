"""Names, conditions, the filter of the deployed subscription, and the event."""

from datetime import UTC, datetime

import pytest

from emulator.blob.errors import (
    BlobAlreadyExists,
    BlobError,
    BlobNotFound,
    ConditionNotMet,
    InvalidBlockList,
    InvalidName,
    InvalidRange,
)
from emulator.blob.model import (
    ORDER_FILES,
    Blob,
    Conditions,
    Properties,
    check_blob_name,
    check_container,
    created_event,
)
from emulator.blob.wire import read_block_list, read_md5, read_properties, read_range
from tests.support.infra import plan

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SUBSCRIPTION = "Microsoft.EventGrid/systemTopics/eventSubscriptions"


def event(name="orders.json", container="inputfiles", api="PutBlob"):
    blob = Blob(container, name, "f", 3, "md5", '"0x8A"', NOW, NOW, Properties("application/json"))
    return created_event(
        blob, account="a", api=api, event_id="e", request_id="r", url="http://u", sequencer=7
    )


def test_the_filter_is_that_of_the_deployed_subscription():
    deployed = plan().one(SUBSCRIPTION)
    wanted = deployed.properties["filter"]
    assert deployed.path.endswith(f"/{ORDER_FILES.name}")
    assert wanted["subjectBeginsWith"] == ORDER_FILES.subject_begins_with
    assert wanted["subjectEndsWith"] == ORDER_FILES.subject_ends_with
    assert wanted["includedEventTypes"] == list(ORDER_FILES.included_event_types)
    assert wanted["advancedFilters"] == [
        {"operatorType": "StringIn", "key": "data.api", "values": list(ORDER_FILES.apis)}
    ]


@pytest.mark.parametrize(
    ("given", "is_wanted"),
    [
        (event(), True),
        (event("day 1/Ünïcode.JSON"), True),
        (event(api="PutBlockList"), True),
        (event("orders.json.part"), False),
        (event("orders.csv"), False),
        (event(container="inputfiles2"), False),
        (event(api="CopyBlob"), False),
        (event() | {"type": "Microsoft.Storage.BlobDeleted"}, False),
    ],
)
def test_only_whole_json_files_of_the_container_are_wanted(given, is_wanted):
    assert ORDER_FILES.wants(given) is is_wanted


def test_the_event_says_which_blob_it_was():
    told = event("day 1/é.json")
    assert told["specversion"] == "1.0"
    assert told["subject"] == "/blobServices/default/containers/inputfiles/blobs/day 1/é.json"
    assert told["time"] == "2026-11-20T09:30:00.0000000Z"
    assert told["data"]["eTag"] == "0x8A"
    assert told["data"]["sequencer"] == f"{7:032}"


@pytest.mark.parametrize("name", ["inputfiles", "a-1", "abc", "$root", "x" * 63])
def test_names_that_a_container_may_have(name):
    check_container(name)


@pytest.mark.parametrize("name", ["", "ab", "Abc", "a--b", "-ab", "ab-", "a_b", "x" * 64, "../x"])
def test_names_that_no_container_may_have(name):
    with pytest.raises(InvalidName):
        check_container(name)


@pytest.mark.parametrize("name", ["", "x" * 1025, "a\x00b"])
def test_names_that_no_blob_may_have(name):
    with pytest.raises(InvalidName):
        check_blob_name(name)


@pytest.mark.parametrize(
    ("conditions", "etag", "error"),
    [
        (Conditions(if_none_match="*"), '"1"', BlobAlreadyExists),
        (Conditions(if_match='"2"'), '"1"', ConditionNotMet),
        (Conditions(if_none_match='"1"'), '"1"', ConditionNotMet),
        (Conditions(if_match='"1"'), None, ConditionNotMet),
        (Conditions(if_match="*"), None, BlobNotFound),
        (Conditions(if_none_match="*"), None, None),
        (Conditions(if_match='"1"'), '"1"', None),
        (Conditions(if_match="*"), '"1"', None),
        (Conditions(), '"1"', None),
        (Conditions(), None, None),
    ],
)
def test_a_write_is_refused_when_its_conditions_are_not_met(conditions, etag, error):
    if error is None:
        conditions.check_write(etag)
        return
    with pytest.raises(error):
        conditions.check_write(etag)


def test_a_reader_with_this_version_needs_no_other():
    assert Conditions(if_none_match='"1"').is_unchanged('"1"')
    assert not Conditions(if_none_match='"2"').is_unchanged('"1"')
    with pytest.raises(ConditionNotMet):
        Conditions(if_match='"2"').is_unchanged('"1"')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("bytes=0-3", (0, 3)),
        ("bytes=4-", (4, 9)),
        ("bytes=4-99", (4, 9)),
        ("bytes=-3", None),
        ("bytes=5-2", None),
        ("lines=1-2", None),
    ],
)
def test_ranges_are_read(text, expected):
    assert read_range({} if text is None else {"Range": text}, 10) == expected


def test_a_range_behind_the_end_is_refused():
    with pytest.raises(InvalidRange):
        read_range({"x-ms-range": "bytes=10-11"}, 10)
    with pytest.raises(InvalidRange):
        read_range({"x-ms-range": "bytes=0-"}, 0)


def test_the_blobs_own_content_type_is_stronger_than_the_requests():
    headers = {"x-ms-blob-content-type": "application/json", "Content-Type": "text/plain"}
    assert read_properties(headers).content_type == "application/json"
    assert read_properties({}).content_type == "application/octet-stream"
    assert read_properties({"x-ms-meta-Kind": "x"}).metadata == {"Kind": "x"}


def test_a_digest_that_is_none_is_refused():
    with pytest.raises(BlobError):
        read_md5({"Content-MD5": "eA=="})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<BlockList><Latest>YQ==</Latest></BlockList", BlobError),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><BlockList>&a;</BlockList>', BlobError),
        (b"<BlockList><Committed>YQ==</Committed></BlockList>", InvalidBlockList),
    ],
)
def test_a_block_list_that_cannot_be_taken_is_refused(body, error):
    with pytest.raises(error):
        read_block_list(body)


def test_a_block_list_names_its_blocks_in_order():
    body = b"<BlockList><Latest>YQ==</Latest><Uncommitted>Yg==</Uncommitted></BlockList>"
    assert read_block_list(body) == ["YQ==", "Yg=="]
