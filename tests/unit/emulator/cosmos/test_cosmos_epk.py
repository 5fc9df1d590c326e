"""The hash of partition keys, against values of the service."""

from typing import Any

import pytest

from emulator.cosmos.epk import effective_key, murmur3_128
from emulator.cosmos.values import UNDEFINED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("c1", "332E1982AE1177D2D17C69A3A3691B22"),
        ("", "32E9366E637A71B4E710384B2F4970A0"),
        (None, "378867E4430E67857ACE5C908374FE16"),
        (UNDEFINED, "11622DAA78F835834610ABE56EFF5CB5"),
        (True, "0E711127C5B5A8E4726AC6DD306A3E59"),
        (1, "20CD98B339BA78A5D0CF6953B87070B0"),
        (1.0, "20CD98B339BA78A5D0CF6953B87070B0"),
        ("é", "007199F104E04116EE25AF912CA4889B"),
    ],
)
def test_single_keys_hash_as_in_the_service(value: Any, expected: str) -> None:
    assert effective_key([value], is_hierarchical=False) == expected


def test_each_level_of_a_hierarchical_key_is_hashed_by_itself() -> None:
    whole = effective_key(["t1", "u1"], is_hierarchical=True)
    assert whole == "3D48BB14DA9D090D22112C96695028B6" + "2A947C94F6E254B945CEBC3196C9897C"
    assert whole.startswith(effective_key(["t1"], is_hierarchical=True))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 1000])
def test_every_length_of_text_has_a_hash_of_its_own(length: int) -> None:
    hashes = {murmur3_128(b"a" * size) for size in range(length, length + 3)}
    assert len(hashes) == 3


def test_hashes_agree_with_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK computes ranges of keys by itself, with a hash of its own."""
    sdk = pytest.importorskip("azure.cosmos.partition_key")
    key = sdk.PartitionKey(path="/a")
    for value in ["x" * n for n in range(40)] + [0, -1, 2.5, 2**60, "😀", True, False]:
        key_range = key._get_epk_range_for_partition_key(value)
        assert key_range.min == effective_key([value], is_hierarchical=False)
