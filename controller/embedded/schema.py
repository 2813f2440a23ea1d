"""The structural schema of a custom resource: what is dropped, what is filled in, what is refused.

It follows the API server: unknown fields are pruned (and named), defaults are applied at every depth, types come before bounds, and each
refusal is worded as Kubernetes words it. CEL rules (`x-kubernetes-validations`) are not run here; `admission.py` says what stands in.
"""

import copy
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeAlias

from controller.embedded.objects import Object, encode
from controller.embedded.refusals import Cause

__all__ = ["METADATA_FIELDS", "Schema"]

_Keyword: TypeAlias = Callable[[Object, Any, str], Iterable[Cause]]

# The fields of ObjectMeta; anything else in `metadata` is an unknown field.
METADATA_FIELDS = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "number": lambda value: _is_number(value),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_date_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_FORMATS: dict[str, Callable[[Any], bool]] = {
    "int32": lambda value: not _is_number(value) or -(2**31) <= value < 2**31,
    "int64": lambda value: not _is_number(value) or -(2**63) <= value < 2**63,
    "date-time": lambda value: not isinstance(value, str) or _is_date_time(value),
}


class Schema:
    """One `openAPIV3Schema`, ready to prune, default and validate whole objects."""

    def __init__(self, schema: Object) -> None:
        self.document = schema

    @property
    def has_rules(self) -> bool:
        """Whether the schema carries CEL rules anywhere."""
        return b'"x-kubernetes-validations"' in encode(self.document)

    def prune(self, obj: Object) -> list[str]:
        """Removes, in place, what the schema does not know; returns the paths of what was removed."""
        unknown: list[str] = []
        _prune_root(obj, self.document, "", unknown)
        return unknown

    def default(self, obj: Object) -> None:
        """Fills in defaults in place; a null where null is not allowed counts as absent."""
        _default(obj, self.document)

    def validate(self, obj: Object) -> list[Cause]:
        """Everything that is wrong with the object, in the order of the schema's fields; empty when it is valid."""
        return list(_validate({k: v for k, v in obj.items() if k != "metadata"}, self.document, ""))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _prune_root(obj: Object, schema: Object, path: str, unknown: list[str]) -> None:
    """An object with apiVersion, kind and metadata of its own: the custom resource, or one embedded in it."""
    known = {"apiVersion": {}, "kind": {}, "metadata": {"x-kubernetes-preserve-unknown-fields": True}}
    _prune(obj, {**schema, "properties": {**(schema.get("properties") or {}), **known}}, path, unknown)
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        for key in metadata.keys() - METADATA_FIELDS:
            del metadata[key]
            unknown.append(_join(_join(path, "metadata"), key))


def _prune(value: Any, schema: Object, path: str, unknown: list[str]) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _prune_child(item, schema.get("items") or {}, f"{path}[{index}]", unknown)
    if not isinstance(value, dict):
        return
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    for key in list(value):
        if key in properties:
            _prune_child(value[key], properties[key], _join(path, key), unknown)
        elif isinstance(additional, dict):
            _prune_child(value[key], additional, _join(path, key), unknown)
        elif not schema.get("x-kubernetes-preserve-unknown-fields") and additional is not True:
            del value[key]
            unknown.append(_join(path, key))


def _prune_child(value: Any, schema: Object, path: str, unknown: list[str]) -> None:
    if schema.get("x-kubernetes-embedded-resource") and isinstance(value, dict):
        _prune_root(value, schema, path, unknown)
    else:
        _prune(value, schema, path, unknown)


def _default(value: Any, schema: Object) -> None:
    if isinstance(value, list):
        for item in value:
            _default(item, schema.get("items") or {})
    if not isinstance(value, dict):
        return
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, child in properties.items():
        if key in value and value[key] is None and not child.get("nullable"):
            del value[key]
        if key not in value and "default" in child:
            value[key] = copy.deepcopy(child["default"])
        if key in value:
            _default(value[key], child)
    if isinstance(additional, dict):
        for key, item in value.items():
            if key not in properties:
                _default(item, additional)


def _validate(value: Any, schema: Object, path: str) -> Iterable[Cause]:
    if value is None and schema.get("nullable"):
        return
    wrong_type = _type_error(value, schema, path)
    if wrong_type:
        yield wrong_type
        return
    for keyword, check in _KEYWORDS.items():
        if keyword in schema:
            yield from check(schema, value, path)
    yield from _combined(schema, value, path)


def _type_error(value: Any, schema: Object, path: str) -> Cause | None:
    expected = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        fits, expected = _TYPES["integer"](value) or isinstance(value, str), "integer,string"
    else:
        fits = expected is None or _TYPES[expected](value)
    if fits:
        return None
    found = "null" if value is None else next(name for name, holds in _TYPES.items() if holds(value))
    message = f'Invalid value: "{found}": {path} in body must be of type {expected}: "{found}"'
    return Cause("FieldValueTypeInvalid", message, path)


