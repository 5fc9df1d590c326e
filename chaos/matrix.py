"""The crash matrix: one death at one durable write for each run, and the run judged.

A durable write is a commit of one store, numbered from 0 in the order in which a run makes them.
Three deaths are tried at each: in the midst of its transaction (SQLite must undo it), when all is
done but the COMMIT, and when it is on disk but nobody has been told.

Commits are made in groups, so their number differs from run to run, and number 17 of one run is not
exactly number 17 of another. "Each numbered write" therefore means: number 0, number 1 and so on
until a run meets none and lives its whole day undisturbed. With a bounded number of points, numbers
are drawn by the seed from those that the undisturbed run counted; a run that does not come to its
number is told as not met.
"""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos import foreign_day, orders_day, storage_day
from chaos.outcome import Outcome, Verdict, compare
from chaos.supervised import App, Broken, Rule, Supervised

MOMENTS = ("middle", "before", "after")
# A day that never meets its number ends the stepping; more than this is no day of ours.
_MOST_WRITES = 2000


@dataclass(frozen=True)
class Story:
    """A reference day: its name, the stores whose writes are stepped through, how it is lived."""

    name: str
    stores: tuple[str, ...]
    app: Callable[[Path], App]
    live: Callable[[Supervised, Path], Awaitable[Outcome]]


def _orders(system: Supervised, _: Path) -> Awaitable[Outcome]:
    return orders_day.live(system)


STORIES = {
    story.name: story
    for story in (
        Story(orders_day.NAME, orders_day.STORES, orders_day.app, _orders),
        Story(foreign_day.NAME, foreign_day.STORES, foreign_day.app, foreign_day.live),
        Story(storage_day.NAME, storage_day.STORES, storage_day.app, storage_day.live),
    )
}


@dataclass(frozen=True)
class Case:
    """A story and where it dies: at the first of these in its first life, and so on."""

    story: str
    deaths: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{self.story}/" + "+".join(f"{point}:{number}" for point, number in self.deaths)

    @classmethod
    def parse(cls, text: str) -> "Case":
        """The case that `str` gives.

        Raises:
            ValueError: it is none.
        """
        story, _, places = text.partition("/")
        if story not in STORIES:
            raise ValueError(f"there is no story {story!r}; there are {', '.join(STORIES)}")
        deaths = [place.rpartition(":") for place in places.split("+")]
        return cls(story, tuple((point, int(number)) for point, _, number in deaths))

    @property
    def rules(self) -> list[list[Rule]]:
        """The rules of each life."""
        return [[{"point": point, "action": "die", "after": n}] for point, n in self.deaths]


@dataclass(frozen=True)
class Run:
    """What came of a case.

    Attributes:
        met: whether it died as often as it was to.
        broken: why there is no verdict, or "".
    """

    case: Case
    met: bool
    verdict: Verdict
    recoveries_s: tuple[float, ...]
    broken: str = ""

    @property
    def is_good(self) -> bool:
        """Whether everything came out as undisturbed."""
        return self.verdict.is_good and not self.broken


@dataclass(frozen=True)
class Reference:
    """The undisturbed run: what it came to, and how many writes each store made."""

    outcome: Outcome
    writes: Mapping[str, int]
    seconds: float


async def reference(story: Story) -> Reference:
    """Live the day once with no death in it."""
    async with _system(story, ()) as (system, folder):
        began = time.monotonic()
        outcome = await story.live(system, folder)
        passed = (await system.get("/emulator/faults"))["passed"]
        writes = {store: passed.get(f"{store}.commit.before", 0) for store in story.stores}
        return Reference(outcome, writes, time.monotonic() - began)


async def run(case: Case, expected: Outcome) -> Run:
    """Live the day with these deaths in it, and judge it. Never raises for what the system did."""
    story = STORIES[case.story]
    async with _system(story, case.rules) as (system, folder):
        verdict, broken = Verdict(), ""
        try:
            async with asyncio.timeout(180):
                verdict = compare(expected, await story.live(system, folder))
        except (Broken, TimeoutError) as error:
            broken = str(error) or "It did not come to its end."
        met = system.deaths == len(case.deaths)
        return Run(case, met, verdict, tuple(system.recoveries_s), broken)


