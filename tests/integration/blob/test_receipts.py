"""Which versions of blobs a reader is done with."""

from pathlib import Path

from emulator.blob import Receipts, Upload
from tests.support.blob import open_database, running_blobs


async def nobody(_: object) -> None:
    """Takes no events."""


async def test_a_version_is_unseen_until_its_reader_is_done_with_it(tmp_path: Path) -> None:
    async with running_blobs(tmp_path, nobody) as blobs:
        database = open_database(tmp_path)
        receipts = Receipts(database)
        first = await blobs.put(Upload("inputfiles", "a"), b"1")
        await receipts.failed("me", first, 2)
        assert await receipts.unseen("me", "inputfiles", 9) == [(first, 2)]
        assert await receipts.unseen("you", "inputfiles", 9) == [(first, 0)]
        second = await blobs.put(Upload("inputfiles", "a"), b"2")
        assert await receipts.unseen("me", "inputfiles", 9) == [(second, 0)]
        # The reader was slower with the version that is gone than with the one that is there.
        await receipts.done("me", [second])
        await receipts.done("me", [first])
        assert await receipts.unseen("me", "inputfiles", 9) == []
        await blobs.delete("inputfiles", "a")
        again = await blobs.put(Upload("inputfiles", "a"), b"2")
        assert await receipts.unseen("me", "inputfiles", 9) == [(again, 0)]
        database.close()
