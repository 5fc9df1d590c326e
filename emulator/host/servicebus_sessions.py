"""Feeds a Service Bus trigger from a queue with sessions.

Up to `maxConcurrentSessions` sessions are held at once; in each, one message (or one batch) at a
time and in order. A failure is abandoned and the same message comes first again, so the rest of its
session waits behind it. A session without messages for `sessionIdleTimeout` is given up.

Source: the Service Bus extension's session processor.
"""

import asyncio
import contextlib
from functools import partial

from emulator.host.servicebus_listener import (
    WAIT_S,
    Feed,
    Flight,
    gather_batch,
    request_of,
    run_batch,
    settle,
)
from emulator.servicebus import ReceivedMessage, ServiceBusError, SessionLock

# The share of a session lock's time after which it is renewed.
_RENEW_AFTER = 0.5
_AGAIN_S = 1.0


class SessionListener:
    """The listener of one function on a queue with sessions."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._flight = Flight(feed.log)
        self._holders: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to accept sessions."""
        self._holders = [
            asyncio.create_task(self._hold(), name=f"sessions {self._feed.path} {number}")
            for number in range(self._feed.options.max_concurrent_sessions)
        ]

    async def stop(self) -> None:
        """Take no more messages, and wait for those in flight."""
        for holder in self._holders:
            holder.cancel()
        await asyncio.gather(*self._holders, return_exceptions=True)
        await self._flight.wait_all()

    async def _hold(self) -> None:
        """Serve one session after the other."""
        feed = self._feed
        while True:
            try:
                lock = await feed.broker.accept_session(feed.path, None, WAIT_S)
                if lock is not None:
                    await self._serve(lock)
            except Exception as error:  # noqa: BLE001 - one session's fault must not end the rest
                feed.log.error(f"A session of '{feed.path}' failed: {error}", "Host.Listener")
                await asyncio.sleep(_AGAIN_S)

    async def _serve(self, lock: SessionLock) -> None:
        """Handle what a session has, until it has nothing for a while."""
        feed = self._feed
        renewal = asyncio.create_task(self._renew(lock))
        receive = partial(feed.broker.receive, feed.path, session=lock)
        idle_s = feed.options.session_idle_s
        handling: asyncio.Task[None] | None = None
        try:
            while messages := (
                await gather_batch(feed, receive, idle_s)
                if feed.in_batches
                else await receive(1, idle_s)
            ):
                handling = self._flight.begin(self._handle(messages))
                await asyncio.shield(handling)
        finally:
            if handling is not None:
                # A stop lets what is in flight come to its end before the session is given up.
                await asyncio.gather(handling, return_exceptions=True)
            renewal.cancel()
            with contextlib.suppress(ServiceBusError):
                await feed.broker.release_session(feed.path, lock)

    async def _handle(self, messages: list[ReceivedMessage]) -> None:
        feed = self._feed
        if feed.in_batches:
            await run_batch(feed, messages)
            return
        [message] = messages
        outcome = await feed.invocations.run_with_retries(request_of(feed, message))
        await settle(feed, message, outcome)

    async def _renew(self, lock: SessionLock) -> None:
        """Keep the session for as long as it is served, within the renewal time."""
        feed, loop = self._feed, asyncio.get_running_loop()
        until = loop.time() + feed.options.max_lock_renewal_s
        while loop.time() < until:
            left_s = lock.locked_until_us / 1e6 - feed.clock.now().timestamp()
            await asyncio.sleep(max(0.0, left_s * _RENEW_AFTER))
            try:
                lock = await feed.broker.renew_session(feed.path, lock)
            except ServiceBusError as error:
                feed.log.error(
                    f"Renewing a session of '{feed.path}' failed: {error}", "Host.Listener"
                )
                return
