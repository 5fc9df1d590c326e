"""The converter for bindings that `azure.functions` has none for, and for plain text parameters.

The library leaves this one to the worker: it hands text and bytes through untouched and turns what
a function returns into the datum of its type. `azure.functions` keeps the typed converters.

Source: the Python worker's "generic" binding.
"""

import json
from typing import Any

from azure.functions.meta import Datum


class GenericConverter:
    """Converts `str` and `bytes` parameters, and every value a generic output may have."""

    @staticmethod
    def has_trigger_support() -> bool:
        """Generic bindings are never shown the trigger's metadata."""
        return False

    @staticmethod
    def has_implicit_output(binding_type: str) -> bool:
        """Whether the return value belongs to this binding without a `$return`."""
        return binding_type != "durableClient"

    @staticmethod
    def check_input_type_annotation(annotation: type) -> bool:
        """Whether a parameter of this type can be given a value."""
        return issubclass(annotation, (str, bytes))

    @staticmethod
    def check_output_type_annotation(annotation: type) -> bool:
        """Whether an output of this type can be sent."""
        return issubclass(annotation, (str, bytes, bytearray))

    @staticmethod
    def decode(data: Datum | None, *, trigger_metadata: Any = None) -> Any:  # noqa: ARG004 - the converters' common signature
        """The value as it came; JSON stays text.

        Raises:
            ValueError: the datum is of a kind that generic bindings do not take.
        """
        if data is None or data.type is None:
            return None
        if data.type in ("string", "bytes", "json"):
            return data.value
        raise ValueError(
            'unexpected type of data received for the "generic" binding ', repr(data.type)
        )

    @staticmethod
    def encode(value: Any, *, expected_type: Any = None) -> Datum:  # noqa: ARG004 - the converters' common signature
        """The datum of a value's own type.

        Raises:
            NotImplementedError: a value that no datum can hold.
        """
        if value is None:
            return Datum(None, None)
        if isinstance(value, str):
            return Datum(value, "string")
        if isinstance(value, bytes | bytearray):
            return Datum(bytes(value), "bytes")
        if isinstance(value, dict | list):
            return Datum(json.dumps(value), "json")
        if isinstance(value, int):  # bool lands here too, as it does on Azure
            return Datum(int(value), "int")
        if isinstance(value, float):
            return Datum(value, "double")
        raise NotImplementedError
