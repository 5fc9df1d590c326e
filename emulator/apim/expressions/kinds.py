"""Which Python values are of which type of the expression language: what casts check."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from multidict import MultiMapping

from emulator.apim.expressions import jsontokens
from emulator.apim.expressions.library.regex import RegexGroup, RegexMatch
from emulator.apim.expressions.types import Type
from emulator.apim.expressions.values import Char, Pair
from emulator.apim.jwt import BasicCredentials, Jwt
from emulator.apim.messages import Request, Response, Url

_CHECKS: dict[str, Callable[[object], bool]] = {
    "object": lambda _: True,
    "string": lambda v: isinstance(v, str) and not isinstance(v, Char),
    "char": lambda v: isinstance(v, Char),
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "double": lambda v: isinstance(v, float),
    "Guid": lambda v: isinstance(v, uuid.UUID),
    "DateTime": lambda v: isinstance(v, datetime),
    "TimeSpan": lambda v: isinstance(v, timedelta),
    "Headers": lambda v: isinstance(v, MultiMapping),
    "List": lambda v: isinstance(v, list),
    "IEnumerable": lambda v: isinstance(v, list | MultiMapping | jsontokens.JArray),
    "JToken": lambda v: isinstance(v, jsontokens.JToken),
    "JObject": lambda v: isinstance(v, jsontokens.JObject),
    "JArray": lambda v: isinstance(v, jsontokens.JArray),
    "JValue": lambda v: isinstance(v, jsontokens.JValue),
    "JProperty": lambda v: isinstance(v, jsontokens.JProperty),
    "Jwt": lambda v: isinstance(v, Jwt),
    "BasicAuthCredentials": lambda v: isinstance(v, BasicCredentials),
    "IResponse": lambda v: isinstance(v, Response),
    "IRequest": lambda v: isinstance(v, Request),
    "IUrl": lambda v: isinstance(v, Url),
    "Match": lambda v: isinstance(v, RegexMatch),
    "Group": lambda v: isinstance(v, RegexGroup),
    "KeyValuePair": lambda v: isinstance(v, Pair),
}


def is_instance(value: object, kind: Type) -> bool:
    """Whether a value that is not null is of the type. What is inside an array is not looked at."""
    if kind.name == "Nullable":
        return is_instance(value, kind.args[0])
    if kind.name == "[]":
        return isinstance(value, bytes if kind.args[0].name == "byte" else list)
    check = _CHECKS.get(kind.name)
    return check is not None and check(value)
