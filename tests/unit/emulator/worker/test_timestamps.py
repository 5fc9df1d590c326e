"""The fast readers of timestamps give what the libraries give, or leave it to them."""

import importlib
import string
from datetime import datetime

import pytest
from azure.functions.meta import _BaseConverter
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


@given(
    st.datetimes(min_value=datetime.fromisoformat("1000-01-01")),
    st.integers(min_value=0, max_value=7),
    st.sampled_from(["", "Z"]),
)
def test_times_of_metadata_are_read_as_the_functions_library_reads_them(
    moment: datetime, digits: int, zone: str
) -> None:
    fraction = f"{moment:%f}0"[:digits]
    text = f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + zone
    fast = timestamps.read_metadata_time(text)
    assert fast is not None
    assert repr(fast) == repr(_BaseConverter._parse_datetime(text))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05+00:00",
        "2026-01-02 03:04:05",
        "01/02/2026 03:04:05Z",
        "2026-01-02T24:00:00",
        "2026-02-30T03:04:05",
        "2026-01-02T03:04:05.12345678",
        "",
        None,
    ],
)
def test_other_times_of_metadata_are_left_to_the_functions_library(text: str | None) -> None:
    assert timestamps.read_metadata_time(text) is None


def test_installed_for_metadata_it_reads_both_its_own_form_and_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = _BaseConverter._parse_datetime
    monkeypatch.setattr(_BaseConverter, "_parse_datetime", slow)
    timestamps.install_fast_metadata()
    installed = _BaseConverter.__dict__["_parse_datetime"]
    timestamps.install_fast_metadata()
    assert _BaseConverter.__dict__["_parse_datetime"] is installed
    for text in ("2026-01-02T03:04:05.1234567", "01/02/2026 03:04:05Z", None):
        assert repr(_BaseConverter._parse_datetime(text)) == repr(slow(text))
    with pytest.raises(ValueError, match="does not match format"):
        _BaseConverter._parse_datetime("yesterday")
