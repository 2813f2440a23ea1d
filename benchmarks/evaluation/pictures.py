"""The pictures of docs/evaluation.md: price against promise for every trace, and one day under each blind signal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np

from benchmarks.evaluation.contenders import CONTENDERS, OURS
from benchmarks.evaluation.drawings import DRAWN
from benchmarks.evaluation.loads import LOADS
from benchmarks.evaluation.pareto import BOUND
from benchmarks.evaluation.results import Results

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

__all__ = ["draw"]

COLOURS: Final = {
    "hpa-cpu": "#d1495b",
    "hpa": "#edae49",
    "keda": "#6a4c93",
    OURS: "#00798c",
    BOUND: "#999999",
    "needed": "#999999",
}
TITLES: Final = {each.name: each.title for each in CONTENDERS} | {BOUND: "clairvoyant", "needed": "oracle"}
#: What is worth a picture of a curve: from this share of requests (per cent) up to that.
SHARES: Final = (0.01, 20.0)


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw what there are results for; returns the files, the same bytes for the same results."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with plt.rc_context({"svg.hashsalt": "evaluation", "svg.fonttype": "none", "font.size": 8, "path.simplify": True}):
        loads = [load for load in LOADS if results.merged(f"pareto/{load.name}/")]
        if loads:
            drawn.append(_pareto(results, [load.name for load in loads], folder / "pareto.svg"))
        example = results.get("example")
        if example:
            drawn.append(_days(example, folder / "blind.svg"))
    return drawn


def _pareto(results: Results, names: list[str], path: Path) -> Path:
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure, grid = plt.subplots(rows, columns, figsize=(3.2 * columns, 2.4 * rows), squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for name, axes in zip(names, grid.flat, strict=False):
        marks = next(load.marks for load in LOADS if load.name == name)
        runs = results.merged(f"pareto/{name}/")
        for policy in (*DRAWN, BOUND):
            if policy in runs:
                _curve(axes, runs[policy], policy)
        axes.set(yscale="log", xlim=(1.0, 1.6 * marks[-1]), ylim=SHARES, title=name)
        for mark in marks:
            axes.axvline(mark, color="#dddddd", linewidth=0.8, zorder=0)
    grid[0, 0].set_ylabel("violations %")
    grid[-1, 0].set_xlabel("pod-hours / oracle's")
    grid[0, 0].legend(frameon=False, fontsize=7)
    return _save(figure, path)


def _curve(axes: Axes, result: dict[str, Any], policy: str) -> None:
    cost, broken = (np.array(result[name]).mean(axis=1) for name in ("cost", "violations"))
    order = np.argsort(cost)
    style = ":" if policy == BOUND else "-"
    axes.plot(
        cost[order],
        broken[order],
        style,
        color=COLOURS[policy],
        label=TITLES[policy],
        marker=".",
        markersize=3,
        linewidth=1,
    )


def _days(example: dict[str, Any], path: Path) -> Path:
    figure, grid = plt.subplots(2, len(example), figsize=(2.8 * len(example), 3.6), sharex=True, squeeze=False)
    for at, (scenario, drawn) in enumerate(example.items()):
        pods, late = grid[0, at], grid[1, at]
        hours = np.arange(len(drawn["needed"])) * 24.0 / len(drawn["needed"])
        for policy in DRAWN:
            pods.plot(hours, drawn[policy]["pods"], color=COLOURS[policy], linewidth=0.8, label=TITLES[policy])
            shown = np.clip(drawn[policy]["late"], *(SHARES[0], 100.0))
            late.plot(hours, shown, color=COLOURS[policy], linewidth=0.8)
        pods.plot(hours, drawn["needed"], ":", color=COLOURS["needed"], linewidth=0.8, label=TITLES["needed"])
        pods.set(title=scenario, ylim=(0, 105))
        late.set(yscale="log", xlabel="hour", ylim=(SHARES[0], 100.0))
    grid[0, 0].set_ylabel("pods")
    grid[1, 0].set_ylabel("late requests %")
    grid[0, 0].legend(frameon=False, fontsize=6)
    return _save(figure, path)


def _save(figure: Any, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    # The same bytes wherever it is drawn: matplotlib ends lines with blanks.
    path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))
    return path
