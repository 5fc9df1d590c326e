"""The checker of the crash matrix: what is lost, doubled, different, and what is fine."""

from chaos.outcome import Outcome, backwards, by_key, compare, counted

DAY = Outcome(
    {"item": by_key([("A", {"status": "processed", "attempt": 1}), ("B", {"status": "rejected"})])},
    counted(["A:processed", "B:rejected"]),
)


def test_the_same_day_is_good_and_repeated_effects_are_only_counted() -> None:
    verdict = compare(DAY, Outcome(DAY.facts, counted(["A:processed", "B:rejected", "B:rejected"])))
    assert verdict.is_good
    assert verdict.repeated == 1


def test_what_is_missing_is_lost() -> None:
    found = Outcome({"item": by_key([("A", DAY.facts["item"]["A"][0])])}, {"A:processed": 1})
    assert compare(DAY, found).lost == ("item B", "effect B:rejected")


def test_what_is_there_twice_or_should_not_be_is_doubled() -> None:
    twice = by_key([("A", 1), ("A", 1), ("B", 1), ("C", 1)])
    found = Outcome({"item": twice}, {**DAY.effects, "A:failed": 1})
    assert compare(DAY, found).doubled == (
        "item C that should not be",
        "item A: 2 of them",
        "effect A:failed that should not be",
    )


def test_what_says_something_else_is_different_and_named() -> None:
    facts = by_key([("A", {"status": "processed", "attempt": 2}), ("B", {"status": "rejected"})])
    verdict = compare(DAY, Outcome({"item": facts}, DAY.effects))
    assert verdict.different == ("item A: attempt is 2 instead of 1",)
    assert not verdict.is_good


def test_what_still_goes_on_is_lost() -> None:
    verdict = compare(DAY, Outcome(DAY.facts, DAY.effects, unfinished=["C runs"]))
    assert verdict.lost == ("C runs",)


def test_a_state_that_goes_back_is_told() -> None:
    assert backwards("A", [(1, "queued"), (1, "running"), (1, "failed"), (2, "queued")]) == []
    assert len(backwards("A", [(1, "running"), (1, "queued")])) == 1
    assert len(backwards("A", [(1, "processed"), (1, "failed")])) == 1
    assert len(backwards("A", [(2, "running"), (1, "failed")])) == 1
    shown = {"A": [(1, "processed"), (1, "running")]}
    assert not compare(DAY, Outcome(DAY.facts, DAY.effects, shown=shown)).is_good
