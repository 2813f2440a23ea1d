"""Functions of a range vector: one window of one series -> one number, or nothing.

`rate` and its kin follow `extrapolatedRate` of Prometheus' functions.go: what the samples in the window span is
extended to the window's edges when the first and last sample are near them (1.1 mean intervals), else by half an
interval, and never beyond the moment at which a counter would have been zero.
"""

import math
from collections.abc import Callable

from controller.embedded.promql.sums import compensated_mean, compensated_sum
from controller.embedded.promql.values import Window

__all__ = ["COUNTERS", "WINDOW_FUNCTIONS", "WindowFunction"]

WindowFunction = Callable[[Window], float | None]

# Those after which Prometheus remarks on a name that does not sound like a counter's.
COUNTERS = ("rate", "increase")


def extrapolated(window: Window, is_counter: bool, per_second: bool) -> float | None:
    """The increase (or its rate per second) over the whole window; None for fewer than two samples."""
    times, values = window.times, window.values
    count = len(times)
    if count < 2:
        return None
    result = values[-1] - values[0]
    if is_counter:
        for fallen in window.falls:
            result += fallen
    to_start = (times[0] - window.start) / 1000
    to_end = (window.end - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    between = sampled / (count - 1)
    threshold = between * 1.1
    if to_start >= threshold:
        to_start = between / 2
    if is_counter and result > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * (values[0] / result))
    if to_end >= threshold:
        to_end = between / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= (window.end - window.start) / 1000
    return result * factor


def instantaneous(window: Window) -> float | None:
    """The rate per second between the last two samples; after a reset the new value is the whole increase."""
    if len(window.times) < 2:
        return None
    before, last = window.values[-2:]
    increase = last if last < before else last - before
    return increase / ((window.times[-1] - window.times[-2]) / 1000)


def largest(window: Window) -> float:
    """The maximum; NaN only when there is nothing else."""
    numbers = [value for value in window.values if not math.isnan(value)]
    return max(numbers, default=math.nan)


def smallest(window: Window) -> float:
    """The minimum; NaN only when there is nothing else."""
    numbers = [value for value in window.values if not math.isnan(value)]
    return min(numbers, default=math.nan)


WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    "rate": lambda window: extrapolated(window, is_counter=True, per_second=True),
    "increase": lambda window: extrapolated(window, is_counter=True, per_second=False),
    "delta": lambda window: extrapolated(window, is_counter=False, per_second=False),
    "irate": instantaneous,
    "avg_over_time": lambda window: compensated_mean(window.values),
    "sum_over_time": lambda window: compensated_sum(window.values),
    "max_over_time": largest,
    "min_over_time": smallest,
    "count_over_time": lambda window: float(len(window.values)),
    "last_over_time": lambda window: window.values[-1],
}
