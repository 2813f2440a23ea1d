"""What one decision costs: `evaluate()` for 1,000 and 10,000 scalers of 10 pods and 3 dimensions, with the law and what it has learned.

CPU seconds of the process, one numpy thread, and memory; each size in a fresh process. Run with
`python -m benchmarks.engine [--json FILE]`. Fetching, joining and writing are not measured here.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np

from controller.api import Spec
from controller.engine import (
    Decisions,
    History,
    Learned,
    Load,
    LoadKind,
    Samples,
    Scalers,
    anomaly,
    behavior,
    capacity,
    decision,
    demand,
    efficacy,
    evaluate,
    floors,
    hold,
    law,
    record_of,
)

#: One alone shows what a call costs, the last two how it grows.
SIZES = (1, 100, 1_000, 10_000, 20_000)
PODS = 10
CYCLES = 21
#: Until the law proposes, and the rings of what it has seen are full.
WARM_UP = 52
#: Records are cut one by one; so many tell what one costs.
RECORDS = 1_000
#: A stabilization window of 300 s in cycles of 15 s.
REMEMBERED = 21
EVENTS = 3
INTERVAL = 15.0
NOW = 1_000_000.0

SPEC = Spec.model_validate(
    {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 40,
        "dimensions": [
            {"metric": "cpu", "target": "70%"},
            {"metric": "memory", "target": "80%"},
            {"metric": "latency", "target": "250ms"},
        ],
    }
)

#: The stages of a cycle, and by which functions of which module the evaluation enters them; what begins with a blank is a part of the law.
STAGES: tuple[tuple[str, ModuleType, tuple[str, ...]], ...] = (
    ("quality", decision, ("judge",)),
    ("floors in use", law, ("floors_in_use",)),
    ("magnitude", decision, ("measure",)),
    ("proposal", decision, ("propose",)),
    ("law", law, ("respond",)),
    ("  demand", demand, ("observe", "forecast")),
    ("  capacity", capacity, ("learn_linear", "learn_queues", "capacities", "alone", "solve")),
    ("  efficacy", efficacy, ("examine",)),
    ("  hold", hold, ("watch", "remember")),
    ("  floors", floors, ("learn",)),
    ("anomaly", anomaly, ("watch", "guard")),
    ("stabilize", behavior, ("stabilize",)),
    ("cool down", behavior, ("cool_down",)),
    ("rate limit", behavior, ("limit_rate",)),
    ("bound", behavior, ("bound",)),
)


class Fleet:
    """Scalers as they are on a common day: a tenth above target, some pods not Ready or without a node, some samples missing or old.

    The load of each goes up and down within the hour; what was learned goes from one evaluation to the next.
    """

    def __init__(self, count: int) -> None:
        self._chance = np.random.default_rng(1)
        self.scalers = Scalers.of([SPEC] * count)
        self._of = np.repeat(np.arange(count), PODS)
        self._level = self._chance.uniform(0.3, 1.2, count)
        self._phase = self._chance.uniform(0.0, 2 * np.pi, count)
        pods = len(self._of)
        self._uneven = self._chance.normal(1.0, 0.1, pods)
        self._unscheduled = self._chance.random(pods) < 0.002
        self._ready = (self._chance.random(pods) > 0.02) & ~self._unscheduled
        self.learned = Learned.empty(*self.scalers.used.shape)
        self.now = NOW
        self.pass_()

    def pass_(self) -> None:
        """Fifteen seconds go by."""
        self.now += INTERVAL
        self.samples = self._samples()
        self.history = self._history()

    def evaluate(self) -> Decisions:
        """One cycle's decision, and what was learned by it."""
        decisions = evaluate(self.scalers, self.samples, self.history, self.now, self.learned)
        self.learned = decisions.learned
        return decisions

    def _samples(self) -> Samples:
        chance, of = self._chance, self._of
        count, pods = len(self.scalers), len(of)
        level = self._level * (1 + 0.2 * np.sin(self.now * 2 * np.pi / 3600 + self._phase))
        load = level[of] * self._uneven * chance.normal(1.0, 0.02, pods)
        values = np.stack((0.7 * load, 0.3 + 0.5 * load**0.3, 0.04 + 0.2 * load**3), axis=1)
        seen = chance.random(values.shape) > 0.01
        width = values.shape[1]
        served = 50 * load
        newest = served * chance.normal(1.0, 0.05, pods)
        return Samples(
            current=np.full(count, PODS, np.int64),
            scaler=of,
            ready=self._ready,
            young=np.zeros(pods, np.bool_),
            unscheduled=self._unscheduled,
            values=np.where(seen, values, np.nan),
            ages=np.where(chance.random(values.shape) > 0.005, 10.0, 120.0),
            seen=seen,
            target_values=np.full((count, width), np.nan),
            target_ages=np.zeros((count, width)),
            target_seen=np.zeros((count, width), np.bool_),
            faults=np.full((count, width), -1, np.int16),
            load=Load(
                newest=newest,
                served=served,
                waited=newest * values[:, 2] / 2,
                arrivals=np.full(count, np.nan),
                startup=np.full(count, 28.0),
                window=np.full(count, 60.0),
                kind=np.full(count, LoadKind.REQUESTS, np.int8),
            ),
        )

    def _history(self) -> History:
        chance, count = self._chance, len(self.scalers)
        ages = INTERVAL * np.arange(1, REMEMBERED + 1)
        return History(
            recommendations=chance.integers(8, 12, (count, REMEMBERED)),
            recommended_at=np.broadcast_to(self.now - ages, (count, REMEMBERED)).copy(),
            changes=chance.integers(-2, 3, (count, EVENTS)),
            changed_at=self.now - chance.uniform(15.0, 3600.0, (count, EVENTS)),
        )


