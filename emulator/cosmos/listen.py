"""Listening on loopback: http for keys, https for keys and tokens."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from emulator.cosmos.account import Account
from emulator.cosmos.server import create_app
from emulator.cosmos.tls import server_context
from emulator.identity import Identity


@dataclass
class Listener:
    """A running server.

    Attributes:
        http: its origin over http.
        https: its origin over TLS, or None where that was not asked for.
    """

    http: str
    https: str | None
    _runner: web.AppRunner

    async def close(self) -> None:
        """Stop listening; requests under way are finished."""
        await self._runner.cleanup()


async def listen(
    service: Account,
    *,
    port: int = 8081,
    tls_port: int | None = None,
    certificates: Path | None = None,
    identity: Identity | None = None,
) -> Listener:
    """Serve an account; a port of 0 is any free one.

    Args:
        tls_port: the port for https; None leaves it out.
        certificates: where the certificate is kept.
        identity: a managed identity to serve on the same ports.
    Raises:
        OSError: a port is taken.
    """
    runner = web.AppRunner(create_app(service, identity), access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        plain = web.TCPSite(runner, "127.0.0.1", port)
        await plain.start()
        if tls_port is not None:
            context = server_context(certificates or Path())
            await web.TCPSite(runner, "127.0.0.1", tls_port, ssl_context=context).start()
    except OSError:
        await runner.cleanup()
        raise
    ports = [address[1] for address in runner.addresses]
    https = f"https://localhost:{ports[1]}" if tls_port is not None else None
    return Listener(f"http://localhost:{ports[0]}", https, runner)
