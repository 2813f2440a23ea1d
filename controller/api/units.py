"""Text to numbers and back: Kubernetes quantities, shares of a whole and durations.

Parsing is exact (`Fraction`) and becomes a float only at the very end, in `Amount`. What a field may hold (positive,
one unit only, ...) is the business of the models, not of this module.
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Final

from controller.api.errors import InvalidAmount

__all__ = [
    "Amount",
    "Unit",
    "format_amount",
    "format_number",
    "parse_amount",
    "parse_duration",
    "parse_quantity",
    "parse_share",
]

LONGEST: Final = 32  # characters; the CRD says the same, so that its rules stay cheap

NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
# Two digits of exponent: "1e999999999" would be a way to stop the operator.
QUANTITY: Final = re.compile(rf"({NUMBER})(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{{1,2}}))?", re.ASCII)
SHARE: Final = re.compile(rf"({NUMBER})%", re.ASCII)
DURATION: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)", re.ASCII)
MINUTES_OR_MILLI: Final = re.compile(r"[0-9.]+m", re.ASCII)

MULTIPLIERS: Final[dict[str, Fraction]] = {
    **{suffix: Fraction(10) ** power for suffix, power in zip("num", (-9, -6, -3), strict=True)},
    **{suffix: Fraction(1000) ** (i + 1) for i, suffix in enumerate("kMGTPE")},
    **{f"{suffix}i": Fraction(1024) ** (i + 1) for i, suffix in enumerate("KMGTPE")},
}
SECONDS: Final[dict[str, Fraction]] = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}


class Unit(StrEnum):
    """What an amount counts."""

    SHARE = "share"
    QUANTITY = "quantity"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit: a share of 1, a plain quantity (cores, bytes, items), or seconds."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        return format_amount(self)


# typed: True equals 1, and must not be answered with what was remembered of 1.
@lru_cache(maxsize=4096, typed=True)
def parse_quantity(value: str | int | float) -> Fraction:
    """Return a Kubernetes quantity ("350m", "1Gi", "1e3", 300) exactly.

    Raises InvalidAmount.
    """
    text = _text(value)
    match = QUANTITY.fullmatch(text)
    if match is None:
        raise InvalidAmount(f"{text!r} is no quantity; write for example 300, 1.5, 350m or 1Gi")
    number, suffix, exponent = match.groups()
    if exponent is not None:
        return Fraction(number) * Fraction(10) ** int(exponent)
    return Fraction(number) * MULTIPLIERS.get(suffix or "", Fraction(1))


@lru_cache(maxsize=1024, typed=True)
def parse_share(value: str) -> Fraction:
    """Return a share written in percent ("70%" is 7/10) exactly.

    Raises InvalidAmount.
    """
    text = _text(value)
    match = SHARE.fullmatch(text)
    if match is None:
        raise InvalidAmount(f"{text!r} is no share; write a number with a percent sign, for example 70%")
    return Fraction(match[1]) / 100


@lru_cache(maxsize=4096, typed=True)
def parse_duration(value: str) -> Fraction:
    """Return a duration ("90s", "5m", "1h30m", "250ms", "1.5s", and "0") in seconds exactly.

    Raises InvalidAmount.
    """
    text = _text(value)
    if text == "0":
        return Fraction(0)
    parts = DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidAmount(f"{text!r} is no duration; write a number with a unit, for example 250ms, 90s, 5m or 1h30m")
    return sum((Fraction(number) * SECONDS[unit] for number, unit in parts), start=Fraction(0))


@lru_cache(maxsize=4096, typed=True)
def parse_amount(value: str | int | float, minutes: bool = False) -> Amount:
    """Return the share, quantity or duration that `value` is; the unit follows from how it is written.

    "5m" alone may be both: 0.005 as a quantity, or five minutes if `minutes`.
    Raises InvalidAmount.
    """
    text = _text(value)
    if text.endswith("%"):
        return Amount(float(parse_share(text)), Unit.SHARE)
    if QUANTITY.fullmatch(text) and not (minutes and MINUTES_OR_MILLI.fullmatch(text)):
        return Amount(float(parse_quantity(text)), Unit.QUANTITY)
    try:
        return Amount(float(parse_duration(text)), Unit.SECONDS)
    except InvalidAmount:
        raise InvalidAmount(
            f"{text!r} is no amount; write a share (70%), a quantity (300, 350m, 1Gi) or a duration (250ms, 90s)"
        ) from None


def format_number(value: float, digits: int = 3) -> str:
    """Write a number for people with `digits` significant digits and no exponent below a billion: 1.42, 0.05, 12346."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    if -decimals > 9 or decimals > 9 + digits:
        return f"{value:.{digits - 1}e}"
    text = f"{value:.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_amount(amount: Amount, binary: bool | None = None) -> str:
    """Write an amount for people: "70%", "250ms", "1h30m", "350m", "1Gi".

    `binary` chooses Ki, Mi, Gi for quantities (memory); None takes them where the value is a whole number of them.
    """
    value = amount.value
    if not math.isfinite(value):
        return format_number(value)
    if amount.unit is Unit.SHARE:
        return f"{format_number(value * 100)}%"
    if amount.unit is Unit.SECONDS:
        return _format_seconds(value)
    return _format_quantity(value, _is_whole_binary(value) if binary is None else binary)


def _text(value: str | int | float) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidAmount(f"{value!r} is neither text nor a number; write for example 300, 70% or 250ms")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidAmount(f"{value!r} is not finite; write a number")
        return repr(value)
    text = str(value)
    if len(text) > LONGEST:
        raise InvalidAmount(f"{text[:LONGEST]!r}... is longer than {LONGEST} characters; write for example 1G or 1e9")
    return text


def _format_seconds(value: float) -> str:
    size = abs(value)
    if size >= 59.95:
        return _format_minutes(value)
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        # Rounded to three digits first: 0.9999 s is 1s, not 1000ms.
        if float(format_number(size * scale)) >= 1:
            return f"{format_number(value * scale)}{unit}"
    return f"{format_number(value * 1e9)}ns" if value else "0s"


def _format_minutes(value: float) -> str:
    hours, rest = divmod(round(abs(value)), 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return ("-" if value < 0 else "") + "".join(f"{number}{unit}" for number, unit in parts if number)


def _is_whole_binary(value: float) -> bool:
    return abs(value) >= 1024 and value % 1024 == 0 and value % 1000 != 0


def _format_quantity(value: float, binary: bool) -> str:
    size = abs(value)
    step, suffixes = (1024.0, ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")) if binary else (1000.0, tuple(" kMGTPE"))
    if not binary and 0 < size < 1:
        for suffix, scale in (("m", 1e3), ("u", 1e6), ("n", 1e9)):
            if float(format_number(size * scale)) >= 1:
                return f"{format_number(value * scale)}{suffix}" if size * scale < 999.5 else format_number(value)
    # Below ten thousand a plain number reads better than 1.23k, and nothing is lost.
    if size < 10000 and not binary:
        return format_number(value, digits=max(3, len(str(int(size)))))
    power = 0
    while power < len(suffixes) - 1 and float(format_number(size / step**power)) >= step:
        power += 1
    return f"{format_number(value / step**power, digits=4 if binary else 3)}{suffixes[power].strip()}"
