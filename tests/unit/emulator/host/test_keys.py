"""Access keys: what each opens, and how they are kept."""

import json
from pathlib import Path

import pytest

from emulator.host.errors import StartError
from emulator.host.keys import Keys, Level


def test_each_key_has_its_level(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    [shared] = keys.listed("functionkeys")
    [own] = keys.listed("f")
    assert keys.level(None, function="f") is Level.ANONYMOUS
    assert keys.level("wrong", function="f") is Level.ANONYMOUS
    assert keys.level(keys.master, function="f") is Level.ADMIN
    assert keys.level(shared.value, function="f") is Level.FUNCTION
    assert keys.level(own.value, function="F") is Level.FUNCTION
    assert keys.level(own.value, function="g") is Level.ANONYMOUS
    system = keys.system("eventgrid")
    assert keys.level(system, extension="eventgrid") is Level.SYSTEM
    assert keys.level(system, extension="durabletask") is Level.ANONYMOUS


def test_keys_are_kept_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    master = Keys(tmp_path).master
    assert Keys(tmp_path).master == master
    assert (tmp_path / "host.json").stat().st_mode & 0o077 == 0


def test_prepared_keys_are_used(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(
        json.dumps({"keys": [{"name": "default", "value": "testFunctionKey"}]})
    )
    assert Keys(tmp_path).level("testFunctionKey", function="f") is Level.FUNCTION


def test_keys_are_made_changed_and_deleted(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    made, is_new = keys.put("functionkeys", "extra", None)
    assert is_new
    changed, is_new = keys.put("functionkeys", "extra", "value")
    assert not is_new
    assert keys.level(made.value, function="f") is Level.ANONYMOUS
    assert keys.level(changed.value, function="f") is Level.FUNCTION
    assert Keys(tmp_path).level("value", function="f") is Level.FUNCTION
    assert keys.delete("functionkeys", "extra")
    assert not keys.delete("functionkeys", "extra")
    assert Keys(tmp_path).level("value", function="f") is Level.ANONYMOUS


@pytest.mark.parametrize("text", ["nonsense", "[]"])
def test_damaged_key_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(StartError, match=r"host\.json"):
        Keys(tmp_path)
