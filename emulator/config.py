"""The command line of `python -m emulator`: what may be asked, and nothing else.

`func start`'s options are accepted so that scripts written for it work; those without meaning here
are listed as such. Reading a command line opens nothing.

Source: Core Tools' `start` command.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Never

VERSION = "4.0.7000"
DEFAULT_PORT, GATEWAY_PORT, COSMOS_PORT, MESSAGING_PORT = 7071, 8080, 8081, 5300
# The vendor's emulator has https on 8081 alone; here http has it, and https the next.
COSMOS_TLS_PORT = 8082
# Azurite's.
BLOB_PORT = 10000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class UsageError(Exception):
    """The command line cannot be understood; the text is one line."""


@dataclass(frozen=True)
class Options:
    """What the command line says; None is "not said".

    Attributes:
        port: of the Functions host; 0 is any free one, as for all ports.
        cosmos_tls_port: https for the Cosmos DB endpoint, and with it a local managed identity;
            None is neither, unless a setting names the endpoint by https.
        functions: names of the functions to run; none of them means all.
    """

    script_root: Path
    data_dir: Path
    port: int | None = None
    gateway_port: int = GATEWAY_PORT
    cosmos_port: int = COSMOS_PORT
    cosmos_tls_port: int | None = None
    servicebus_port: int = MESSAGING_PORT
    blob_port: int = BLOB_PORT
    address: str = "127.0.0.1"
    settings: Path | None = None
    entities: Path | None = None
    faults: str | None = None
    seed: Path | None = None
    cors: str | None = None
    cors_credentials: bool = False
    timeout_s: float = 60.0
    functions: tuple[str, ...] = ()
    enable_auth: bool = False
    verbose: bool = False
    quiet: bool = False
    ready_json: bool = False
    keep_going: bool = False
    gateway_tier: str = "classic"
    credit_mode: str = "ledger"
    propagation_delay_s: float = 0.0


class _Parser(argparse.ArgumentParser):
    """Errors are one line and an exit code of the caller's choice."""

    def error(self, message: str) -> Never:
        raise UsageError(message)


def parse(arguments: Sequence[str], here: Path) -> Options | None:
    """Read a command line.

    Args:
        here: the folder it was given in.
    Returns: the options of `start`; None when only the version is asked for.
    Raises:
        UsageError: a command, option or value that makes no sense.
    """
    words = list(arguments)
    if words[:1] == ["host"]:
        words = words[1:]
    if words[:1] in (["--version"], ["-v"], ["version"]):
        return None
    if words[:1] == ["start"]:
        words = words[1:]
    elif words and not words[0].startswith("-"):
        raise UsageError(f"Unknown command '{words[0]}'. The one command is: start.")
    elif not words:
        raise UsageError("Say what to do: python -m emulator start [options].")
    elif words[0] not in ("-h", "--help"):
        raise UsageError(f"Unknown command '{words[0]}'. The one command is: start.")
    given, unknown = _parser().parse_known_args(words)
    if unknown:
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}")
    return _options(given, here)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m emulator start",
        description="Runs a Python function app (v2 programming model) on this machine.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-p", "--port", type=_port, help=f"the Functions host (default {DEFAULT_PORT}, 0: any)")
    add("--gateway-port", type=_port, default=GATEWAY_PORT, help="the API Management gateway")
    add(
        *("--gateway-tier",),
        choices=("classic", "v2", "consumption"),
        default="classic",
        help="sliding window, token bucket, or by subscription only",
    )
    add("--credit-mode", choices=("ledger", "named-value"), default="ledger")
    add(
        *("--propagation-delay",),
        type=float,
        default=0.0,
        help="seconds until the gateway sees a changed named value",
    )
    add("--cosmos-port", type=_port, default=COSMOS_PORT, help="the Cosmos DB endpoint")
    add(
        *("--cosmos-tls-port",),
        type=_port,
        help="https for it, with a local managed identity, so that DefaultAzureCredential works "
        f"(default {COSMOS_TLS_PORT}, if a setting names https://localhost:{COSMOS_PORT})",
    )
    add(
        *("--servicebus-port",),
        type=_port,
        default=MESSAGING_PORT,
        help="Service Bus and Event Grid",
    )
    add("--blob-port", type=_port, default=BLOB_PORT, help="the storage account of files")
    add("--address", default="127.0.0.1", help="loopback only")
    add("--script-root", "--prefix", type=Path, help="the function app's folder")
    add("--data-dir", type=Path, help="where data is kept (default <script-root>/.local)")
    add("--settings", type=Path, help="in the place of local.settings.json")
    add("--entities", type=Path, help="queues, containers and topics (infra/entities.json)")
    add("--faults", help="a JSON text or a file of injected faults")
    add("--seed", type=Path, help="items to put into containers where they are missing")
    add("--cors", help="allowed origins, separated by commas")
    add("--cors-credentials", action="store_true")
    add("-t", "--timeout", type=float, default=60.0, help="seconds the app may take to load")
    add("--functions", nargs="+", default=[], help="run only these")
    add("--enableAuth", action="store_true", help="check keys")
    add("--verbose", action="store_true", help="log what the host does")
    add("--quiet", action="store_true", help="log warnings and errors only")
    add("--ready-json", action="store_true", help="tell the URLs in one line of JSON")
    add("--keep-going", action="store_true", help="serve even if the app cannot be loaded")
    _add_without_effect(parser)
    return parser


