"""`context` and what hangs on it: request, response, API, product, variables, tokens.

The objects are those of `emulator/apim/context.py` and `messages.py`; here are only their C# names.
"""

import base64
import binascii
from typing import Any

from multidict import MultiMapping

from emulator.apim.expressions import jsontokens
from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.kinds import is_instance
from emulator.apim.expressions.library.signatures import function as f
from emulator.apim.expressions.types import Type
from emulator.apim.expressions.values import default_of
from emulator.apim.jwt import BasicCredentials, decode_unverified
from emulator.apim.messages import Body, BodyConsumed

_MISSING = "The given key was not present in the dictionary."


def _values(mapping: MultiMapping[str], name: str) -> list[str]:
    found = mapping.getall(name, [])
    if not found:
        raise ExpressionFailure(_MISSING)
    return list(found)


def _joined(mapping: MultiMapping[str], name: str, default: str | None = None) -> str | None:
    found = mapping.getall(name, [])
    return ",".join(found) if found else default


def _try_values(mapping: MultiMapping[str], name: str) -> tuple[bool, list[str] | None]:
    found = mapping.getall(name, [])
    return bool(found), list(found) or None


def _entry(mapping: dict[str, Any], name: str) -> Any:
    if name not in mapping:
        raise ExpressionFailure(_MISSING)
    return mapping[name]


def _typed_variable(kind: Type, variables: dict[str, Any], name: str, *default: Any) -> Any:
    if name not in variables:
        return default[0] if default else default_of(kind)
    value = variables[name]
    if value is not None and not is_instance(value, kind):
        raise ExpressionFailure(f"The variable {name!r} is not of the type {kind}.")
    return value


def _read(kind: Type, body: Body, preserve: bool) -> Any:
    try:
        data = body.take(preserve=preserve)
    except BodyConsumed as error:
        raise ExpressionFailure("The body has been read before without preserveContent.") from error
    if data is None:
        return None
    if kind == Type("[]", (Type("byte"),)):
        return data
    text = data.decode("utf-8-sig", "replace")
    if kind.name == "string":
        return text
    wanted = {
        "JObject": jsontokens.JObject,
        "JArray": jsontokens.JArray,
        "JToken": jsontokens.JToken,
    }.get(kind.name)
    if wanted is None:
        raise ExpressionFailure(f"A body cannot be read as {kind}.")
    return jsontokens.parse(text, wanted)


def _basic(text: str) -> BasicCredentials | None:
    scheme, _, encoded = text.partition(" ")
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return BasicCredentials(user, password) if colon and scheme.lower() == "basic" else None


def _plain(owner: str, **members: str) -> list[Any]:
    """Properties that read the attribute named by the part in front of the colon."""
    made = []
    for name, spec in members.items():
        attribute, _, kind = spec.partition(":")
        made.append(f(f"{owner}.{name}: {kind}", lambda o, a=attribute: getattr(o, a)))
    return made


