"""The fast reader of timestamps gives what `dateutil` gives, or leaves it to `dateutil`."""

import importlib
import string
from datetime import datetime

import pytest
from dateutil.parser import parse
from hypothesis import given
from hypothesis import strategies as st

from emulator.worker import timestamps

MODULE = importlib.import_module("azure.durable_functions.models.history.HistoryEvent")
ZONE = parse("2026-01-02T03:04:05Z").tzinfo


@given(
    st.datetimes(min_value=datetime.fromisoformat("1000-01-01")),
    st.integers(min_value=0, max_value=7),
)
def test_timestamps_of_every_precision_are_read_as_dateutil_reads_them(
    moment: datetime, digits: int
) -> None:
    fraction = f"{moment:%f}0"[:digits]
    text = f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + "Z"
    fast = timestamps.read_timestamp(text, ZONE)
    assert fast == parse(text)
    assert repr(fast) == repr(parse(text))


@given(st.text(alphabet=string.digits + "-:.TZ+ ", max_size=32))
def test_what_is_read_fast_is_never_read_otherwise_by_dateutil(text: str) -> None:
    fast = timestamps.read_timestamp(text, ZONE)
    assert fast is None or fast == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:65Z",
        "20260102T030405.123Z",
        "2026-01-02T03:04:05,25Z",
        None,
    ],
)
def test_other_forms_are_left_to_dateutil(text: str | None) -> None:
    assert timestamps.read_timestamp(text, ZONE) is None


def test_installed_it_reads_both_its_own_form_and_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "dt_parse", parse)
    timestamps.install_fast_timestamps()
    installed = MODULE.dt_parse
    timestamps.install_fast_timestamps()
    assert MODULE.dt_parse is installed
    for text in ("2026-01-02T03:04:05.2500000Z", "2026-01-02T03:04:05+02:00"):
        assert repr(installed(text)) == repr(parse(text))


def test_without_the_name_it_replaces_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(MODULE, "dt_parse")
    timestamps.install_fast_timestamps()
    assert not hasattr(MODULE, "dt_parse")
