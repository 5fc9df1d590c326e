"""Is there an order that was not thought of? Parsing, digests, totals, batches, waits."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain import batches
from domain.errors import Failure, read_failure
from domain.iso import COUNTRIES, MINOR_UNITS
from domain.jsontext import NotJson, decode, encode
from domain.messages import interpret
from domain.order import canonical, digest, is_usable_id, parse_order
from domain.rules import Rates, price
from orchestrators._policies import RetryPolicy
from tests.hostile import corpus
from tests.support.orders import an_order

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
prices = st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False)
lines = st.fixed_dictionaries(
    {
        "sku": st.from_regex(r"[A-Z0-9-]{1,12}", fullmatch=True),
        "quantity": st.integers(-(10**6), 10**6).filter(bool),
        "unitPrice": prices.map(str),
    }
)
orders = st.builds(
    an_order,
    currency=st.sampled_from(sorted(MINOR_UNITS)),
    country=st.sampled_from(sorted(COUNTRIES)),
    lines=st.lists(lines, min_size=1, max_size=5),
)
percents = st.decimals(min_value=0, max_value=100, places=2, allow_nan=False)


@given(json_values)
def test_no_value_breaks_parsing_and_faults_say_where(value: Any) -> None:
    for raw in (value, an_order(lines=value), an_order(lines=[value]), an_order(id=value)):
        order, faults = parse_order(raw)
        assert (order is None) == bool(faults)
        assert all(fault.code and fault.message for fault in faults)


_TIMES = st.from_regex(
    r"[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-2][0-9]:[0-6][0-9])",
    fullmatch=True,
)


@given(_TIMES | st.sampled_from(["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"]))
def test_no_time_breaks_an_order_or_its_digest(text: str) -> None:
    raw = an_order(orderedAt=text)
    order, faults = parse_order(raw)
    assert (order is None) == bool(faults)
    assert len(digest(raw)) == 64


@given(st.sampled_from(corpus.REFUSED), st.binary(max_size=3), st.integers(0, 400))
def test_no_bent_body_breaks_a_queue_message(sent: corpus.Body, put_in: bytes, at: int) -> None:
    interpret(sent.data[:at] + put_in + sent.data[at:])


@given(st.binary())
def test_no_body_breaks_a_queue_message(body: bytes) -> None:
    interpret(body)


@given(st.text())
def test_no_text_breaks_strict_reading(text: str) -> None:
    try:
        value = decode(text)
    except NotJson:
        return
    assert decode(encode(value)) == value


@given(json_values)
def test_what_can_be_read_is_written_and_read_again(value: Any) -> None:
    text = json.dumps(value)
    try:
        read = decode(text)
    except NotJson:
        return
    assert decode(encode(read)) == read


def shuffled(value: Any) -> Any:
    """The same content with the members of every object the other way round."""
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(list(value))}
    if isinstance(value, list):
        return [shuffled(inner) for inner in value]
    return value


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_the_digest_does_not_depend_on_the_telling(extra: dict[str, Any]) -> None:
    raw = {**extra, **an_order()}
    assert digest(shuffled(raw)) == digest(raw)
    assert digest(json.loads(json.dumps(raw))) == digest(raw)
    assert canonical(json.loads(canonical(raw))) == canonical(raw)


@given(orders, st.integers(1, 5))
def test_another_quantity_is_another_order(raw: dict[str, Any], more: int) -> None:
    line = raw["lines"][0]
    changed = {**raw, "lines": [{**line, "quantity": line["quantity"] + more}, *raw["lines"][1:]]}
    assert digest(changed) != digest(raw)


@given(orders, percents, percents, st.none() | prices)
def test_totals_add_up_in_whole_smallest_units(
    raw: dict[str, Any], discount: Decimal, tax: Decimal, to_base: Decimal | None
) -> None:
    order, faults = parse_order(raw)
    assert order is not None, faults
    totals = price(order, Rates(discount, tax, to_base))
    assert sum(totals.line_totals) == totals.subtotal
    assert totals.subtotal - totals.discount + totals.tax == totals.total
    unit = Decimal(1).scaleb(-MINOR_UNITS[order.currency])
    amounts = [*totals.line_totals, totals.subtotal, totals.discount, totals.tax, totals.total]
    assert all(amount % unit == 0 for amount in amounts)
    assert (totals.base_total is None) == (to_base is None)
    told = totals.to_dict()
    assert Decimal(told["total"]) == totals.total
    assert "-0" not in {told["total"], told["tax"]}


@given(orders)
def test_a_return_mirrors_its_sale(raw: dict[str, Any]) -> None:
    back = {**raw, "lines": [{**ln, "quantity": -ln["quantity"]} for ln in raw["lines"]]}
    sale, gone = parse_order(raw)[0], parse_order(back)[0]
    assert sale is not None
    assert gone is not None
    rates = Rates(Decimal("7.5"), Decimal(19), Decimal("1.1432"))
    assert price(gone, rates).total == -price(sale, rates).total


@given(st.lists(json_values | st.sampled_from([an_order(id=n) for n in "ABC"]), max_size=12))
def test_every_entry_of_a_batch_is_accounted_for(entries: list[Any]) -> None:
    admission = batches.admit(entries, {"B": digest(an_order(id="B")), "C": "other"})
    assert len(admission.admitted) + len(admission.settled) == len(entries)
    running = [entries[entry.index]["id"] for entry in admission.admitted]
    assert len(set(running)) == len(running)
    assert all(is_usable_id(order_id) for order_id in running)
    assert not {"B", "C"} & set(running)
    told = batches.counts(len(entries), admission.settled)
    assert told["running"] == len(admission.admitted)
    batches.content_digest(entries)


@given(
    st.floats(0.1, 60),
    st.floats(1, 4),
    st.floats(1, 120),
    st.floats(0, 0.5),
    st.integers(1, 20),
    st.floats(1, 900),
    st.text(),
)
def test_waits_are_bounded_and_end(  # noqa: PLR0917 - one of each knob
    interval: float,
    backoff: float,
    cap: float,
    jitter: float,
    attempts: int,
    deadline: float,
    instance_id: str,
) -> None:
    policy = RetryPolicy(interval, backoff, cap, jitter, attempts, deadline)
    failure = Failure("STORE_BUSY", "m", True)
    elapsed, attempt = 0.0, 1
    while (delay := policy.delay_s(failure, attempt, elapsed, instance_id, "s")) is not None:
        # Waits are whole milliseconds.
        assert 0 <= delay <= cap + 0.0005
        elapsed, attempt = elapsed + delay, attempt + 1
    assert attempt <= attempts
    assert elapsed <= deadline


@given(st.text())
def test_no_failure_text_breaks_reading_it(text: str) -> None:
    failure = read_failure(text)
    assert failure.code
    assert len(failure.message) <= 500
