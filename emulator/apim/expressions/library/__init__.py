"""What policy expressions may use: the allow-list of types and members, one table per subject.

Adding a member is one line in a table, with its C# signature, and a test.
"""

from collections import defaultdict

from emulator.apim.expressions.library import collections, context, json, numbers, regex, text
from emulator.apim.expressions.library.signatures import Function
from emulator.apim.expressions.types import Type, supertypes

_MEMBERS: dict[tuple[str, str], list[Function]] = defaultdict(list)
_STATICS: dict[tuple[str, str], list[Function]] = defaultdict(list)
for _table in (collections, context, json, numbers, regex, text):
    for _function in _table.FUNCTIONS:
        _target = _STATICS if _function.static else _MEMBERS
        _target[_function.owner.name, _function.name].append(_function)

STATIC_TYPES = frozenset(owner for owner, _ in _STATICS)


def members(kind: Type, name: str) -> list[Function]:
    """The members of that name which values of the type have, the nearest type's first."""
    return [found for owner in supertypes(kind) for found in _MEMBERS.get((owner.name, name), ())]


def statics(owner: str, name: str) -> list[Function]:
    """The static members (or constructors, named `new`) of that name which the type has."""
    return list(_STATICS.get((owner, name), ()))


def names(kind: Type) -> list[str]:
    """The names of all members of a type, sorted."""
    owners = {owner.name for owner in supertypes(kind)}
    return sorted({name for owner, name in _MEMBERS if owner in owners and name != "[]"})


def static_names(owner: str) -> list[str]:
    """The names of all static members of a type, sorted."""
    return sorted({name for type_name, name in _STATICS if type_name == owner and name != "new"})
