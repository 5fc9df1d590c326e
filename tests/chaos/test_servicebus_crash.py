"""SIGKILL at every durable write of a broker, one after the other: what was acknowledged holds.

A child process sends, receives and settles, and says each acknowledgement on its standard output;
it is killed before its first commit, then after its first, before its second, and so on until a run
meets no more.
"""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.support.servicebus import running_broker, text_message

ROOT = Path(__file__).parents[2]


async def child(folder: str, point: str, after: str) -> None:
    """The program that is killed."""
    from emulator.faults import FaultRule, Faults

    faults = Faults([FaultRule(point, "die", after=int(after))])

    def acknowledged(what: str, text: str) -> None:
        sys.stdout.write(f"{what} {text}\n")
        sys.stdout.flush()

    async with running_broker(Path(folder), faults=faults) as broker:
        for text in ("a", "b", "c"):
            await broker.send("orders", [text_message(text)])
            acknowledged("sent", text)
        first, second, third = await broker.receive("orders", 3)
        await broker.complete("orders", first.lock_token)
        acknowledged("gone", "a")
        await broker.abandon("orders", second.lock_token)
        acknowledged("count", "b 1")
        await broker.dead_letter("orders", third.lock_token, "r", "d")
        acknowledged("dead", "c")
    acknowledged("end", "")


async def killed_at(folder: Path, point: str, after: int) -> list[list[str]]:
    program = f"import asyncio,sys;sys.path.insert(0,{str(ROOT)!r})\n" + (
        "from tests.chaos.test_servicebus_crash import child\n"
        f"asyncio.run(child({str(folder)!r},{point!r},'{after}'))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    out, _ = await process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    return [line.split(" ", 1) for line in out.decode().splitlines()]


@pytest.mark.parametrize("point", ["servicebus.commit.before", "servicebus.commit.after"])
async def test_what_was_acknowledged_survives_a_kill_at_every_commit(tmp_path, point):
    for after in range(50):
        folder = tmp_path / str(after)
        folder.mkdir()
        said = await killed_at(folder, point, after)
        await check(folder, said)
        if ["end", ""] in said:
            assert after >= 6
            return
    pytest.fail("the run never ended")


async def check(folder: Path, said: list[list[str]]) -> None:
    words = {(what, text) for what, text in said}
    async with running_broker(folder) as broker:
        free = {m.body.decode(): m.delivery_count for m in await broker.receive("orders", 10)}
        dead = {m.body.decode() for m in await broker.peek("orders/$deadletterqueue")}
    for text in ("b", "c"):
        assert ("sent", text) not in words or text in free or text in dead
    # "a" is completed after "c" is sent, so until then it must be there.
    assert ("sent", "a") not in words or ("sent", "c") in words or "a" in free
    assert ("gone", "a") not in words or "a" not in free
    assert ("count", "b 1") not in words or free["b"] == 2
    assert ("dead", "c") not in words or dead == {"c"}
    assert not free.keys() & dead
