"""The tree of a query: what the parser builds and the evaluation walks.

Every node knows its type and where it starts in the text (`offset`, for messages). Parentheses leave no node.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.embedded.promql.values import ValueType

__all__ = [
    "Aggregation",
    "Binary",
    "Call",
    "Expression",
    "Matcher",
    "Matching",
    "Number",
    "Range",
    "Selector",
    "Text",
    "Unary",
    "regular_expression",
]

# What Python's regular expressions have and Go's RE2 refuses: back references, look-around, atomic groups, conditions,
# possessive quantifiers. Escapes and character classes are skipped as a whole, so that [*+] is not taken for one.
_PARTS = re.compile(
    r"\\(?P<escaped>.)|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<foreign>\(\?(?:[=!>#(]|<[=!]|P=)|[*+?}]\+)", re.DOTALL
)


def regular_expression(text: str) -> re.Pattern[str]:
    """The expression for `fullmatch`, since PromQL anchors both ends; ValueError when Go would refuse it."""
    for part in _PARTS.finditer(text):
        if part["foreign"] or (part["escaped"] or "").isdecimal():
            raise ValueError(f"error parsing regexp: {part[0]!r} in {text!r} is no syntax of RE2")
    try:
        return re.compile(text, re.DOTALL | re.ASCII)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {error}: {text!r}") from None


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label: `operator` is =, !=, =~ or !~; a missing label counts as empty."""

    name: str
    operator: str
    value: str
    accepts: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepts", self._condition())

    def _condition(self) -> Callable[[str], bool]:
        if self.operator == "=":
            return self.value.__eq__
        if self.operator == "!=":
            return self.value.__ne__
        match = regular_expression(self.value).fullmatch
        if self.operator == "=~":
            return lambda value: match(value) is not None
        return lambda value: match(value) is None


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a duration in seconds."""

    value: float
    offset: int
    type: ValueType = ValueType.SCALAR


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str
    offset: int
    type: ValueType = ValueType.STRING


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant vector selector; `shift` is its offset in milliseconds."""

    matchers: tuple[Matcher, ...]
    offset: int
    shift: int = 0
    type: ValueType = ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class Range:
    """A range vector selector over `span` milliseconds."""

    selector: Selector
    span: int
    offset: int
    type: ValueType = ValueType.MATRIX


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign before an expression that is no literal."""

    negative: bool
    operand: "Expression"
    offset: int

    @property
    def type(self) -> ValueType:
        """The operand's."""
        return self.operand.type


@dataclass(frozen=True, slots=True)
class Matching:
    """How two vectors are matched: `on` the labels or ignoring them; `many` is the side of group_left/group_right."""

    on: bool = False
    labels: tuple[str, ...] = ()
    many: str = ""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and an operator; `returns_bool` is the modifier `bool`."""

    operator: str
    left: "Expression"
    right: "Expression"
    returns_bool: bool
    matching: Matching
    offset: int

    @property
    def type(self) -> ValueType:
        """A scalar only when both sides are."""
        both = self.left.type is ValueType.SCALAR and self.right.type is ValueType.SCALAR
        return ValueType.SCALAR if both else ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregation by or without labels."""

    operator: str
    operand: "Expression"
    labels: tuple[str, ...]
    without: bool
    offset: int
    type: ValueType = ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments, checked against its signature."""

    function: str
    arguments: tuple["Expression", ...]
    type: ValueType
    offset: int


Expression = Number | Text | Selector | Range | Unary | Binary | Aggregation | Call
