"""What there is to run, and running it: every task in a process of its own, two at a time, the longest first.

A task's result is a part of results.json under the task's name. How long each took the last time it was run decides the order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from benchmarks.evaluation import days, variants
from benchmarks.evaluation.contenders import CONTENDERS, OURS, Contender
from benchmarks.evaluation.drawings import example
from benchmarks.evaluation.loads import HOUR, LOADS, Lacking, Load, by_name
from benchmarks.evaluation.pareto import BOUND, clairvoyant, run_contenders
from benchmarks.evaluation.results import fingerprint

__all__ = ["Done", "Task", "all_tasks", "quick_tasks", "run"]

WORKERS: Final = 2
#: Loads of the ablation that may run together: equally long, of one plant.
TOGETHER: Final = (
    ("crane_diurnal", "nasa", "wc98", "crane_levelshift", "crane_bursty"),
    ("autothrottle_bursty", "autothrottle_noisy"),
    ("azure_llm_conv",),
)
TUNED: Final = ("crane_diurnal", "nasa", "wc98", "crane_bursty")
#: The prices around the marks, of those that the law is run at.
AROUND: Final = slice(0, 6)
CENTRE: Final = slice(2, 6)


@dataclass(frozen=True, slots=True)
class Task:
    """Something to run; `work` takes the folder of the traces, `seconds` is what it took once on two free cores."""

    name: str
    work: Callable[[Path | None], Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """A task's result, or why there is none, the CPU seconds that it took, and of which code it is."""

    name: str
    result: Any
    lacking: str | None
    seconds: float
    code: str


def all_tasks() -> list[Task]:
    """Everything that the document is made of."""
    tasks = [Task("example", example, 20.0)]
    rivals = [each for each in CONTENDERS if each.rival]
    ours = [each for each in CONTENDERS if not each.rival]
    for load in LOADS:
        long = 1.0 if load.starts else 0.02
        tasks.append(Task(f"pareto/{load.name}/rivals", partial(_pareto, load, rivals), 70.0 * long))
        tasks.append(Task(f"pareto/{load.name}/{OURS}", partial(_pareto, load, ours), 250.0 * long))
        tasks.append(Task(f"pareto/{load.name}/{BOUND}", partial(_bound, load), 20.0 * long))
    for scenario in (*days.BLIND, *days.FURTHER):
        tasks.append(Task(f"blind/{scenario}", partial(_blind, scenario, days.BLIND_TEAM), 50.0))
    for name, rival in (("rivals", True), (OURS, False)):
        team = [each for each in days.HARD_TEAM if each.rival is rival]
        tasks.append(Task(f"adversarial/{name}", partial(days.adversarial, contenders=team), 200.0 if rival else 350.0))
    tasks += [
        Task(f"ablation/{names[0]}", partial(_ablation, names), 450.0 / 3**at) for at, names in enumerate(TOGETHER)
    ]
    tasks.append(Task("sensitivity", _sensitivity, 250.0))
    tasks.append(Task("sensitivity/hours", _sensitivity_of_hours, 10.0))
    tasks.append(Task("sensitivity/efficacy", _efficacy, 60.0))
    return tasks


def quick_tasks() -> list[Task]:
    """A smoke test of every kind of task on what is copied into the repository, and of what is lacking."""
    load = by_name("autothrottle_bursty")
    law = [each for each in CONTENDERS if each.name == OURS]
    cpu = [each for each in CONTENDERS if each.name == "hpa-cpu"]
    return [
        Task(f"pareto/{load.name}/rivals", partial(_pareto, load, cpu), 1.0),
        Task(f"pareto/{load.name}/{OURS}", partial(_pareto, load, law), 2.0),
        Task(f"pareto/{load.name}/{BOUND}", partial(_bound, load), 1.0),
        Task("blind/none", partial(_blind, "none", (*cpu, *law), seconds=HOUR), 1.0),
        Task(f"ablation/{load.name}", partial(_ablation, (load.name,)), 5.0),
    ]


def run(tasks: Sequence[Task], folder: Path | None, workers: int = WORKERS) -> Iterator[Done]:
    """Run tasks, the longest first, and hand over each that is done."""
    order = sorted(tasks, key=lambda task: -task.seconds)
    # A fresh process a task: what one changes in the engine, or leaves in memory, is not the next one's.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        try:
            for future in as_completed([pool.submit(_work, task, folder) for task in order]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _work(task: Task, folder: Path | None) -> Done:
    code, begun = fingerprint(), time.process_time()
    try:
        result, lacking = task.work(folder), None
    except Lacking as error:
        result, lacking = None, str(error)
    return Done(task.name, result, lacking, time.process_time() - begun, code)


def _pareto(load: Load, contenders: Sequence[Contender], folder: Path | None) -> Any:
    return run_contenders([load], folder, contenders)[load.name]


def _bound(load: Load, folder: Path | None) -> Any:
    return {BOUND: clairvoyant(load, folder)}


def _blind(scenario: str, contenders: Sequence[Contender], folder: Path | None, seconds: float = 24 * HOUR) -> Any:
    rivals, ours = ([each for each in contenders if each.rival is rival] for rival in (True, False))
    return {
        **days.blind(folder, scenario, rivals, seconds=seconds),
        **days.blind(folder, scenario, ours, seconds=seconds),
    }


def _ablation(names: Sequence[str], folder: Path | None) -> Any:
    """By load and variant; an hour is run with three seeds, long traces with one, half of their segments."""
    loads = [by_name(name) for name in names]
    found = [load for load in loads if _there(load, folder)]
    if not found:
        raise Lacking(
            f"none of the traces {', '.join(names)} is there; write TRACES=DIR with the folder that holds them."
        )
    hours = not loads[0].starts
    return run_contenders(
        found,
        folder,
        [variant.contender for variant in variants.ABLATION],
        seeds=(1, 2, 3) if hours else (1,),
        prices=AROUND,
        pieces=None if hours else 2,
        around=variants.around(variants.ABLATION),
    )


def _sensitivity(folder: Path | None) -> Any:
    chosen = variants.sensitivity(variants.SENSITIVITY)
    return run_contenders(
        [load for load in map(by_name, TUNED) if _there(load, folder)],
        folder,
        [variant.contender for variant in chosen],
        seeds=(1,),
        prices=CENTRE,
        tuning=True,
        pieces=1,
        around=variants.around(chosen),
    )


def _sensitivity_of_hours(folder: Path | None) -> Any:
    chosen = variants.sensitivity(variants.SENSITIVITY)
    return run_contenders(
        [load for load in map(by_name, TOGETHER[1]) if _there(load, folder)],
        folder,
        [variant.contender for variant in chosen],
        tuning=True,
        around=variants.around(chosen),
    )


def _efficacy(folder: Path | None) -> Any:
    chosen = variants.sensitivity(variants.EFFICACY)
    contenders = [variant.contender for variant in chosen]
    return days.blind(folder, "slow-dependency", contenders, around=variants.around(chosen))


def _there(load: Load, folder: Path | None) -> bool:
    from benchmarks.evaluation.loads import open_trace

    try:
        open_trace(load.file, folder)
    except Lacking:
        return False
    return True
