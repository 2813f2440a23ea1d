"""Quantities, shares and durations: exact numbers in, text for people out."""

import math
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api import (
    Amount,
    InvalidAmount,
    Unit,
    format_amount,
    format_number,
    parse_amount,
    parse_duration,
    parse_quantity,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Fraction(0)),
        ("300", Fraction(300)),
        (300, Fraction(300)),
        (0.1, Fraction(1, 10)),
        ("0.1", Fraction(1, 10)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("-2", Fraction(-2)),
        ("+2", Fraction(2)),
        ("5n", Fraction(5, 10**9)),
        ("5u", Fraction(5, 10**6)),
        ("350m", Fraction(35, 100)),
        ("2k", Fraction(2000)),
        ("1.5M", Fraction(1_500_000)),
        ("3G", Fraction(3 * 10**9)),
        ("3T", Fraction(3 * 10**12)),
        ("3P", Fraction(3 * 10**15)),
        ("3E", Fraction(3 * 10**18)),
        ("1Ki", Fraction(1024)),
        ("1Mi", Fraction(1024**2)),
        ("1.5Gi", Fraction(3 * 1024**3, 2)),
        ("1Ti", Fraction(1024**4)),
        ("1Pi", Fraction(1024**5)),
        ("7Ei", Fraction(7 * 1024**6)),
        ("1e3", Fraction(1000)),
        ("1E3", Fraction(1000)),
        ("12e-2", Fraction(12, 100)),
    ],
)
def test_a_quantity_is_read_exactly(text: str | int | float, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        "m",
        "1K",
        "1ki",
        "1mi",
        "1e",
        "1e3k",
        "1e1.5",
        "1e100",
        "--1",
        "1,5",
        "0x10",
        "١",
        "inf",
        "nan",
        "70%",
    ],
)
def test_text_that_is_no_quantity_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidAmount, match="write for example"):
        parse_quantity(text)


@pytest.mark.parametrize("value", [True, None, math.inf, math.nan])
def test_a_value_that_is_neither_text_nor_a_finite_number_is_refused(value: Any) -> None:
    for parse in (parse_amount, parse_quantity):
        parse(1)  # equals True, and is remembered
        with pytest.raises(InvalidAmount):
            parse(value)


def test_text_that_is_too_long_is_refused_before_it_is_computed() -> None:
    with pytest.raises(InvalidAmount, match="longer than 32 characters"):
        parse_quantity("9" * 33)


@pytest.mark.parametrize(
    ("text", "value"), [("70%", Fraction(7, 10)), ("0.1%", Fraction(1, 1000)), ("250%", Fraction(5, 2))]
)
def test_a_share_is_read_exactly(text: str, value: Fraction) -> None:
    assert parse_share(text) == value


@pytest.mark.parametrize("text", ["0.7", "70 %", "%", "70%%", "a%"])
def test_text_that_is_no_share_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidAmount, match="70%"):
        parse_share(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", Fraction(0)),
        ("0s", Fraction(0)),
        ("90s", Fraction(90)),
        ("5m", Fraction(300)),
        ("1h30m", Fraction(5400)),
        ("250ms", Fraction(1, 4)),
        ("1.5s", Fraction(3, 2)),
        (".5s", Fraction(1, 2)),
        ("10us", Fraction(1, 10**5)),
        ("10µs", Fraction(1, 10**5)),
        ("7ns", Fraction(7, 10**9)),
        ("1m1s1ms", Fraction(61001, 1000)),
    ],
)
def test_a_duration_is_read_exactly_in_seconds(text: str, seconds: Fraction) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1d", "-5s", "5 s", "1h 30m", "1s1", "5sm"])
def test_text_that_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidAmount, match="write a number with a unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("70%", Amount(0.7, Unit.SHARE)),
        ("350m", Amount(0.35, Unit.QUANTITY)),
        (300, Amount(300.0, Unit.QUANTITY)),
        ("1Gi", Amount(1073741824.0, Unit.QUANTITY)),
        ("250ms", Amount(0.25, Unit.SECONDS)),
        ("1h30m", Amount(5400.0, Unit.SECONDS)),
        ("5m0s", Amount(300.0, Unit.SECONDS)),
    ],
)
def test_the_unit_of_an_amount_follows_from_how_it_is_written(value: str | int, amount: Amount) -> None:
    assert parse_amount(value) == amount


