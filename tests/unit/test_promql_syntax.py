"""Query text -> tree: precedence, literals, and what is refused with which sentence."""

import pytest

from controller.embedded.promql import BadQuery, parse
from controller.embedded.promql.expressions import Aggregation, Binary, Number, Range, Selector, Text, Unary
from controller.embedded.promql.values import ValueType


def binary(text: str) -> Binary:
    tree = parse(text)
    assert isinstance(tree, Binary)
    return tree


def refusal(text: str) -> str:
    with pytest.raises(BadQuery) as refused:
        parse(text)
    return str(refused.value)


def test_the_power_binds_stronger_than_a_sign_and_to_the_right() -> None:
    tree = parse("-a ^ b ^ c")
    assert isinstance(tree, Unary)
    assert isinstance(tree.operand, Binary)
    assert isinstance(tree.operand.right, Binary)


def test_operators_of_one_rank_associate_to_the_left() -> None:
    tree = binary("a - b - c")
    assert isinstance(tree.left, Binary)
    assert isinstance(tree.right, Selector)


@pytest.mark.parametrize(
    ("text", "loosest"),
    [
        ("a or b and c", "or"),
        ("a and b or c", "or"),
        ("a and b > c", "and"),
        ("a > b + c", ">"),
        ("a + b * c", "+"),
        ("a * b ^ c", "*"),
        ("a unless b == c", "unless"),
    ],
)
def test_operators_have_the_ranks_of_prometheus(text: str, loosest: str) -> None:
    assert binary(text).operator == loosest


def test_parentheses_come_first() -> None:
    assert binary("(a or b) and c").operator == "and"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1y2w3d4h5m6s7ms", 365 * 86400 + 14 * 86400 + 3 * 86400 + 4 * 3600 + 306.007),
        ("-5m", -300.0),
        ("0x1F", 31.0),
        ("010", 8.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("inF", float("inf")),
    ],
)
def test_numbers_and_durations_are_read(text: str, value: float) -> None:
    tree = parse(text)
    assert isinstance(tree, Number)
    assert tree.value == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a\nb\\\"\x41\101\u00e9\U0001F600"', 'a\nb\\"AAé😀'),
        (r"'it\'s'", "it's"),
        ("`raw \\n \" '`", "raw \\n \" '"),
    ],
)
def test_strings_are_unquoted_as_go_does(text: str, value: str) -> None:
    tree = parse(text)
    assert isinstance(tree, Text)
    assert tree.value == value


def test_a_range_keeps_its_span_and_offset_in_milliseconds() -> None:
    tree = parse("a[1m30s] offset -500ms")
    assert isinstance(tree, Range)
    assert (tree.span, tree.selector.shift) == (90_000, -500)


def test_the_grouping_may_stand_before_or_after_the_operand() -> None:
    before, after = parse("sum by (x, y) (a)"), parse("SUM(a) BY (x, y,)")
    assert isinstance(before, Aggregation)
    assert isinstance(after, Aggregation)
    assert before.labels == after.labels == ("x", "y")


def test_keywords_can_be_metric_and_label_names() -> None:
    tree = parse('sum{by="1", on="2"}')
    assert isinstance(tree, Selector)
    assert [matcher.name for matcher in tree.matchers] == ["by", "on", "__name__"]


def test_every_tree_knows_its_type() -> None:
    types = [parse(text).type for text in ("1", "a", "a[1m]", "'x'", "time() + 1", "a + 1", "scalar(a)")]
    scalar, vector = ValueType.SCALAR, ValueType.VECTOR
    assert types == [scalar, vector, ValueType.MATRIX, ValueType.STRING, scalar, vector, scalar]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("topk(3, a)", "the aggregation topk"),
        ("deriv(a[5m])", 'the function "deriv"'),
        ("a @ 1", "the @ modifier"),
        ("rate(a[5m])[30m:1m]", "subqueries"),
        ("a[5m:]", "subqueries"),
        ("a atan2 b", "the operator atan2"),
        ("a + fill(0) b", "fill modifiers"),
        ("a smoothed", "the modifier smoothed"),
    ],
)
def test_what_only_a_real_prometheus_answers_is_refused_by_name(text: str, what: str) -> None:
    assert f"the embedded metrics source does not support {what}" in refusal(text)


def test_an_error_names_line_and_column() -> None:
    assert refusal("a +\n  )").startswith("2:3: parse error: unexpected")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no expression found in input"),
        ("1 > 2", "comparisons between scalars must use BOOL modifier"),
        ("rate(a)", 'expected type range vector in call to function "rate", got instant vector'),
        ("abs(a, a)", 'expected 1 argument(s) in call to "abs", got 2'),
        ('{a=~".*"}', "vector selector must contain at least one non-empty matcher"),
        ('a{b=~"(?=c)"}', "is no syntax of RE2"),
        ('a{b=~"c++"}', "is no syntax of RE2"),
        ("a offset 1m offset 1m", "offset may not be set multiple times"),
        ("'open", "unterminated quoted string"),
        ("a[5q]", "bad number or duration syntax"),
        ("1m1h", "bad number or duration syntax"),
    ],
)
def test_an_error_says_what_is_wrong(text: str, problem: str) -> None:
    assert problem in refusal(text)


def test_a_plus_in_a_character_class_is_no_possessive_quantifier() -> None:
    tree = parse('a{b=~"[*+]+"}')
    assert isinstance(tree, Selector)
    assert tree.matchers[0].accepts("*+")
