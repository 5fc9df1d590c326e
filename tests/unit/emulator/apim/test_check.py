"""`python -m emulator.apim`: every mistake of every variant, before anything is deployed."""

import json
from pathlib import Path

import pytest

from emulator.apim.__main__ import main
from tests.support.gateway import ENTITIES, REPOSITORY, infra_with


def test_the_deployed_policies_can_be_carried_out_in_every_variant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(REPOSITORY / "infra" / "entities.json")]) == 0
    assert capsys.readouterr().out == "The policies can be carried out.\n"


def test_a_mistake_in_a_variant_that_is_not_served_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    infra = infra_with(tmp_path, {"product-premium.named-value.xml": "<policies><inbound>"})
    (infra / "entities.json").write_text(json.dumps(ENTITIES), encoding="utf-8")
    assert main([str(infra / "entities.json")]) == 1
    assert "error: policies/product-premium.named-value.xml:1:" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.json")]) == 1
    assert "Cannot read" in capsys.readouterr().err
