"""The effective partition key: one string for a partition key's value, by which rows are compared.

Answers the hash of a value (version 2, MurmurHash3 x64 128), for a single key and for each level of
a hierarchical one. Two keys are the same partition key if these strings are equal, and a range of
keys is a range of these strings. Pure; called by `partition`.

Source: specification, section 5, whose table of examples is a test. Hash version 1 is left out.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from emulator.cosmos.values import Undefined

_MASK = 0xFFFFFFFFFFFFFFFF
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK


def _finish(value: int) -> int:
    value = ((value ^ (value >> 33)) * 0xFF51AFD7ED558CCD) & _MASK
    value = ((value ^ (value >> 33)) * 0xC4CEB9FE1A85EC53) & _MASK
    return value ^ (value >> 33)


def murmur3_128(data: bytes) -> tuple[int, int]:
    """MurmurHash3 x64 128 with seed 0, as its two words."""
    low = high = 0
    whole = len(data) & ~15
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        low ^= _rotate(k1 * _C1 & _MASK, 31) * _C2 & _MASK
        low = ((_rotate(low, 27) + high) * 5 + 0x52DCE729) & _MASK
        high ^= _rotate(k2 * _C2 & _MASK, 33) * _C1 & _MASK
        high = ((_rotate(high, 31) + low) * 5 + 0x38495AB5) & _MASK
    if len(data) > whole:
        k1, k2 = struct.unpack("<QQ", data[whole:].ljust(16, b"\0"))
        high ^= _rotate(k2 * _C2 & _MASK, 33) * _C1 & _MASK
        low ^= _rotate(k1 * _C1 & _MASK, 31) * _C2 & _MASK
    low ^= len(data)
    high ^= len(data)
    low = (low + high) & _MASK
    high = (high + low) & _MASK
    low, high = _finish(low), _finish(high)
    low = (low + high) & _MASK
    return low, (high + low) & _MASK


def encode(value: Any) -> bytes:
    """The bytes of one component that are hashed."""
    if isinstance(value, str):
        return b"\x08" + value.encode() + b"\xff"
    if value is None:
        return b"\x01"
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if isinstance(value, Undefined):
        return b"\x00"
    return b"\x05" + struct.pack("<d", value)


@lru_cache(maxsize=65536)
def _hash(data: bytes) -> str:
    low, high = murmur3_128(data)
    return f"{high & 0x3FFFFFFFFFFFFFFF:016X}{low:016X}"


def effective_key(values: Sequence[Any], *, is_hierarchical: bool) -> str:
    """The string for a partition key, or for the leading levels of a hierarchical one."""
    if is_hierarchical:
        return "".join([_hash(encode(value)) for value in values])
    return _hash(b"".join([encode(value) for value in values]))
