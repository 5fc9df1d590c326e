"""Checks policies without serving anything: `python -m emulator.apim [ENTITIES]`.

Loads what the gateway would load, in every variant that can be deployed, and names every problem
with file and line. Exits 0 if there is none. Named values that a deployment sets are placeholders.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emulator.apim.config import CREDIT_MODES, TIERS
from emulator.apim.definitions import Variant, load_definitions
from emulator.apim.errors import DefinitionError, Problem
from emulator.apim.snapshot import build_snapshot

_PLACEHOLDER = "00000000-0000-0000-0000-000000000000"


def main(arguments: list[str]) -> int:
    """Print what is wrong; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m emulator.apim", description=__doc__)
    parser.add_argument("entities", nargs="?", type=Path, default=Path("infra/entities.json"))
    path: Path = parser.parse_args(arguments).entities
    try:
        entities = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"Cannot read {path}: {error}\n")
        return 1
    problems, warnings = check(entities, path.parent)
    for problem in [*problems, *warnings]:
        kind = "error" if problem in problems else "warning"
        sys.stdout.write(f"{kind}: {problem}\n")
    if not problems:
        sys.stdout.write("The policies can be carried out.\n")
    return 1 if problems else 0


def check(entities: Mapping[str, Any], infra: Path) -> tuple[list[Problem], list[Problem]]:
    """Problems and warnings of all variants, each once, in the order of files and lines."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for variant in _variants():
        try:
            warnings += _load(entities, infra, variant)
        except DefinitionError as error:
            problems += error.problems
    return DefinitionError(problems).problems, DefinitionError(warnings).problems


def _load(entities: Mapping[str, Any], infra: Path, variant: Variant) -> list[Problem]:
    definitions = load_definitions(entities, infra, "http://127.0.0.1", variant)
    management = entities["apiManagement"]
    values = {entry["name"]: _PLACEHOLDER for entry in management.get("namedValues", ())}
    values |= definitions.named_values
    by_key = variant.tier != "consumption"
    return build_snapshot(definitions, values, rate_limits_by_key=by_key).warnings


def _variants() -> Iterator[Variant]:
    for tier in TIERS:
        for mode in CREDIT_MODES:
            yield Variant(tier, mode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