def test_5m_is_five_thousandths_unless_minutes_are_meant() -> None:
    assert parse_amount("5m") == Amount(0.005, Unit.QUANTITY)
    assert parse_amount("5m", minutes=True) == Amount(300.0, Unit.SECONDS)


def test_text_that_is_no_amount_is_refused_with_an_example_of_each_unit() -> None:
    with pytest.raises(InvalidAmount, match=r"'lots' is no amount; write a share \(70%\), a quantity .* or a duration"):
        parse_amount("lots")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.7, Unit.SHARE, "70%"),
        (0.705, Unit.SHARE, "70.5%"),
        (0.71234, Unit.SHARE, "71.2%"),
        (12.5, Unit.SHARE, "1250%"),
        (0.0, Unit.SHARE, "0%"),
        (0.25, Unit.SECONDS, "250ms"),
        (0.21249, Unit.SECONDS, "212ms"),
        (0.9999, Unit.SECONDS, "1s"),
        (1.5, Unit.SECONDS, "1.5s"),
        (0.000012, Unit.SECONDS, "12us"),
        (3e-9, Unit.SECONDS, "3ns"),
        (59.99, Unit.SECONDS, "1m"),
        (90.0, Unit.SECONDS, "1m30s"),
        (5400.0, Unit.SECONDS, "1h30m"),
        (0.0, Unit.SECONDS, "0s"),
        (0.35, Unit.QUANTITY, "350m"),
        (0.9999, Unit.QUANTITY, "1"),
        (0.000002, Unit.QUANTITY, "2u"),
        (300.0, Unit.QUANTITY, "300"),
        (1.2345, Unit.QUANTITY, "1.23"),
        (1234.5, Unit.QUANTITY, "1234"),
        (12345.0, Unit.QUANTITY, "12.3k"),
        (999_999.0, Unit.QUANTITY, "1M"),
        (1073741824.0, Unit.QUANTITY, "1Gi"),
        (838860800.0, Unit.QUANTITY, "800Mi"),
        (0.0, Unit.QUANTITY, "0"),
        (-0.35, Unit.QUANTITY, "-350m"),
        (math.nan, Unit.SECONDS, "NaN"),
        (math.inf, Unit.SHARE, "+Inf"),
    ],
)
def test_an_amount_is_written_for_people(value: float, unit: Unit, text: str) -> None:
    assert format_amount(Amount(value, unit)) == text
    assert str(Amount(value, unit)) == text


def test_memory_is_written_in_binary_units_on_request() -> None:
    assert format_amount(Amount(734_123_456.0, Unit.QUANTITY)) == "734M"
    assert format_amount(Amount(734_123_456.0, Unit.QUANTITY), binary=True) == "700.1Mi"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.4159, "1.42"),
        (0.05, "0.05"),
        (0.0, "0"),
        (12346.7, "12347"),
        (2.0, "2"),
        (1e12, "1.00e+12"),
        (math.nan, "NaN"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_number_is_written_with_three_significant_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@given(
    st.floats(min_value=1e-8, max_value=1e17, allow_nan=False),
    st.sampled_from([Unit.SHARE, Unit.QUANTITY, Unit.SECONDS]),
    st.booleans(),
)
def test_what_is_written_reads_back_within_its_digits(value: float, unit: Unit, binary: bool) -> None:
    text = format_amount(Amount(value, unit), binary=binary)
    if "e" in text or len(text) > 32:
        return
    read = {
        Unit.SHARE: parse_share,
        Unit.QUANTITY: parse_quantity,
        Unit.SECONDS: parse_duration,
    }[unit](text)
    # Half a unit of the third digit; whole seconds above a minute.
    assert float(read) == pytest.approx(value, rel=6e-3, abs=1e-15)


@given(st.text(max_size=40))
def test_parsing_fails_with_a_sentence_or_not_at_all(text: str) -> None:
    for parse in (parse_quantity, parse_share, parse_duration, parse_amount):
        with suppress(InvalidAmount):
            parse(text)
