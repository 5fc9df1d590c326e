"""Is there an orchestration that the engine numbers or resumes otherwise than the library?

Random programs, seeded. Each episode is compared with the library's own counter of task ids; each
result with the only ones that are possible. `TASKHUB_PROGRAMS` sets how many programs a seed has.
"""

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from tests.support.crashes import CrashFaults
from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker
from tests.support.programs import Programs, Worker, echo, fits, kid, program

PROGRAMS = int(os.environ.get("TASKHUB_PROGRAMS", "15"))


def an_invoker(worker: Worker, *, live: bool = False) -> InProcessInvoker:
    return InProcessInvoker(
        {"program": program, "kid": kid}, {"work": worker}, {"echo": echo}, live=live
    )


@pytest.mark.parametrize("live", [False, True], ids=["replay", "live"])
@pytest.mark.parametrize("seed", range(4))
async def test_random_programs_return_what_they_must(tmp_path: Path, seed: int, live: bool) -> None:
    made = Programs(seed)
    invoker = an_invoker(Worker(), live=live)
    async with running_hub(tmp_path / "hub.db", invoker) as hub:
        started = []
        for _ in range(PROGRAMS):
            wanted = made.program()
            started.append((wanted, await hub.start("program", wanted)))
        for wanted, instance_id in started:
            results = await hub.output(instance_id)
            assert fits(wanted, results), (wanted, results)
    assert invoker.mismatches == []


@pytest.mark.parametrize("seed", range(4))
async def test_random_programs_survive_restarts_of_the_hub(tmp_path: Path, seed: int) -> None:
    made, worker = Programs(seed), Worker()
    path = tmp_path / "hub.db"
    started = []
    async with running_hub(path, an_invoker(worker)) as hub:
        for _ in range(PROGRAMS):
            wanted = made.program()
            started.append((wanted, await hub.start("program", wanted)))
    for _ in range(3):
        invoker = an_invoker(worker)
        async with running_hub(path, invoker) as hub:
            await hub.ended(started[0][1])
        assert invoker.mismatches == []
    async with running_hub(path, an_invoker(worker)) as hub:
        for wanted, instance_id in started:
            results = await hub.output(instance_id)
            assert fits(wanted, results), (wanted, results)


@pytest.mark.parametrize("seed", range(4))
async def test_random_programs_survive_deaths_at_random_commits(tmp_path: Path, seed: int) -> None:
    made, worker, chance = Programs(seed), Worker(), Random(seed)
    path = tmp_path / "hub.db"
    started = []
    async with running_hub(path, an_invoker(worker)) as hub:
        for _ in range(PROGRAMS):
            wanted = made.program()
            started.append((wanted, await hub.start("program", wanted)))
    deaths = 0
    for _ in range(8):
        faults = CrashFaults(chance.choice(["middle", "before", "after"]), chance.randrange(12))
        invoker = an_invoker(worker)
        async with running_hub(path, invoker, faults=faults) as hub:
            ended = asyncio.gather(*(hub.ended(instance_id) for _, instance_id in started))
            reached = asyncio.ensure_future(faults.reached.wait())
            await asyncio.wait((ended, reached), return_when=asyncio.FIRST_COMPLETED)
            deaths += faults.reached.is_set()
            ended.cancel()
            reached.cancel()
            await hub.hub.stop()
            faults.bury()
            await asyncio.gather(ended, reached, return_exceptions=True)
        assert invoker.mismatches == []
    assert deaths >= 1
    async with running_hub(path, an_invoker(worker)) as hub:
        for wanted, instance_id in started:
            results = await hub.output(instance_id)
            assert fits(wanted, results), (wanted, results)


@pytest.mark.parametrize("live", [False, True], ids=["replay", "live"])
@pytest.mark.parametrize("seed", range(4))
async def test_random_programs_that_failed_complete_after_rewinds(
    tmp_path: Path, seed: int, live: bool
) -> None:
    made, worker = Programs(seed, heals=True), Worker()
    invoker = an_invoker(worker, live=live)
    async with running_hub(tmp_path / "hub.db", invoker) as hub:
        started = []
        for _ in range(PROGRAMS):
            wanted = made.program()
            started.append((wanted, await hub.start("program", wanted)))
        failed = [each for _, each in started if (await hub.ended(each)).status == "Failed"]
        assert failed
        worker.healed = True
        for instance_id in failed:
            await hub.hub.client.rewind(instance_id, "healed")
        for wanted, instance_id in started:
            results = await hub.output(instance_id)
            assert fits(wanted, results), (wanted, results)