# One signature, one line.
# ruff: noqa: E501
FUNCTIONS = [
    *_plain(
        "Context",
        Api="api:IApi",
        Operation="operation:IOperation",
        Product="product:IProduct",
        Subscription="subscription:ISubscription",
        User="user:IUser",
        Deployment="deployment:IDeployment",
        Request="request:IRequest",
        Response="response:IResponse",
        Variables="variables:Variables",
        LastError="last_error:ILastError",
        RequestId="request_id:Guid",
        Timestamp="timestamp:DateTime",
        Elapsed="elapsed:TimeSpan",
        Tracing="tracing:bool",
    ),
    f("Context.Trace(string message): void", lambda c, text: c.note(text)),
    *_plain(
        "IApi",
        Id="id:string",
        Name="name:string",
        Path="path:string",
        Revision="revision:string",
        Version="version:string",
        ServiceUrl="service_url:IUrl",
        IsCurrentRevision="is_current_revision:bool",
    ),
    *_plain(
        "IOperation",
        Id="id:string",
        Name="name:string",
        Method="method:string",
        UrlTemplate="url_template:string",
    ),
    *_plain(
        "IProduct",
        Id="id:string",
        Name="name:string",
        SubscriptionRequired="subscription_required:bool",
        State="state:string",
    ),
    f("IProduct.Apis: List<IApi>", lambda p: list(p.apis)),
    *_plain(
        "ISubscription",
        Id="id:string",
        Name="name:string",
        Key="key:string",
        PrimaryKey="primary_key:string",
        SecondaryKey="secondary_key:string",
        CreatedDate="created:DateTime",
    ),
    *_plain("IDeployment", GatewayId="gateway_id:string", Region="region:string"),
    *_plain("IDeployment", ServiceName="service_name:string"),
    *_plain("IUser", Id="id:string", Email="email:string"),
    *_plain(
        "ILastError",
        Source="source:string",
        Reason="reason:string",
        Message="message:string",
        Scope="scope:string",
        Section="section:string",
        Path="path:string",
        PolicyId="policy_id:string",
    ),
    *_plain(
        "IRequest",
        Method="method:string",
        Url="url:IUrl",
        OriginalUrl="original_url:IUrl",
        IpAddress="ip:string",
        Headers="headers:Headers",
        MatchedParameters="matched:Parameters",
    ),
    f("IRequest.Body: IMessageBody", lambda r: r.body, reads_body="request"),
    *_plain(
        "IUrl",
        Scheme="scheme:string",
        Host="host:string",
        Port="port:int",
        Path="path:string",
        QueryString="query_string:string",
        Query="query:Headers",
    ),
    *_plain("IResponse", StatusCode="status:int", StatusReason="reason:string"),
    *_plain("IResponse", Headers="headers:Headers"),
    f("IResponse.Body: IMessageBody", lambda r: r.body, reads_body="response"),
    f("IMessageBody.As<T>(bool preserveContent = false): T", _read, typed="T"),
    f("Headers.[](string name): string[]", _values),
    f("Headers.ContainsKey(string name): bool", lambda m, n: n in m),
    f("Headers.GetValueOrDefault(string name): string", _joined),
    f("Headers.GetValueOrDefault(string name, string default): string", _joined),
    f("Headers.TryGetValue(string name, out string[] values): bool", _try_values),
    f("Parameters.[](string name): string", _entry),
    f("Parameters.ContainsKey(string name): bool", lambda m, n: n in m),
    f("Parameters.GetValueOrDefault(string name, string default): string", lambda m, n, d: m.get(n, d)),
    f("Variables.[](string name): object", _entry),
    f("Variables.ContainsKey(string name): bool", lambda m, n: n in m),
    f("Variables.GetValueOrDefault<T>(string name): T", _typed_variable, typed="T"),
    f("Variables.GetValueOrDefault<T>(string name, T default): T", _typed_variable, typed="T"),
    f("Variables.GetValueOrDefault(string name): object", lambda m, n: m.get(n)),
    f("Variables.GetValueOrDefault(string name, object default): object", lambda m, n, d: m.get(n, d)),
    f("KeyValuePair.Key: string", lambda p: p.key),
    f("KeyValuePair.Value: string[]", lambda p: p.value),
    f("string.AsJwt(): Jwt", decode_unverified),
    f("string.AsBasic(): BasicAuthCredentials", _basic),
    f("BasicAuthCredentials.UserId: string", lambda b: b.user),
    f("BasicAuthCredentials.Password: string", lambda b: b.password),
    f("Jwt.Claims: Headers", lambda t: t.claims),
    f("Jwt.Audiences: string[]", lambda t: list(t.audiences)),
    f("Jwt.Algorithm: string", lambda t: t.header.get("alg")),
    f("Jwt.Type: string", lambda t: t.header.get("typ")),
    f("Jwt.Id: string", lambda t: t.text("jti")),
    f("Jwt.Issuer: string", lambda t: t.text("iss")),
    f("Jwt.Subject: string", lambda t: t.text("sub")),
    f("Jwt.ExpirationTime: DateTime?", lambda t: t.instant("exp")),
    f("Jwt.NotBefore: DateTime?", lambda t: t.instant("nbf")),
    f("Jwt.IssuedAt: DateTime?", lambda t: t.instant("iat")),
]  # fmt: skip
