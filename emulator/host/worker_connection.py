"""The host's end of the socket to a worker, and the start of the process at the other end.

Writes wait while the worker is behind, so that a burst of large payloads is held by its callers and
not by the socket's buffer. The process is started in a session of its own: Ctrl-C reaches the host,
which ends the worker in order; when the host dies, the socket closes and the worker ends itself.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import emulator.worker
from emulator.worker.protocol import Frame, FrameBuffer, ProtocolError, encode_frame

_START_FILE = Path(emulator.worker.__file__).with_name("__main__.py")
_WRITE_LIMIT_BYTES = 1 << 20


class ConnectionClosed(Exception):
    """The worker is gone; nothing more can be sent."""


class Connection(asyncio.Protocol):
    """Frames to and from one worker.

    Args:
        on_frame: called with every frame that arrives.
        on_lost: called once, when the worker is gone or sends what is no frame.
    """

    def __init__(self, on_frame: Callable[[Frame], None], on_lost: Callable[[], None]) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = FrameBuffer()
        self._transport: asyncio.Transport | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._closed = False
        self._held: list[bytes] = []
        self._held_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=_WRITE_LIMIT_BYTES)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._buffer.feed(data)
        except ProtocolError:
            self.close()
            return
        for frame in frames:
            self._on_frame(frame)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._closed = True
        self._may_write.set()
        self._on_lost()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    async def send(self, frame: Frame) -> None:
        """Send a frame once the worker has taken enough of those before.

        Raises:
            ConnectionClosed: the worker is gone.
        """
        while not self._may_write.is_set():
            await self._may_write.wait()
        self.send_now(frame)

    def send_now(self, frame: Frame) -> None:
        """Send a frame without waiting: for small ones, and for answers the worker waits for.

        It leaves together with those that are sent in the same turn of the loop: a system call for
        each, and the wake-up of the worker that comes with it, would cost more than the frame.

        Raises:
            ConnectionClosed: the worker is gone.
        """
        if self._closed or self._transport is None:
            raise ConnectionClosed
        data = encode_frame(frame)
        if not self._held:
            asyncio.get_running_loop().call_soon(self._flush)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes >= _WRITE_LIMIT_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        if data and self._transport is not None and not self._closed:
            self._transport.write(data)

    def close(self) -> None:
        """Close at once; the worker ends itself."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True)
class Started:
    """A worker that was started, and the ways to it."""

    process: asyncio.subprocess.Process
    connection: Connection
    output: asyncio.StreamReader


async def start_worker(
    script_root: Path,
    environ: Mapping[str, str],
    python: str | None,
    on_frame: Callable[[Frame], None],
    on_lost: Callable[[], None],
) -> Started:
    """Start a worker in the app's folder and connect to it.

    Args:
        environ: the whole environment of the process.
        python: the interpreter; the host's own if None.
    Raises:
        OSError: the interpreter cannot be started.
    """
    # A caller that gives up in the middle must not leave a process that nobody waits for.
    starting = asyncio.ensure_future(_start(script_root, environ, python, on_frame, on_lost))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        started = await starting
        started.connection.close()
        await started.process.wait()
        raise


async def _start(
    script_root: Path,
    environ: Mapping[str, str],
    python: str | None,
    on_frame: Callable[[Frame], None],
    on_lost: Callable[[], None],
) -> Started:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    # A pipe of our own and not asyncio's: waiting for the process must not wait for programs that
    # the app left behind with its output still open.
    read_end, write_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            python or sys.executable,
            *("-P", "-X", "faulthandler", os.fspath(_START_FILE), "--fd", str(theirs.fileno())),
            cwd=script_root,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        os.close(read_end)
        raise
    finally:
        theirs.close()
        os.close(write_end)
    loop = asyncio.get_running_loop()
    output = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read_end, "rb")
    )
    _, connection = await loop.create_connection(lambda: Connection(on_frame, on_lost), sock=ours)
    return Started(process, connection, output)
