"""An expression and a store -> a value at one moment, as Prometheus' engine evaluates an instant query.

A range query is this, step after step. Every vector that an operation makes is checked for equal label sets, because
Prometheus refuses those rather than choosing one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Final, cast

from controller.embedded.promql.aggregations import aggregated
from controller.embedded.promql.errors import BadQuery, ExecutionError, QueryTimeout
from controller.embedded.promql.expressions import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Number,
    Range,
    Selector,
    Text,
    Unary,
)
from controller.embedded.promql.functions import FUNCTIONS, Value
from controller.embedded.promql.operators import scalars, sets, vector_and_scalar, vectors
from controller.embedded.promql.series import Series, SeriesStore
from controller.embedded.promql.syntax import SET_OPERATORS, parse
from controller.embedded.promql.values import NAME, Annotations, Labels, Moment, Sample, Trace, ValueType, Vector
from controller.embedded.promql.windows import COUNTERS, WINDOW_FUNCTIONS

__all__ = ["LOOKBACK", "Answer", "evaluate", "evaluate_range"]

LOOKBACK: Final = 300_000
_COUNTER_ENDINGS: Final = ("_total", "_sum", "_count", "_bucket")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query evaluates to, and the remarks that go with it.

    `value` is a float (scalar), a str (string), a list of Sample (instant vector) or of Trace (range vector, or the
    answer of a range query); `at` is the moment in milliseconds.
    """

    type: ValueType
    value: float | str | Vector | list[Trace]
    at: int
    annotations: Annotations


def evaluate(store: SeriesStore, text: str, at: int, timeout_seconds: float = 120.0) -> Answer:
    """The value of the query at `at` (milliseconds); raises BadQuery, ExecutionError or QueryTimeout."""
    tree = parse(text)
    evaluation = _Evaluation(store, Moment(at, text, Annotations()), time.monotonic() + timeout_seconds)
    value: float | str | Vector | list[Trace]
    value = evaluation.traces(tree) if isinstance(tree, Range) else evaluation.value(tree)
    return Answer(tree.type, value, at, evaluation.moment.annotations)


def evaluate_range(
    store: SeriesStore, text: str, start: int, end: int, step: int, timeout_seconds: float = 120.0
) -> Answer:
    """The value of the query at start, start + step, ... <= end (milliseconds), a Trace for every label set."""
    tree = parse(text)
    if tree.type not in (ValueType.SCALAR, ValueType.VECTOR):
        raise BadQuery(f'invalid expression type "{tree.type.value}" for range query, must be Scalar or instant Vector')
    annotations = Annotations()
    deadline = time.monotonic() + timeout_seconds
    points: dict[Labels, list[tuple[int, float]]] = {}
    for at in range(start, end + 1, step):
        value = _Evaluation(store, Moment(at, text, annotations), deadline).value(tree)
        if isinstance(value, float):
            points.setdefault(Labels(), []).append((at, value))
            continue
        for labels, number in cast(Vector, value):
            points.setdefault(labels, []).append((at, number))
    traces = sorted(
        (Trace(labels, found) for labels, found in points.items()), key=lambda trace: sorted(trace.labels.items())
    )
    return Answer(ValueType.MATRIX, traces, end, annotations)


class _Evaluation:
    """One walk through a tree, at one moment."""

    def __init__(self, store: SeriesStore, moment: Moment, deadline: float) -> None:
        self.moment = moment
        self._store = store
        self._deadline = deadline

    def value(self, node: Expression) -> Value:
        if time.monotonic() > self._deadline:
            raise QueryTimeout("query timed out in expression evaluation")
        return self._visit(node)

    def vector(self, node: Expression) -> Vector:
        return cast(Vector, self.value(node))

    def traces(self, node: Range) -> list[Trace]:
        """The raw samples of a range vector."""
        found = []
        end = self.moment.at - node.selector.shift
        for series in self._store.select(node.selector.matchers):
            window = series.window(end - node.span, end)
            if window:
                found.append(Trace(series.labels, list(zip(window.times, window.values, strict=True))))
        return sorted(found, key=lambda trace: sorted(trace.labels.items()))

    @singledispatchmethod
    def _visit(self, node: Expression) -> Value:
        raise TypeError(f"{node!r} has no value of its own")

    @_visit.register
    def _(self, node: Number) -> Value:
        return node.value

    @_visit.register
    def _(self, node: Text) -> Value:
        return node.value

    @_visit.register
    def _(self, node: Selector) -> Value:
        return self._newest(node, lambda series, sample: Sample(series.labels, sample[1]))

    @_visit.register
    def _(self, node: Unary) -> Value:
        if not node.negative:
            return self.value(node.operand)
        value = self.value(node.operand)
        if isinstance(value, float):
            return -value
        return self._distinct([Sample(labels.bare(), -number) for labels, number in cast(Vector, value)])

    @_visit.register
    def _(self, node: Aggregation) -> Value:
        return aggregated(node, self.vector(node.operand))

    @_visit.register
    def _(self, node: Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, float) and isinstance(right, float):
            return scalars(node.operator, left, right)
        if isinstance(right, float):
            return self._distinct(vector_and_scalar(node, cast(Vector, left), right, scalar_is_left=False))
        if isinstance(left, float):
            return self._distinct(vector_and_scalar(node, cast(Vector, right), left, scalar_is_left=True))
        combine = sets if node.operator in SET_OPERATORS else vectors
        return self._distinct(combine(node, cast(Vector, left), cast(Vector, right)))

    @_visit.register
    def _(self, node: Call) -> Value:
        if node.function == "timestamp":
            return self._distinct(self._timestamps(node))
        if node.function in WINDOW_FUNCTIONS:
            return self._distinct(self._over_windows(node, cast(Range, node.arguments[0])))
        arguments = [self.value(argument) for argument in node.arguments]
        result = FUNCTIONS[node.function](self.moment, node, arguments)
        return self._distinct(result) if isinstance(result, list) else result

    def _newest(self, node: Selector, shape: Callable[[Series, tuple[int, float]], Sample]) -> Vector:
        at = self.moment.at - node.shift
        found = ((series, series.at(at, LOOKBACK)) for series in self._store.select(node.matchers))
        return [shape(series, sample) for series, sample in found if sample]

    def _timestamps(self, node: Call) -> Vector:
        """Of a plain selector the samples' own times, of anything else the moment of the evaluation."""
        operand = node.arguments[0]
        if isinstance(operand, Selector):
            return self._newest(operand, lambda series, sample: Sample(series.bare, sample[0] / 1000))
        return [Sample(labels.bare(), self.moment.at / 1000) for labels, _ in self.vector(operand)]

    def _over_windows(self, node: Call, operand: Range) -> Vector:
        compute = WINDOW_FUNCTIONS[node.function]
        keeps_name = node.function == "last_over_time"
        end = self.moment.at - operand.selector.shift
        result: Vector = []
        dubious: dict[str, None] = {}
        for series in self._store.select(operand.selector.matchers):
            window = series.window(end - operand.span, end)
            value = compute(window) if window else None
            if value is None:
                continue
            result.append(Sample(series.labels if keeps_name else series.bare, value))
            name = series.labels.get(NAME, "")
            if node.function in COUNTERS and name and not name.endswith(_COUNTER_ENDINGS):
                dubious[name] = None
        for name in dubious:
            self.moment.inform(
                f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"',
                operand.offset,
            )
        return result

    def _distinct(self, vector: Vector) -> Vector:
        if len({sample.labels for sample in vector}) < len(vector):
            raise ExecutionError("vector cannot contain metrics with the same labelset")
        return vector