def _add_without_effect(parser: argparse.ArgumentParser) -> None:
    """What `func start` takes and what has no meaning here."""
    group = parser.add_argument_group("accepted for func start's sake, without effect")
    for flag in ("--no-build", "--enable-json-output"):
        group.add_argument(flag, action="store_true")
    for option in ("--language-worker", "--user-log-level", "--json-output-file", "--runtime"):
        group.add_argument(option)
    for option in ("--useHttps", "--cert", "--password", "--dotnet-isolated-debug"):
        # Told apart from the unknown ones so that the refusal can say why.
        group.add_argument(option, nargs="?", const="", help=argparse.SUPPRESS)


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port (0 to 65535)")
    return port


def _options(given: argparse.Namespace, here: Path) -> Options:
    if given.useHttps is not None or given.cert is not None:
        raise UsageError("--useHttps is not supported: the emulator serves plain HTTP on loopback.")
    if given.address not in _LOOPBACK:
        raise UsageError(
            f"--address {given.address} is refused: the emulator serves this machine only "
            "(127.0.0.1)."
        )
    root = (here / given.script_root).resolve() if given.script_root else find_root(here)
    if not root.is_dir():
        raise UsageError(f"The folder of --script-root does not exist: {root}")
    settings = _existing(given.settings, here, "--settings")
    return Options(
        script_root=root,
        data_dir=(here / given.data_dir).resolve() if given.data_dir else root / ".local",
        port=given.port,
        gateway_port=given.gateway_port,
        gateway_tier=given.gateway_tier,
        credit_mode=given.credit_mode,
        propagation_delay_s=given.propagation_delay,
        cosmos_port=given.cosmos_port,
        cosmos_tls_port=given.cosmos_tls_port,
        servicebus_port=given.servicebus_port,
        blob_port=given.blob_port,
        address="127.0.0.1" if given.address == "localhost" else given.address,
        settings=settings,
        entities=_existing(given.entities, here, "--entities"),
        faults=_text_or_file(given.faults, here),
        seed=_existing(given.seed, here, "--seed"),
        cors=given.cors,
        cors_credentials=given.cors_credentials,
        timeout_s=given.timeout,
        functions=tuple(given.functions),
        enable_auth=given.enableAuth,
        verbose=given.verbose,
        quiet=given.quiet,
        ready_json=given.ready_json,
        keep_going=given.keep_going,
    )


def find_root(here: Path) -> Path:
    """The function app's folder: the first upwards with host.json or local.settings.json."""
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in ("host.json", "local.settings.json")):
            return folder
    return here


def _existing(path: Path | None, here: Path, option: str) -> Path | None:
    if path is None:
        return None
    found = (here / path).resolve()
    if not found.is_file():
        raise UsageError(f"The file of {option} does not exist: {found}")
    return found


def _text_or_file(text: str | None, here: Path) -> str | None:
    if text is None or text.lstrip().startswith(("{", "[")):
        return text
    found = _existing(Path(text), here, "--faults")
    assert found is not None
    if not os.access(found, os.R_OK):
        raise UsageError(f"The file of --faults cannot be read: {found}")
    return found.read_text(encoding="utf-8")
