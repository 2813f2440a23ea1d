"""What expressions evaluate to: labels, samples, vectors, windows of a range vector; and the remarks on an answer.

Times are integers in milliseconds, as in Prometheus; values are floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from controller.embedded.promql.errors import place

__all__ = ["METADATA", "NAME", "Annotations", "Labels", "Moment", "Sample", "Trace", "ValueType", "Vector", "Window"]

NAME = "__name__"
METADATA = (NAME, "__type__", "__unit__")


class ValueType(StrEnum):
    """The four types of PromQL, in the words of its error messages."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    MATRIX = "range vector"
    STRING = "string"


class Labels(dict[str, str]):
    """A label set: a dict that is not changed once made, hence hashable; a label with an empty value is not there."""

    __slots__ = ("_hash",)
    _hash: int

    def __hash__(self) -> int:  # type: ignore[override]  # dict has none because dicts change; these do not
        try:
            return self._hash
        except AttributeError:
            self._hash = hash(frozenset(self.items()))
            return self._hash

    def without(self, names: Sequence[str]) -> "Labels":
        """These labels less `names`."""
        return Labels({name: value for name, value in self.items() if name not in names})

    def only(self, names: Sequence[str]) -> "Labels":
        """Of these labels only `names`."""
        return Labels({name: self[name] for name in names if name in self})

    def bare(self) -> "Labels":
        """These labels less the metric's name, which is what an operation leaves."""
        return self.without(METADATA) if NAME in self or "__type__" in self or "__unit__" in self else self

    def __str__(self) -> str:
        body = ", ".join(f'{name}="{value}"' for name, value in sorted(self.items()) if name != NAME)
        name = self.get(NAME, "")
        return f"{name}{{{body}}}" if body or not name else name


class Sample(NamedTuple):
    """One element of an instant vector."""

    labels: Labels
    value: float


Vector = list[Sample]


class Trace(NamedTuple):
    """One series of a range vector or of a range query's answer: points are (milliseconds, value)."""

    labels: Labels
    points: list[tuple[int, float]]


class Window(NamedTuple):
    """What a range function sees of one series: its samples in (start, end], at least one.

    `falls` are the values from which a counter fell inside the window, in order. `start` and `end` are milliseconds.
    """

    times: Sequence[int]
    values: Sequence[float]
    falls: Sequence[float]
    start: int
    end: int


@dataclass(slots=True)
class Annotations:
    """Prometheus' remarks on an answer: `warnings` put it in doubt, `infos` do not. Each is kept once, in order."""

    warnings: dict[str, None] = field(default_factory=dict)
    infos: dict[str, None] = field(default_factory=dict)

    def warn(self, text: str) -> None:
        """Add a warning."""
        self.warnings["PromQL warning: " + text] = None

    def inform(self, text: str) -> None:
        """Add an information."""
        self.infos["PromQL info: " + text] = None


@dataclass(frozen=True, slots=True)
class Moment:
    """Where an expression is evaluated: at a time, for a text, with a place for remarks."""

    at: int
    text: str
    annotations: Annotations

    def warn(self, remark: str, offset: int) -> None:
        """Put the answer in doubt, for what stands at `offset` in the text."""
        self.annotations.warn(f"{remark} ({place(self.text, offset)})")

    def inform(self, remark: str, offset: int) -> None:
        """Remark on the answer, for what stands at `offset` in the text."""
        self.annotations.inform(f"{remark} ({place(self.text, offset)})")