def _invalid(value: Any, path: str, rule: str) -> Cause:
    shown = encode(value).decode() if isinstance(value, (str, bool, int, float)) else f'"{_name_of_type(value)}"'
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {path} in body {rule}", path)


def _name_of_type(value: Any) -> str:
    return "object" if isinstance(value, dict) else "array"


def _enum(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if value not in schema["enum"]:
        shown = ", ".join(encode(choice).decode() for choice in schema["enum"])
        message = f"Unsupported value: {encode(value).decode()}: supported values: {shown}"
        yield Cause("FieldValueNotSupported", message, path)


def _format(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    fits = _FORMATS.get(schema["format"])
    if fits and not fits(value):
        yield _invalid(value, path, f"must be of type {schema['format']}: {encode(value).decode()}")


def _minimum(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    strict = schema.get("exclusiveMinimum", False)
    if _is_number(value) and (value <= schema["minimum"] if strict else value < schema["minimum"]):
        yield _invalid(value, path, f"should be greater than {'' if strict else 'or equal to '}{schema['minimum']}")


def _maximum(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    strict = schema.get("exclusiveMaximum", False)
    if _is_number(value) and (value >= schema["maximum"] if strict else value > schema["maximum"]):
        yield _invalid(value, path, f"should be less than {'' if strict else 'or equal to '}{schema['maximum']}")


def _multiple_of(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if _is_number(value) and not float(value / schema["multipleOf"]).is_integer():
        yield _invalid(value, path, f"should be a multiple of {schema['multipleOf']}")


def _pattern(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    # RE2's \z is Python's \Z; everything else that CRDs use means the same in both.
    if isinstance(value, str) and not re.search(schema["pattern"].replace(r"\z", r"\Z"), value):
        yield _invalid(value, path, f"should match '{schema['pattern']}'")


def _min_length(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, str) and len(value) < schema["minLength"]:
        yield _invalid(value, path, f"should be at least {schema['minLength']} chars long")


def _max_length(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, str) and len(value) > schema["maxLength"]:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {schema['maxLength']} bytes", path)


def _min_items(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, list) and len(value) < schema["minItems"]:
        message = f"Invalid value: {len(value)}: {path} in body should have at least {schema['minItems']} items"
        yield Cause("FieldValueInvalid", message, path)


def _max_items(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, list) and len(value) > schema["maxItems"]:
        message = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        yield Cause("FieldValueTooMany", message, path)


def _min_properties(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, dict) and len(value) < schema["minProperties"]:
        yield _invalid(value, path, f"should have at least {schema['minProperties']} properties")


def _max_properties(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, dict) and len(value) > schema["maxProperties"]:
        yield Cause(
            "FieldValueTooMany", f"Too many: {len(value)}: must have at most {schema['maxProperties']} items", path
        )


def _required(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, dict):
        for key in schema["required"]:
            if key not in value:
                yield Cause("FieldValueRequired", "Required value", _join(path, key))


def _properties(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, dict):
        for key, child in schema["properties"].items():
            if key in value:
                yield from _validate(value[key], child, _join(path, key))


def _additional(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, dict) and isinstance(schema["additionalProperties"], dict):
        for key in value.keys() - (schema.get("properties") or {}).keys():
            yield from _validate(value[key], schema["additionalProperties"], _join(path, key))


def _items(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _validate(item, schema["items"], f"{path}[{index}]")


def _list_type(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    if not isinstance(value, list) or schema["x-kubernetes-list-type"] == "atomic":
        return
    keys, seen = schema.get("x-kubernetes-list-map-keys"), []
    for index, item in enumerate(value):
        mark = {key: item.get(key) for key in keys if key in item} if keys and isinstance(item, dict) else item
        if mark in seen:
            shown = encode(mark).decode()
            yield Cause("FieldValueDuplicate", f"Duplicate value: {shown}", f"{path}[{index}]")
        seen.append(mark)


def _combined(schema: Object, value: Any, path: str) -> Iterable[Cause]:
    for part in schema.get("allOf") or ():
        yield from _validate(value, part, path)
    if schema.get("anyOf") and all(list(_validate(value, part, path)) for part in schema["anyOf"]):
        yield _invalid(value, path, "must validate at least one schema (anyOf)")
    if schema.get("oneOf") and sum(not list(_validate(value, part, path)) for part in schema["oneOf"]) != 1:
        yield _invalid(value, path, "must validate one and only one schema (oneOf)")
    if "not" in schema and not list(_validate(value, schema["not"], path)):
        yield _invalid(value, path, "must not validate the schema (not)")


_KEYWORDS: dict[str, _Keyword] = {
    "enum": _enum,
    "format": _format,
    "minimum": _minimum,
    "maximum": _maximum,
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "minLength": _min_length,
    "maxLength": _max_length,
    "minItems": _min_items,
    "maxItems": _max_items,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "x-kubernetes-list-type": _list_type,
}
