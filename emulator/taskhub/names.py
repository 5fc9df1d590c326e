"""Finds functions by their durable names, which match without regard to case."""

from collections.abc import Collection


def find_name(name: str, known: Collection[str]) -> str | None:
    """The known name that is meant, or None."""
    if name in known:
        return name
    lower = name.lower()
    return next((each for each in known if each.lower() == lower), None)
