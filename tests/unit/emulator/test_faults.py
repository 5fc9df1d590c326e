"""Fault rules: what they take, how often, and how nonsense is refused."""

from typing import Any

import pytest

from emulator.faults import FaultRule, Faults, InjectedFault, InvalidFault, parse_rule


def test_rule_takes_its_passages_after_those_it_lets_through() -> None:
    faults = Faults([FaultRule("step.*", "fail", match={"name": "pay*"}, after=1, times=2)])
    seen = []
    for _ in range(5):
        try:
            faults.at_sync("step.before", name="payment")
            seen.append("passed")
        except InjectedFault:
            seen.append("failed")
    assert seen == ["passed", "failed", "failed", "passed", "passed"]


def test_other_points_and_labels_are_let_through_and_counted() -> None:
    faults = Faults([FaultRule("step.before", "fail", match={"name": "pay"})])
    faults.at_sync("step.before", name="ship")
    faults.at_sync("step.after", name="pay")
    faults.at_sync("step.before")
    assert faults.passed == {"step.before": 2, "step.after": 1}


async def test_duplicate_asks_for_a_second_time_and_clear_ends_it() -> None:
    faults = Faults([FaultRule("send", "duplicate", times=None)])
    assert await faults.at("send") is True
    faults.clear()
    assert await faults.at("send") is False


async def test_rules_of_one_point_are_taken_out_by_its_words() -> None:
    faults = Faults([FaultRule("send", "fail"), FaultRule("se*", "duplicate")])
    faults.clear("send")
    assert await faults.at("send") is True


def test_a_point_is_watched_while_a_rule_may_hit_it() -> None:
    faults = Faults([FaultRule("*.commit.middle", "die")])
    assert faults.is_watched("taskhub.commit.middle")
    assert not faults.is_watched("taskhub.commit.before")
    faults.clear()
    assert not faults.is_watched("taskhub.commit.middle")


async def test_failure_carries_the_text_of_its_rule() -> None:
    faults = Faults()
    faults.add(parse_rule({"point": "send", "action": "fail", "message": "no line"}))
    with pytest.raises(InjectedFault, match="no line"):
        await faults.at("send")
    assert faults.describe()["rules"][0]["seen"] == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "JSON object"),
        ({"action": "fail"}, "'point'"),
        ({"point": "x", "action": "explode"}, "'action'"),
        ({"point": "x", "action": "fail", "when": 1}, "Unknown member 'when'"),
        ({"point": "x", "action": "fail", "times": 0}, "'times'"),
        ({"point": "x", "action": "fail", "after": -1}, "'after'"),
        ({"point": "x", "action": "fail", "match": {"a": 1}}, "'match'"),
        ({"point": "x", "action": "delay", "seconds": True}, "'seconds'"),
        ({"point": "x", "action": "fail", "message": 1}, "'message'"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_member(value: Any, says: str) -> None:
    with pytest.raises(InvalidFault, match=says):
        parse_rule(value)
