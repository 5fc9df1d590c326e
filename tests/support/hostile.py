"""The real app on the real emulator, to be sent what nobody should send, and what it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from emulator.access import Access, find_access
from emulator.launch import Doors, EmulatorProcess
from tests.support.pipeline import pipeline

# Enough that the gateway's credit is never what refuses.
_CREDIT = "100000000"
_PATIENCE_S = 60.0
PROBLEM = "application/problem+json"


@dataclass
class Target:
    """A running pipeline, its two doors for HTTP, and the ids of what it answered 202 to."""

    process: EmulatorProcess
    doors: Doors
    access: Access
    taken: set[str] = field(default_factory=set)

    def base(self, door: str) -> str:
        """The URL that the paths of the OpenAPI file are below, at `host` or `gateway`."""
        return f"{self.doors.host}/api" if door == "host" else self.access.url

    def headers(self, door: str) -> dict[str, str]:
        """What a call of this door needs beside what it is about."""
        return {} if door == "host" else self.access.headers

    def remember(self, status: int, body: Any) -> None:
        """Keep the place of what was acknowledged, without the door's own prefix."""
        if status == 202 and isinstance(body, dict) and "links" in body:
            self.taken.add(body["links"]["self"].removeprefix("/api"))

    def resident_mb(self) -> float:
        """Resident memory of the host and of the worker that runs the app, in MB."""
        listed = Path(f"/proc/{self.doors.pid}/task/{self.doors.pid}/children").read_text()
        return sum(_resident_mb(pid) for pid in (self.doors.pid, *map(int, listed.split())))

    def lost(self) -> dict[str, str]:
        """What was acknowledged and does not come to an end, with what is said of it instead."""
        with httpx.Client(base_url=f"{self.doors.host}/api", timeout=40) as client:
            told = {place: _final(client, place) for place in sorted(self.taken)}
        return {place: text for place, text in told.items() if text is not None}


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise AssertionError(f"process {pid} tells no memory")


def _final(client: httpx.Client, place: str) -> str | None:
    """None when the status is final, else what the last answer was."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        answer = client.get(place, headers={"Prefer": "wait=10"})
        if answer.status_code == 200:
            return None
        if answer.status_code != 202 or time.monotonic() > deadline:
            return f"{answer.status_code} {answer.text}"


@dataclass(frozen=True)
class Sent:
    """A request that no client library would let pass."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def exchange(base: str, sent: Sent) -> tuple[int, dict[str, str], bytes]:
    """Send a request with its path as it is; status, headers by lower-case name, and body."""
    url = urlsplit(base)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    try:
        connection.putrequest(sent.method, url.path + sent.path, skip_accept_encoding=True)
        for name, value in sent.headers.items():
            connection.putheader(name, value.encode("latin-1"))
        if sent.body is not None:
            connection.putheader("Content-Length", str(len(sent.body)))
        connection.endheaders(sent.body)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


@contextmanager
def target(folder: Path) -> Iterator[Target]:
    """A pipeline of its own, with one order taken; stopped at the end, with exit code 0."""
    process = pipeline(folder)
    found = Target(process, process.start(), find_access(folder))
    try:
        credit = f"{found.access.url}/emulator/apim/named-values/credit"
        httpx.put(credit, json={"value": _CREDIT}).raise_for_status()
        yield found
        assert process.running, "It ended by itself."
    finally:
        code = process.stop()
    assert code == 0
