"""Strategies for the engine: tame scalers, whose arithmetic is checked, and wild ones, which must only not break a promise."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from controller.api import Reason
from tests.engine_support import Case, Pod, Seen, dimension, rules, spec

__all__ = ["NORMS", "behaviors", "tame", "wild"]

NORMS = st.sampled_from([1, "1.5", 2, 3, 7, "Infinity"])
AGGREGATIONS = st.sampled_from(["Mean", "P95", "Max"])
AMOUNTS = st.floats(1e-3, 1e6).map(lambda value: float(f"{value:.9g}"))
WEIGHTS = st.floats(0.1, 10.0)
GARBAGE = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, -1e-300, -1e308])


@st.composite
def dimensions(
    draw: st.DrawFn, name: str, per: st.SearchStrategy[str], weights: st.SearchStrategy[float]
) -> dict[str, object]:
    target = draw(AMOUNTS)
    return dimension(
        name,
        target,
        floor=f"{target * draw(st.sampled_from([0.0, 0.0, 0.25, 0.9])):.9g}",
        weight=draw(weights),
        per=draw(per),
        onMissing=draw(st.sampled_from(["Hold", "Hold", "Ignore"])),
        scaleDown=draw(st.sampled_from([True, True, True, False])),
        **draw(st.sampled_from([{}, {}, {"cap": 1.0}, {"cap": 3.0}])),
    )


@st.composite
def behaviors(draw: st.DrawFn, windows: st.SearchStrategy[int] | None = None) -> dict[str, object]:
    """A whole `behavior` block."""
    policy = st.tuples(st.sampled_from(["Pods", "Percent"]), st.integers(1, 150), st.integers(1, 120))
    window = st.integers(0, 300) if windows is None else windows
    return {
        direction: rules(
            *draw(st.lists(policy, min_size=1, max_size=3)),
            window=draw(window),
            select=draw(st.sampled_from(["Max", "Max", "Min", "Disabled"])),
            tolerance=draw(st.sampled_from(["0", "0.1", "0.5"])),
        )
        for direction in ("scaleUp", "scaleDown")
    }


@st.composite
def tame(
    draw: st.DrawFn,
    /,
    *,
    most_dimensions: int = 4,
    most_pods: int = 6,
    weights: st.SearchStrategy[float] = WEIGHTS,
    caps: bool = True,
    **fields: Any,
) -> Case:
    """Good samples of every pod, all of them Ready, and as many replicas as pods."""
    count = draw(st.integers(1, most_dimensions))
    of_spec = [draw(dimensions(f"d{at}", st.just("Pod"), weights)) for at in range(count)]
    if not caps:
        of_spec = [{name: value for name, value in each.items() if name != "cap"} for each in of_spec]
    magnitude = {"norm": draw(NORMS), "aggregation": draw(AGGREGATIONS)}
    targets = [float(str(each["target"])) for each in of_spec]
    shares = st.tuples(*(st.floats(0.0, 3.0) for _ in targets))
    pods = [
        tuple(share * target for share, target in zip(pod, targets, strict=True))
        for pod in draw(st.lists(shares, min_size=1, max_size=most_pods))
    ]
    return Case(spec(*of_spec, magnitude=magnitude, **fields), [Pod(seen) for seen in pods])


@st.composite
def wild(draw: st.DrawFn, *, most_dimensions: int = 4, most_pods: int = 5) -> Case:
    """Any valid spec with anything that a metrics source and a cluster may come up with."""
    count = draw(st.integers(1, most_dimensions))
    pers = st.sampled_from(["Pod", "Pod", "Pod", "Target"])
    of_spec = [draw(dimensions(f"d{at}", pers, WEIGHTS)) for at in range(count)]
    minimum = draw(st.integers(1, 8))
    targets = [float(str(each["target"])) for each in of_spec]

    def seen(target: float) -> st.SearchStrategy[Seen]:
        good = st.floats(0.0, 3.0).map(lambda share: share * target)
        old = st.tuples(good, st.sampled_from([90.0, 91.0, 1e9]))
        return st.one_of(good, good, good, old, st.none(), GARBAGE, st.just(1e308))

    cooldown = st.sampled_from(["0s", "30s", "2m"])
    pods = st.builds(Pod, st.tuples(*(seen(target) for target in targets)), st.sampled_from([True, True, True, False]))
    numbers = st.tuples(st.integers(0, 30), st.floats(0.0, 400.0))
    changes = st.tuples(st.integers(-10, 10), st.floats(0.0, 400.0))
    return Case(
        spec(
            *of_spec,
            minReplicas=minimum,
            maximum=minimum + draw(st.integers(0, 30)),
            magnitude={
                "norm": draw(NORMS),
                "aggregation": draw(AGGREGATIONS),
                "target": draw(st.sampled_from(["1", "0.7", "2.5"])),
            },
            quality={"minCoverage": draw(st.sampled_from(["80%", "50%", "1%", "100%"]))},
            behavior=draw(behaviors()),
            cooldown={"scaleUp": draw(cooldown), "scaleDown": draw(cooldown)},
        ),
        draw(st.lists(pods, max_size=most_pods)),
        current=draw(st.integers(0, 45)),
        target={f"d{at}": draw(seen(target)) for at, target in enumerate(targets)},
        faults=draw(
            st.dictionaries(
                st.sampled_from([f"d{at}" for at in range(count)]), st.just(Reason.SOURCE_ERROR), max_size=1
            )
            if draw(st.integers(0, 9)) == 0
            else st.just({})
        ),
        recommendations=draw(st.lists(numbers, max_size=4)),
        changes=draw(st.lists(changes, max_size=3)),
    )
