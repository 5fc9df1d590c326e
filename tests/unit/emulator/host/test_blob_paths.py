"""Which blobs a trigger's path means, and what it captures of their names."""

import pytest

from emulator.host.blob_paths import parse_trigger_path, split_path
from emulator.host.errors import FunctionInError


@pytest.mark.parametrize(
    ("path", "name", "captured"),
    [
        ("inbox/{name}", "a/b.txt", {"name": "a/b.txt"}),
        ("inbox/{name}.{ext}", "a.b.csv", {"name": "a.b", "ext": "csv"}),
        ("inbox/{name}.{ext}", "no-dot", None),
        ("inbox/orders-{id}.json", "orders-7.json", {"id": "7"}),
        ("inbox/orders-{id}.json", "Orders-7.json", None),
        ("inbox/exact.txt", "exact.txt", {}),
        ("inbox/exact.txt", "exact-txt", None),
        ("inbox/{{{n}}}.txt", "{7}.txt", {"n": "7"}),
        ("inbox", "anything/at all", {}),
        ("/inbox/{name}", "x", {"name": "x"}),
    ],
)
def test_path_means_and_captures(path: str, name: str, captured: dict[str, str] | None) -> None:
    found = parse_trigger_path(path)
    assert found.container == "inbox"
    assert found.match(name) == captured


@pytest.mark.parametrize(
    "path", ["", "{c}/x", "in/x", "Inbox/x", "inbox/{a", "inbox/a}", "inbox/{a}{a}", "inbox/{1}"]
)
def test_path_that_no_trigger_can_have(path: str) -> None:
    with pytest.raises(FunctionInError, match="Invalid blob trigger path"):
        parse_trigger_path(path)


def test_path_of_a_binding_names_a_container_and_a_blob() -> None:
    assert split_path("inbox/a/b") == ("inbox", "a/b")
    for path in ("inbox", "inbox/", "/x"):
        with pytest.raises(FunctionInError, match="Invalid blob path"):
            split_path(path)
