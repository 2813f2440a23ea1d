"""The law: demand over learned capacity, for all scalers at once (docs/architecture.md, "The law").

    floors -> demand -> capacity -> efficacy -> need          each a module; here they are put together

    replicas = demand when a pod created now would be Ready / load per pod at which the magnitude is its target

It takes the place of the proportional form's number and of nothing else: what it proposes goes through the same stages. For scalers
that asked for `Proportional`, whose demand is unknown, or whose capacity is not learned yet, it only learns, and limits what an
unproved dimension may order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Aggregation, Direction
from controller.engine import capacity, demand, efficacy, floors, hold
from controller.engine.batch import AGGREGATIONS, Flags, Floats, Ints, LoadKind, Samples, Scalers
from controller.engine.grouping import count_by_scaler, sum_by_scaler
from controller.engine.learned import Learned, Singles
from controller.engine.magnitude import LARGEST, Magnitude
from controller.engine.proportional import MOST_REPLICAS, Proposal, ceil
from controller.engine.quality import Quality

__all__ = ["Law", "floors_in_use", "respond"]

#: Windows of load that the law learns from before it proposes.
FIRST_WINDOWS: Final = 2.0
#: A scaler that was away for longer (seconds, and cycles) has a hole in what it remembers of its needs.
AWAY, CYCLES_AWAY = 60.0, 2.5


@dataclass(frozen=True, slots=True)
class Law:
    """What the law saw and reckoned for every scaler, for the record; NaN where not known.

    (S,): `used`, whether the capacity form proposed the number; `kind`, `LoadKind` codes of the demand; the `demand` now and
    `ahead`, when a pod created now would be Ready, in requests/s or cores; `load`, the demand per pod; `per_pod`, the load per pod
    at which the magnitude is its target; `needed` and `ceiling`, the replicas (not rounded) that the demand needs now and ahead;
    the `gain` of the extrapolation; `startup` in seconds; `hold`, for how many seconds what was needed is remembered, `held`, the
    most that was needed in them, and `patience`, by what factor regret made the hold longer; `unscheduled`, pods that wait for a
    node.
    (S, D): `capacity`, the load per pod at which the dimension alone is at its target (infinite: not known); the `floor` in use in the
    dimension's unit, the `confidence` in it (0 to 1), the moment `since` which it is that, and `unreachable`, whether it leaves no
    room below the target. Efficacy (S,): `tested` and `dropped`, whether an unproved dimension is under test or may not ask for
    more; `suspect`, which one (-1: none); `tested_from`, load per pod and `tested_excess`, normalized value when its test began;
    `tested_at` and `dropped_until`, moments; `established`, the load per pod that has stood its test.
    """

    used: Flags
    kind: NDArray[np.int8]
    demand: Floats
    ahead: Floats
    load: Floats
    per_pod: Floats
    needed: Floats
    ceiling: Floats
    gain: Floats
    startup: Floats
    hold: Floats
    held: Floats
    patience: Floats
    unscheduled: Ints
    capacity: Floats
    floor: Floats
    confidence: Floats
    since: Floats
    unreachable: Flags
    tested: Flags
    dropped: Flags
    suspect: NDArray[np.int8]
    tested_from: Floats
    tested_excess: Floats
    tested_at: Floats
    dropped_until: Floats
    established: Floats


def floors_in_use(scalers: Scalers, samples: Samples, quality: Quality, learned: Learned) -> Floats:
    """The floor (S, D) of every dimension in its own unit: as written, as learned, or as assumed at the first sight of it."""
    floor = learned.floor
    new = scalers.learns_floor & quality.valid & np.isnan(floor)
    if new.any():
        with np.errstate(over="ignore"):
            values = _means(scalers, samples, quality, new) / scalers.target
        floor = np.where(new, floors.first(scalers, values), floor)
    return np.where(scalers.learns_floor, np.nan_to_num(floor) * scalers.target, scalers.floor)


def respond(
    scalers: Scalers,
    samples: Samples,
    quality: Quality,
    magnitude: Magnitude,
    proportional: Proposal,
    floor: Floats,
    learned: Learned,
    now: float,
) -> tuple[Proposal, Law, Learned]:
    """The proposal of every scaler by its own response, what it follows from, and the state after this cycle.

    `floor` (S, D) is what `magnitude` was measured above.
    """
    count, current = len(scalers), samples.current
    elapsed = np.maximum(now - learned.evaluated_at, 0.0)
    asked = demand.observe(samples, magnitude.complete, quality.ready, learned, now, elapsed)
    y, values = _of_old_pods(scalers, samples, quality, magnitude, asked.old)
    f = capacity.flat(scalers, floor)
    closed = floors.unreachable(scalers, floor)

    squares, products = capacity.learn_linear(scalers, asked.load, y, learned, elapsed)
    target = scalers.target_magnitude
    hotness = _hotness(scalers, magnitude, y, learned, elapsed)
    # What has no data now is remembered, unless the user wants it left out of the norm.
    counted = scalers.used & ~closed & (quality.valid | scalers.blocks)
    known = capacity.capacities(scalers, squares, products, learned.log_capacity)
    mean_target = target / hotness
    far = np.where(counted, capacity.alone(scalers, known, f, mean_target), np.inf)
    without = capacity.solve(scalers, np.where(scalers.proves, np.inf, far), f, known, mean_target)
    dropped = learned.phase == efficacy.Phase.DROPPED
    log_capacity = capacity.learn_queues(scalers, asked.load, y, f, without, learned, elapsed, dropped)
    known = capacity.capacities(scalers, squares, products, log_capacity)
    far = np.where(counted, capacity.alone(scalers, known, f, mean_target), np.inf)
    wanted = capacity.solve(scalers, far, f, known, mean_target)

    tells = np.isfinite(asked.load) & (asked.load > 0) & (y > capacity.LITTLE).any(axis=1)
    taught = learned.taught + np.where(tells, np.minimum(elapsed, AWAY) / samples.load.window, 0.0)
    measured = np.isfinite(asked.newest) & np.isfinite(asked.mean)
    ready = scalers.by_capacity & np.isfinite(wanted) & (wanted > 0) & (taught >= FIRST_WINDOWS)
    used = ready & measured

    # Without a known capacity the vector of this moment says what load per pod is wanted; without a known load, pods are the measure.
    # Both are of the window that the vector is of: the pods of this moment have not all shared it.
    # A load that is known at other times is not replaced: a gap would look like a load per pod that fell.
    unloaded = np.where(samples.load.kind == LoadKind.NONE, 1.0 / np.maximum(asked.pods, 1.0), np.nan)
    share = np.where(np.isfinite(asked.load), asked.load, unloaded)
    asks = np.where(np.isfinite(asked.load) & np.isfinite(asked.mean), asked.mean, 1.0)
    total, others = _norms(scalers, y, counted)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        test = efficacy.examine(
            scalers,
            np.where(quality.ready > 0, share, np.nan),
            asked.pods,
            np.where(counted, y, np.nan),
            np.where(used, wanted, share * target / total),
            np.where(used, without, share * target / others),
            learned,
            now,
            elapsed,
        )
    log_capacity = np.where(test.put_back[:, None], learned.kept, log_capacity)
    kept = np.where(test.begins[:, None], log_capacity, learned.kept)
    per_pod = np.where(used, np.maximum(wanted, test.least), np.nan)

    seen = demand.forecast(asked, samples, per_pod, learned, now, elapsed)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ceiling = seen.ahead / per_pod
        needed = seen.level * np.exp(np.minimum(np.sqrt(seen.noise), demand.NOISE_LIMIT)) / per_pod
        most_allowed = ceil(asks / test.least)
    needed, ceiling = np.minimum(needed, MOST_REPLICAS), np.minimum(ceiling, MOST_REPLICAS)
    watched = hold.watch(learned, current, now, elapsed)
    begins = (learned.replicas < 0) | (elapsed > max(AWAY, CYCLES_AWAY * demand.cycle(learned)))
    held = hold.remember(np.where(begins, np.fmax(needed, current), needed), watched, learned, now)

    up, down = (scalers.rules(direction).tolerance for direction in (Direction.UP, Direction.DOWN))
    rises, falls = ceiling > current, needed < current
    by_law = np.where(rises, ceil(ceiling), np.where(falls, np.minimum(ceil(needed), current), current))
    # The tolerance is a band: a pod is given back when the others stay below the target by it. Going up it counts where the last change
    # was down, for a pod that was just given back, and wherever the user wrote one.
    up = np.where(scalers.strict_up | (watched.direction < 0), up, 0.0)
    beyond = np.where(rises, ceiling > current * (1 + up), needed * (1 + down) <= current - 1)
    # An unproved dimension may not order more in the other form either.
    limited = np.where(test.least > 0, np.minimum(proportional.replicas, most_allowed), proportional.replicas)
    # A demand that was known and is not now: what can be measured may still ask for more.
    limited = np.where(ready & ~measured, np.maximum(limited, current), limited)
    proposal = Proposal(replicas=np.where(used, by_law, limited), beyond=np.where(used, beyond, proportional.beyond))

    learnt = floors.learn(scalers, values, asked.load, learned, now, elapsed)
    waiting = count_by_scaler(samples.scaler, samples.unscheduled, count)
    at = learned.at.copy()
    at[asked.slot] = now
    state = Learned(
        at=at,
        newest=_noted(learned.newest, asked.slot, asked.newest),
        mean=_noted(learned.mean, asked.slot, asked.mean),
        expected=_noted(learned.expected, asked.slot, seen.ahead),
        ready=_noted(learned.ready, asked.slot, quality.ready),
        covariance=seen.covariance,
        variance=seen.variance,
        noise=seen.noise,
        startup=np.where(np.isnan(samples.load.startup), learned.startup, samples.load.startup),
        wait=asked.wait,
        squares=squares,
        products=products,
        log_capacity=log_capacity,
        hotness=hotness,
        taught=taught,
        phase=test.phase,
        log_established=test.log_established,
        first_load=test.first_load,
        first_excess=test.first_excess,
        first_pods=test.first_pods,
        began=test.began,
        lowered=test.lowered,
        retry_at=test.retry_at,
        pause=test.pause,
        kept=kept,
        suspect=test.suspect,
        need=held.need,
        block=held.block,
        patience=watched.patience,
        direction=watched.direction,
        changed_at=watched.changed_at,
        replicas=current,
        weight=learnt.weight,
        load=learnt.load,
        loads=learnt.loads,
        value=learnt.value,
        product=learnt.product,
        spread=learnt.spread,
        lowest=learnt.lowest,
        floor=learnt.floor,
        anchor=learnt.anchor,
        since=learnt.since,
        evaluated_at=np.full(count, now),
    )
    law = Law(
        used=used,
        kind=samples.load.kind,
        demand=seen.level,
        ahead=seen.ahead,
        load=asked.load,
        per_pod=per_pod,
        needed=needed,
        ceiling=ceiling,
        gain=seen.gain,
        startup=seen.startup,
        hold=held.seconds,
        held=held.most,
        patience=watched.patience,
        unscheduled=waiting,
        capacity=known,
        floor=floor,
        confidence=learnt.confidence,
        since=learnt.since,
        unreachable=closed,
        tested=test.phase == efficacy.Phase.EXCURSION,
        dropped=test.phase == efficacy.Phase.DROPPED,
        suspect=test.suspect,
        tested_from=test.first_load,
        tested_excess=test.first_excess,
        tested_at=test.began,
        dropped_until=test.retry_at,
        established=np.exp(test.log_established),
    )
    return proposal, law, state


def _noted(ring: Singles, slot: int, column: Floats | Ints) -> Singles:
    """The ring with this cycle's column in it."""
    noted = ring.copy()
    noted[:, slot] = column
    return noted


