"""What the gateway is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
TIERS = ("classic", "v2", "consumption")
CREDIT_MODES = ("ledger", "named-value")


@dataclass(frozen=True)
class GatewayConfig:
    """Everything the gateway needs to know.

    Attributes:
        entities: the content of `infra/entities.json`.
        infra: the folder that its file names are relative to.
        data: where keys and changed named values are kept.
        backend_origin: the Functions host, such as `http://127.0.0.1:7071`.
        named_values: values that a deployment would set, and overrides of others.
        tier: `classic` (sliding window), `v2` (token bucket) or `consumption`.
        propagation_delay_s: how long a changed named value takes to reach the gateway.
        host_names: names the gateway answers to, beside those of loopback.
        trace: whether a caller may ask which policies ran (`X-Emulator-Trace: true`).
    """

    entities: Mapping[str, Any]
    infra: Path
    data: Path
    backend_origin: str
    named_values: Mapping[str, str] = field(default_factory=dict)
    tier: str = "classic"
    credit_mode: str = "ledger"
    propagation_delay_s: float = 0.0
    host_names: frozenset[str] = frozenset()
    trace: bool = False
    service_name: str = "orders-local"
    region: str = "Local"

    def __post_init__(self) -> None:
        if self.tier not in TIERS:
            raise ValueError(f"tier is one of {', '.join(TIERS)}, not {self.tier!r}")
        if self.credit_mode not in CREDIT_MODES:
            modes = ", ".join(CREDIT_MODES)
            raise ValueError(f"credit_mode is one of {modes}, not {self.credit_mode!r}")