def seconds_of(
    run: Callable[[], object], between: Callable[[], object] = lambda: None, cycles: int = CYCLES
) -> list[float]:
    """CPU seconds of each of so many runs; what is done `between` them does not count."""
    taken = []
    for _ in range(cycles):
        between()
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return taken


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Counts the CPU seconds that each stage takes meanwhile, by its name."""
    spent = {name: 0.0 for name, _, _ in STAGES}
    inside: set[str] = set()

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if name in inside:  # one function of a stage calls another
                return function(*arguments, **named)
            inside.add(name)
            start = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                spent[name] += time.process_time() - start
                inside.remove(name)

        return call

    originals = [
        (name, module, attribute, getattr(module, attribute)) for name, module, names in STAGES for attribute in names
    ]
    try:
        for name, module, attribute, function in originals:
            setattr(module, attribute, timed(name, function))
        yield spent
    finally:
        for _, module, attribute, function in originals:
            setattr(module, attribute, function)


def stages(fleet: Fleet) -> dict[str, float]:
    """CPU seconds of each stage within a cycle, the mean; what is in none of them is called the rest."""
    with watched() as spent:
        total = sum(seconds_of(fleet.evaluate, fleet.pass_))
    spent["rest"] = total - sum(seconds for name, seconds in spent.items() if not name.startswith(" "))
    return {name: seconds / CYCLES for name, seconds in spent.items()}


def of_size(count: int) -> dict[str, Any]:
    """All figures of one size; times in CPU seconds, memory in bytes."""
    fleet = Fleet(count)
    before = _most_memory()
    fleet.evaluate()
    resident = _most_memory() - before
    seconds_of(fleet.evaluate, fleet.pass_, WARM_UP)
    taken = seconds_of(fleet.evaluate, fleet.pass_)
    tracemalloc.start()
    decisions = fleet.evaluate()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = np.linspace(0, count - 1, RECORDS).astype(int)
    records = seconds_of(lambda: [record_of(decisions, int(row)) for row in rows], cycles=5)
    return {
        "scalers": count,
        "pods": len(fleet.samples.scaler),
        "dimensions": fleet.scalers.used.shape[1],
        "cycles": len(taken),
        "by_law": float(decisions.law.used.mean()),
        "median": median(taken),
        "min": min(taken),
        "max": max(taken),
        "resident_growth": resident,
        "traced_peak": peak,
        "traced_kept": kept,
        "inputs": _size(
            fleet.scalers, fleet.scalers.up, fleet.scalers.down, fleet.samples, fleet.samples.load, fleet.history
        ),
        "state": _size(fleet.learned) / count,
        "record_of": median(records) / RECORDS,
        "stages": stages(fleet),
    }


def machine() -> dict[str, Any]:
    """What it ran on."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "model": names[0] if names else platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "threads": os.environ["OMP_NUM_THREADS"],
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _most_memory() -> int:
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _size(*parts: Any) -> int:
    held = [getattr(part, each.name) for part in parts for each in dataclasses.fields(part)]
    return sum(each.nbytes for each in held if isinstance(each, np.ndarray))


def in_fresh_process(count: int) -> dict[str, Any]:
    """`of_size` in a process of its own, so that no size inherits another's memory."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine", "--size", str(count)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, Any] = json.loads(answer.stdout)
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    on, sizes = figures["machine"], figures["sizes"]
    lines = [
        f"{on['model']}, {on['cores']} cores, Python {on['python']}, numpy {on['numpy']}, {on['threads']} thread",
        f"{'':<28}" + "".join(f"{size['scalers']:>12,}" for size in sizes) + "  scalers",
    ]

    def row(
        name: str, value: Callable[[dict[str, Any]], float], unit: str, scale: float = 1.0, digits: int = 2
    ) -> None:
        lines.append(f"{name:<28}" + "".join(f"{value(size) * scale:>12,.{digits}f}" for size in sizes) + f"  {unit}")

    for name in ("median", "min", "max"):
        row(f"CPU of a cycle, {name}", lambda size, name=name: size[name], "ms", 1e3)  # type: ignore[misc]
    for name in sizes[0]["stages"]:
        row(f"  {name}", lambda size, name=name: size["stages"][name], "ms", 1e3)  # type: ignore[misc]
    row("decided by the law", lambda size: size["by_law"], "%", 100, 1)
    row("state of one scaler", lambda size: size["state"], "bytes", 1, 0)
    row("memory: inputs", lambda size: size["inputs"], "MB", 1e-6)
    row("memory: peak beyond inputs", lambda size: size["traced_peak"], "MB", 1e-6)
    row("memory: result", lambda size: size["traced_kept"], "MB", 1e-6)
    row("memory: growth of process", lambda size: size["resident_growth"], "MB", 1e-6)
    row("one record_of", lambda size: size["record_of"], "us", 1e6)
    for (small, large), growth in zip(pairwise(SIZES), figures["growth"], strict=True):
        times = f"times from {small:,} to {large:,} scalers"
        lines.append(f"{'growth of the median':<28}{growth:>12.2f}  {times}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--size", type=int, help="measure this many scalers in this process and print JSON")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if options.size is not None:
        print(json.dumps(of_size(options.size)))
        return
    sizes = [in_fresh_process(count) for count in SIZES]
    figures = {
        "machine": machine(),
        "sizes": sizes,
        "growth": [large["median"] / small["median"] for small, large in pairwise(sizes)],
    }
    print(table(figures))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
