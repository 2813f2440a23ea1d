"""Tables: what `kubectl get` asks for with `as=Table`, so that the server, not kubectl, decides what is worth showing."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from controller.embedded.columns import BUILT_IN_COLUMNS
from controller.embedded.objects import Object
from controller.embedded.resources import Resource
from controller.embedded.views import present

__all__ = ["age", "table"]

_UNITS = (("y", 365 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def age(seconds: float) -> str:
    """A duration as Kubernetes shows ages: two units while they are small, one when it is large."""
    seconds = int(seconds)
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    years, days, hours, minutes = (seconds // size for _, size in _UNITS[:4])
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if years < 2:
        return f"{days}d"
    if years < 8:
        return f"{years}y{days % 365}d" if days % 365 else f"{years}y"
    return f"{years}y"


def _shown_date(value: Any, now: datetime) -> str:
    if not value:
        return "<unknown>"
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return "<invalid>"
    return age((now - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds())


def _custom_cell(kind: str, value: Any, now: datetime) -> Any:
    """A cell of a printer column: a value that does not fit the column's type is left empty, as on the real server."""
    if value is None:
        return None
    if kind == "date":
        return _shown_date(value, now)
    if kind in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return int(value) if kind == "integer" else float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def _columns(resource: Resource) -> list[Object]:
    if resource.columns is None:
        columns = BUILT_IN_COLUMNS.get(resource.plural, BUILT_IN_COLUMNS[""])
        described = [(c.name, "string" if c.type == "date" else c.type, "", "", c.priority) for c in columns]
    else:
        described = [("Name", "string", "", "name", 0)]
        described += [(c.name, c.type, c.description, c.format, c.priority) for c in resource.columns]
    return [
        {
            "name": name,
            "type": kind,
            "format": "name" if name == "Name" else shape,
            "description": description,
            "priority": priority,
        }
        for name, kind, description, shape, priority in described
    ]


def _cells(resource: Resource, obj: Object, now: datetime) -> list[Any]:
    if resource.columns is None:
        columns = BUILT_IN_COLUMNS.get(resource.plural, BUILT_IN_COLUMNS[""])
        return [_shown_date(c.value(obj), now) if c.type == "date" else c.value(obj) for c in columns]
    cells = [_custom_cell(c.type, c.path.first(obj), now) for c in resource.columns]
    return [obj["metadata"]["name"], *cells]


def table(
    resource: Resource, objects: Iterable[Object], metadata: Object, include: str, headers: bool = True
) -> Object:
    """The Table of some stored objects; `include` is None, Metadata or Object: what comes with each row."""
    now = datetime.now(UTC)
    rows = []
    for obj in objects:
        row: Object = {"cells": _cells(resource, obj, now)}
        if include == "Object":
            row["object"] = present(resource, obj)
        elif include != "None":
            meta_only = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            row["object"] = {**meta_only, "metadata": obj["metadata"]}
        rows.append(row)
    columns = _columns(resource) if headers else None
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    }
