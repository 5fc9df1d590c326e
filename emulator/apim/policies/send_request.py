"""`send-request` and `send-one-way-request`: a call of the gateway's own, beside the main one.

Any HTTP status is a success of the policy; only a call without an answer is not. With
`ignore-error` the variable is then null.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from multidict import CIMultiDict

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.errors import backend_failed
from emulator.apim.messages import Body
from emulator.apim.outbound import OutboundFailed
from emulator.apim.policies import authentication_managed_identity as identity
from emulator.apim.policies import set_body, set_header
from emulator.apim.site import EVERYWHERE, Policy, Site, Step, Value

_log = logging.getLogger("emulator.apim")
_CHILDREN = frozenset(
    {"set-url", "set-method", "set-header", "set-body", "authentication-managed-identity"}
)


@dataclass
class _Template:
    """A message to be built: its parts, compiled."""

    copies: bool
    timeout: Value
    url: Value | None = None
    method: Value | None = None
    headers: list[set_header.Action] = field(default_factory=list)
    body: Callable[[Context], Body] | None = None
    token: Callable[..., object] | None = None


@dataclass
class _Message:
    method: str
    url: str
    headers: CIMultiDict[str]
    body: bytes | None
    timeout_s: float


def _compile_template(element: Element, site: Site) -> _Template:
    mode = site.literal(element, "mode", "new")
    if mode not in ("new", "copy"):
        site.problem(element, "mode is new or copy")
    template = _Template(mode == "copy", site.number(element, "timeout", 60, low=1, high=3600))
    template.url = _text_of(element, site, "set-url")
    template.method = _text_of(element, site, "set-method")
    if template.url is None and mode == "new":
        site.problem(element, f"{element.name} needs a set-url")
    for child in element.children:
        if child.name == "set-header" and site.check(
            child, set_header.ATTRIBUTES, frozenset({"value"})
        ):
            template.headers.append(set_header.compile_action(child, site))
    body = site.only(element, "set-body")
    if body is not None and site.check(body, set_body.ATTRIBUTES, frozenset()):
        template.body = set_body.compile_action(body, site)
    token = site.only(element, identity.NAME)
    if token is not None and site.check(token, identity.ATTRIBUTES, frozenset()):
        template.token = identity.compile_token(token, site)
    return template


def _text_of(element: Element, site: Site, name: str) -> Value | None:
    child = site.only(element, name)
    if child is None or not site.check(child, {}, frozenset()):
        return None
    return site.content(child)


async def _build(template: _Template, context: Context) -> _Message:
    request = context.request
    headers: CIMultiDict[str] = CIMultiDict(request.headers if template.copies else ())
    headers.popall("Host", None)
    headers.popall("Content-Length", None)
    method = request.method if template.copies else "GET"
    body = request.body.content if template.copies else None
    for apply in template.headers:
        apply(context, headers)
    if template.token is not None:
        token = await template.token(context)  # type: ignore[misc]  # what compile_token returns
        if token is not None:
            headers.popall("Authorization", None)
            headers["Authorization"] = f"Bearer {token}"
    if template.body is not None:
        body = template.body(context).content
    return _Message(
        template.method.text(context).upper() if template.method else method,
        template.url.text(context) if template.url else str(request.url),
        headers,
        body,
        float(template.timeout.integer(context)),
    )


def _compile(element: Element, site: Site) -> Step:
    template = _compile_template(element, site)
    variable = site.literal(element, "response-variable-name")
    ignore = site.flag(element, "ignore-error", default=False)

    async def step(context: Context) -> bool:
        if template.copies:
            await context.request.body.load()
        message = await _build(template, context)
        try:
            context.variables[variable] = await _send(context, message)
        except OutboundFailed as error:
            _log.warning("%s: %s", element.name, error)
            if not ignore:
                raise backend_failed(element.name, str(error), timed_out=error.timed_out) from error
            context.variables[variable] = None
        return False

    return step


def _compile_one_way(element: Element, site: Site) -> Step:
    template = _compile_template(element, site)

    async def step(context: Context) -> bool:
        if template.copies:
            await context.request.body.load()
        message = await _build(template, context)
        context.services.one_way.start(_send_one_way(context, message))
        return False

    return step


async def _send(context: Context, message: _Message) -> object:
    return await context.services.outbound.send(
        message.method, message.url, message.headers, message.body, message.timeout_s
    )


async def _send_one_way(context: Context, message: _Message) -> None:
    try:
        await _send(context, message)
    except OutboundFailed as error:
        _log.error("send-one-way-request of %s: %s", context.request_id, error)


POLICY = Policy(
    "send-request",
    EVERYWHERE,
    _compile,
    {"mode": False, "response-variable-name": True, "timeout": False, "ignore-error": False},
    _CHILDREN,
)
ONE_WAY = Policy(
    "send-one-way-request",
    EVERYWHERE,
    _compile_one_way,
    {"mode": False, "timeout": False},
    _CHILDREN,
)