def _means(scalers: Scalers, samples: Samples, quality: Quality, which: Flags) -> Floats:
    """The mean value (S, D), in its own unit, of the dimensions `which` over the pods with a good sample."""
    of, count = samples.scaler, len(scalers)
    means = np.where(scalers.per_pod, np.nan, samples.target_values)
    for at in np.flatnonzero((which & scalers.per_pod).any(axis=0)):
        good = quality.good[:, at]
        with np.errstate(invalid="ignore"):
            mean = sum_by_scaler(of[good], samples.values[good, at], count) / count_by_scaler(of, good, count)
        means[:, at] = np.where(scalers.per_pod[:, at], mean, means[:, at])
    return means


def _of_old_pods(
    scalers: Scalers, samples: Samples, quality: Quality, magnitude: Magnitude, old: Flags
) -> tuple[Floats, Floats]:
    """Normalized values, and values in units of the target, (S, D), over the pods whose rates cover their window."""
    rows = np.flatnonzero(old)
    of, count = samples.scaler[rows], len(scalers)
    pods = np.bincount(of, minlength=count).astype(np.float64)
    pods[pods == 0] = np.nan
    y, values = np.empty((2, *scalers.used.shape))
    for at in range(scalers.used.shape[1]):
        y[:, at] = sum_by_scaler(of, magnitude.of_pods[rows, at], count) / pods
        if scalers.learns_floor[:, at].any():
            good = np.where(quality.good[rows, at], samples.values[rows, at], np.nan)
            with np.errstate(over="ignore"):
                values[:, at] = sum_by_scaler(of, good, count) / pods / scalers.target[:, at]
        else:
            values[:, at] = np.nan
    shared = scalers.used & ~scalers.per_pod
    if shared.any():
        with np.errstate(over="ignore"):
            own = np.where(quality.valid, samples.target_values, np.nan) / scalers.target
        values = np.where(shared, own, values)
    return y, values


