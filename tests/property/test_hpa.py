"""HPA's arithmetic for many autoscalers at once against plain rules for one: same groups, same replicas, whoever else is in the batch."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from controller.api import Behavior
from controller.engine import History, reason
from controller.simulation.hpa import (
    Group,
    Limits,
    Memory,
    Pods,
    Recommendation,
    average_replicas,
    best,
    group,
    per_pod_replicas,
    remember,
    utilization_replicas,
    value_replicas,
    with_behavior,
    without_behavior,
)
from tests import hpa_calculator, hpa_rules
from tests.hpa_calculator import PlainPod

NOW, INITIALIZATION, READINESS = 1000, 120, 10

# Coarse, so that the edges of periods and windows are often met.
moments = st.integers(0, 20).map(lambda tens: NOW - 10 * tens)
pods = st.builds(
    PlainPod,
    usage=st.sampled_from((None, 0, 20, 50, 60, 100, 130, 200)),
    request=st.sampled_from((100, 100, 50, 0)),
    gone=st.sampled_from((False,) * 7 + (True,)),
    pending=st.sampled_from((False,) * 7 + (True,)),
    ready=st.sampled_from((True, True, True, False, None)),
    started_at=st.sampled_from((0, NOW - INITIALIZATION, NOW - INITIALIZATION + 1, NOW - 20, None)),
    turned_at=moments,
    sampled_at=moments,
    window=st.sampled_from((0, 30)),
)
percents = st.integers(0, 50).map(lambda percent: Fraction(percent, 100))


@st.composite
def autoscalers(draw: st.DrawFn) -> tuple[list[PlainPod], int, int, Fraction, Fraction]:
    """Pods, target, current replicas, and both tolerances."""
    return (
        draw(st.lists(pods, max_size=6)),
        draw(st.sampled_from((30, 50, 70, 100, 150))),
        draw(st.integers(0, 12)),
        draw(percents),
        draw(percents),
    )


batches = st.lists(autoscalers(), min_size=1, max_size=5)


def columns(everyone: list[PlainPod], of: list[int]) -> tuple[Pods, np.ndarray[tuple[int], np.dtype[np.int8]]]:
    """The arrays of all pods, and the groups that they fall into as CPU has it."""

    def times(values: list[int | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([np.nan if each is None else each for each in values], np.float64)

    arrays = Pods(
        of=np.array(of, np.intp),
        ended=np.array([pod.gone for pod in everyone], np.bool_),
        pending=np.array([pod.pending for pod in everyone], np.bool_),
        judged=np.array([pod.ready is not None and pod.started_at is not None for pod in everyone], np.bool_),
        unready=np.array([pod.ready is False for pod in everyone], np.bool_),
        started_at=times([pod.started_at for pod in everyone]),
        turned_at=times([pod.turned_at for pod in everyone]),
    )
    groups = group(
        arrays,
        np.array([pod.usage is not None for pod in everyone], np.bool_),
        times([pod.sampled_at for pod in everyone]),
        times([pod.window for pod in everyone]),
        float(NOW),
        is_cpu=True,
        initialization=INITIALIZATION,
        readiness=READINESS,
    )
    return arrays, groups


@given(batches)
def test_all_autoscalers_at_once_get_what_the_plain_rules_give_each(
    batch: list[tuple[list[PlainPod], int, int, Fraction, Fraction]],
) -> None:
    of = [row for row, (its, *_) in enumerate(batch) for _ in its]
    everyone = [pod for its, *_ in batch for pod in its]
    arrays, groups = columns(everyone, of)
    plain = [hpa_calculator.group(pod, NOW, True, INITIALIZATION, READINESS) for pod in everyone]
    assert [Group(int(each)).name.lower() for each in groups] == plain

    usage = np.array([pod.usage or 0 for pod in everyone], np.int64)
    requests = np.array([pod.request for pod in everyone], np.int64)
    target, current = np.array([each[1] for each in batch]), np.array([each[2] for each in batch])
    up, down = np.array([float(each[3]) for each in batch]), np.array([float(each[4]) for each in batch])
    by_utilization = utilization_replicas(arrays.of, groups, usage, requests, target, current, up, down)
    by_average = average_replicas(arrays.of, groups, usage, target, current, up, down)
    for row, (its, wanted, now, more, less) in enumerate(batch):
        mine = [each for each, where in zip(plain, of, strict=True) if where == row]
        for reported, rule in (
            (by_utilization, hpa_calculator.utilization),
            (by_average, hpa_calculator.average),
        ):
            expected = rule(its, mine, wanted, now, more, less)
            assert bool(reported.valid[row]) is (expected is not None)
            assert int(reported.replicas[row]) == (now if expected is None else expected)


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.integers(0, 50), st.integers(0, 50), percents, percents)
def test_one_value_asks_for_as_many_pods_as_share_it(
    value: int, target: int, current: int, serving: int, up: Fraction, down: Fraction
) -> None:
    ratio = Fraction(value, target)
    kept = current != 0 and 1 - down <= ratio <= 1 + up
    expected = current if kept else -(-value * (serving if current else 1) // target)
    given = value_replicas(
        np.array([value]),
        np.array([target]),
        np.array([serving]),
        np.array([current]),
        np.array([float(up)]),
        np.array([float(down)]),
    )
    assert int(given[0]) == expected


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.integers(0, 50), percents, percents)
def test_a_total_asks_for_as_many_pods_as_carry_it(
    total: int, target: int, present: int, up: Fraction, down: Fraction
) -> None:
    kept = present != 0 and 1 - down <= Fraction(total, target * present) <= 1 + up
    given = per_pod_replicas(
        np.array([total]), np.array([target]), np.array([present]), np.array([float(up)]), np.array([float(down)])
    )
    assert int(given[0]) == (present if kept else -(-total // target))


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=4),
    st.integers(0, 9),
)
def test_the_largest_proposal_counts_and_a_silent_metric_only_forbids_fewer(
    proposals: list[tuple[int, bool]], current: int
) -> None:
    chosen = best(
        [np.array([replicas]) for replicas, _ in proposals],
        [np.array([valid]) for _, valid in proposals],
        np.array([current]),
    )
    valid = [replicas for replicas, is_valid in proposals if is_valid]
    most = max(valid, default=-1)
    trusted = bool(valid) and (len(valid) == len(proposals) or most >= current)
    assert bool(chosen.trusted[0]) is trusted
    assert int(chosen.replicas[0]) == (most if trusted else current)
    if trusted:
        assert proposals[int(chosen.metric[0])] == (most, True)


remembered = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 400)), max_size=5)


@given(remembered, st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 40)), max_size=4), st.data())
def test_windows_policies_and_bounds_leave_what_the_plain_rules_leave(
    recommendations: list[tuple[int, int]], changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    minimum = data.draw(st.integers(1, 5))
    maximum = data.draw(st.integers(minimum, 30))
    current, wanted = data.draw(st.integers(minimum, maximum)), data.draw(st.integers(0, 60))
    limits = Limits.of([Behavior()], [minimum], [maximum])
    left = with_behavior(limits, history(recommendations, changes), NOW, np.array([current]), np.array([wanted]))
    stabilized = hpa_rules.stabilized(current, wanted, recommendations, 0, 300)
    up, down = hpa_rules.DEFAULT_UP, hpa_rules.DEFAULT_DOWN
    expected = hpa_rules.rate_limited(current, stabilized, minimum, maximum, changes, up, down)
    assert int(left.stabilized[0]) == stabilized
    assert (int(left.replicas[0]), str(reason(int(left.limited[0])))) == expected


@given(remembered, st.integers(0, 12), st.integers(0, 60), st.integers(0, 12), st.integers(0, 30))
def test_without_a_behavior_the_window_looks_up_and_replicas_double_at_most(
    recommendations: list[tuple[int, int]], current: int, wanted: int, minimum: int, room: int
) -> None:
    maximum = minimum + room
    limits = Limits.of([Behavior()], [minimum], [maximum])
    left = without_behavior(limits, history(recommendations, []), NOW, np.array([current]), np.array([wanted]))
    most = max([wanted] + [number for number, ago in recommendations if ago <= 300])
    fastest = max(2 * current, 4)
    if most < minimum:
        expected = minimum, "TooFewReplicas"
    elif most > min(maximum, fastest):
        expected = min(maximum, fastest), "ScaleUpLimit" if maximum > fastest else "TooManyReplicas"
    else:
        expected = most, "DesiredWithinRange"
    assert int(left.stabilized[0]) == most
    assert (int(left.replicas[0]), str(reason(int(left.limited[0])))) == expected


@given(st.lists(st.none() | st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 12))
def test_a_history_of_the_windows_width_remembers_as_much_as_hpas_list(wanted: list[int | None], cycles: int) -> None:
    window = 15.0 * cycles
    arrays = History(*(np.repeat(getattr(History.empty(1), name), cycles, axis=1) for name in History.__slots__))
    memory = Memory([])
    for cycle, replicas in enumerate(wanted):
        now = 15.0 * cycle
        number = np.array([0 if replicas is None else replicas])
        arrays = remember(arrays, now, number, np.array([replicas is not None]), np.array([0]))
        if replicas is not None:
            memory.recommend(replicas, now, window)
        rolled, listed = (
            np.where(now - each.recommended_at < window, each.recommendations, -1).max()
            for each in (arrays, memory.history())
        )
        assert rolled == listed


def history(recommendations: list[tuple[int, int]], changes: list[tuple[int, int]]) -> History:
    """The engine's arrays of one autoscaler, from (number, seconds ago)."""
    memory = Memory([Recommendation(number, NOW - ago) for number, ago in recommendations]).history()
    scaled = changes or [(0, 10**9)]
    return History(
        memory.recommendations,
        memory.recommended_at,
        np.array([[number for number, _ in scaled]]),
        np.array([[NOW - ago for _, ago in scaled]], np.float64),
    )
