"""The L1 anomaly of one scaler in plain Python: lists that forget nothing, looked through anew in every cycle.

The definition is that of `controller.engine.usual` and `controller.engine.anomaly`; nothing of their code is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["NaiveAnomaly", "Verdict"]

BLOCKS, LEAST_OF_BLOCKS, LEAST_OF_SCORES = 60, 30, 54
DAYS, LEAST_OF_DAYS = 7, 3


def half(value: float, *, up: bool = False) -> float:
    rounded = np.float16(value)
    return float(np.nextafter(rounded, np.float16(np.inf))) if up else float(rounded)


def percentile(numbers: Sequence[float], percent: float) -> float:
    ordered = sorted(numbers)
    position = (len(ordered) - 1) * (percent / 100.0)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def mean(values: Sequence[float]) -> float:
    total = 0.0
    for each in values:
        total += each
    return half(total / len(values))


@dataclass(frozen=True)
class Verdict:
    """What the anomaly is after one cycle."""

    medians: tuple[float, ...]
    parts: tuple[float, ...]
    score: float
    threshold: float
    since: float
    detected: bool


@dataclass
class NaiveAnomaly:
    """Everything that one scaler ever showed, by block and by hour."""

    dimensions: int
    window: float = math.nan
    began: float = math.nan
    values: dict[int, list[list[float]]] = field(default_factory=dict)
    scores: dict[int, list[float]] = field(default_factory=dict)
    hours: dict[int, list[list[float]]] = field(default_factory=dict)
    breach: list[float] = field(default_factory=list)
    bar: float = math.nan

    def see(
        self, y: Sequence[float], now: float, window: float, percent: float, by_hour: bool, ranges: float
    ) -> Verdict:
        """One cycle: `y` is NaN where a dimension has no sample."""
        if window != self.window:
            self.window, self.began = window, now
            self.values, self.scores, self.breach = {}, {}, []
        if not by_hour:
            self.hours = {}
        block, hour = int((now - self.began) // (window / BLOCKS)), int(now // 3600)
        y = [min(each, 1000.0) for each in y]
        medians = tuple(self._median(at, block, hour, by_hour) for at in range(self.dimensions))
        parts = tuple(abs(value - median) for value, median in zip(y, medians, strict=True))
        known = [each for each in parts if not math.isnan(each)]
        score = math.nan
        if known and all(math.isnan(one) == math.isnan(other) for one, other in zip(y, medians, strict=True)):
            score = 0.0
            for each in known:
                score += each
        verdict = self._judge(score, self._limit(block, percent), now, window, max(3.0 * ranges, 300.0))
        self._keep(self.values, block, y)
        if by_hour:
            self._keep(self.hours, hour, y)
        if not math.isnan(score):
            self.scores.setdefault(block, []).append(score)
        return Verdict(medians, parts, score, *verdict)

    def _median(self, at: int, block: int, hour: int, by_hour: bool) -> float:
        if by_hour:
            days = [self.hours[hour - 24 * day][at] for day in range(1, DAYS + 1) if hour - 24 * day in self.hours]
            seen = [mean(each) for each in days if each]
            if len(seen) >= LEAST_OF_DAYS:
                return percentile(seen, 50.0)
        blocks = [self.values[each][at] for each in range(block - BLOCKS, block) if each in self.values]
        seen = [mean(each) for each in blocks if each]
        return percentile(seen, 50.0) if len(seen) >= LEAST_OF_BLOCKS else math.nan

    def _limit(self, block: int, percent: float) -> float:
        highest = [
            half(max(self.scores[each]), up=True) for each in range(block - BLOCKS, block) if each in self.scores
        ]
        return max(percentile(highest, percent), 0.3) if len(highest) >= LEAST_OF_SCORES else math.nan

    def _judge(
        self, score: float, limit: float, now: float, window: float, lasting: float
    ) -> tuple[float, float, bool]:
        if self.breach:
            first, last = self.breach[0], self.breach[-1]
            if now - first >= window or now - last > lasting or (score <= self.bar and not self._lasted(lasting)):
                self.breach = []
        if not self.breach:
            self.bar = limit
        if score > self.bar:
            self.breach.append(now)
        return self.bar, self.breach[0] if self.breach else math.nan, self._lasted(lasting)

    def _lasted(self, lasting: float) -> bool:
        return len(self.breach) >= 3 and self.breach[-1] - self.breach[0] >= lasting

    def _keep(self, where: dict[int, list[list[float]]], number: int, y: Sequence[float]) -> None:
        lists = where.setdefault(number, [[] for _ in range(self.dimensions)])
        for each, value in zip(lists, y, strict=True):
            if not math.isnan(value):
                each.append(value)
