"""Which deaths are drawn, how a case is named, and what the figures say of it."""

import random

import pytest

from chaos.matrix import (
    MOMENTS,
    STORIES,
    Case,
    Matrix,
    Reference,
    Run,
    drawn,
    drawn_few,
    drawn_recoveries,
)
from chaos.outcome import Outcome, Verdict
from chaos.report import Findings, Setup, rows, to_json, to_markdown

NOTHING = Outcome({}, {})
WRITES = {"taskhub": 40, "servicebus": 30, "cosmos": 30, "eventgrid": 9, "blob": 3, "logicapp": 8}
REFERENCES = {"orders": Reference(NOTHING, WRITES, 1.0)}


def test_a_case_is_named_by_a_text_that_gives_it_back() -> None:
    case = Case("orders", (("taskhub.commit.middle", 17), ("*.commit.after", 2)))
    assert str(case) == "orders/taskhub.commit.middle:17+*.commit.after:2"
    assert Case.parse(str(case)) == case
    assert case.rules[1] == [{"point": "*.commit.after", "action": "die", "after": 2}]
    with pytest.raises(ValueError, match="no story"):
        Case.parse("nothing/taskhub.commit.middle:1")


def test_what_is_drawn_covers_every_store_at_every_moment_and_follows_from_the_seed() -> None:
    cases = drawn(REFERENCES, 60, random.Random(1))
    assert {case.deaths[0][0] for case in cases} == {
        f"{store}.commit.{moment}" for store in WRITES for moment in MOMENTS
    }
    assert len(cases) == len(set(cases))
    assert all(case.deaths[0][1] < WRITES[case.deaths[0][0].split(".")[0]] for case in cases)
    assert (
        cases == drawn(REFERENCES, 60, random.Random(1)) != drawn(REFERENCES, 60, random.Random(2))
    )


def test_the_short_set_takes_the_busiest_stores_once_at_each_moment() -> None:
    places = [case.deaths[0][0] for case in drawn_few(REFERENCES, 9, random.Random(1))]
    assert sorted(places) == sorted(
        f"{store}.commit.{moment}"
        for store in ("taskhub", "servicebus", "cosmos")
        for moment in MOMENTS
    )


def test_a_recovery_dies_twice_the_second_time_at_its_first_writes() -> None:
    cases = drawn_recoveries(REFERENCES, 5, random.Random(1))
    assert [case.deaths[1][1] for case in cases] == [0, 1, 2, 3, 4]
    assert all(len(case.rules) == 2 for case in cases)


def findings(*runs: Run) -> Findings:
    setup = Setup(seed=7, points="1", jobs=2, command="make chaos")
    return Findings(setup, Matrix(dict(REFERENCES), list(runs)))


def test_what_was_not_run_says_so_and_is_not_counted_as_good() -> None:
    case = Case("orders", (("blob.commit.after", 0),))
    found = findings(Run(case, True, Verdict(repeated=2), (0.5, 0.7)))
    by_place = {(row["story"], row["place"]): row for row in rows(found)}
    assert by_place["orders", "blob.commit.after"]["runs"] == 1
    assert by_place["orders", "blob.commit.after"]["recovery"] == {
        "p50": 0.6,
        "p95": 0.7,
        "max": 0.7,
    }
    assert by_place["orders", "blob.commit.before"]["state"] == "not run"
    assert by_place["foreign", "taskhub.commit.after"]["state"] == "not run"
    text = to_markdown(to_json(found))
    assert "| orders | `blob.commit.before` | 3 | not run |" in text
    assert "The soak was not run." in text
    assert "seed 7" in text


def test_a_run_that_lost_something_fails_the_whole_and_is_named() -> None:
    case = Case("orders", (("blob.commit.after", 0),))
    good = Run(case, True, Verdict(), ())
    bad = Run(case, True, Verdict(lost=("item A",)), ())
    assert findings(good).is_good
    found = findings(good, bad)
    assert not found.is_good
    assert rows(found)[-1]["lost"] == 1
    assert "orders/blob.commit.after:0: lost item A" in to_markdown(to_json(found))
    broken = Run(case, True, Verdict(), (), broken="it does not answer")
    assert not findings(broken).is_good


def test_every_story_steps_through_the_stores_it_writes() -> None:
    assert set(STORIES["orders"].stores) == set(WRITES)
    assert STORIES["foreign"].stores == ("taskhub",)
    assert STORIES["storage"].stores == ("blob", "storagequeue")
