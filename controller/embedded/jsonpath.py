"""The part of Kubernetes' JSONPath that printer columns and scale paths use: fields, indexes, `[*]` and `[?(@.field=="value")]`."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

__all__ = ["JsonPath"]

_Step: TypeAlias = Callable[[Any], Iterable[Any]]

_STEP = re.compile(
    r"""\.(?P<field>(?:[\w$/-]|\\.)+)
      | \[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]
      | \[(?P<index>-?\d+)\]
      | (?P<all>\[\*\]|\.\*)
      | \[\?\(@(?P<filter>(?:\.[\w-]+)+)\s*(?P<operator>==|!=)\s*(?P<literal>'[^']*'|"[^"]*"|true|false|-?[\d.]+)\)\]
    """,
    re.VERBOSE,
)


def _field(name: str) -> _Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _index(position: int) -> _Step:
    return lambda value: value[position:][:1] if isinstance(value, list) else []


def _all(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else []


def _filter(path: str, equal: bool, literal: str) -> _Step:
    inner = JsonPath(path)
    wanted = literal[1:-1] if literal[0] in "'\"" else literal

    def step(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else []:
            found = inner.first(item)
            shown = str(found).lower() if isinstance(found, bool) else str(found)
            if (found is not None and shown == wanted) == equal:
                yield item

    return step


class JsonPath:
    """A compiled path; raises ValueError for text outside the supported part of the language."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps: list[_Step] = []
        position = 0
        while position < len(text):
            found = _STEP.match(text, position)
            if not found:
                raise ValueError(f"{text!r} is no JSON path this server understands from {text[position:]!r} on")
            self._steps.append(_step(found))
            position = found.end()

    def __repr__(self) -> str:
        return f"JsonPath({self.text!r})"

    def first(self, value: Any) -> Any:
        """The first match, or None; Kubernetes shows no further ones in a column."""
        values = [value]
        for step in self._steps:
            values = [item for parent in values for item in step(parent)]
        return values[0] if values else None


def _step(found: re.Match[str]) -> _Step:
    if found["field"]:
        return _field(re.sub(r"\\(.)", r"\1", found["field"]))
    if found["quote"]:
        return _field(found["quoted"])
    if found["index"]:
        return _index(int(found["index"]))
    if found["filter"]:
        return _filter(found["filter"], found["operator"] == "==", found["literal"])
    return _all
