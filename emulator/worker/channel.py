"""The worker's end of the socket to the host."""

import os
import socket
import threading

from .protocol import Frame, encode_frame

_READ_BYTES = 1 << 18
HOST_IS_GONE = 0  # the exit code of a worker whose host has ended


class Channel:
    """The socket to the host. Sending is safe from any thread and waits while the host is busy."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()

    def send(self, frame: Frame) -> None:
        """Send one frame. The process ends if the host is gone.

        Raises:
            TypeError, ValueError: the frame holds what JSON cannot.
        """
        data = encode_frame(frame)
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError:
            os._exit(HOST_IS_GONE)

    def receive(self) -> bytes:
        """What arrives next; empty when the host is gone."""
        try:
            return self._socket.recv(_READ_BYTES)
        except OSError:
            return b""
