"""From pydantic's errors to sentences: which field, what must be, what to write, what was found.

The words follow the API server's where it says the same thing, so that a user reads the same at `kubectl apply` and in
the condition `Ready`.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from controller.api.rules import BROKEN_RULES

__all__ = ["sentence"]

TYPES: Final = {
    "string_type": "string",
    "int_type": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "bool_type": "boolean",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "tuple_type": "array",
    "list_type": "array",
}
#: What pydantic adds where a default follows from a field that is itself wrong.
CONSEQUENCE: Final = "default_factory_not_called"
LONGEST_VALUE: Final = 60


def sentence(error: ValidationError) -> str:
    """Return one line about every mistake in `error`, joined by "; "."""
    mistakes = [each for each in error.errors(include_url=False) if each["type"] != CONSEQUENCE]
    # A list whose items are wrong is also "too short" to pydantic, which counts the right ones.
    inside = {each["loc"][:end] for each in mistakes for end in range(len(each["loc"]))}
    return "; ".join(
        f"{path}: {text}" if path else text
        for details in mistakes
        if details["type"] != "too_short" or details["loc"] not in inside
        for path, text in _parts(details)
    )


def _parts(details: ErrorDetails) -> Iterator[tuple[str, str]]:
    path, kind, found = _path(details["loc"]), details["type"], details["input"]
    context = details.get("ctx", {})
    if kind == BROKEN_RULES:
        for field, text in context["broken"]:
            yield ".".join(part for part in (path, field) if part), text
    else:
        yield path, _text(kind, found, context, details["msg"])


def _text(kind: str, found: Any, context: dict[str, Any], message: str) -> str:
    if kind == "missing":
        return "required value is missing, add it"
    if kind == "extra_forbidden":
        return "unknown field, remove it or correct its name"
    if kind in TYPES:
        hint = ""
        if _is_unquoted(kind, found):
            # A bare number taken for a share would become as many cores: 70 is hardly ever what is meant.
            hint = (
                ', write it with its unit, for example 70%, 350m, 1Gi or 250ms, or a plain number in quotes like "300"'
            )
        return f"must be of type {TYPES[kind]}{hint} (got {_short(found)})"
    if kind in ("enum", "literal_error"):
        expected = context["expected"].replace("'", '"').replace(" or ", ", ")
        return f"unsupported value {_short(found)}: supported values: {expected}"
    if kind == "too_short":
        return f"should have at least {context['min_length']} items"
    if kind == "too_long":
        return f"must have at most {context['max_length']} items"
    if kind == "value_error":
        # Ours: it says itself what was found, or why not.
        return message.removeprefix("Value error, ")
    return f"{message.removeprefix('Input ')} (got {_short(found)})"


def _is_unquoted(kind: str, found: Any) -> bool:
    return kind == "string_type" and isinstance(found, int | float) and not isinstance(found, bool)


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _short(found: Any) -> str:
    text = json.dumps(found, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
