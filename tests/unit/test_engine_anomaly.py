"""The L1 anomaly: what is far from usual and lasts, what that is made of, and what it holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from controller.api import Reason, Spec
from controller.engine import Decisions, Learned, Scalers, Stage, evaluate, reason, record_of
from controller.engine.anomaly import LEAST, watch
from controller.engine.learned import RINGS, SHARED
from tests.engine_support import NOW, Case, batch, dimension, even, spec

HOUR, DAY = 3600.0, 86400.0
ABC = (dimension("a"), dimension("b"), dimension("c"))

Shown = Callable[[float], Sequence[float]]


@dataclass
class Watch:
    """One scaler in a loop with the engine: what it shows (normalized, by the second), cycle after cycle."""

    shown: Shown
    of: Spec = field(default_factory=lambda: spec(*ABC))
    interval: float = 15.0
    ranges: float = 60.0
    learned: Learned | None = None
    at: float = 0.0

    def __post_init__(self) -> None:
        self.scalers = Scalers.of([self.of])
        self.learned = self.learned or Learned.empty(*self.scalers.used.shape)

    def until(self, stop: float) -> Iterator[Any]:
        """The anomaly of every cycle until `stop` seconds."""
        while self.at < stop:
            assert self.learned is not None
            self.at += self.interval
            y = np.array([self.shown(self.at)], np.float64)
            found, self.learned = watch(self.scalers, y, np.array([self.ranges]), self.learned, NOW + self.at)
            yield found

    def last(self, stop: float) -> Any:
        """The anomaly at `stop` seconds."""
        *_, found = self.until(stop)
        return found


def noisy(*changes: tuple[float, float, Sequence[float]], seed: int = 1) -> Shown:
    """Three dimensions at 0.7, 0.5 and 0.2 with a tenth of noise; from, to and what is added to each."""
    chance = np.random.default_rng(seed)

    def shown(at: float) -> Sequence[float]:
        y = np.array([0.7, 0.5, 0.2]) + 0.05 * chance.standard_normal(3)
        for start, stop, added in changes:
            if start < at <= stop:
                y = y + np.array(added)
        return list(np.maximum(y, 0.0))

    return shown


def spans(found: Iterator[Any], interval: float = 15.0) -> list[tuple[float, float]]:
    """From when to when an anomaly was detected, in seconds."""
    said = [bool(each.detected[0]) for each in found]
    edges = np.flatnonzero(np.diff([0, *map(int, said), 0]))
    return [(float(a + 1) * interval, float(b) * interval) for a, b in edges.reshape(-1, 2)]


# The score


def test_the_score_is_the_sum_of_how_far_each_dimension_is_from_its_median() -> None:
    world = Watch(lambda at: (0.5, 0.25, 1.0) if at <= 2 * HOUR else (0.75, 0.125, 1.0))
    found = world.last(2 * HOUR + 15)
    assert found.median[0].tolist() == [0.5, 0.25, 1.0]
    assert found.parts[0].tolist() == [0.25, 0.125, 0.0]
    assert found.score[0] == 0.375


def test_a_spike_does_not_move_the_median_and_what_lasts_half_a_window_does() -> None:
    world = Watch(lambda at: (100.0,) if at == HOUR else (0.5 if at <= 2 * HOUR else 1.0,), of=spec())
    assert world.last(2 * HOUR).median[0, 0] == 0.5
    assert world.last(2 * HOUR + 29 * 60).median[0, 0] == 0.5
    assert world.last(2 * HOUR + 32 * 60).median[0, 0] == 1.0


def test_a_dimension_without_a_sample_leaves_no_score_while_it_is_remembered() -> None:
    world = Watch(lambda at: (0.5, math.nan if at > 2 * HOUR else 0.5), of=spec(*ABC[:2]))
    assert world.last(2 * HOUR).score[0] == 0.0
    assert np.isnan(world.last(2 * HOUR + 600).score[0])
    gone = world.last(2 * HOUR + 2100)
    assert (gone.score[0], gone.parts[0, 0]) == (0.0, 0.0)


def test_a_dimension_that_comes_later_leaves_no_score_until_its_median_is_known() -> None:
    world = Watch(lambda at: (0.5, 0.5 if at > 2 * HOUR else math.nan), of=spec(*ABC[:2]))
    assert world.last(2 * HOUR).score[0] == 0.0
    assert np.isnan(world.last(2 * HOUR + 900).score[0])
    assert world.last(2 * HOUR + 2100).score[0] == 0.0


def test_the_threshold_is_the_percentile_of_the_highest_scores_of_the_blocks() -> None:
    # In every tenth block a spike of its own height; the others are calm.
    def shown(at: float) -> Sequence[float]:
        minute = at // 60
        return (0.5 + (minute / 10 if minute % 10 == 5 and at % 60 == 15 else 0.0),)

    thresholds = {
        percentile: float(Watch(shown, of=spec(anomaly={"percentile": percentile})).last(4 * HOUR).threshold[0])
        for percentile in (50, 92, 99.9, 100)
    }
    # The spikes of the last hour are those of the minutes 185, 195 .. 235; 54 blocks of sixty have none.
    assert thresholds[50] == LEAST
    assert thresholds[92] == pytest.approx(18.5 + 0.28 * 1.0, rel=2e-3)
    assert thresholds[100] == pytest.approx(23.5, rel=2e-3)
    assert thresholds[99.9] == pytest.approx(23.5 - 0.059 * 1.0, rel=2e-3)


def test_no_threshold_is_known_before_a_whole_window_of_scores() -> None:
    world = Watch(noisy())
    known = [not np.isnan(each.threshold[0]) for each in world.until(2 * HOUR)]
    first = (known.index(True) + 1) * 15.0
    # Half a window for the medians, and nine tenths of one of scores.
    assert 30 * 60 + 54 * 60 <= first <= 30 * 60 + 54 * 60 + 60
    assert all(known[known.index(True) :])


def test_nothing_below_the_least_score_is_unusual() -> None:
    calm = 0.5
    world = Watch(lambda at: (calm if at <= 2 * HOUR else calm + 0.9 * LEAST,), of=spec())
    assert not spans(world.until(3 * HOUR))
    world = Watch(lambda at: (calm if at <= 2 * HOUR else calm + 1.1 * LEAST,), of=spec())
    assert len(spans(world.until(3 * HOUR))) == 1


# What lasts


def test_on_a_day_a_lone_spike_raises_nothing_and_a_lasting_shift_does() -> None:
    changes = [(6 * HOUR, 6 * HOUR + 60, (0.0, 0.0, 8.0)), (15 * HOUR, 15 * HOUR + 1200, (0.0, 0.0, 0.9))]
    world = Watch(noisy(*changes))
    ((begins, ends),) = spans(world.until(DAY))
    # Five minutes, and as long until it is over.
    assert 15 * HOUR + 300 <= begins <= 15 * HOUR + 330
    assert 15 * HOUR + 1200 <= ends <= 15 * HOUR + 1515


@pytest.mark.parametrize("interval", [5.0, 15.0, 60.0])
@pytest.mark.parametrize(("lasts", "detected"), [(240.0, False), (420.0, True)])
def test_what_lasts_is_a_matter_of_time_and_not_of_cycles(interval: float, lasts: float, detected: bool) -> None:
    world = Watch(noisy((3 * HOUR, 3 * HOUR + lasts, (1.0, 0.0, 0.0))), interval=interval)
    assert bool(spans(world.until(4 * HOUR))) is detected


def test_a_long_range_of_the_rates_makes_a_spike_long_and_waits_for_longer() -> None:
    change = (3 * HOUR, 3 * HOUR + 600, (1.0, 0.0, 0.0))
    assert spans(Watch(noisy(change), ranges=60.0).until(4 * HOUR))
    assert not spans(Watch(noisy(change), ranges=240.0).until(4 * HOUR))


def test_one_score_that_is_not_above_ends_what_is_not_detected_yet() -> None:
    changes = [(3 * HOUR, 3 * HOUR + 270, (1.0, 0.0, 0.0)), (3 * HOUR + 285, 3 * HOUR + 555, (1.0, 0.0, 0.0))]
    assert not spans(Watch(noisy(*changes)).until(4 * HOUR))


def test_an_anomaly_does_not_end_with_one_score_that_is_not_above() -> None:
    changes = [(3 * HOUR, 3 * HOUR + 600, (1.0, 0.0, 0.0)), (3 * HOUR + 660, 3 * HOUR + 1200, (1.0, 0.0, 0.0))]
    ((begins, ends),) = spans(Watch(noisy(*changes)).until(4 * HOUR))
    assert begins < 3 * HOUR + 600
    assert ends > 3 * HOUR + 1200


def test_the_scores_of_a_breach_do_not_raise_its_own_threshold() -> None:
    world = Watch(noisy((3 * HOUR, 3 * HOUR + 900, (1.0, 0.0, 0.0))))
    before = world.last(3 * HOUR).threshold[0]
    assert {float(each.threshold[0]) for each in world.until(3 * HOUR + 900)} == {before}


def test_what_never_ends_is_usual_after_a_window_at_the_latest() -> None:
    # A load that runs away from its median for ever.
    world = Watch(lambda at: (0.5 + max(0.0, at - 3 * HOUR) / 600,), of=spec())
    ((begins, ends),) = spans(world.until(8 * HOUR))
    assert ends - begins <= HOUR


def test_while_nothing_is_seen_nothing_is_detected_and_an_anomaly_ends() -> None:
    nothing = (math.nan,) * 3
    base = noisy((3 * HOUR, 4 * HOUR, (1.0, 0.0, 0.0)))
    world = Watch(lambda at: nothing if 3 * HOUR + 120 < at <= 3 * HOUR + 400 else base(at))
    # What was seen before the gap and after it is one breach only if the gap is shorter than what must last.
    ((begins, _),) = spans(world.until(4 * HOUR))
    assert begins >= 3 * HOUR + 300
    silent = Watch(lambda at: nothing if at > 3 * HOUR + 600 else base(at))
    ((_, ends),) = spans(silent.until(4 * HOUR))
    assert ends <= 3 * HOUR + 600 + 315


def test_two_scores_are_not_enough_however_far_apart() -> None:
    # Cycles of five minutes: two of them span what must last.
    for scores, detected in ((2, False), (3, True)):
        change = (48 * HOUR, 48 * HOUR + scores * 300, (1.0, 0.0, 0.0))
        world = Watch(noisy(change), of=spec(*ABC, anomaly={"window": "24h"}), interval=300.0)
        assert bool(spans(world.until(50 * HOUR), 300.0)) is detected


def test_a_window_that_is_changed_begins_anew() -> None:
    world = Watch(noisy((2.5 * HOUR, 3 * HOUR, (1.0, 0.0, 0.0))))
    assert world.last(3 * HOUR).detected[0]
    other = Watch(noisy(), of=spec(*ABC, anomaly={"window": "2h"}), learned=world.learned, at=world.at)
    found = other.last(3 * HOUR + 15)
    assert np.isnan([found.score[0], found.threshold[0], found.median[0, 0], found.since[0]]).all()
    assert not found.detected[0]


# The hour of day


def daily(at: float) -> Sequence[float]:
    """Between 10:00 and 14:00 of each day three times the load, on the clock of `NOW`."""
    hour = ((NOW + at) // HOUR) % 24
    return (0.9 if 10 <= hour < 14 else 0.3,)


def test_by_the_hour_of_day_what_comes_every_day_is_usual_from_the_fourth_day_on() -> None:
    seasonal = spec(anomaly={"season": "HourOfDay"})
    plain = spans(Watch(daily, of=spec(), interval=60.0).until(6 * DAY), 60.0)
    known = spans(Watch(daily, of=seasonal, interval=60.0).until(6 * DAY), 60.0)
    assert len([each for each in plain if each[0] > 4 * DAY]) == 4
    assert [each for each in known if each[0] > 4 * DAY] == []
    assert [each for each in known if each[0] < 2 * DAY] == [each for each in plain if each[0] < 2 * DAY]


def test_by_the_hour_of_day_a_peak_that_does_not_come_is_far_from_usual() -> None:
    world = Watch(
        lambda at: (0.3,) if at > 5 * DAY + HOUR else daily(at), of=spec(anomaly={"season": "HourOfDay"}), interval=60.0
    )
    (begins, _), *_ = [each for each in spans(world.until(6 * DAY), 60.0) if each[0] > 5 * DAY]
    assert (NOW + begins) / HOUR % 24 == pytest.approx(10 + 5 / 60, abs=0.05)


def test_by_the_hour_of_day_days_that_are_too_long_ago_are_forgotten() -> None:
    world = Watch(daily, of=spec(anomaly={"season": "HourOfDay"}), interval=60.0)
    assert world.last(5 * DAY).median[0, 0] == pytest.approx(0.9, rel=1e-3)
    # Nothing is seen for eight days, and then the load is another one.
    world.at += 8 * DAY
    world.shown = lambda at: (0.5,)
    assert np.isnan(world.last(13 * DAY + 600).median[0, 0])
    assert world.last(13 * DAY + HOUR).median[0, 0] == 0.5


# What it holds


def run(of: Spec, shown: Shown, stop: float, current: int | None = None, pods: int = 10) -> Decisions:
    """The last decision of a scaler with `pods` pods, until `stop` seconds."""
    learned, at = None, 0.0
    while at < stop:
        at += 15.0
        case = Case(of, even(pods, *shown(at)), current=current)
        decisions = evaluate(*batch(case), NOW + at, learned)
        learned = decisions.learned
    return decisions


def shifted(to: float) -> Shown:
    return lambda at: (1.0 if at <= 2 * HOUR else to,)


HOLD: dict[str, Any] = {"anomaly": {"action": "Hold"}}


def test_hold_lets_nothing_go_down_while_it_lasts_and_says_why() -> None:
    decisions = run(spec(**HOLD), shifted(0.4), 2 * HOUR + 600)
    assert (decisions.proposed[0], decisions.desired[0]) == (4, 10)
    assert reason(int(decisions.rule[0])) is Reason.ANOMALY_HOLD
    assert decisions.replicas[Stage.GUARDED][0] == 10
    assert record_of(decisions, 0).sentence.endswith(
        "staying at 10: nothing scales down while the load is far from usual for 9m45s: score 0.6 (most of it cpu, 0.6), threshold 0.3 "
        "(anomaly.action: Hold)"
    )


def test_observe_holds_nothing() -> None:
    decisions = run(spec(), shifted(0.4), 2 * HOUR + 600)
    assert decisions.anomaly.detected[0]
    assert decisions.desired[0] == 4


def test_hold_lets_it_go_down_before_it_lasts_and_when_it_is_over() -> None:
    assert run(spec(**HOLD), shifted(0.4), 2 * HOUR + 240).desired[0] == 4
    assert run(spec(**HOLD), shifted(0.4), 3 * HOUR).desired[0] == 4


def test_hold_does_not_hold_what_goes_up() -> None:
    decisions = run(spec(**HOLD), shifted(2.0), 2 * HOUR + 600)
    assert decisions.anomaly.detected[0]
    assert decisions.desired[0] == decisions.proposed[0] > 10


def test_hold_never_holds_more_than_the_most_replicas() -> None:
    decisions = run(spec(maximum=7, **HOLD), shifted(0.4), 2 * HOUR + 600)
    assert decisions.replicas[Stage.GUARDED][0] == 10
    assert decisions.desired[0] == 7
    assert reason(int(decisions.rule[0])) is Reason.TOO_MANY_REPLICAS


def test_hold_keeps_a_paused_target_paused() -> None:
    decisions = run(spec(**HOLD), shifted(0.4), 2 * HOUR + 600, current=0)
    assert decisions.desired[0] == 0


# The state


def test_the_state_is_less_than_one_kilobyte_a_scaler() -> None:
    world = Watch(noisy())
    world.last(600)
    assert world.learned is not None
    begin = [each.name for each in dataclasses.fields(Learned)].index("means")
    own = [each.name for each in dataclasses.fields(Learned)][begin:-1]
    assert sum(getattr(world.learned, name).nbytes for name in own) <= 1024
    assert set(RINGS) & set(own) == {"peaks"}
    assert not set(SHARED) & set(own)


def test_the_hours_take_room_only_while_somebody_looks_at_them() -> None:
    world = Watch(noisy(), of=spec(*ABC, anomaly={"season": "HourOfDay"}))
    world.last(HOUR)
    assert world.learned is not None
    assert world.learned.hours.nbytes == 3 * 168 * 2
    plain = Watch(noisy(), learned=world.learned, at=world.at)
    plain.last(HOUR + 15)
    assert plain.learned is not None
    assert plain.learned.hours.nbytes == 0
