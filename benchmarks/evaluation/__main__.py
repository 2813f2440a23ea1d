"""`python -m benchmarks.evaluation [--traces DIR] [--only NAME] [--quick] [--document]`: see the package."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.evaluation.document import write
from benchmarks.evaluation.results import RESULTS, Results
from benchmarks.evaluation.tasks import WORKERS, all_tasks, quick_tasks, run
from controller.simulation import InvalidTrace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, write the document, and return the exit code: 2 for bad input, in one sentence."""
    asked = _parser().parse_args(arguments)
    if asked.traces is not None and not asked.traces.is_dir():
        return _refuse(f"{asked.traces} is no folder; write --traces DIR with the folder of the *.csv.gz files.")
    tasks = quick_tasks() if asked.quick else all_tasks()
    chosen = [task for task in tasks if any(word in task.name for word in asked.only)] if asked.only else tasks
    if not chosen:
        names = ", ".join(sorted({task.name.split("/")[0] for task in tasks}))
        return _refuse(f"No task has {' or '.join(asked.only)} in its name; write a part of one, such as {names}.")
    results = Results(asked.results)
    begun = time.monotonic()
    if not asked.document:
        # numpy's own threads would only get into each other's way.
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
        try:
            for number, done in enumerate(run(chosen, asked.traces, asked.workers), 1):
                results.keep(done.name, done.result, done.lacking, done.seconds, done.code)
                said = f"left out: {done.lacking}" if done.lacking else f"{done.seconds:.0f} s of CPU"
                print(f"{time.monotonic() - begun:5.0f} s  {number}/{len(chosen)}  {done.name}: {said}", flush=True)
        except InvalidTrace as error:
            return _refuse(str(error))
    for path in write(results, asked.document_to):
        print(path)
    print(f"{time.monotonic() - begun:.0f} s, {results.seconds:.0f} s of CPU in all results")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description="Every policy on every trace.")
    parser.add_argument("--traces", type=Path, metavar="DIR", help="folder of the traces that may not be copied")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="only tasks with this in their name; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke test of a minute")
    parser.add_argument("--document", action="store_true", help="run nothing; write the document from the results")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes at a time")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="where results are kept")
    parser.add_argument(
        "--document-to", type=Path, default=RESULTS.parents[1], metavar="DIR", help="where the document goes"
    )
    return parser


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
