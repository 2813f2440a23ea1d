"""The kinds of text and numbers that fields of the manifest hold, each with its limits and its sentence.

The regular expressions are those of `units`, unsigned, as RE2 (the API server) and `re` both read them.
"""

import re
from typing import Annotated, Any, Final

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Strict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from controller.api.errors import InvalidAmount
from controller.api.rules import Rule
from controller.api.units import LONGEST, parse_amount, parse_duration, parse_quantity, parse_share

__all__ = [
    "AUTO",
    "AmountOrAuto",
    "Count",
    "Duration",
    "IntOrText",
    "Label",
    "Number",
    "PositiveAmount",
    "PositiveDuration",
    "PositiveQuantity",
    "Quantity",
    "Share",
    "Switch",
    "Text",
]

UNSIGNED: Final = r"([0-9]+[.]?[0-9]*|[.][0-9]+)"
SHARE: Final = f"{UNSIGNED}%"
QUANTITY: Final = f"{UNSIGNED}([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{{1,2}})?"
DURATION: Final = f"({UNSIGNED}(ns|us|µs|ms|s|m|h))+"
# The first digit that is no zero comes before any exponent: "0e5" is zero, "0h5m" is not.
POSITIVE: Final = "^[0.hmsnuµ]*[1-9]"
PERCENT: Final = "double(self.replace('%', ''))"
#: The value is found out by the operator.
AUTO: Final = "Auto"
LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_PATTERN: Final = re.compile(LABEL)


class IntOrText:
    """Marks a field that takes a whole number or text, as Kubernetes' quantities do."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.union_schema(
            [core_schema.int_schema(strict=True), core_schema.str_schema(strict=True, max_length=LONGEST)],
            custom_error_type="int_or_text",
            custom_error_message="must be an integer or a string",
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"x-kubernetes-int-or-string": True, "maxLength": LONGEST}


def is_duration(text: str) -> bool:
    """Whether it is a duration of no sign."""
    try:
        parse_duration(text)
    except InvalidAmount:
        return False
    return text != "0"


def is_share(text: str) -> bool:
    """Whether it is a share from 0% up."""
    try:
        return parse_share(text) >= 0 and text[0] not in "+-"
    except InvalidAmount:
        return False


def is_quantity(value: int | str) -> bool:
    """Whether it is a quantity of no sign."""
    try:
        return parse_quantity(value) >= 0 and str(value)[0] not in "+-"
    except InvalidAmount:
        return False


def is_amount(text: str) -> bool:
    """Whether it is a share, a quantity or a duration, of no sign."""
    return is_share(text) or is_quantity(text) or is_duration(text)


def is_positive(text: str) -> bool:
    """Whether an amount is above zero; text that is no amount is not this rule's business."""
    return not is_amount(text) or parse_amount(text).value > 0


def _in_unit_interval(text: str) -> bool:
    return is_share(text) and 0 < parse_share(text) <= 1


def _is_positive_quantity(value: int | str) -> bool:
    return is_quantity(value) and parse_quantity(value) > 0


Count = Annotated[int, Strict(), Field(le=2**31 - 1, json_schema_extra={"format": "int32"})]
Number = Annotated[float, Strict()]
Switch = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]

Label = Annotated[
    str,
    Strict(),
    Field(min_length=1, max_length=63),
    Rule[str](
        cel=f"self.matches('^{LABEL}$')",
        message="must be lower-case letters, digits and hyphens, write for example checkout-latency",
        check=lambda text: LABEL_PATTERN.fullmatch(text) is not None,
    ),
]
ABOVE_ZERO: Final = Rule[str](cel=f"self.matches('{POSITIVE}')", message="must be above 0", check=is_positive)
IS_DURATION: Final = Rule[str](
    cel=f"self.matches('^{DURATION}$')",
    message="must be a duration, write for example 250ms, 90s, 5m or 1h30m",
    check=is_duration,
)
IS_AMOUNT: Final = Rule[str](
    cel=f"self.matches('^({SHARE}|{QUANTITY}|{DURATION})$')",
    message="must be a share (70%), a quantity (300, 350m, 1Gi) or a duration (250ms, 90s)",
    check=is_amount,
)
Duration = Annotated[str, Strict(), Field(max_length=LONGEST), IS_DURATION]
PositiveDuration = Annotated[str, Strict(), Field(max_length=LONGEST), IS_DURATION, ABOVE_ZERO]
PositiveAmount = Annotated[str, Strict(), Field(max_length=LONGEST), IS_AMOUNT, ABOVE_ZERO]
AmountOrAuto = Annotated[
    str,
    Strict(),
    Field(max_length=LONGEST),
    Rule[str](
        cel=f"self.matches('^({AUTO}|{SHARE}|{QUANTITY}|{DURATION})$')",
        message="must be Auto, a share (70%), a quantity (300, 350m, 1Gi) or a duration (250ms, 90s)",
        check=lambda text: text == AUTO or is_amount(text),
    ),
]
Share = Annotated[
    str,
    Strict(),
    Field(max_length=LONGEST),
    Rule[str](
        cel=f"self.matches('^{SHARE}$') && {PERCENT} > 0.0 && {PERCENT} <= 100.0",
        message="must be a share above 0% and up to 100%, write for example 80%",
        check=_in_unit_interval,
    ),
]
Quantity = Annotated[
    int | str,
    IntOrText(),
    Rule[int | str](
        cel=f"type(self) == int ? self >= 0 : self.matches('^{QUANTITY}$')",
        message="must be 0 or more, write for example 0.1 in quotes, or 50m",
        check=is_quantity,
    ),
]
PositiveQuantity = Annotated[
    int | str,
    IntOrText(),
    Rule[int | str](
        cel=f"type(self) == int ? self > 0 : self.matches('^{QUANTITY}$') && self.matches('{POSITIVE}')",
        message="must be above 0, write for example 1, or 0.8 in quotes",
        check=_is_positive_quantity,
    ),
]
