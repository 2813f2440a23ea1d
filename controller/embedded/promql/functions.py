"""The functions: their signatures, and those that work on instant vectors and scalars.

Functions of a range vector are in `windows.py`; `timestamp` is the evaluation's own, because it asks the store.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, cast

from controller.embedded.promql.errors import ExecutionError
from controller.embedded.promql.expressions import Call, Expression, Range, Selector, Text, regular_expression
from controller.embedded.promql.formats import general
from controller.embedded.promql.quantiles import Forced, bucket_quantile, histograms
from controller.embedded.promql.values import NAME, Labels, Moment, Sample, ValueType, Vector
from controller.embedded.promql.windows import WINDOW_FUNCTIONS

__all__ = ["FUNCTIONS", "SIGNATURES", "Function", "Signature", "Value"]

_SCALAR: Final = ValueType.SCALAR
_VECTOR: Final = ValueType.VECTOR
_STRING: Final = ValueType.STRING

Value = float | Vector | str
Function = Callable[[Moment, Call, Sequence[Value]], Value]


class Signature(NamedTuple):
    """The types of a function's arguments, of which the last `optional` may be left out, and of its result."""

    arguments: tuple[ValueType, ...]
    returns: ValueType = ValueType.VECTOR
    optional: int = 0


def absolute(moment: Moment, call: Call, arguments: Sequence[Value]) -> Vector:
    """`abs`."""
    return [Sample(labels.bare(), abs(value)) for labels, value in cast(Vector, arguments[0])]


def absent(moment: Moment, call: Call, arguments: Sequence[Value]) -> Vector:
    """`absent`: 1 with the labels that the selector fixes, when there is nothing."""
    return [] if arguments[0] else [Sample(_fixed_labels(call.arguments[0]), 1.0)]


def _fixed_labels(expression: Expression) -> Labels:
    selector = expression.selector if isinstance(expression, Range) else expression
    if not isinstance(selector, Selector):
        return Labels()
    fixed: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.matchers:
        if matcher.name == NAME:
            continue
        if matcher.operator == "=" and matcher.name not in seen:
            fixed[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            fixed.pop(matcher.name, None)
    return Labels({name: value for name, value in fixed.items() if value})


def clamped(low: float, high: float, vector: Vector) -> Vector:
    """Every value within [low, high]; NaN stays, and a NaN bound makes all NaN."""
    if high < low:
        return []
    return [Sample(labels.bare(), _maximum(low, _minimum(high, value))) for labels, value in vector]


def _minimum(first: float, second: float) -> float:
    return math.nan if math.isnan(first) or math.isnan(second) else min(first, second)


def _maximum(first: float, second: float) -> float:
    return math.nan if math.isnan(first) or math.isnan(second) else max(first, second)


def clamp_min(moment: Moment, call: Call, arguments: Sequence[Value]) -> Vector:
    """`clamp_min`."""
    return clamped(cast(float, arguments[1]), math.inf, cast(Vector, arguments[0]))


def clamp_max(moment: Moment, call: Call, arguments: Sequence[Value]) -> Vector:
    """`clamp_max`."""
    return clamped(-math.inf, cast(float, arguments[1]), cast(Vector, arguments[0]))


def histogram_quantile(moment: Moment, call: Call, arguments: Sequence[Value]) -> Vector:
    """`histogram_quantile` over classic buckets."""
    quantile, vector = cast(float, arguments[0]), cast(Vector, arguments[1])
    first, second = call.arguments
    if not 0 <= quantile <= 1:
        moment.warn(f"quantile value should be between 0 and 1, got {general(quantile)}", first.offset)
    found, bad = histograms(vector)
    for le in bad:
        moment.warn(f'bucket label "le" is missing or has a malformed value of "{le}"', second.offset)
    result: Vector = []
    lifted: list[Forced] = []
    for labels, buckets in found:
        value, forced = bucket_quantile(quantile, buckets)
        result.append(Sample(labels, value))
        if forced:
            lifted.append(forced)
    if lifted:
        moment.inform(_forced_monotonicity(lifted, moment.at), second.offset)
    return result


def _forced_monotonicity(lifted: Sequence[Forced], at: int) -> str:
    when = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        "input to histogram_quantile needed to be fixed for monotonicity "
        "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), "
        f"from buckets {general(min(one.lowest for one in lifted))} to {general(max(one.highest for one in lifted))}, "
        f"with a max diff of {max(one.difference for one in lifted):.2g}, "
        f"over {len(lifted)} samples from {when} to {when}"
    )


def label_replace(moment: Moment, call: Call, arguments: Sequence[Value]) -> Vector:
    """`label_replace(v, destination, replacement, source, regex)`: the regex is anchored; no match, no change."""
    vector = cast(Vector, arguments[0])
    destination, replacement, source, regex = (cast(Text, argument).value for argument in call.arguments[1:])
    try:
        pattern = regular_expression(regex)
    except ValueError:
        raise ExecutionError(f"invalid regular expression in label_replace(): {regex}") from None
    if not destination:
        raise ExecutionError(f"invalid destination label name in label_replace(): {destination}")
    result: Vector = []
    for sample in vector:
        match = pattern.fullmatch(sample.labels.get(source, ""))
        if match is None:
            result.append(sample)
            continue
        labels = dict(sample.labels)
        labels.pop(destination, None)
        if value := _expanded(replacement, match):
            labels[destination] = value
        result.append(Sample(Labels(labels), sample.value))
    return result


_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def _expanded(template: str, match: re.Match[str]) -> str:
    """Go's Regexp.Expand: $1, ${1}, $name and ${name}; what does not exist is empty; $$ is a dollar."""

    def content(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return match[int(name) if name.isdecimal() else name] or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(content, template)


def scalar(moment: Moment, call: Call, arguments: Sequence[Value]) -> float:
    """`scalar`: the value of the only element, NaN when there is not exactly one."""
    vector = cast(Vector, arguments[0])
    return vector[0].value if len(vector) == 1 else math.nan


def time(moment: Moment, call: Call, arguments: Sequence[Value]) -> float:
    """`time`: the moment of the evaluation in Unix seconds."""
    return moment.at / 1000


def vector(moment: Moment, call: Call, arguments: Sequence[Value]) -> Vector:
    """`vector`: one element without labels."""
    return [Sample(Labels(), cast(float, arguments[0]))]


FUNCTIONS: Final[dict[str, Function]] = {
    "abs": absolute,
    "absent": absent,
    "clamp_max": clamp_max,
    "clamp_min": clamp_min,
    "histogram_quantile": histogram_quantile,
    "label_replace": label_replace,
    "scalar": scalar,
    "time": time,
    "vector": vector,
}

SIGNATURES: Final[dict[str, Signature]] = {
    "abs": Signature((_VECTOR,)),
    "absent": Signature((_VECTOR,)),
    "clamp_max": Signature((_VECTOR, _SCALAR)),
    "clamp_min": Signature((_VECTOR, _SCALAR)),
    "histogram_quantile": Signature((_SCALAR, _VECTOR)),
    "label_replace": Signature((_VECTOR, _STRING, _STRING, _STRING, _STRING)),
    "scalar": Signature((_VECTOR,), _SCALAR),
    "time": Signature((), _SCALAR),
    "timestamp": Signature((_VECTOR,)),
    "vector": Signature((_SCALAR,)),
} | {name: Signature((ValueType.MATRIX,)) for name in WINDOW_FUNCTIONS}
