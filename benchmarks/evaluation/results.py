"""results.json: what every task found, on which machine, and when a task could not be run, why."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Final

__all__ = ["RESULTS", "Results", "fingerprint", "machine"]

RESULTS: Final = Path(__file__).parents[2] / "docs" / "evaluation" / "results.json"


class Results:
    """The results by task, read from a file and written after each task: an evaluation that is stopped keeps what it has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        read = json.loads(path.read_text()) if path.exists() else {}
        self.machine: dict[str, str] = read.get("machine", {})
        self._tasks: dict[str, dict[str, Any]] = read.get("tasks", {})

    def keep(self, name: str, result: Any, lacking: str | None, seconds: float, code: str) -> None:
        """Keep a task's result and of which code it is; one that is lacking leaves what an earlier run has found."""
        if lacking is None:
            self._tasks[name] = {"seconds": round(seconds, 1), "code": code, "result": result}
        else:
            self._tasks.setdefault(name, {"seconds": 0.0, "result": None, "lacking": lacking})
        self.machine = machine()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        tasks = ",\n".join(
            f" {json.dumps(name)}: {json.dumps(self._tasks[name], separators=(',', ':'))}"
            for name in sorted(self._tasks)
        )
        self._path.write_text(f'{{"machine": {json.dumps(self.machine)},\n"tasks": {{\n{tasks}\n}}}}\n')

    def get(self, name: str) -> Any:
        """A task's result, None where there is none."""
        return self._tasks.get(name, {}).get("result")

    def merged(self, prefix: str) -> dict[str, Any]:
        """The results of all tasks whose name begins so, as one; their keys are those of the results."""
        found: dict[str, Any] = {}
        for name in self._tasks:
            if name.startswith(prefix):
                found |= self.get(name) or {}
        return found

    @property
    def lacking(self) -> dict[str, str]:
        """Why a task has no result, by task."""
        return {name: task["lacking"] for name, task in sorted(self._tasks.items()) if task.get("lacking")}

    @property
    def codes(self) -> set[str]:
        """The states of the code that there are results of."""
        return {task.get("code", "") for task in self._tasks.values() if task["result"] is not None}

    @property
    def seconds(self) -> float:
        """CPU seconds of all tasks together."""
        return float(sum(task["seconds"] for task in self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)


def fingerprint() -> str:
    """The state of the code that decides and simulates, as a few letters."""
    root = Path(__file__).parents[2] / "controller"
    digest = hashlib.sha256()
    for path in sorted(path for part in ("api", "engine", "simulation") for path in (root / part).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def machine() -> dict[str, str]:
    """What it ran on."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
    }
