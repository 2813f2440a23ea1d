"""Numbers as Go writes them, which is not always as Python does."""

import math
from decimal import Decimal

__all__ = ["formatted", "general"]


def formatted(value: float) -> str:
    """A value of an answer: shortest digits, exponents only below 1e-6 and from 1e21, NaN, +Inf, -Inf."""
    return _written(value, exponent_below=1e-6, exponent_from=1e21)


def general(value: float) -> str:
    """A number in a message (Go's %g): shortest digits, exponents below 1e-4 and from 1e6, NaN, +Inf, -Inf."""
    return _written(value, exponent_below=1e-4, exponent_from=1e6)


def _written(value: float, exponent_below: float, exponent_from: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    digits = repr(value)
    if value == 0 or exponent_below <= abs(value) < exponent_from:
        return (format(Decimal(digits), "f") if "e" in digits else digits).removesuffix(".0")
    _, significant, exponent = Decimal(digits).normalize().as_tuple()
    mantissa = "".join(map(str, significant))
    power = int(exponent) + len(mantissa) - 1
    fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' if value < 0 else ''}{mantissa[0]}{fraction}e{power:+03d}"
