"""A disk without room: what was acknowledged is kept, the rest is refused in clear words.

Once a real file system that is full (where one may be mounted), once a limit that the kernel sets
to the size of the emulator's files. Both come back when there is room, with and without a restart.
"""

import asyncio
import json
import os
import resource
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator.launch import EmulatorProcess, StartFailed
from tests.support.emulator import REPOSITORY, Emulator, connected, until
from tests.support.orders import an_order
from tests.support.pipeline import instances, items

_SETTINGS = ("--settings", str(REPOSITORY / "local.settings.sample.json"))
_HEADERS = {"Content-Type": "application/json"}
_DISK = 12 * 1024 * 1024


@dataclass(frozen=True)
class Disk:
    """A folder, and how its room is taken and given back."""

    folder: Path
    fill: Callable[[int], None]
    free: Callable[[int], None]


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Disk]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "none", str(folder)]
    done = subprocess.run(options, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"No file system may be mounted here: {done.stderr.decode().strip()}")
    ballast = folder / "ballast"

    def fill(_: int) -> None:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                os.fsync(file.fileno())

    def free(_: int) -> None:
        ballast.unlink()

    yield Disk(folder, fill, free)
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def limited(tmp_path: Path) -> Disk:
    """Files that may not grow: what the kernel refuses is every write behind their present end."""

    def limit(pid: int, size: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return Disk(
        tmp_path, lambda pid: limit(pid, 64 * 1024), lambda pid: limit(pid, resource.RLIM_INFINITY)
    )


def pipeline_on(disk: Disk, log: Path) -> EmulatorProcess:
    """The app with its data there, and its log elsewhere."""
    return EmulatorProcess(
        disk.folder / "data", script_root=REPOSITORY, arguments=_SETTINGS, log_path=log
    )


async def send(emulator: Emulator, order_id: str) -> str:
    """The answer to a message: "" if it was taken, or why not."""
    url = f"{emulator.doors.servicebus}/orders/messages"
    body = json.dumps(an_order(id=order_id, note="x" * 2000))
    broker = {"BrokerProperties": json.dumps({"MessageId": order_id})}
    async with emulator.http.post(url, data=body, headers={**_HEADERS, **broker}) as answer:
        return "" if answer.status == 201 else f"{answer.status} {await answer.text()}"


async def send_all(emulator: Emulator, prefix: str, count: int) -> dict[str, str]:
    """The answers to so many messages that are sent at once, by order."""
    ids = [f"{prefix}-{number:02}" for number in range(count)]
    answers = await asyncio.gather(*(send(emulator, each) for each in ids))
    return dict(zip(ids, answers, strict=True))


async def all_processed(emulator: Emulator, ids: set[str]) -> None:
    """Exactly these are processed, each once, and nothing is left."""

    async def settled() -> bool:
        counts = await emulator.counts("orders")
        states = {each["runtimeStatus"] for each in await instances(emulator)}
        stored = {item["id"] for item in await items(emulator, "processed")}
        busy = [n for name, n in counts.items() if n]
        return not busy and states == {"Completed"} and stored >= ids

    await until(settled, "everything is processed", 60)
    found = await items(emulator, "processed")
    assert Counter(item["id"] for item in found) == Counter(ids)
    assert {(item["status"], item["attempt"]) for item in found} == {("processed", 1)}
    keys = {event["id"] for event in await emulator.events()}
    assert keys == {f"{item['id']}:{item['digest']}:processed" for item in found}


@pytest.mark.parametrize("kind", ["mounted", "limited"])
async def test_a_disk_that_is_full_refuses_and_keeps_what_it_took(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    disk: Disk = request.getfixturevalue(kind)
    process = pipeline_on(disk, tmp_path / "log")
    doors = await asyncio.to_thread(process.start)
    try:
        async with connected(process, doors) as emulator:
            assert await send(emulator, "ROOM-1") == ""
            await all_processed(emulator, {"ROOM-1"})
            # The disk fills up while these are on their way.
            answers = await send_all(emulator, "BACK", 30)
            assert not any(answers.values())
            disk.fill(doors.pid)
            answers |= await send_all(emulator, "FULL", 30)
            refused = {order for order, answer in answers.items() if answer}
            assert refused
            for answer in filter(None, answers.values()):
                assert answer.startswith("500")
                assert "servicebus.db: " in answer
                assert "the disk is full" in answer or "disk I/O error" in answer
            submitted = await emulator.post("/api/orders", json=an_order(id="API-FULL"))
            assert submitted.status >= 500
            taken = {"ROOM-1", *(order for order, answer in answers.items() if not answer)}
            disk.free(doors.pid)
            # Without a restart: what was taken goes on, and what was refused can be sent again.
            await all_processed(emulator, taken)
            assert [await send(emulator, order) for order in sorted(refused)] == [""] * len(refused)
            await all_processed(emulator, taken | refused)
    finally:
        assert await asyncio.to_thread(process.stop) == 0


async def test_killed_on_a_full_disk_it_goes_on_when_there_is_room(
    mounted: Disk, tmp_path: Path
) -> None:
    process = pipeline_on(mounted, tmp_path / "log")
    doors = await asyncio.to_thread(process.start)
    async with connected(process, doors) as emulator:
        answers = await send_all(emulator, "BACK", 30)
        assert not any(answers.values())
        mounted.fill(doors.pid)
        answers |= await send_all(emulator, "KILL", 20)
    taken = {order for order, answer in answers.items() if not answer}
    await asyncio.to_thread(process.kill)
    # It says in one line why it does not start, and harms nothing.
    with pytest.raises(StartFailed, match="the disk is full"):
        await asyncio.to_thread(process.start)
    mounted.free(0)
    doors = await asyncio.to_thread(process.start)
    try:
        async with connected(process, doors) as emulator:
            await send(emulator, "KILL-ROOM")
            await all_processed(emulator, {*taken, "KILL-ROOM"})
    finally:
        assert await asyncio.to_thread(process.stop) == 0
