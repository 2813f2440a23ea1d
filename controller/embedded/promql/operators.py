"""Binary operators: arithmetic as IEEE 754 has it (Python raises where Go returns), comparison, sets, matching."""

import math
import operator as python
from collections.abc import Callable, Hashable
from typing import Final

from controller.embedded.promql.errors import ExecutionError
from controller.embedded.promql.expressions import Binary, Matching
from controller.embedded.promql.values import NAME, Labels, Sample, Vector

__all__ = ["scalars", "sets", "vector_and_scalar", "vectors"]


def _divided(left: float, right: float) -> float:
    try:
        return left / right
    except ZeroDivisionError:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _remainder(left: float, right: float) -> float:
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0 and math.fmod(right, 2) else math.inf
    except ValueError:
        # A negative base with a fraction is NaN; zero with a negative exponent is infinite.
        if left != 0:
            return math.nan
        return math.copysign(math.inf, left) if abs(math.fmod(right, 2)) == 1 else math.inf


_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": python.add,
    "-": python.sub,
    "*": python.mul,
    "/": _divided,
    "%": _remainder,
    "^": _power,
}
_COMPARISON: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": python.eq,
    "!=": python.ne,
    "<": python.lt,
    "<=": python.le,
    ">": python.gt,
    ">=": python.ge,
}


def scalars(operator: str, left: float, right: float) -> float:
    """An operator between two scalars; a comparison is 0 or 1."""
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](left, right)
    return float(_COMPARISON[operator](left, right))


def vector_and_scalar(node: Binary, vector: Vector, scalar: float, scalar_is_left: bool) -> Vector:
    """An operator between every element and a scalar; a comparison keeps the element's own value."""
    if node.operator in _ARITHMETIC:
        compute = _ARITHMETIC[node.operator]
        if scalar_is_left:
            return [Sample(labels.bare(), compute(scalar, value)) for labels, value in vector]
        return [Sample(labels.bare(), compute(value, scalar)) for labels, value in vector]
    compare = _COMPARISON[node.operator]
    result: Vector = []
    for sample in vector:
        holds = compare(scalar, sample.value) if scalar_is_left else compare(sample.value, scalar)
        if node.returns_bool:
            result.append(Sample(sample.labels.bare(), float(holds)))
        elif holds:
            result.append(sample)
    return result


def sets(node: Binary, left: Vector, right: Vector) -> Vector:
    """`and`, `or` and `unless`: by signature, values untouched."""
    signature = _signature(node.matching)
    if node.operator == "or":
        present = {signature(labels) for labels, _ in left}
        return left + [sample for sample in right if signature(sample.labels) not in present]
    present = {signature(labels) for labels, _ in right}
    wanted = node.operator == "and"
    return [sample for sample in left if (signature(sample.labels) in present) is wanted]


def vectors(node: Binary, left: Vector, right: Vector) -> Vector:
    """Arithmetic and comparison between two vectors; ExecutionError when an element has more than one partner."""
    if not left or not right:
        return []
    matching = node.matching
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    signature = _signature(matching)
    partners: dict[Hashable, Sample] = {}
    for sample in one:
        key = signature(sample.labels)
        if key in partners:
            raise _duplicate(matching, sample.labels, partners[key].labels, "left" if swapped else "right")
        partners[key] = sample
    result: Vector = []
    matched: dict[Hashable, set[Labels]] = {}
    for sample in many:
        key = signature(sample.labels)
        partner = partners.get(key)
        if partner is None:
            continue
        labels = _result_labels(node, sample.labels, partner.labels)
        taken = matched.setdefault(key, set())
        if taken and not matching.many:
            raise ExecutionError(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            )
        if labels in taken:
            raise ExecutionError("multiple matches for labels: grouping labels must ensure unique matches")
        taken.add(labels)
        pair = (partner.value, sample.value) if swapped else (sample.value, partner.value)
        if node.operator in _ARITHMETIC:
            result.append(Sample(labels, _ARITHMETIC[node.operator](*pair)))
            continue
        holds = _COMPARISON[node.operator](*pair)
        if node.returns_bool:
            result.append(Sample(labels, float(holds)))
        elif holds:
            result.append(Sample(labels, pair[0]))
    return result


def _signature(matching: Matching) -> Callable[[Labels], Hashable]:
    names = matching.labels
    if matching.on:
        return lambda labels: tuple([labels.get(name, "") for name in names])
    ignored = {NAME, *names}
    return lambda labels: frozenset([item for item in labels.items() if item[0] not in ignored])


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    labels = many.bare() if node.operator in _ARITHMETIC or node.returns_bool else many
    if not matching.many:
        return labels.only(matching.labels) if matching.on else labels.without(matching.labels)
    included = dict(labels)
    for name in matching.include:
        included.pop(name, None)
        if name in one:
            included[name] = one[name]
    return Labels(included)


def _duplicate(matching: Matching, first: Labels, second: Labels, side: str) -> ExecutionError:
    group = first.only(sorted(matching.labels)) if matching.on else first.without((NAME, *matching.labels))
    pair = ", ".join(sorted([str(first), str(second)]))
    return ExecutionError(
        f"found duplicate series for the match group {group} on the {side} hand-side of the operation: [{pair}]"
        ";many-to-many matching not allowed: matching labels must be unique on one side"
    )
