"""The worker's end of the socket to the host."""

import os
import socket
import threading

from .protocol import Frame, encode_frame

_READ_BYTES = 1 << 18
HOST_IS_GONE = 0  # the exit code of a worker whose host has ended


class Channel:
    """The socket to the host. Sending is safe from any thread and waits while the host is busy.

    A system call for every frame, and the wake-up of the host that comes with it, was a fifth of
    what a small function costs. So `post` holds a frame for the `flush` that its caller is about to
    make, and frames that are ready together go together. The order of all frames is kept.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._held: list[bytes] = []

    def post(self, frame: Frame) -> None:
        """Hold one frame for the next `flush` or `send` of any thread.

        Raises:
            TypeError, ValueError: the frame holds what JSON cannot.
        """
        data = encode_frame(frame)
        with self._lock:
            self._held.append(data)

    def flush(self) -> None:
        """Send what is held. The process ends if the host is gone."""
        with self._lock:
            if not self._held:
                return
            data = b"".join(self._held)
            self._held.clear()
            try:
                self._socket.sendall(data)
            except OSError:
                os._exit(HOST_IS_GONE)

    def send(self, frame: Frame) -> None:
        """Send one frame, after those that are held.

        Raises:
            TypeError, ValueError: the frame holds what JSON cannot.
        """
        self.post(frame)
        self.flush()

    def receive(self) -> bytes:
        """What arrives next; empty when the host is gone."""
        try:
            return self._socket.recv(_READ_BYTES)
        except OSError:
            return b""
