"""Orchestrations through the real library and a real file: tasks, compounds, retries, children."""

import pytest

from tests.support.hub_harness import running_hub
from tests.support.inprocess_invoker import InProcessInvoker


def chain(ctx):
    first = yield ctx.call_activity("Add", 1)
    second = yield ctx.call_activity("Add", first)
    return [first, second]


@pytest.mark.parametrize("live", [False, True])
async def test_chain(tmp_path, live):
    invoker = InProcessInvoker({"chain": chain}, {"Add": lambda x: x + 1}, live=live)
    async with running_hub(tmp_path / "hub.db", invoker) as hub:
        assert await hub.run("chain") == [2, 3]
        assert not invoker.mismatches