def _hotness(scalers: Scalers, magnitude: Magnitude, y: Floats, learned: Learned, elapsed: Floats) -> Floats:
    """By how much the magnitude that is held (P95, Max) is above that of the mean pod, (S,)."""
    ranked = scalers.aggregation != AGGREGATIONS.index(Aggregation.MEAN)
    if not ranked.any():
        return learned.hotness
    mean, _ = _norms(scalers, y, scalers.used)
    with np.errstate(divide="ignore", invalid="ignore"):
        now = np.maximum(magnitude.total / mean, 1.0)
    weight = np.where(ranked & np.isfinite(now), demand.forgets(elapsed, capacity.LINEAR), 0.0)
    return learned.hotness + weight * (np.where(weight > 0, now, learned.hotness) - learned.hotness)


def _norms(scalers: Scalers, y: Floats, counted: Flags) -> tuple[Floats, Floats]:
    """The magnitude (S,) of the mean pod, and that without the dimensions that must prove that pods lower them."""
    power = scalers.norm[:, None]
    y = np.where(counted & np.isfinite(y), y, 0.0)
    largest = np.maximum(y.max(axis=1), 1e-300)[:, None]
    terms = np.where(y > 0, np.minimum(scalers.weight, LARGEST) * (y / largest) ** power, 0.0)
    root = 1.0 / scalers.norm
    return (
        largest[:, 0] * terms.sum(axis=1) ** root,
        largest[:, 0] * np.where(scalers.proves, 0.0, terms).sum(axis=1) ** root,
    )
