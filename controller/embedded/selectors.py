"""Label and field selectors of list and watch requests, compiled once into predicates.

Which fields may be selected is a property of the resource and lies with `resources.py`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from controller.embedded.objects import Object, dig, labels_of
from controller.embedded.refusals import bad_request

__all__ = ["Predicate", "compile_field_selector", "compile_label_selector", "format_label_selector", "matches_labels"]

Predicate: TypeAlias = Callable[[Object], bool]
_Requirement: TypeAlias = Callable[[dict[str, str]], bool]

_SET_BASED = re.compile(r"^(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^=!\s]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^=!\s]*)$")
_EXISTENCE = re.compile(r"^(?P<absent>!?)\s*(?P<key>[^=!\s(),]+)$")


def _split(text: str) -> Iterable[str]:
    """Commas separate requirements, except those inside the parentheses of a set."""
    return (part.strip() for part in re.split(r",(?![^()]*\))", text) if part.strip())


def _set_based(key: str, values: frozenset[str], wanted: bool) -> _Requirement:
    if wanted:
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def _requirement(text: str) -> _Requirement:
    if found := _SET_BASED.match(text):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return _set_based(found["key"], values, found["operator"] == "in")
    if found := _EQUALITY.match(text):
        return _set_based(found["key"], frozenset([found["value"]]), found["operator"] != "!=")
    if found := _EXISTENCE.match(text):
        key, wanted = found["key"], not found["absent"]
        return lambda labels: (key in labels) == wanted
    raise bad_request(f'unable to parse requirement: found "{text}", expected: a key, key=value or key in (values)')


def compile_label_selector(text: str) -> Predicate | None:
    """A predicate over objects, None when everything matches; refuses text that is no selector (400)."""
    requirements = [_requirement(part) for part in _split(text)]
    if not requirements:
        return None
    return lambda obj: all(holds(labels_of(obj)) for holds in requirements)


def compile_field_selector(text: str, selectable: Mapping[str, str], unsupported: str) -> Predicate | None:
    """A predicate over stored objects, None when everything matches.

    Refuses other fields than name, namespace and the selectable ones (400, with `unsupported` as its sentence).
    """
    tests: list[tuple[tuple[str, ...], str, bool]] = []
    known = {"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace", **selectable}
    for part in _split(text):
        found = _EQUALITY.match(part)
        if not found:
            raise bad_request(f'invalid field selector: "{part}"; expected field=value or field!=value')
        if found["key"] not in known:
            raise bad_request(unsupported.format(found["key"]))
        tests.append((tuple(known[found["key"]].split(".")), found["value"], found["operator"] != "!="))
    if not tests:
        return None
    return lambda obj: all((_text(dig(obj, *path)) == value) == wanted for path, value, wanted in tests)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def matches_labels(selector: Object | None, labels: dict[str, str]) -> bool:
    """Whether labels satisfy a LabelSelector object (`matchLabels`, `matchExpressions`); one that is absent matches none."""
    if selector is None:
        return False
    predicate = compile_label_selector(format_label_selector(selector))
    return predicate is None or predicate({"metadata": {"labels": labels}})


def format_label_selector(selector: Object | None) -> str:
    """A LabelSelector object as text, as `status.selector` of a Scale has it."""
    if not selector:
        return ""
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression["key"], expression["operator"]
        values = ",".join(sorted(expression.get("values") or ()))
        texts = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append((key, texts[operator]))
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0]))
