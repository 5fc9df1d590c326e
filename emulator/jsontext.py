"""JSON from outside, for the doors that take it: whatever is wrong with it is one `ValueError`.

What `json.loads` lets pass, or raises something else for, would be told as a fault of the server:
bytes that are not UTF-8, nesting too deep to be read, `NaN` and `Infinity`, half a surrogate pair.
"""

import json
from typing import Any, NoReturn


def read(data: bytes | str) -> Any:
    """The value.

    Raises:
        ValueError: it is not JSON; the text says why.
    """
    try:
        value = json.loads(data, parse_constant=_refuse)
        # Bytes without an escape hold whole letters only.
        if isinstance(data, str) or b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except UnicodeError as error:
        raise ValueError(f"it is no Unicode text: {error}") from None
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
