"""Label selectors: the text of a scale's `status.selector` and the LabelSelector object become one comparable value.

Semantics are those of `k8s.io/apimachinery/pkg/labels`: `!=` and `notin` also match where the label is missing. A
selector without requirements would match every pod of a namespace and is refused.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, NotRequired

from typing_extensions import TypedDict

from controller.api.errors import CompositeScalerError

__all__ = ["InvalidSelector", "LabelSelector", "Requirement", "Selector"]

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]

NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY: Final = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{NAME}", re.ASCII)
VALUE: Final = re.compile(rf"(?:{NAME})?", re.ASCII)
TOKEN: Final = re.compile(r"\s*(==|!=|[=!(),]|[^\s=!(),]+)\s*", re.ASCII)
LONGEST_TEXT: Final = 200


class InvalidSelector(CompositeScalerError):
    """A label selector that cannot be read or that selects everything."""


class Requirement(NamedTuple):
    """One condition on one label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels

    def __str__(self) -> str:
        values = sorted(self.values)
        match self.operator:
            case "In":
                return f"{self.key}={values[0]}" if len(values) == 1 else f"{self.key} in ({','.join(values)})"
            case "NotIn":
                return f"{self.key}!={values[0]}" if len(values) == 1 else f"{self.key} notin ({','.join(values)})"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"


class LabelSelectorRequirement(TypedDict):
    """One entry of `matchExpressions`."""

    key: str
    operator: str
    values: NotRequired[list[str] | None]


class LabelSelector(TypedDict, total=False):
    """The object form, as in a Deployment's `spec.selector`."""

    matchLabels: dict[str, str] | None
    matchExpressions: list[LabelSelectorRequirement] | None


class Selector:
    """A set of requirements that all have to be met; equal sets are equal and hash alike, in whatever order written."""

    __slots__ = ("_hash", "requirements")

    def __init__(self, requirements: frozenset[Requirement]) -> None:
        if not requirements:
            raise InvalidSelector("the label selector is empty and would match every pod; write at least one label")
        self.requirements: Final = requirements
        self._hash = hash(requirements)

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """Read the text form (`a=b,c in (x,y),!d`); raises `InvalidSelector`."""
        return cls(frozenset(_Parser(text).requirements()))

    @classmethod
    def of(cls, selector: LabelSelector | None) -> "Selector":
        """Read the object form; raises `InvalidSelector`."""
        fields = selector or {}
        requirements = {_checked(key, "In", [value]) for key, value in (fields.get("matchLabels") or {}).items()}
        for entry in fields.get("matchExpressions") or ():
            requirements.add(_checked(entry["key"], entry["operator"], entry.get("values") or ()))
        return cls(frozenset(requirements))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The (key, value) pairs that a matching pod is sure to have, sorted."""
        return sorted(
            (requirement.key, value)
            for requirement in self.requirements
            if requirement.operator == "In" and len(requirement.values) == 1
            for value in requirement.values
        )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and self.requirements == other.requirements

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return ",".join(sorted(map(str, self.requirements)))

    def __repr__(self) -> str:
        return f"Selector.parse({str(self)!r})"


def _checked(key: str, operator: str, values: "list[str] | tuple[str, ...]") -> Requirement:
    if not KEY.fullmatch(key):
        raise InvalidSelector(f"{key[:LONGEST_TEXT]!r} is no label key; write name or prefix/name")
    for value in values:
        if not VALUE.fullmatch(value):
            raise InvalidSelector(
                f"{value[:LONGEST_TEXT]!r} is no label value; write at most 63 letters, digits, '-', '_' and '.'"
            )
    match operator:
        case "In" | "NotIn" if values:
            return Requirement(key, operator, frozenset(values))
        case "Exists" | "DoesNotExist" if not values:
            return Requirement(key, operator)
        case "In" | "NotIn":
            raise InvalidSelector(f"{operator} on label {key} has no values; write at least one")
        case "Exists" | "DoesNotExist":
            raise InvalidSelector(f"{operator} on label {key} takes no values; remove them")
        case _:
            raise InvalidSelector(
                f"{operator[:LONGEST_TEXT]!r} is no selector operator; write In, NotIn, Exists or DoesNotExist"
            )


class _Parser:
    """Recursive descent over the tokens of the text form."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            token = TOKEN.match(text, position)
            assert token is not None  # every character belongs to some token
            self._tokens.append(token[1])
            position = token.end()
        self._tokens.reverse()

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._tokens:
            if found:
                self._expect(",")
            found.append(self._requirement())
        return found

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._take()
            return self._build(self._take(), "DoesNotExist", [])
        key = self._take()
        match self._peek():
            case "=" | "==":
                self._take()
                return self._build(key, "In", [self._value()])
            case "!=":
                self._take()
                return self._build(key, "NotIn", [self._value()])
            case "in":
                self._take()
                return self._build(key, "In", self._values())
            case "notin":
                self._take()
                return self._build(key, "NotIn", self._values())
            case _:
                return self._build(key, "Exists", [])

    def _values(self) -> list[str]:
        self._expect("(")
        if self._peek() == ")":
            raise self._error("a list of values is empty")
        values = [self._value()]
        while self._peek() == ",":
            self._take()
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> str:
        return "" if self._peek() in {"", ",", ")"} else self._take()

    def _build(self, key: str, operator: Operator, values: list[str]) -> Requirement:
        try:
            return _checked(key, operator, values)
        except InvalidSelector as error:
            raise self._error(str(error)) from None

    def _peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def _take(self) -> str:
        return self._tokens.pop() if self._tokens else ""

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._error(f"expected {token!r}, found {self._peek() or 'the end'!r}")
        self._take()

    def _error(self, why: str) -> InvalidSelector:
        return InvalidSelector(f"the label selector {self._text[:LONGEST_TEXT]!r} cannot be read: {why}")
