"""`orders doctor`: what an operator would check first, each with what was seen."""

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from cli.client import ApiError, OrdersApi, Unreachable


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    seen: str


def diagnose(api: OrdersApi) -> list[Check]:
    """Every check, in the order in which an operator would go on."""
    return [*_versions(), *_health(api), _list(api)]


def _versions() -> Iterator[Check]:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check("python", supported, platform.python_version())
    try:
        yield Check("orders", True, version("durable-orders"))
    except PackageNotFoundError:
        yield Check("orders", False, "not installed; run: pip install -e '.[cli]'")


def _health(api: OrdersApi) -> Iterator[Check]:
    try:
        body = api.health().body
    except Unreachable as error:
        yield Check("reach", False, str(error))
        return
    except ApiError as error:
        body = error.problem
        if "dependencies" not in body:
            yield Check("health", False, f"{error.status}: {error}")
            return
    yield Check("reach", True, api.url)
    for name, state in (body.get("dependencies") or {}).items():
        told = str(state.get("state"))
        # The app reaches some services by bindings alone and cannot ask them.
        yield Check(name, told in {"ok", "not checked"}, state.get("detail") or told)


def _list(api: OrdersApi) -> Check:
    """Whether the credentials open the API."""
    try:
        found = list(api.orders(limit=1))
    except (ApiError, Unreachable) as error:
        return Check("credentials", False, str(error))
    return Check(
        "credentials", True, "the latest order is " + found[0]["id"] if found else "no orders yet"
    )
