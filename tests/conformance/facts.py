"""The facts of Kubernetes' own tables, read from a folder: which cases there are, and that they are what the format says.

A file is one object with `format` 1 and `cases`, and a case has `suite`, `name` (unique in its suite), `inputs` and `expected`; only what
is in `expected` is compared. What the inputs of a suite are is said by `suites`, which reads them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["DATA", "FILES", "Case", "Fact", "Lacking", "MalformedFacts", "load"]

DATA: Final = Path(__file__).parent / "data"

FILES: Final = ("hpa_behavior.json", "hpa_replica_calculator.json")


class MalformedFacts(Exception):
    """The folder or a file is not what the format says; the message says where and what to write."""


class Lacking(Exception):
    """A case lacks an input."""


class Fact(dict[str, Any]):
    """A JSON object whose keys have to be there when they are asked for with brackets."""

    def __missing__(self, key: str) -> Any:
        raise Lacking(f"{key!r} is lacking; write it into the case")


@dataclass(frozen=True)
class Case:
    """One row of a table; `is_artefact` where only double precision gives the expected number."""

    file: str
    suite: str
    name: str
    inputs: Fact
    expected: Fact
    is_artefact: bool

    def __str__(self) -> str:
        return f"{self.suite} | {self.name}"


def load(folder: Path) -> list[Case]:
    """All cases of both files of a folder; raises MalformedFacts."""
    if not folder.is_dir():
        raise MalformedFacts(f"{folder} is no folder; write one that holds {' and '.join(FILES)}")
    return [case for name in FILES for case in _cases(folder / name)]


def _cases(path: Path) -> list[Case]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_hook=Fact)
    except OSError as error:
        raise MalformedFacts(
            f"{path} cannot be read ({error.strerror}); the folder needs {' and '.join(FILES)}"
        ) from error
    except ValueError as error:
        raise MalformedFacts(f"{path} is no JSON: {error}; write what the format says") from error
    if not isinstance(document, Fact) or document.get("format") != 1 or not isinstance(document.get("cases"), list):
        raise MalformedFacts(f'{path} is not of format 1; write an object with "format": 1 and a list "cases"')
    cases = [_case(path, at, entry) for at, entry in enumerate(document["cases"])]
    seen: set[tuple[str, str]] = set()
    for each in cases:
        if (each.suite, each.name) in seen:
            raise MalformedFacts(f"{path} has the case {str(each)!r} twice; give each its own name")
        seen.add((each.suite, each.name))
    return cases


def _case(path: Path, at: int, entry: object) -> Case:
    where = f"{path}, case {at}"
    if not isinstance(entry, Fact):
        raise MalformedFacts(f"{where} is no object; write one with suite, name, inputs and expected")
    for key, kind in (("suite", str), ("name", str), ("inputs", Fact), ("expected", Fact)):
        if not isinstance(entry.get(key), kind):
            what = "text" if kind is str else "an object"
            raise MalformedFacts(f"{where}: {key!r} is {json.dumps(entry.get(key))[:60]}; write {what}")
    return Case(
        path.name,
        entry["suite"],
        entry["name"],
        entry["inputs"],
        entry["expected"],
        entry.get("artifact") == "float64",
    )
