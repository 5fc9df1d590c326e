"""Access to the gateway: from the files it keeps, with an error that says what to do."""

import asyncio
import json
from pathlib import Path

import pytest

from emulator.access import NoAccess, find_access, main
from tests.support.gateway import running_gateway


def _keep(folder: Path, about: dict[str, str]) -> None:
    (folder / "apim" / "gateway.json").write_text(json.dumps(about), encoding="utf-8")


async def test_access_is_address_key_and_token(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as stage:
        _keep(tmp_path, stage.running.describe())
        access = await asyncio.to_thread(find_access, tmp_path, "basic", "orders-client")
        assert (access.url, access.key) == (stage.url, stage.key("basic"))
        assert access.key not in repr(access)
        for product, client, says in (
            ("gold", "orders-client", "no product gold; there are: basic, premium"),
            ("basic", "nobody", "no client nobody; there are: orders-client, orders-operator"),
        ):
            with pytest.raises(NoAccess, match=says):
                await asyncio.to_thread(find_access, tmp_path, product, client)
    with pytest.raises(NoAccess, match="Is the emulator running"):
        await asyncio.to_thread(find_access, tmp_path)


def test_without_a_gateway_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data-dir", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "make start" in printed.err
