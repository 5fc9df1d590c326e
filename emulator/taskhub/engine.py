"""Runs instances: one turn at a time for each, many instances side by side.

A turn takes what has arrived (`turns.prepare`), runs the orchestrator if there is news for it,
stores the plan in one transaction (`commits`) and only then sends what it says. Nothing polls:
whoever puts something into an inbox wakes the instance. Bounded are the orchestrators that run, not
the turns that wait for the disk, so that many turns share a commit.

When the worker dies or the disk refuses, the instance is read again from disk and the turn is made
anew; the results of activities that were not yet stored are kept over that.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from emulator.clock import Clock
from emulator.database import Database, StorageError
from emulator.taskhub.admission import Admission
from emulator.taskhub.alarm import Alarm
from emulator.taskhub.cache import Active, Cache
from emulator.taskhub.commits import Directory, Outgoing, build
from emulator.taskhub.episode import Limits, fail, take_reply
from emulator.taskhub.inbox import Inbox, Message, MessageKind
from emulator.taskhub.lineup import PACE_S, Lineup
from emulator.taskhub.model import Episode, FunctionInvoker, WorkerLost
from emulator.taskhub.names import find_name
from emulator.taskhub.options import HubOptions
from emulator.taskhub.pauses import pause_s
from emulator.taskhub.plan import Plan
from emulator.taskhub.state import Instance, Status
from emulator.taskhub.store import Saved, Stale, Start, load, save
from emulator.taskhub.times import to_micros
from emulator.taskhub.turns import is_ready, prepare
from emulator.taskhub.waiters import Waiters
from emulator.taskhub.work import Work

_log = logging.getLogger("Host.Triggers.DurableTask")

# An episode costs as much as the instance has tasks. One that waits for so many work items gathers
# their completions for as long as its last episode took, so that a large fan-out is not spent on
# episodes that bring few of them.
_MANY = 100


class Entities(Protocol):
    """Whom the engine tells that entities have operations."""

    def wake(self, entity_ids: Iterable[str]) -> None: ...


class Engine:
    """The instances of a task hub."""

    def __init__(
        self, database: Database, clock: Clock, options: HubOptions, invoker: FunctionInvoker
    ) -> None:
        self._database = database
        self._clock = clock
        self._options = options
        self._invoker = invoker
        self._limits = Limits(options.max_actions, options.store_inputs)
        self._directory = Directory(options, invoker)
        self._admission = Admission(options, invoker)
        self.cache = Cache()
        self.waiters = Waiters()
        self.alarm = Alarm(clock, self._ring)
        self.work: Work
        self.entities: Entities
        self._lineup = Lineup()
        self._gathering = 0
        self._later: asyncio.TimerHandle | None = None
        self._running = 0
        self._turns: set[asyncio.Task[None]] = set()
        self._stopped = False

    def now(self) -> int:
        """The present, in microseconds."""
        return to_micros(self._clock.now())

    async def stop(self) -> None:
        """Abandon what runs; what was not stored is made again at the next start."""
        self._stopped = True
        self.alarm.stop()
        if self._later is not None:
            self._later.cancel()
        self._lineup.clear()
        for task in list(self._turns):
            task.cancel()
        await asyncio.gather(*self._turns, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Whether no turn is made or queued."""
        return not (self._turns or self._lineup or self._gathering)

    # What comes in.

    def adopt(self, start: Start, key: int) -> None:
        """Take up an instance that was just created, in place of what had its id."""
        instance = None
        if self._lineup.has_room:
            instance = Instance(
                key,
                start.id,
                start.execution_id,
                start.name,
                start.version,
                start.input,
                parent=start.parent,
                created=start.created,
            )
        self._admission.unpark(start.id)
        active = self.cache.put(Active(start.id, instance, is_queued=True))
        self._lineup.add_new(active)
        self._pump()

    def deliver(self, instance_id: str, message: Message) -> None:
        """Hand an instance a message that has been stored."""
        active = self.cache.get(instance_id)
        if active is not None and message.seq not in active.seen:
            active.inbox.add(message)
        self.wake(instance_id)

    def wake(self, instance_id: str) -> None:
        """Let an instance look whether it has something to do."""
        active = self.cache.get(instance_id)
        if active is None:
            active = self.cache.put(Active(instance_id))
        self._enqueue(active)

    def _ring(self, instance_id: str) -> None:
        active = self.cache.get(instance_id)
        if active is not None:
            active.alarm = None
        self.wake(instance_id)

    def wake_parked(self) -> None:
        """Let instances try again that no function, or none of their version, was there for."""
        for instance_id in self._admission.take_parked():
            self.wake(instance_id)

    def forget(self, instance_id: str) -> None:
        """Drop an instance that was purged, rewound or replaced."""
        self._admission.unpark(instance_id)
        self.cache.drop(instance_id)

    # Turns.

    def _enqueue(self, active: Active) -> None:
        if active.is_queued or active.is_busy or self._stopped:
            return
        active.is_queued = True
        self.cache.wake(active)
        wait_s = active.gathers_until_s - asyncio.get_running_loop().time()
        if wait_s > 0 and len(active.in_flight) >= _MANY:
            self._gathering += 1
            asyncio.get_running_loop().call_later(wait_s, self._gathered, active)
        else:
            self._lineup.add(active)
            self._pump()

    def _gathered(self, active: Active) -> None:
        self._gathering -= 1
        if not self._stopped:
            self._lineup.add(active)
            self._pump()

    def _pump(self) -> None:
        while self._lineup and self._running < self._options.max_orchestrators:
            if self._stopped:
                return
            active = self._lineup.next(asyncio.get_running_loop().time(), self.work.is_crowded)
            if active is None:
                self._pump_later()
                return
            active.is_queued, active.is_busy = False, True
            self._running += 1
            task = asyncio.get_running_loop().create_task(self._turn(active))
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)

    def _pump_later(self) -> None:
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(PACE_S, self._pump_now)

    def _pump_now(self) -> None:
        self._later = None
        self._pump()

    async def _turn(self, active: Active) -> None:
        """One turn: take, run, store, send; then see whether there is more."""
        holds_slot = True
        plan: Plan | None = None
        try:
            if not self.cache.holds(active):
                return
            instance = active.instance or await self._read(active)
            plan = self._plan(active, instance)
            if instance is None or plan is None:
                return
            if plan.invoke:
                began_s = asyncio.get_running_loop().time()
                await self._run(instance, plan)
                ended_s = asyncio.get_running_loop().time()
                active.gathers_until_s = ended_s + (ended_s - began_s)
            holds_slot = False
            self._release()
            await self._commit(active, instance, plan)
            active.losses = 0
        except Stale:
            self._drop(active)
        except Exception as error:  # noqa: BLE001 - logged, and the turn is made again
            if holds_slot:
                holds_slot = False
                self._release()
            await self._start_over(active, plan, error)
        finally:
            if holds_slot:
                self._release()
            self._settle(active)

    def _release(self) -> None:
        self._running -= 1
        self._pump()

    def _settle(self, active: Active) -> None:
        """After a turn: queue the next, or rest until something comes."""
        active.is_busy = False
        if self._stopped or not self.cache.holds(active):
            return
        instance = active.instance
        if instance is None or (
            not self._admission.is_parked(active.id)
            and is_ready(instance, active.inbox, self.now())
        ):
            self._enqueue(active)
            return
        due = instance.next_due()
        if due is not None and due != active.alarm and instance.status is not Status.SUSPENDED:
            active.alarm = due
            self.alarm.set(due, active.id)
        self.cache.rest(active)

    def _plan(self, active: Active, instance: Instance | None) -> Plan | None:
        """Prepare the turn; None if there is nothing to do, or nobody to do it."""
        if instance is None:
            return None
        if not active.inbox.terminations and not self._admission.admit(instance):
            return None
        refusal = self._admission.refusal(instance)
        plan = prepare(instance, active.inbox, self.now())
        if plan is None:
            return None
        if plan.invoke and refusal is not None:
            fail(instance, plan, refusal, self._limits)
            plan.invoke = False
        if plan.dropped:
            _log.info(
                "Instance '%s': %d messages that nobody waits for were dropped.",
                active.id,
                len(plan.dropped),
            )
        return plan

    async def _run(self, instance: Instance, plan: Plan) -> None:
        """Run the orchestrator and complete the plan with what it says."""
        name = find_name(instance.name, self._invoker.orchestrators())
        episode = Episode(
            function=name or instance.name,
            instance_id=instance.id,
            execution_id=instance.execution_id,
            played=instance.length,
            new_events=plan.new,
            history=instance.history,
            input_json=instance.input,
            parent_instance_id=instance.parent.instance_id if instance.parent else None,
        )
        reply = await self._invoker.run_orchestrator(episode)
        take_reply(instance, plan, reply, self._limits)
        if plan.ended is None and instance.verdict is None and not _awaits_something(instance):
            _log.warning("The orchestrator of instance '%s' is waiting for nothing.", instance.id)

    async def _commit(self, active: Active, instance: Instance, plan: Plan) -> None:
        commit, outgoing = build(plan, instance, active.inbox, self._directory, self.now())
        saved = await self._database.write(lambda db: save(db, commit))
        self._advance(active, plan, commit.events)
        self._send(active, outgoing, saved)

    def _advance(self, active: Active, plan: Plan, events: str | None) -> None:
        """Bring the instance in memory to what is now on disk."""
        instance = active.instance
        assert instance is not None
        for message in plan.taken:
            if message.kind is MessageKind.COMPLETION and message.event is not None:
                active.in_flight.discard(message.event.get("TaskScheduledId", -1))
        if plan.successor is not None:
            active.instance = plan.successor
            active.inbox = _carried(active.inbox)
            active.in_flight = set()
            instance = active.instance
        elif events is not None:
            instance.add_chunk(events, len(plan.history))
        instance.turn += 1

    def _send(self, active: Active, outgoing: Outgoing, saved: Saved) -> None:
        """Send what the turn said, now that it is stored."""
        instance = active.instance
        assert instance is not None
        for start, key in saved.children:
            self.adopt(start, key)
        for message in saved.to_self:
            active.inbox.add(message)
        for task in outgoing.work:
            self.work.submit(active, instance.execution_id, task)
        if outgoing.entities:
            self.entities.wake(outgoing.entities)
        if saved.answered is not None and outgoing.parent is not None:
            self.deliver(outgoing.parent, saved.answered)
        if instance.is_terminal:
            self._drop(active)
            self.waiters.tell(active.id)

    # From disk.

    async def _read(self, active: Active) -> Instance | None:
        """Read an instance; what is in its inbox and not on disk stays there."""
        found = await self._database.read(lambda db: load(db, active.id))
        if found is None or found[0].is_terminal:
            self._drop(active)
            return None
        instance, messages = found
        if not self.cache.holds(active):
            return None
        kept = active.inbox.all()
        active.seen = frozenset(message.seq for message in messages if message.seq is not None)
        active.inbox = Inbox()
        for message in messages + [each for each in kept if each.seq not in active.seen]:
            active.inbox.add(message)
        active.instance = instance
        self._resume_work(active, instance)
        return instance

    def _resume_work(self, active: Active, instance: Instance) -> None:
        """Dispatch the open activities that nobody is running and whose result is not here."""
        if not instance.working:
            return
        results = {
            message.event.get("TaskScheduledId")
            for message in active.inbox.completions
            if message.event is not None
        }
        for task in list(instance.open.values()):
            if task.is_work and not task.unscheduled and task.id not in results:
                self.work.submit(active, instance.execution_id, task)

    async def _start_over(self, active: Active, plan: Plan | None, error: Exception) -> None:
        """Throw away what is in memory and wait a little; the next turn reads it again."""
        active.losses += 1
        if isinstance(error, StorageError):
            _log.error("The turn of instance '%s' is made again: %s", active.id, error)
        elif not isinstance(error, WorkerLost):
            _log.error("The turn of instance '%s' could not be made.", active.id, exc_info=error)
        if plan is not None:
            for message in plan.taken:
                if message.seq is None:
                    active.inbox.add(message)
        active.instance = None
        await asyncio.sleep(pause_s(active.losses))

    def _drop(self, active: Active) -> None:
        if self.cache.holds(active):
            self.cache.drop(active.id)


def _awaits_something(instance: Instance) -> bool:
    return any(not task.cancelled for task in instance.open.values()) or any(
        count > instance.delivered[name] for name, count in instance.waits.items()
    )


def _carried(inbox: Inbox) -> Inbox:
    """What of an inbox is for the next generation, too."""
    carried = Inbox(external=inbox.external, control=inbox.control)
    carried.terminations = inbox.terminations
    return carried
