"""The patterns that people write for the real host, as apps that know nothing of this one.

Each app of `tests/apps/samples` is started by `python -m emulator start --script-root` and driven
over HTTP alone, by the URLs that it answers with, as its users would.
"""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import REPOSITORY, Answer, Emulator, running, until

SAMPLES = REPOSITORY / "tests" / "apps" / "samples"
WEBHOOK = "/runtime/webhooks/durabletask"
JSON = {"Content-Type": "application/json"}


class User(Emulator):
    """Somebody who has the host's address, and then only the URLs that they are given."""

    async def follow(self, method: str, url: str, **options: Any) -> Answer:
        """A request to a URL that an answer held."""
        assert url.startswith(self.doors.host), url
        return await self.ask(method, url.removeprefix(self.doors.host), **options)

    async def started(self, answer: Answer) -> dict[str, str]:
        """The URLs of an instance that was accepted."""
        assert answer.status == 202, answer.text
        urls: dict[str, str] = answer.json()
        assert answer.headers["Location"] == urls["statusQueryGetUri"]
        return urls

    async def ended(self, urls: dict[str, str]) -> dict[str, Any]:
        """Poll as the protocol says, 202 until it has ended; the final status."""

        async def final() -> dict[str, Any] | None:
            answer = await self.follow("GET", urls["statusQueryGetUri"])
            assert answer.status in (200, 202), answer.text
            return answer.json() if answer.status == 200 else None

        return await until(final, f"{urls['id']} has ended")

    async def output(self, urls: dict[str, str]) -> Any:
        status = await self.ended(urls)
        assert status["runtimeStatus"] == "Completed", status
        return status["output"]

    async def status_is(
        self, urls: dict[str, str], check: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """Poll until the status is as wanted."""

        async def wanted() -> dict[str, Any] | None:
            status = (await self.follow("GET", urls["statusQueryGetUri"])).json()
            return status if check(status) else None

        return await until(wanted, "the status is as wanted")


def of(app: str) -> pytest.MarkDecorator:
    """Gives a test a user of this app."""
    return pytest.mark.parametrize("user", [app], indirect=True)


@pytest.fixture
async def user(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[User]:
    app, environment = SAMPLES / request.param, {"PYTHONDONTWRITEBYTECODE": "1"}
    async with running(app, tmp_path / "data", environment=environment) as emulator:
        yield User(emulator.process, emulator.doors, emulator.http)


@of("chaining")
async def test_chaining(user: User) -> None:
    urls = await user.started(await user.get("/api/orchestrators/sales_report"))
    status = await user.ended(urls)
    assert (status["runtimeStatus"], status["output"]) == ("Completed", "7 sold")
    assert (status["customStatus"], status["input"]) == ("writing", None)
    history = await user.follow(
        "GET", urls["statusQueryGetUri"] + "&showHistory=true&showHistoryOutput=true"
    )
    steps = [event.get("FunctionName") for event in history.json()["historyEvents"]]
    assert steps == ["sales_report", "collect_figures", "clean_figures", "write_report", None]

    urls = await user.started(await user.get("/api/orchestrators/broken_report"))
    assert await user.output(urls) == {
        "report": "0 sold",
        "problem": "Activity function 'clean_figures' failed:  TypeError: 'NoneType' object is "
        "not iterable",
    }
    assert (await user.get("/api/orchestrators/no_such_report")).status == 500


@of("fan_out")
async def test_fan_out_and_fan_in(user: User, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(50):
        (texts / f"{number}.txt").write_text("word " * number)
    (texts / "7.lock").touch()
    answer = await user.post("/api/count-words", json={"folder": str(texts)})
    assert await user.output(await user.started(answer)) == {"files": 50, "words": 49 * 25}
    assert not (texts / "7.lock").exists()

    # What cannot be read fails the whole; with that mended, the rest need not be done again.
    (texts / "odd.txt").mkdir()
    answer = await user.post("/api/count-words", json={"folder": str(texts)})
    urls = await user.started(answer)
    failed = await user.ended(urls)
    assert failed["runtimeStatus"] == "Failed"
    assert "IsADirectoryError" in failed["output"]
    (texts / "odd.txt").rmdir()
    (texts / "odd.txt").write_text("two words")
    for number in range(50):
        (texts / f"{number}.txt").unlink()
    rewind = urls["rewindPostUri"].replace("{text}", "mended")
    assert (await user.follow("POST", rewind)).status == 202
    assert await user.output(urls) == {"files": 51, "words": 49 * 25 + 2}


@of("async_http")
async def test_async_http_api(user: User) -> None:
    answer = await user.post("/api/jobs", json={"steps": 3})
    urls = await user.started(answer)
    assert answer.headers["Retry-After"] == "10"
    assert await user.output(urls) == {"total": 30}
    progress = await user.get(f"/api/jobs/{urls['id']}")
    assert progress.json() == {"state": "Completed", "progress": {"done": 3, "of": 3}}
    again = await user.started(await user.follow("POST", urls["restartPostUri"]))
    assert again["id"] != urls["id"]
    assert await user.output(again) == {"total": 30}
    assert (await user.get("/api/jobs/nobody")).status == 404

    waited = await user.post("/api/jobs/run", json={"steps": 2})
    assert (waited.status, waited.json()) == (200, {"total": 10})
    late = await user.post("/api/jobs/run?timeoutMs=100", json={"steps": 1, "pauseMs": 3_600_000})
    urls = await user.started(late)
    polled = await user.follow("GET", urls["statusQueryGetUri"])
    assert (polled.status, polled.json()["output"]) == (202, None)
    assert polled.headers["Retry-After"] == "5"
    assert (await user.ask("DELETE", f"/api/jobs/{urls['id']}")).status == 204
    status = await user.ended(urls)
    assert (status["runtimeStatus"], status["output"]) == ("Terminated", "cancelled by its owner")
    purged = await user.follow("DELETE", urls["purgeHistoryDeleteUri"])
    assert purged.json() == {"instancesDeleted": 1}
    assert (await user.follow("GET", urls["statusQueryGetUri"])).status == 404


@of("monitor")
async def test_monitor(user: User, tmp_path: Path) -> None:
    job = {
        "name": "the backup",
        "file": str(tmp_path / "job.json"),
        "intervalSeconds": 0.03,
        "patienceSeconds": 30,
    }
    urls = await user.started(await user.post("/api/watch", json=job))
    await user.status_is(urls, lambda found: (found["customStatus"] or {}).get("looks", 0) > 1)
    (tmp_path / "job.json").write_text('{"status": "done"}')
    output = await user.output(urls)
    assert output["sent"] == "alert: the backup is done"
    assert output["looks"] > 2

    never = {**job, "file": str(tmp_path / "never.json"), "patienceSeconds": 0.2}
    urls = await user.started(await user.post("/api/watch", json=never))
    assert (await user.output(urls))["sent"] == "alert: the backup takes too long"


@of("human_interaction")
async def test_human_interaction(user: User) -> None:

    async def submit(name: str, patience_s: float) -> dict[str, str]:
        body = {"id": name, "amount": 120, "patienceSeconds": patience_s}
        urls = await user.started(await user.post("/api/expenses", json=body))
        await user.status_is(urls, lambda found: found["runtimeStatus"] != "Pending")
        return urls

    urls = await submit("E-1", 600)
    decision = {"approved": True, "by": "Ada"}
    assert (await user.post("/api/expenses/E-1/decision", json=decision)).status == 202
    assert await user.output(urls) == "E-1 was approved by Ada"
    assert (await user.post("/api/expenses/E-1/decision", json=decision)).status == 409

    # The same event by the URL that the instance was announced with, instead of the app's own.
    urls = await submit("E-2", 600)
    event_url = urls["sendEventPostUri"].replace("{eventName}", "Decision")
    sent = await user.follow("POST", event_url, json={"approved": False, "by": "Bob"})
    assert (sent.status, sent.text) == (202, "")
    assert await user.output(urls) == "E-2 was rejected by Bob"
    assert (await user.follow("POST", event_url, json=decision)).status == 410

    assert await user.output(await submit("E-3", 0.05)) == "E-3 was escalated"

    # Suspended, it keeps the decision and does nothing about it.
    urls = await submit("E-4", 600)
    await user.follow("POST", urls["suspendPostUri"].replace("{text}", "audit"))
    await user.status_is(urls, lambda found: found["runtimeStatus"] == "Suspended")
    event_url = urls["sendEventPostUri"].replace("{eventName}", "Decision")
    assert (await user.follow("POST", event_url, json=decision)).status == 202
    waiting = await user.follow("GET", urls["statusQueryGetUri"])
    assert (waiting.status, waiting.json()["output"]) == (202, "audit")
    await user.follow("POST", urls["resumePostUri"].replace("{text}", "done"))
    assert await user.output(urls) == "E-4 was approved by Ada"


@of("entities")
async def test_stateful_entities(user: User) -> None:

    async def balance(key: str) -> Any:
        answer = await user.get(f"/api/accounts/{key}")
        return answer.json()["balance"] if answer.status == 200 else None

    async def has(key: str, amount: int | None) -> bool:
        return bool(await balance(key) == amount)

    assert await balance("ada") is None
    for amount in (10, 20, 30):
        await user.post(f"/api/accounts/ada?op=deposit&amount={amount}")
    await until(lambda: has("ada", 60), "all three deposits are booked")

    moved = await user.post("/api/transfers", json={"from": "ada", "to": "bob", "amount": 45})
    assert moved.json() == {"moved": 45, "left": 15, "there": 45}
    too_much = await user.post("/api/transfers", json={"from": "ada", "to": "bob", "amount": 45})
    assert too_much.json() == {"moved": 0, "why": "only 15 left"}
    assert await balance("bob") == 45

    listed = await user.get(f"{WEBHOOK}/entities/account?fetchState=true")
    assert {entry["entityId"]["key"]: entry["state"] for entry in listed.json()} == {
        "ada": 15,
        "bob": 45,
    }
    await user.post("/api/accounts/bob?op=close")
    await until(lambda: has("bob", None), "the account is closed")


@of("sub_orchestrations")
async def test_sub_orchestrations(user: User) -> None:
    devices = [{"id": "d1"}, {"id": "d2", "failures": 1}, {"id": "d3"}]
    urls = await user.started(await user.post("/api/fleets/one", json=devices))
    assert await user.output(urls) == [f"package for d{n} installed" for n in (1, 2, 3)]
    child = await user.get(f"{WEBHOOK}/instances/fleet-one-d2")
    assert (child.json()["name"], child.json()["runtimeStatus"]) == ("set_up_device", "Completed")

    urls = await user.started(await user.post("/api/fleets/two", json=[{"id": "x", "failures": 9}]))
    failed = await user.ended(urls)
    assert failed["runtimeStatus"] == "Failed"
    assert "ConnectionError: x does not answer" in failed["output"]
    listed = (await user.get(f"{WEBHOOK}/instances?runtimeStatus=Completed")).json()
    report = next(each for each in listed if each["name"] == "report_trouble")
    assert report["customStatus"] == {"of": "fleet-two"}


@of("eternal")
async def test_eternal_orchestration(user: User) -> None:
    urls = await user.started(await user.post("/api/cleaner"))
    assert (await user.post("/api/cleaner")).status == 409
    await user.status_is(urls, lambda found: (found["customStatus"] or {}).get("rounds", 0) >= 3)
    event_url = urls["sendEventPostUri"].replace("{eventName}", "Rubbish")
    # Sent at once, they wait for the generations that take them, one each.
    for item in ("cans", "paper", "enough"):
        await user.follow("POST", event_url, data=json.dumps(item), headers=JSON)
    output = await user.output(urls)
    assert output["removed"] == ["CANS", "PAPER"]
    status = await user.follow("GET", urls["statusQueryGetUri"] + "&showHistory=true")
    # The history is the last generation's alone.
    assert len(status.json()["historyEvents"]) < 8

    urls = await user.started(await user.post("/api/cleaner"))
    stop = urls["terminatePostUri"].replace("{text}", "that%20will%20do")
    assert (await user.follow("POST", stop)).status == 202
    status = await user.ended(urls)
    assert (status["runtimeStatus"], status["output"]) == ("Terminated", "that will do")
