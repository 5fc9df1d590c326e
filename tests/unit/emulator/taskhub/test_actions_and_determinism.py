"""Reading replies, and comparing them with earlier ones."""

import json

import pytest

from emulator.taskhub.actions import MalformedReply, leaf_key, leaves, parse_reply
from emulator.taskhub.determinism import find_divergence


def activity(name):
    return {"actionType": 0, "functionName": name, "input": "1"}


def test_leaves_come_depth_first_and_left_to_right():
    nested = [
        {"actionType": 12, "compoundActions": [
            {"actionType": 11, "compoundActions": [activity("A"), activity("B")]},
            {"actionType": 12, "compoundActions": []},
            activity("C"),
        ]},
        activity("D"),
    ]  # fmt: skip
    assert [leaf["functionName"] for leaf in leaves([nested])] == ["A", "B", "C", "D"]


def test_very_deep_nesting_is_read():
    action = activity("A")
    for _ in range(5000):
        action = {"actionType": 12, "compoundActions": [action]}
    assert [leaf["functionName"] for leaf in leaves([[action]])] == ["A"]


def test_values_are_kept_as_the_text_they_came_in():
    reply = parse_reply(
        ' {"isDone" : true, "schemaVersion": 2, "actions": [[]],\n"output": {"b": 1.00, "a": 1E2} ,'
        '"customStatus": "\\u00e9"}'
    )
    assert reply.is_done
    assert reply.output == '{"b": 1.00, "a": 1E2}'
    assert reply.custom_status == '"\\u00e9"'
    assert reply.error is None


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", "{", '{"isDone": true}', '{"isDone": true, "actions": [[]]}', '{"a" 1}',
        '{"isDone": true, "schemaVersion": 2, "actions": [[{"actionType": 77}]]}',
        '{"isDone": true, "schemaVersion": 2, "actions": [["x"]]}',
    ],
)  # fmt: skip
def test_what_is_no_reply_is_refused(text):
    with pytest.raises(MalformedReply):
        parse_reply(text)


def test_replay_that_repeats_and_adds_does_not_diverge():
    before = [(0, "A"), (5, ""), (6, "Go")]
    assert find_divergence(before, [0, 1, -1], [*before, (0, "B")]) is None
    assert find_divergence(before, [0, 1, -1], [(0, "a"), (5, ""), (6, "go")]) is None
    assert find_divergence([], [], []) is None


@pytest.mark.parametrize(
    ("replayed", "words"),
    [
        ([(0, "A")], "a wait for an external event with position 1 named 'Go', but the current "
         "replay execution hasn't scheduled this task."),
        ([(0, "A"), (5, "")], "has scheduled a timer task in its place."),
        ([(1, "A"), (6, "Go")], "an activity task with sequence number 0 named 'A', but the "
         "current replay execution has scheduled an activity task with retry named 'A'"),
    ],
)  # fmt: skip
def test_divergence_is_named(replayed, words):
    text = find_divergence([(0, "A"), (6, "Go")], [0, -1], replayed)
    assert text.startswith("Non-Deterministic workflow detected: ")
    assert words in text


def test_key_of_a_leaf_has_no_input():
    one, other = activity("A"), {**activity("A"), "input": "2"}
    assert leaf_key(one) == leaf_key(other)
    assert json.dumps(leaf_key({"actionType": 5, "fireAt": "x", "isCanceled": False})) == '[5, ""]'
