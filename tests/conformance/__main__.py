"""Kubernetes' tables against our code, as a report: `python -m tests.conformance [DIR]`.

Without DIR the copy in `data` is run. Exit code 0: everything passed or differs on purpose; 1: something failed; 2: the folder, a file or
a case is not of the format.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.conformance.facts import DATA, Case, MalformedFacts, load
from tests.conformance.judgement import Judgement, Verdict, judge

__all__ = ["main"]

#: Who wants to see more differences than these repairs the first ones.
MOST_DIFFERENCES: Final = 10
WIDEST_INPUT: Final = 160


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every case of a folder and print the report; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance", description="HPA's own tables against our code"
    )
    parser.add_argument("folder", nargs="?", type=Path, default=DATA, metavar="DIR", help="another folder of facts")
    try:
        judgements = [judge(case) for case in load(parser.parse_args(arguments).folder)]
    except MalformedFacts as error:
        print(error, file=sys.stderr)
        return 2
    _print_table(judgements)
    _print_differences(judgements, Verdict.DIFFERS)
    _print_differences(judgements, Verdict.FAILED)
    return int(any(each.verdict is Verdict.FAILED for each in judgements))


def _print_table(judgements: Sequence[Judgement]) -> None:
    suites = list(dict.fromkeys(each.case.suite for each in judgements))
    width = max(len(suite) for suite in [*suites, "suite"]) + 2
    print("suite".ljust(width) + "".join(str(verdict).rjust(20) for verdict in Verdict))
    counted = Counter((each.case.suite, each.verdict) for each in judgements)
    for suite in suites:
        print(suite.ljust(width) + "".join(str(counted[suite, verdict]).rjust(20) for verdict in Verdict))
    total = Counter(each.verdict for each in judgements)
    print(f"{len(judgements)} cases".ljust(width) + "".join(str(total[verdict]).rjust(20) for verdict in Verdict))


def _print_differences(judgements: Sequence[Judgement], verdict: Verdict) -> None:
    these = [each for each in judgements if each.verdict is verdict]
    for each in these[:MOST_DIFFERENCES]:
        print(f"\n{verdict}: {each.case}")
        if verdict is Verdict.FAILED:
            print("\n".join(_inputs(each.case)))
        for line in each.differences:
            print(f"  {line}")
    if len(these) > MOST_DIFFERENCES:
        print(f"\nand {len(these) - MOST_DIFFERENCES} more {verdict}")


def _inputs(case: Case) -> list[str]:
    """The inputs that say something, one a line, cut where they are long."""
    told = {key: value for key, value in case.inputs.items() if value not in (None, [], {})}
    lines = [f"  {key} = {json.dumps(value, ensure_ascii=False)}" for key, value in told.items()]
    return [line if len(line) <= WIDEST_INPUT else f"{line[:WIDEST_INPUT]} ..." for line in lines]


if __name__ == "__main__":
    sys.exit(main())