class _system:  # noqa: N801 - used as a function
    """A fresh system in a folder of its own, gone afterwards."""

    def __init__(self, story: Story, lives: Sequence[Sequence[Rule]]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self._system = Supervised(story.app(self._folder), self._folder / "data", lives)

    async def __aenter__(self) -> tuple[Supervised, Path]:
        return await self._system.__aenter__(), self._folder

    async def __aexit__(self, *error: object) -> None:
        await self._system.__aexit__(*error)  # type: ignore[arg-type]
        shutil.rmtree(self._folder)


@dataclass
class Matrix:
    """All runs, by what they step through."""

    references: dict[str, Reference] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)


def drawn(references: Mapping[str, Reference], points: int, rng: random.Random) -> list[Case]:
    """So many cases, spread over stories, stores and moments, and at least one for each of them."""
    strata = [
        (name, f"{store}.commit.{moment}", count)
        for name, found in references.items()
        for store, count in found.writes.items()
        for moment in MOMENTS
    ]
    total = sum(count for _, _, count in strata)
    cases = []
    for name, point, count in strata:
        share = min(count, max(1, round(points * count / total)))
        cases += [Case(name, ((point, n),)) for n in sorted(rng.sample(range(count), share))]
    rng.shuffle(cases)
    return cases


def drawn_few(references: Mapping[str, Reference], points: int, rng: random.Random) -> list[Case]:
    """So many cases, no two at the same store and moment; the busiest stores first."""
    strata = [
        (count, name, f"{store}.commit.{moment}")
        for name, found in references.items()
        for store, count in found.writes.items()
        for moment in MOMENTS
    ]
    strata.sort(key=lambda stratum: -stratum[0])
    return [Case(name, ((point, rng.randrange(count)),)) for count, name, point in strata[:points]]


def drawn_recoveries(
    references: Mapping[str, Reference], each: int, rng: random.Random
) -> list[Case]:
    """Deaths in the recovery: at the first `each` writes after the restart, whatever store's."""
    cases = []
    for name, found in references.items():
        for number in range(each):
            store = rng.choice([store for store, count in found.writes.items() if count])
            first = (f"{store}.commit.{rng.choice(MOMENTS)}", rng.randrange(found.writes[store]))
            # The start makes some writes of its own; those that follow belong to what is taken up.
            second = (f"*.commit.{rng.choice(MOMENTS)}", number)
            cases.append(Case(name, (first, second)))
    return cases


async def run_all(
    cases: Iterable[Case], matrix: Matrix, jobs: int, told: Callable[[Run], None]
) -> None:
    """Run cases, some at a time."""
    waiting = iter(cases)

    async def work() -> None:
        for case in waiting:
            found = await run(case, matrix.references[case.story].outcome)
            matrix.runs.append(found)
            told(found)

    async with asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(work())


async def step_all(matrix: Matrix, jobs: int, told: Callable[[Run], None]) -> None:
    """Number after number at every store and moment, until a run meets none."""
    for name in matrix.references:
        for store in STORIES[name].stores:
            for moment in MOMENTS:
                async for found in _steps(name, f"{store}.commit.{moment}", matrix, jobs):
                    matrix.runs.append(found)
                    told(found)


async def _steps(name: str, point: str, matrix: Matrix, jobs: int) -> AsyncIterator[Run]:
    expected = matrix.references[name].outcome
    for first in range(0, _MOST_WRITES, jobs):
        cases = [Case(name, ((point, first + n),)) for n in range(jobs)]
        runs = await asyncio.gather(*(run(case, expected) for case in cases))
        for found in runs:
            yield found
        if not all(found.met for found in runs):
            return
