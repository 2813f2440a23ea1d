"""What one decision costs: `evaluate()` for 1,000 and 10,000 scalers of 10 pods and 3 dimensions.

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
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from controller.api import Spec
from controller.engine import History, Samples, Scalers, evaluate, record_of
from controller.engine.behavior import bound, cool_down, limit_rate, stabilize
from controller.engine.magnitude import measure
from controller.engine.proportional import propose
from controller.engine.quality import judge

SIZES = (1_000, 10_000)
PODS = 10
CYCLES = 21
WARM_UP = 3
#: Records are cut one by one; so many tell what one costs.
RECORDS = 1_000
#: A stabilization window of 300 s in cycles of 15 s.
REMEMBERED = 21
EVENTS = 3
NOW = 1_000_000.0

SPEC = Spec.model_validate(
    {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 40,
        "dimensions": [
            {"metric": "cpu", "target": "70%"},
            {"metric": "memory", "target": "80%", "floor": "30%"},
            {"metric": "latency", "target": "250ms", "floor": "40ms"},
        ],
    }
)


def inputs(count: int) -> tuple[Scalers, Samples, History]:
    """A fleet as it is on a common day: a tenth of it above its target, some pods not Ready, some samples missing or old."""
    chance = np.random.default_rng(1)
    scaler = np.repeat(np.arange(count), PODS)
    pods = len(scaler)
    load = chance.uniform(0.3, 1.2, count)[scaler] * chance.normal(1.0, 0.1, pods)
    values = np.stack((0.7 * load, 0.3 + 0.5 * load**0.3, 0.04 + 0.2 * load**3), axis=1)
    seen = chance.random(values.shape) > 0.01
    width = values.shape[1]
    samples = Samples(
        current=np.full(count, PODS, np.int64),
        scaler=scaler,
        ready=chance.random(pods) > 0.02,
        young=np.zeros(pods, np.bool_),
        values=np.where(seen, values, np.nan),
        ages=np.where(chance.random(values.shape) > 0.005, 10.0, 120.0),
        seen=seen,
        target_values=np.full((count, width), np.nan),
        target_ages=np.zeros((count, width)),
        target_seen=np.zeros((count, width), np.bool_),
        faults=np.full((count, width), -1, np.int16),
    )
    history = History(
        recommendations=chance.integers(8, 12, (count, REMEMBERED)),
        recommended_at=np.broadcast_to(NOW - 15.0 * np.arange(1, REMEMBERED + 1), (count, REMEMBERED)).copy(),
        changes=chance.integers(-2, 3, (count, EVENTS)),
        changed_at=NOW - chance.uniform(15.0, 3600.0, (count, EVENTS)),
    )
    return Scalers.of([SPEC] * count), samples, history


def seconds_of(run: Callable[[], object], cycles: int = CYCLES) -> list[float]:
    """CPU seconds of each of so many runs, after a few that do not count."""
    for _ in range(WARM_UP):
        run()
    taken = []
    for _ in range(cycles):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return taken


def stages(scalers: Scalers, samples: Samples, history: History) -> dict[str, float]:
    """CPU seconds of each stage alone, the median."""
    quality = judge(scalers, samples)
    magnitude = measure(scalers, samples, quality)
    current, wanted = samples.current, propose(scalers, samples, quality, magnitude).replicas
    runs: dict[str, Callable[[], object]] = {
        "quality": lambda: judge(scalers, samples),
        "magnitude": lambda: measure(scalers, samples, quality),
        "proposal": lambda: propose(scalers, samples, quality, magnitude),
        "stabilize": lambda: stabilize(scalers, history, NOW, current, wanted),
        "cool down": lambda: cool_down(scalers, history, NOW, current, wanted),
        "rate limit": lambda: limit_rate(scalers, history, NOW, current, wanted),
        "bound": lambda: bound(scalers, current, wanted),
    }
    return {name: median(seconds_of(run)) for name, run in runs.items()}


def of_size(count: int) -> dict[str, Any]:
    """All figures of one size; times in CPU seconds, memory in bytes."""
    arguments = inputs(count)
    before = _most_memory()
    evaluate(*arguments, NOW)
    resident = _most_memory() - before
    taken = seconds_of(lambda: evaluate(*arguments, NOW))
    tracemalloc.start()
    decisions = evaluate(*arguments, NOW)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = np.linspace(0, count - 1, RECORDS).astype(int)
    records = seconds_of(lambda: [record_of(decisions, int(row)) for row in rows], cycles=5)
    return {
        "scalers": count,
        "pods": len(arguments[1].scaler),
        "dimensions": arguments[0].used.shape[1],
        "cycles": len(taken),
        "median": median(taken),
        "min": min(taken),
        "max": max(taken),
        "resident_growth": resident,
        "traced_peak": peak,
        "traced_kept": kept,
        "inputs": _size(arguments),
        "record_of": median(records) / RECORDS,
        "stages": stages(*arguments),
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


def _size(parts: tuple[Scalers, Samples, History]) -> int:
    held = [
        getattr(part, each.name) for part in (*parts, parts[0].up, parts[0].down) for each in dataclasses.fields(part)
    ]
    return sum(each.nbytes for each in held if isinstance(each, np.ndarray))


def in_fresh_process(count: int) -> dict[str, Any]:
    """`of_size` in a process of its own, so that no size inherits another's memory."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine", "--size", str(count)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, Any] = json.loads(answer.stdout)
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    on, sizes = figures["machine"], figures["sizes"]
    lines = [
        f"{on['model']}, {on['cores']} cores, Python {on['python']}, numpy {on['numpy']}, {on['threads']} thread",
        f"{'':<28}" + "".join(f"{size['scalers']:>14,}" for size in sizes) + "  scalers",
    ]

    def row(
        name: str, value: Callable[[dict[str, Any]], float], unit: str, scale: float = 1.0, digits: int = 2
    ) -> None:
        lines.append(f"{name:<28}" + "".join(f"{value(size) * scale:>14,.{digits}f}" for size in sizes) + f"  {unit}")

    for name in ("median", "min", "max"):
        row(f"CPU of a cycle, {name}", lambda size, name=name: size[name], "ms", 1e3)  # type: ignore[misc]
    for name in sizes[0]["stages"]:
        row(f"  {name}", lambda size, name=name: size["stages"][name], "ms", 1e3)  # type: ignore[misc]
    row("memory: inputs", lambda size: size["inputs"], "MB", 1e-6)
    row("memory: peak beyond inputs", lambda size: size["traced_peak"], "MB", 1e-6)
    row("memory: result", lambda size: size["traced_kept"], "MB", 1e-6)
    row("memory: growth of process", lambda size: size["resident_growth"], "MB", 1e-6)
    row("one record_of", lambda size: size["record_of"], "us", 1e6)
    lines.append(
        f"{'growth of the median':<28}{figures['growth']:>14.2f}  times for {SIZES[1] // SIZES[0]} times the scalers"
    )
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
    figures = {"machine": machine(), "sizes": sizes, "growth": sizes[1]["median"] / sizes[0]["median"]}
    print(table(figures))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
