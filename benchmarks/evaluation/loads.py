"""Which traces are run, and which part of each: the peak is worth thirty pods, the last 30 % are counted.

Everything that was chosen was chosen on the first 70 %. A long trace is cut into segments that run side by side: each begins with a
warm-up that is not counted, so that what is learned and every window have settled. An hour is run as a whole and its end is counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from controller.simulation import Trace

__all__ = ["COPIED", "DAY", "HOUR", "LOADS", "Lacking", "Load", "Part", "by_name", "cut", "open_trace"]

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
#: The traces that may be copied are beside this file; see NOTICE.
COPIED: Final = Path(__file__).with_name("traces")
#: Up to here a trace may be used to choose things.
CHOSEN_ON: Final = 0.7
#: Every segment of a long trace is so long. What is not counted of it, 12 hours or more, is warm-up: the law's longest memories are hours.
SEGMENT: Final = 40.8 * HOUR


class Lacking(Exception):
    """A trace is neither copied nor in the folder of the others; the text says which."""


@dataclass(frozen=True, slots=True)
class Part:
    """Segments of one trace that run side by side, what of each is warm-up (seconds), and whether the end was used to choose."""

    segments: tuple[Trace, ...]
    warmup: float

    @property
    def counted(self) -> float:
        """Seconds that are counted, of all segments together."""
        return float(sum(each.duration - self.warmup for each in self.segments))


@dataclass(frozen=True, slots=True)
class Load:
    """A trace and how it is run.

    `marks` are the pod-hours, relative to the oracle's, at which policies are compared; `period` (seconds) over which values are
    averaged first, 0 for none; `starts` are the moments, in days, at which the counted part of a segment begins, none for a trace
    that is run as a whole; `tuning` the same in the first 70 %; `days` how much of a segment is counted; `own_peak` whether each
    segment is scaled to its own peak; `slow` whether a request takes seconds, as of a language model.
    """

    name: str
    file: str
    marks: tuple[float, ...]
    starts: tuple[float, ...] = ()
    tuning: tuple[float, ...] = ()
    days: float = 1.2
    period: float = 0.0
    own_peak: bool = False
    slow: bool = False
    why: str = ""


def _steps(first: float, days: float, count: int, every: float | None = None) -> tuple[float, ...]:
    return tuple(round(first + number * (every or days), 4) for number in range(count))


#: The last 30 % of the 16 days of the crane traces, as four segments that meet.
_CRANE: Final = _steps(15.999 * CHOSEN_ON, 1.2, 4)

LOADS: Final = (
    Load(
        "wc98",
        "wc98_requests",
        (1.2, 1.35),
        (64.0, 68.0),
        (50.0, 54.0),
        days=1.0,
        own_peak=True,
        why="days 64 and 68, each scaled to its own peak",
    ),
    Load(
        "wc98_sample",
        "wc98_requests",
        (1.2, 1.35),
        _steps(62.0, 1.0, 4, every=6.0),
        days=1.0,
        own_peak=True,
        why="every sixth of the last 26 days, each scaled to its own peak",
    ),
    Load("crane_diurnal", "crane_diurnal", (1.2, 1.35), _CRANE, (6.0, 9.0)),
    Load(
        "nasa",
        "nasa_http_requests",
        (1.2, 1.35),
        _steps(58.56 * CHOSEN_ON, 1.2, 4, every=5.0),
        (30.0,),
        period=300.0,
        why="means of five minutes; four segments of the last 17.6 days, five days apart",
    ),
    Load("autothrottle_bursty", "autothrottle_bursty", (1.2, 1.35)),
    Load("autothrottle_noisy", "autothrottle_noisy", (1.2, 1.35)),
    Load(
        "azure_llm_conv",
        "azure_llm_conv_2023",
        (1.35, 1.6),
        period=5.0,
        slow=True,
        why="means of five seconds; the plant of a language model",
    ),
    Load(
        "azure_llm_code",
        "azure_llm_code_2023",
        (6.0, 9.0),
        period=5.0,
        slow=True,
        why="means of five seconds; the plant of a language model",
    ),
    Load("crane_levelshift", "crane_levelshift", (1.75, 2.1), _CRANE),
    Load("crane_bursty", "crane_bursty", (1.35, 1.75), _CRANE, (6.0, 9.0)),
)


def by_name(name: str) -> Load:
    """The load of this name."""
    return next(load for load in LOADS if load.name == name)


def open_trace(file: str, folder: Path | None) -> Trace:
    """A trace from beside this file, else from the folder; raises `Lacking`, or InvalidTrace where the file is none."""
    for place in (COPIED, folder):
        if place is not None and (path := place / f"{file}.csv.gz").exists():
            return Trace.read(path)
    where = f"{file}.csv.gz is not in {folder}" if folder else f"{file}.csv.gz may not be copied into the repository"
    raise Lacking(f"{where}; write TRACES=DIR with the folder that holds it.")


def cut(load: Load, folder: Path | None, peak: float, *, tuning: bool = False) -> Part:
    """The segments of a load in requests per second, the peak being `peak`: the counted part's, or each segment's own."""
    trace = _averaged(open_trace(load.file, folder), load.period)
    if not load.starts:
        if not tuning:
            return Part((trace.scaled(peak=peak),), CHOSEN_ON * trace.duration)
        chosen = trace.scaled(peak=peak).segment(trace.start, trace.start + CHOSEN_ON * trace.duration)
        return Part((chosen,), 0.25 * trace.duration)
    counted = load.days * DAY
    warmup = SEGMENT - counted
    starts = load.tuning if tuning else load.starts
    begins = [min(math.floor(trace.start + start * DAY), math.floor(trace.stop - counted)) for start in starts]
    # What is tuned on must not know the peak of what is tested.
    whole = trace.segment(begins[0], begins[-1] + counted).peak
    segments = []
    for begin in begins:
        segment = trace.segment(begin - warmup, begin + counted)
        own = trace.segment(begin, begin + counted).peak if load.own_peak else whole
        segments.append(segment.scaled(peak=segment.peak * peak / own))
    return Part(tuple(segments), warmup)


def _averaged(trace: Trace, period: float) -> Trace:
    """Means over so many seconds: scaling up the counts of short periods would multiply their noise."""
    if not period:
        return trace
    of = np.floor((trace.seconds - trace.start) / period).astype(np.int64)
    rows = np.bincount(of)
    known = rows > 0
    means = np.bincount(of, trace.values)[known] / rows[known]
    return Trace(trace.start + (np.flatnonzero(known).astype(np.float64) + 0.5) * period, means.astype(np.float64))
