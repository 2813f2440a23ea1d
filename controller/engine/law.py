"""The law: demand over learned capacity, for all scalers at once (docs/architecture.md, "The law").

    floors -> demand -> capacity -> efficacy -> need          each a module; here they are put together

    replicas = demand when a pod created now would be Ready / load per pod at which the magnitude is its target

It takes the place of the proportional form's number and of nothing else: what it proposes goes through the same stages. For scalers
that asked for `Proportional`, whose demand is unknown, or whose capacity is not learned yet, it only learns, and limits what an
unproved dimension may order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Aggregation
from controller.engine import capacity, demand, efficacy, floors, hold
from controller.engine.batch import AGGREGATIONS, Flags, Floats, Ints, Scalers
from controller.engine.grouping import all_of, any_column, any_of, count_by_scaler, sum_by_scaler, sum_rows_by_scaler
from controller.engine.learned import Learned
from controller.engine.magnitude import Magnitude, norm
from controller.engine.proportional import MOST_REPLICAS, Proposal, ceil
from controller.engine.quality import Quality
from controller.engine.samples import Samples

__all__ = ["Law", "floors_in_use", "respond"]

#: How many times the highest load per pod of late the law dares to reckon with.
EXPERIENCE: Final = 30.0
#: Windows of load that the law learns from before it proposes.
FIRST_WINDOWS: Final = 1.0
#: A scaler that was away for longer (seconds, and cycles) has a hole in what it remembers of its needs.
AWAY, CYCLES_AWAY = 60.0, 2.5


@dataclass(frozen=True, slots=True)
class Law:
    """What the law saw and reckoned for every scaler, for the record; NaN where not known.

    (S,): `used`, whether the capacity form proposed the number; `doubted`, whether it did not because the demand does not fit what the
    pods show; `kind`, `LoadKind` codes of the demand; the `demand` now and
    `ahead`, when a pod created now would be Ready, in requests/s or cores; `load`, the demand per pod; `per_pod`, the load per pod
    at which the magnitude is its target; `needed`, the replicas (not rounded) that the demand needs now; the `gain` of the
    extrapolation; `startup` in seconds; `hold`, for how many seconds what was needed is remembered, `held`, the most that was needed
    in them, and `patience`, by what factor regret made the hold longer; `unscheduled`, pods that wait for a node.
    (S, D): `capacity`, the load per pod at which the dimension alone is at its target (infinite: not known); the `floor` in use in
    the dimension's unit, the `confidence` in it (0 to 1), and `unreachable`, whether it leaves no room below the target.
    Efficacy (S,): `tested` and `dropped`, whether an unproved dimension is under test or may not ask for more; `suspect`, which one
    (-1: none); `tested_from`, load per pod and `tested_excess`, normalized value when its test began, `found_at` and `found_excess`
    when it failed; `tested_at` and `dropped_until`, moments; `established`, the load per pod that has stood its test.
    """

    used: Flags
    doubted: Flags
    kind: NDArray[np.int8]
    demand: Floats
    ahead: Floats
    load: Floats
    per_pod: Floats
    needed: Floats
    gain: Floats
    startup: Floats
    hold: Floats
    held: Floats
    patience: Floats
    unscheduled: Ints
    capacity: Floats
    floor: Floats
    confidence: Floats
    unreachable: Flags
    tested: Flags
    dropped: Flags
    suspect: NDArray[np.int8]
    tested_from: Floats
    tested_excess: Floats
    found_at: Floats
    found_excess: Floats
    tested_at: Floats
    dropped_until: Floats
    established: Floats


def floors_in_use(scalers: Scalers, samples: Samples, quality: Quality, learned: Learned) -> Floats:
    """The floor (S, D) of every dimension in its own unit: as written, as learned, or as assumed at the first sight of it."""
    if not scalers.fixed.learns_floor:
        return scalers.floor
    floor = learned.floor
    new = scalers.learns_floor & quality.valid & np.isnan(floor)
    if any_of(new):
        values = _means(scalers, samples, quality, new) / scalers.target
        floor = np.where(new, floors.first(scalers, values), floor)
    return np.where(scalers.learns_floor, np.where(np.isnan(floor), 0.0, floor) * scalers.target, scalers.floor)


def respond(
    scalers: Scalers,
    samples: Samples,
    quality: Quality,
    magnitude: Magnitude,
    propose: Callable[[], Proposal],
    floor: Floats,
    closed: Flags,
    learned: Learned,
    now: float,
) -> tuple[Proposal, Law, Learned]:
    """The proposal of every scaler by its own response, what it follows from, and the state after this cycle.

    `propose` gives the proportional proposal where it is needed. `floor` (S, D) is what `magnitude` was measured above, and `closed`
    (S, D) where that leaves no room below the target.
    """
    count, current = len(scalers), samples.current
    elapsed = np.maximum(now - learned.evaluated_at, 0.0)
    moments = demand.Moments.of(learned, now)
    asked = demand.observe(samples, magnitude.complete, quality.ready, learned, moments, elapsed)
    y, values = _of_old_pods(scalers, samples, quality, magnitude, asked.old)
    f = capacity.flat(scalers, floor)

    believed = capacity.believe(asked.load, learned, elapsed)
    before = capacity.linear(learned.squares, learned.products)
    squares, products = capacity.learn_linear(scalers, believed, y, before, learned, elapsed)
    target = scalers.target_magnitude
    hotness = _hotness(scalers, magnitude, y, learned, elapsed)
    # What has no data now is remembered, unless the user wants it left out of the norm.
    counted = scalers.used & ~closed & (quality.valid | scalers.blocks)
    known = capacity.linear(squares, products)
    mean_target = target / hotness
    reach = np.where(counted, capacity.alone(scalers, f, mean_target), np.inf)
    # Times must prove themselves, all of them: without what must, there are only dimensions that grow with the load.
    far = np.where(scalers.proves, np.inf, reach * known)
    without = capacity.solve(scalers, far, f, known, mean_target)
    dropped = learned.phase == efficacy.DROPPED
    log_capacity = capacity.learn_queues(scalers, believed, y, f, without, learned, elapsed, dropped)
    wanted = without
    if scalers.fixed.proves:
        known = capacity.capacities(scalers, known, log_capacity)
        wanted = capacity.solve(scalers, reach * known, f, known, mean_target)

    loaded = np.isfinite(asked.load)
    tells = believed.enough & (asked.load > 0) & any_column(y > capacity.LITTLE) & np.isfinite(elapsed)
    taught = learned.taught + np.where(tells, np.minimum(elapsed, AWAY) / samples.load.window, 0.0)
    # Far beyond every load that it was taught at the law has nothing to say; the magnitude has.
    unheard_of = asked.newest > EXPERIENCE * believed.peak * np.maximum(quality.ready, 1)
    # Nor has it where the pods take twice the load that it holds for the target, and none of their dimensions is full.
    contradicted = (asked.load > 2 * wanted) & ~any_column(y >= 1)
    # Nor where CPU is full with half the load that fills it: a demand that fell alone is one that is not all seen.
    contradicted |= any_column(capacity.unexplained(scalers, asked.load, y, before))
    known_demand = np.isfinite(asked.newest) & np.isfinite(asked.mean)
    measured = known_demand & ~unheard_of & ~contradicted
    ready = scalers.by_capacity & np.isfinite(wanted) & (wanted > 0) & (taught >= FIRST_WINDOWS)
    used = ready & measured

    # Without a known capacity the vector of this moment says what load per pod is wanted; without a known load, pods are the measure.
    # Both are of the window that the vector is of: the pods of this moment have not all shared it.
    # A load that is known at other times is not replaced: a gap would look like a load per pod that fell.
    share, all_used = asked.load, all_of(used)
    if not all_of(loaded):
        unloaded = np.where(samples.load.kind == demand.NO_KIND, 1.0 / np.maximum(asked.pods, 1.0), np.nan)
        share = np.where(loaded, share, unloaded)
    asks_for, without_proving = wanted, without
    if not all_used:
        asks_for = np.where(used, wanted, share * target / _length(scalers, y, counted))
        others = _length(scalers, y, counted & ~scalers.proves)
        without_proving = np.where(used, without, share * target / others)
    test = efficacy.examine(
        scalers,
        np.where(quality.ready > 0, share, np.nan),
        asked.pods,
        np.where(scalers.proves & counted & np.isfinite(y), y, -np.inf),
        asks_for,
        without_proving,
        learned,
        now,
        elapsed,
    )
    kept = learned.kept
    if any_of(test.put_back):
        log_capacity = np.where(test.put_back[:, None], kept, log_capacity)
    if any_of(test.begins):
        kept = np.where(test.begins[:, None], log_capacity, kept)
    per_pod = np.where(used, np.maximum(wanted, test.least), np.nan)

    seen = demand.forecast(asked, samples, quality.ready, per_pod, test.learned, moments, now, elapsed)
    noise = np.minimum(np.sqrt(seen.learned.noise), demand.NOISE_LIMIT)
    needed = np.minimum(seen.level * np.exp(noise) / per_pod, MOST_REPLICAS)
    ceiling = np.minimum(seen.ahead / per_pod, MOST_REPLICAS)
    begins = (learned.replicas < 0) | (elapsed > max(AWAY, CYCLES_AWAY * moments.step))
    watched = hold.watch(seen.learned, current, now, elapsed)
    # Of a time in which the law did not say what is needed, it is remembered what there was.
    held = hold.remember(np.where(begins | ~used, np.fmax(needed, current), needed), watched, now)

    up, down = scalers.up.tolerance, scalers.down.tolerance
    rises, falls = ceiling > current, needed < current
    by_law = np.where(rises, ceil(ceiling), np.where(falls, np.minimum(ceil(needed), current), current))
    # The tolerance is a band: a pod is given back when the others stay below the target by it. Going up it counts where the last change
    # was down, for a pod that was just given back, and wherever the user wrote one.
    up = np.where(scalers.strict_up | (watched.direction < 0), up, 0.0)
    beyond = np.where(rises, ceiling > current * (1 + up), needed * (1 + down) <= current - 1)
    proposal = Proposal(by_law, beyond)
    if not all_used:
        proportional = propose()
        # An unproved dimension may not order more in the other form either.
        asks = np.where(loaded & np.isfinite(asked.mean), asked.mean, 1.0)
        most_allowed = np.minimum(proportional.replicas, ceil(asks / test.least))
        limited = np.where(test.least > 0, most_allowed, proportional.replicas)
        # A demand that was known and is not now: what can be measured may still ask for more.
        limited = np.where(ready & ~measured, np.maximum(limited, current), limited)
        proposal = Proposal(np.where(used, by_law, limited), np.where(used, beyond, proportional.beyond))

    state, confidence = floors.learn(scalers, values, asked.load, held.learned, now, elapsed)
    state = state.copy()
    state.squares = squares
    state.products = products
    state.log_capacity = log_capacity
    state.kept = kept
    state.hotness = hotness
    state.taught = taught
    state.peak = believed.after
    state.evaluated_at = np.full(count, now)
    law = Law(
        used=used,
        doubted=ready & known_demand & ~measured,
        kind=samples.load.kind,
        demand=seen.level,
        ahead=seen.ahead,
        load=asked.load,
        per_pod=per_pod,
        needed=needed,
        gain=seen.gain,
        startup=seen.startup,
        hold=held.seconds,
        held=held.most,
        patience=watched.patience,
        unscheduled=count_by_scaler(samples.scaler, samples.unscheduled, count),
        capacity=known,
        floor=floor,
        confidence=confidence,
        unreachable=closed,
        tested=state.phase == efficacy.EXCURSION,
        dropped=state.phase == efficacy.DROPPED,
        suspect=state.suspect,
        tested_from=state.first_load,
        tested_excess=state.first_excess,
        found_at=state.last_load,
        found_excess=state.last_excess,
        tested_at=state.began,
        dropped_until=state.retry_at,
        established=np.exp(state.log_established),
    )
    return proposal, law, state


def _means(scalers: Scalers, samples: Samples, quality: Quality, which: Flags) -> Floats:
    """The mean value (S, D), in its own unit, of the dimensions `which` over the pods with a good sample."""
    of, count = samples.scaler, len(scalers)
    means = np.where(scalers.per_pod, np.nan, samples.target_values)
    for at in np.flatnonzero((which & scalers.per_pod).any(axis=0)):
        good = quality.good[:, at]
        mean = sum_by_scaler(of[good], samples.values[good, at], count) / count_by_scaler(of, good, count)
        means[:, at] = np.where(scalers.per_pod[:, at], mean, means[:, at])
    return means


def _of_old_pods(
    scalers: Scalers, samples: Samples, quality: Quality, magnitude: Magnitude, old: Flags
) -> tuple[Floats, Floats]:
    """Normalized values, and values in units of the target, (S, D), over the pods whose rates cover their window."""
    rows = old.nonzero()[0]
    everything, count = len(rows) == len(old), len(scalers)
    of = samples.scaler if everything else samples.scaler[rows]
    pods = np.bincount(of, minlength=count).astype(np.float64)
    pods[pods == 0] = np.nan

    def mean(columns: Floats) -> Floats:
        return (sum_rows_by_scaler(of, columns.T if everything else columns.T.take(rows, axis=1), count) / pods).T

    y = mean(magnitude.of_pods)
    values = np.full(y.shape, np.nan)
    learning = scalers.fixed.learning
    if len(learning):
        good = np.where(quality.good[:, learning], samples.values[:, learning], np.nan)
        values[:, learning] = mean(good) / scalers.target[:, learning]
    if scalers.fixed.shared:
        shared = scalers.used & ~scalers.per_pod
        own = np.where(quality.valid, samples.target_values, np.nan) / scalers.target
        values = np.where(shared, own, values)
    return y, values


def _hotness(scalers: Scalers, magnitude: Magnitude, y: Floats, learned: Learned, elapsed: Floats) -> Floats:
    """By how much the magnitude that is held (P95, Max) is above that of the mean pod, (S,)."""
    if not scalers.fixed.ranked:
        return learned.hotness
    ranked = scalers.aggregation != AGGREGATIONS.index(Aggregation.MEAN)
    now = magnitude.total / _length(scalers, y, scalers.used)
    weight = np.where(ranked & np.isfinite(now), demand.forgets(elapsed, capacity.LINEAR), 0.0)
    # Beside a number without bound, the 1 that follows it would be nothing.
    now = np.minimum(np.maximum(now, 1.0), capacity.ABSURD)
    return learned.hotness + weight * (np.where(weight > 0, now, learned.hotness) - learned.hotness)


def _length(scalers: Scalers, y: Floats, counted: Flags) -> Floats:
    """The magnitude (S,) of the mean pod, whose normalized values are y (S, D), over the dimensions that are `counted` (S, D)."""
    return norm(np.where(counted, y, np.nan), scalers.weight, scalers.norm)[0]
