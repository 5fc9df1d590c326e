"""The gateway: one request from the key check to the answer, through the policies of its chain.

    match API and operation -> key -> inbound -> backend -> outbound -> answer
                                 \\__________ an error __________/ -> on-error -> answer

What is served is an immutable snapshot; a changed named value makes a new one, after the
propagation delay, and calls under way keep theirs.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping

from emulator.apim.backend import BackendClient
from emulator.apim.config import GatewayConfig
from emulator.apim.context import Context
from emulator.apim.definitions import Variant, load_definitions
from emulator.apim.errors import (
    INTERNAL,
    JSON,
    Answer,
    DefinitionError,
    PolicyError,
    key_invalid,
    key_missing,
)
from emulator.apim.expressions import ExpressionFailure
from emulator.apim.limits import make_limiter
from emulator.apim.matching import Match
from emulator.apim.messages import Body, Request, Response, Url
from emulator.apim.model import Api, Deployment, LastError, NamedValue, Product, Subscription
from emulator.apim.named_values import InvalidNamedValue, NamedValues
from emulator.apim.openid import OpenIdKeys
from emulator.apim.outbound import Outbound
from emulator.apim.services import Services, TokenSource
from emulator.apim.site import BACKEND, INBOUND, ON_ERROR, OUTBOUND, run
from emulator.apim.snapshot import Chain, Snapshot, build_snapshot
from emulator.apim.subscriptions import Subscriptions, covering_product
from emulator.clock import Clock
from emulator.faults import Faults

KEY_HEADER = "Ocp-Apim-Subscription-Key"
KEY_PARAMETER = "subscription-key"
TRACE_HEADER = "X-Emulator-Trace"
_log = logging.getLogger("emulator.apim")


class Gateway:
    """A gateway over the definitions of an infra folder.

    Args:
        identity: who mints tokens for the gateway's managed identity.
        outbound_routes: prefixes of Azure's addresses to those of local stand-ins.
        monotonic: seconds that never go backwards; a test hands in its own.

    Raises:
        DefinitionError: a definition or policy cannot be carried out.
        ValueError: a file in the data folder is damaged.
    """

    def __init__(
        self,
        config: GatewayConfig,
        *,
        clock: Clock,
        identity: TokenSource,
        outbound_routes: Mapping[str, str] | None = None,
        faults: Faults | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._clock = clock
        self._monotonic = monotonic
        variant = Variant(config.tier, config.credit_mode)
        self.definitions = load_definitions(
            config.entities, config.infra, config.backend_origin, variant
        )
        values = {**self.definitions.named_values, **config.named_values}
        self.named_values = NamedValues(
            config.data / "named-values.json", values, self.definitions.secrets, self._accept
        )
        self.subscriptions = Subscriptions(
            config.data / "subscriptions.json", self.definitions.subscriptions, clock
        )
        self.backend = BackendClient(monotonic, faults or Faults())
        self.outbound = Outbound(outbound_routes or {})
        self.services = Services(
            clock,
            monotonic,
            make_limiter(config.tier),
            self.outbound,
            OpenIdKeys(self.outbound, monotonic),
            identity,
            self.backend,
        )
        self._deployment = Deployment("managed", config.region, config.service_name)
        self._changes: set[asyncio.Task[None]] = set()
        self.snapshot = self._build(self.named_values.texts())
        for warning in self.snapshot.warnings:
            _log.warning("%s", warning)

    async def start(self) -> None:
        """Open the connection pools; to be called on the loop that will serve."""
        await self.outbound.start()
        await self.backend.start()

    async def stop(self) -> None:
        """Finish what nobody waits for, then close the connections."""
        for task in self._changes:
            task.cancel()
        await self.services.one_way.drain()
        await self.backend.close()
        await self.outbound.close()

    # Named values

    def _build(self, named_values: Mapping[str, str]) -> Snapshot:
        by_key = self.config.tier != "consumption"
        return build_snapshot(self.definitions, named_values, rate_limits_by_key=by_key)

    def _accept(self, values: dict[str, str]) -> None:
        """Refuse named values with which the policies cannot be loaded."""
        try:
            self._build(values)
        except DefinitionError as error:
            raise InvalidNamedValue(f"A policy cannot be loaded with it: {error}") from error

    async def set_named_value(self, name: str, value: str, if_match: str = "*") -> NamedValue:
        """Change a named value; calls see it after the propagation delay. Raises as `put` does."""
        changed = await self.named_values.put(name, value, if_match)
        if self.config.propagation_delay_s > 0:
            task = asyncio.get_running_loop().create_task(self._swap_later())
            self._changes.add(task)
            task.add_done_callback(self._changes.discard)
        else:
            self._swap()
        return changed

    async def _swap_later(self) -> None:
        values = self.named_values.texts()
        await asyncio.sleep(self.config.propagation_delay_s)
        self.snapshot = self._build(values)

    def _swap(self) -> None:
        self.snapshot = self._build(self.named_values.texts())

    # A call

    async def call(self, request: Request, match: Match) -> Context:
        """Run a matched request; the context holds the response."""
        snapshot = self.snapshot
        context = self._context(request, match)
        chain = snapshot.chain(match, None)
        try:
            context.product, context.subscription = self._admit(request, match.api, snapshot)
            chain = snapshot.chain(match, context.product)
            await self._pipeline(chain, context)
        except PolicyError as error:
            await self._on_error(chain, context, error)
        except Exception:  # noqa: BLE001 - a defect here must not look like the backend's answer
            _log.exception("Call %s failed inside the gateway.", context.request_id)
            context.response = response_of(INTERNAL, context.request_id)
        for hook in context.when_answered:
            try:
                hook(context)
            except ExpressionFailure as failure:
                _log.error("increment-condition of call %s: %s", context.request_id, failure)
        assert context.response is not None
        context.response.headers.update(context.reply_headers)
        return context

    def _context(self, request: Request, match: Match) -> Context:
        request.matched = match.parameters
        original = request.original_url
        request.url = Url(
            original.scheme, original.host, original.port, match.rest, original.query_string
        )
        traced = self.config.trace and request.headers.get(TRACE_HEADER, "").lower() == "true"
        return Context(
            self.services,
            request,
            uuid.uuid4(),
            self._clock.now(),
            self._monotonic(),
            match.api,
            match.operation,
            self._deployment,
            match.api.service_url,
            notes=[] if traced else None,
            tracing=traced,
        )

    async def _pipeline(self, chain: Chain, context: Context) -> None:
        if await run(chain.sections[INBOUND], context):
            return
        if await run(chain.sections[BACKEND], context):
            return
        if context.response is None:
            # No policy forwarded the call.
            context.response = Response(200, "OK")
        await run(chain.sections[OUTBOUND], context)

    async def _on_error(self, chain: Chain, context: Context, error: PolicyError) -> None:
        context.last_error = LastError(
            error.source,
            error.reason,
            error.message,
            scope=error.scope,
            path=error.source,
            policy_id=error.policy_id,
        )
        context.note(f"error/{error.source}: {error.reason}")
        if error.answer is INTERNAL:
            _log.error("Call %s: %s: %s", context.request_id, error.source, error.message)
        context.response = response_of(error.answer, context.request_id)
        try:
            await run(chain.sections[ON_ERROR], context)
        except PolicyError as second:
            # What the section made until then is the answer.
            _log.error("Call %s: on-error failed: %s", context.request_id, second.message)

    def _admit(
        self, request: Request, api: Api, snapshot: Snapshot
    ) -> tuple[Product | None, Subscription | None]:
        """The product and subscription of a call, by its key.

        Raises:
            PolicyError: no key where one is needed, or one that does not open the API.
        """
        url = request.original_url
        key = request.headers.get(KEY_HEADER) or url.query.get(KEY_PARAMETER)
        realm = str(Url(url.scheme, url.host, url.port, f"/{api.path}", ""))
        if key:
            subscription = self.subscriptions.find(key)
            if subscription is None:
                raise key_invalid(realm, KEY_HEADER)
            covered, product = covering_product(subscription, api, snapshot.products)
            if not covered:
                raise key_invalid(realm, KEY_HEADER)
            return product, subscription.used_with(key)
        for product in snapshot.products:
            if product.holds(api) and not product.subscription_required:
                return product, None
        if api.subscription_required:
            raise key_missing(realm, KEY_HEADER)
        return None, None


def response_of(answer: Answer, request_id: object) -> Response:
    """The response that an answer of the gateway's own makes."""
    response = Response(answer.status, answer.reason, body=Body(answer.body(request_id)))
    response.headers["Content-Type"] = JSON
    response.headers.update(answer.headers)
    return response
