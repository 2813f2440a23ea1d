"""The L1 anomaly: how far the load vector is from what is usual for it, and whether that lasts.

    score = sum_i |y_i - median_i|

The median of each dimension is that of `usual`. There is a score where every dimension with a median has a sample and the other way round:
what is missing may be what stands out. It breaches when it is above its threshold: the percentile of the highest scores of the
last sixty blocks that have ended, of 54 at least, and never below 0.3. The percentile of so few is nearly the highest, so
nothing breaches before a whole window of scores was seen.

A breach is detected as an anomaly when it has lasted for three ranges of the source's rates and five minutes: a spike stands in a rate for
one range, and for some of another by chance of the scrape, and what a scale-up mends is over by then. Until then one score that is not
above ends it; then it ends when none was above for as long. Its threshold stays what it was when it began, or its own scores would end it;
after a whole window what lasted is usual. All of it is measured in time. L1 and not L2, since one dimension that is far off must not
dominate. Source: DESIGN section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Reason
from controller.engine import usual
from controller.engine.batch import Flags, Floats, Ints, Scalers
from controller.engine.grouping import any_of
from controller.engine.learned import Halves, Learned
from controller.engine.reasons import NONE, Codes, code, none

__all__ = ["Anomaly", "guard", "watch"]

Counts = NDArray[np.int32]

#: Of the sixty blocks of a threshold at least so many have a score.
ENOUGH: Final = 54
#: No score below this is unusual: every bend of smooth traffic is above the scores of the hour before. Of ten settings, tried on 1.5 days
#: of each of five recorded services (and on no others): 21 anomalies were seen with 0.1 and three ranges alone, 3 with these; one that
#: slowed down for an hour was found in all five.
LEAST: Final = 0.3
#: For how long a breach lasts to be an anomaly, in ranges of the rates and in seconds, and how many scores are above the threshold in it.
RANGES, SECONDS, SCORES = 3.0, 300.0, 3


@dataclass(frozen=True, slots=True)
class Anomaly:
    """How far every scaler is from usual; NaN where not known.

    (S, D): the `median` of each dimension and its `parts` of the score. (S,): the `score`, its `threshold`, `since` which moment it is
    above, whether that is `detected` as an anomaly, and the moment `last` at which it was above.
    """

    median: Floats
    parts: Floats
    score: Floats
    threshold: Floats
    since: Floats
    last: Floats
    detected: Flags


def watch(
    scalers: Scalers, normalized: Floats, ranges: Floats, learned: Learned, now: float
) -> tuple[Anomaly, Learned]:
    """Score the normalized values (S, D) of this cycle, and the state that knows of them; `ranges` (S,) of the rates in seconds."""
    y = np.minimum(normalized, usual.MOST)
    median, turn, state = usual.follow(scalers, learned, now)
    parts = np.abs(y - median)
    score = _total(parts)
    score[_any_other(np.isnan(y), np.isnan(median))] = np.nan
    if len(turn.rows):
        _settle(scalers, state, turn)
    anomaly = _judge(scalers, state, turn, median, parts, score, np.maximum(RANGES * ranges, SECONDS), now)
    usual.note(scalers, y, state)
    state.block_peak = np.fmax(state.block_peak, score)
    return anomaly, state


def guard(scalers: Scalers, anomaly: Anomaly, current: Ints, wanted: Ints) -> tuple[Ints, Codes]:
    """Nothing goes down while an anomaly lasts, where the user wants that."""
    held = anomaly.detected & scalers.anomaly.holds & (wanted < current)
    if not any_of(held):
        return wanted, none(len(wanted))
    return np.where(held, current, wanted), np.where(held, code(Reason.ANOMALY_HOLD), NONE).astype(np.int16)


def _total(parts: Floats) -> Floats:
    """The sum (S,) of the parts (S, D) that are known, NaN without any; in the dimensions' order whatever the width of the batch."""
    total, known = np.zeros(len(parts)), np.zeros(len(parts), np.bool_)
    for part in parts.T:
        there = ~np.isnan(part)
        total += np.where(there, part, 0.0)
        known |= there
    total[~known] = np.nan
    return total


def _any_other(one: Flags, other: Flags) -> Flags:
    """Where (S,) any of the few columns differ."""
    found = np.zeros(len(one), np.bool_)
    for mine, others in zip(one.T, other.T, strict=True):
        found |= mine != others
    return found


def _settle(scalers: Scalers, state: Learned, turn: usual.Turn) -> None:
    """Keep the highest scores of the blocks that ended, and take the thresholds that follow from them."""
    rows = turn.rows
    state.peaks = usual.put(state.peaks, turn, _up(state.block_peak[rows]))
    state.block_peak, state.limit = state.block_peak.copy(), state.limit.copy()
    state.block_peak[rows] = np.nan
    part = scalers.anomaly.percentile[rows] / 100.0
    state.limit[rows] = np.maximum(usual.among(state.peaks[rows], part, ENOUGH), LEAST)


def _up(score: Floats) -> Halves:
    # Rounded to the nearest, a score that stays as it is would be above what is remembered of it.
    return np.nextafter(score.astype(np.float16), np.float16(np.inf))


def _judge(
    scalers: Scalers,
    state: Learned,
    turn: usual.Turn,
    median: Floats,
    parts: Floats,
    score: Floats,
    lasting: Floats,
    now: float,
) -> Anomaly:
    """Whether a breach begins, lasts or is over."""
    since, last, breaches, threshold = state.breached_at, state.breached_last, state.breaches, state.limit
    lasts = ~np.isnan(since)
    if any_of(lasts):
        lasts &= ~turn.anew & (now - since < scalers.anomaly.window) & (now - last <= lasting)
        below = score <= state.threshold
        lasts &= _sustained(since, last, breaches, lasting) | ~below
        threshold = np.where(lasts, state.threshold, threshold)
    above = score > threshold
    if any_of(lasts) or any_of(above):
        begins = above & ~lasts
        since = np.where(begins, now, np.where(lasts, since, np.nan))
        last = np.where(above, now, np.where(lasts, last, np.nan))
        breaches = np.where(begins, 1, np.where(lasts, breaches + above, 0)).astype(np.int32)
    elif any_of(breaches > 0):
        since, last, breaches = np.full_like(since, np.nan), np.full_like(last, np.nan), np.zeros_like(breaches)
    state.breached_at, state.breached_last, state.breaches, state.threshold = since, last, breaches, threshold
    return Anomaly(
        median=median,
        parts=parts,
        score=score,
        threshold=threshold,
        since=since,
        last=last,
        detected=_sustained(since, last, breaches, lasting),
    )


def _sustained(since: Floats, last: Floats, breaches: Counts, lasting: Floats) -> Flags:
    return (breaches >= SCORES) & (last - since >= lasting)
