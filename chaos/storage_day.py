"""The reference day of an app on a storage account: blobs, a queue, and what comes of them.

A storage queue neither recognises a repeated message nor tells at once that a receiver died: a
message is hidden for ten minutes, which are passed by stepping the clock. So everything is judged
by its key, and nothing may stay behind.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from chaos.outcome import Outcome, by_key, counted
from chaos.supervised import App, Broken, Supervised

NAME = "storage"
STORES = ("blob", "storagequeue")
_ROOT = Path(__file__).resolve().parent / "storage"
_NAMES = tuple(f"file-{number}" for number in range(4))
_ACCOUNT = "/devstoreaccount1"
_UPLOAD = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2023-11-03"}
_PATIENCE_S = 60.0
# Longer than a message is hidden from others.
_HIDDEN_S = 11 * 60
_SOON_S = 1.0


def app(folder: Path) -> App:
    """The app, whose effects go to a file in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    return App(_ROOT, (), (("EFFECTS_FILE", str(folder / "effects")), *values.items()))


async def live(system: Supervised, folder: Path) -> Outcome:
    """Drop some files, wait until each has come to its end; what it came to."""
    (folder / "effects").touch()
    container = f"{_ACCOUNT}/inbox?restype=container"
    await system.ask("PUT", container, door="blob", headers=_UPLOAD, fine=(409,))
    for name in _NAMES:
        path = f"{_ACCOUNT}/inbox/{name}"
        await system.ask("PUT", path, door="blob", headers=_UPLOAD, content=f"content of {name}")
    deadline = time.monotonic() + _PATIENCE_S
    soon = time.monotonic() + _SOON_S
    while left := await _left(system):
        if time.monotonic() > deadline:
            raise Broken(f"It does not come to an end: {left}")
        if time.monotonic() > soon:
            await system.ask("POST", "/emulator/clock", json={"advanceSeconds": _HIDDEN_S})
            soon = time.monotonic() + _SOON_S
        await asyncio.sleep(0.05)
    effects = (folder / "effects").read_text(encoding="utf-8").splitlines()
    told = [f"told {message['body']}" for message in await _messages(system, "done")]
    poison = [(message["body"], "") for message in await _messages(system, "work-poison")]
    return Outcome({"poison": by_key(poison)}, counted([*effects, *told]))


async def _left(system: Supervised) -> str:
    """What is not at its end: messages, and files that nobody told of."""
    work = await _messages(system, "work")
    told = {message["body"].partition(" ")[0] for message in await _messages(system, "done")}
    missing = [name for name in _NAMES if name not in told]
    return f"{len(work)} messages, {missing}" if work or missing else ""


async def _messages(system: Supervised, queue: str) -> list[dict[str, Any]]:
    path = f"/$emulator/storage-queues/{queue}/messages"
    answer = await system.ask("GET", path, door="servicebus", fine=(404,))
    found: list[dict[str, Any]] = answer.json()["messages"] if answer.status_code == 200 else []
    return found
