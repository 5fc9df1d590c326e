"""Whatever senders, receivers, clocks and crashes do, the broker keeps its promises.

Nothing acknowledged is lost, a count of deliveries never goes down, a message has at most its
deliveries and then is in the dead-letter queue with the service's words, only a live lock settles.
"""

import asyncio
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.clock import ManualClock
from emulator.servicebus import Broker, MessageLockLost, QueueSettings
from tests.support.servicebus import START, open_database, text_message

LIMIT = 3
SETTINGS = QueueSettings("q", max_delivery_count=LIMIT, lock_duration_s=30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 3)),
        st.tuples(st.just("receive"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["complete", "abandon"]), st.integers(0, 9)),
        st.tuples(st.just("pass"), st.sampled_from([10, 30])),
        st.tuples(st.sampled_from(["restart", "crash"]), st.just(0)),
    ),
    max_size=40,
)


class Run:
    """The broker under test beside what must be true of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(START)
        self.live: dict[str, int] = {}  # acknowledged, not completed: the last count seen
        self.sent = 0
        self.held: list = []
        # Counts that were seen and may not be on disk yet; and those a crash may have undone.
        self.unwritten: set[str] = set()
        self.uncertain: set[str] = set()

    async def open(self) -> None:
        self.database = open_database(self.folder)
        self.broker = Broker(self.database, self.clock)
        await self.broker.start([SETTINGS])

    async def close(self) -> None:
        await self.broker.stop()
        self.database.close()

    async def send(self, count: int) -> None:
        texts = [str(self.sent + n) for n in range(count)]
        await self.broker.send("q", [text_message(text) for text in texts])
        self.unwritten.clear()  # what was written before is on disk with what is acknowledged
        self.live.update(dict.fromkeys(texts, 0))
        self.sent += count

    async def receive(self, count: int) -> None:
        for message in await self.broker.receive("q", count):
            text = message.body.decode()
            assert text in self.live, "a completed message came again"
            expected = {self.live[text] + 1}
            if text in self.uncertain:
                expected.add(self.live[text])  # the crash came before the count was on disk
            assert message.delivery_count in expected
            self.uncertain.discard(text)
            self.unwritten.add(text)
            assert message.delivery_count <= LIMIT
            self.live[text] = message.delivery_count
            self.held.append(message)

    async def settle(self, how: str, which: int) -> None:
        if not self.held:
            return
        message = self.held.pop(which % len(self.held))
        is_alive = self.clock.now() < message.locked_until
        try:
            await getattr(self.broker, how)("q", message.lock_token)
        except MessageLockLost:
            assert not is_alive, "a live lock was refused"
            return
        assert is_alive, "a lock that ran out was honoured"
        self.unwritten.clear()
        if how == "complete":
            del self.live[message.body.decode()]

    async def restart(self) -> None:
        await self.close()
        self.held.clear()
        self.unwritten.clear()
        await self.open()

    async def crash(self) -> None:
        """Go on from what the disk holds this very moment; the old process is dead."""
        dead = self.database, self.broker
        image = Path(tempfile.mkdtemp(dir=self.folder))
        for suffix in ("", "-wal"):
            source = self.folder / f"servicebus.db{suffix}"
            if source.exists():
                shutil.copy(source, image)
        self.uncertain |= self.unwritten
        self.unwritten.clear()
        self.held.clear()
        self.folder = image
        await self.open()
        await dead[1].stop()
        dead[0].close()

    async def step(self, name: str, value: int) -> None:
        if name == "send":
            await self.send(value)
        elif name == "receive":
            await self.receive(value)
        elif name == "pass":
            self.clock.advance(timedelta(seconds=value))
        elif name in ("restart", "crash"):
            await getattr(self, name)()
        else:
            await self.settle(name, value)

    async def drain(self) -> None:
        """Everything that is owed is there: still to be had, or dead with the right words."""
        self.clock.advance(timedelta(seconds=60))
        await self.restart()
        seen = [m.body.decode() for m in await self.broker.receive("q", 1000)]
        await self.database.write(lambda _: None)
        await asyncio.sleep(0)
        dead = await self.broker.peek("q/$deadletterqueue", 0, 1000)
        for message in dead:
            assert message.dead_letter_reason == "MaxDeliveryCountExceeded"
            assert message.dead_letter_error_description == (
                f"Message could not be consumed after {LIMIT} delivery attempts."
            )
            assert self.live[message.body.decode()] == LIMIT == message.delivery_count
        assert sorted(seen + [m.body.decode() for m in dead]) == sorted(self.live)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_history_of_a_queue_breaks_its_promises(steps):
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder))
            await run.open()
            try:
                for name, value in steps:
                    await run.step(name, value)
                await run.drain()
            finally:
                await run.close()

    asyncio.run(play())
