"""A load trace: what arrives at a Deployment over time, from a file to a number at any moment.

The unit of the values is the file's; `scaled` makes them requests per second of the size that is wanted. Drawing single
requests from a trace is the plant's business.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import CompositeScalerError

__all__ = ["InvalidTrace", "Trace", "a_day", "flash_crowd"]

TIME: Final = "seconds"
VALUES: Final = ("requests_per_second", "load")
#: A step of more than so many usual ones is a gap, in a trace that was recorded: few rows are a drawing of somebody's.
GAP, RECORDED = 3.0, 30


class InvalidTrace(CompositeScalerError, ValueError):
    """A trace cannot be used; the text says where, why and what to write instead."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Load over time: `seconds` (n,) strictly increasing, `values` (n,) finite and not negative; linear in between.

    Before its first and after its last moment a trace keeps the value it has there. Raises `InvalidTrace`.
    """

    seconds: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        seconds = np.asarray(self.seconds, dtype=np.float64)
        values = np.asarray(self.values, dtype=np.float64)
        if seconds.ndim != 1 or seconds.shape != values.shape:
            raise InvalidTrace(f"A trace needs one value for each moment, not {values.shape} for {seconds.shape}.")
        if seconds.size < 2:
            raise InvalidTrace(f"A trace needs two moments or more, not {seconds.size}.")
        for name, column in (("moment", seconds), ("value", values)):
            if not np.isfinite(column).all():
                row = int(np.flatnonzero(~np.isfinite(column))[0])
                raise InvalidTrace(f"The {name} of row {row + 1} is {column[row]}; leave the row out if it is unknown.")
        if (values < 0).any():
            row = int(np.flatnonzero(values < 0)[0])
            raise InvalidTrace(f"The value of row {row + 1} is {values[row]:g}; a load is zero or more.")
        steps = np.diff(seconds)
        if (steps <= 0).any():
            row = int(np.flatnonzero(steps <= 0)[0]) + 1
            raise InvalidTrace(
                f"Row {row + 1} is at {seconds[row]:g} s, not after the row before it at {seconds[row - 1]:g} s; "
                "sort the rows and keep one of each moment."
            )
        object.__setattr__(self, "seconds", seconds)
        object.__setattr__(self, "values", values)

    @classmethod
    def read(cls, path: Path | str) -> Trace:
        """The trace of a CSV file, gzipped when its name ends in `.gz`.

        The header line names the columns: `seconds` first, then `requests_per_second` or `load` among the others. Rows
        without a value are left out. Raises `InvalidTrace`, also when there is no such file.
        """
        path = Path(path)
        try:
            raw = path.read_bytes()
            text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise InvalidTrace(f"{path} cannot be read as a CSV file: {why}.") from error
        try:
            return cls.parse(text.splitlines())
        except InvalidTrace as error:
            raise InvalidTrace(f"{path}: {error}") from error

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Trace:
        """The trace of CSV lines, header first; raises `InvalidTrace`."""
        try:
            return cls._of_rows(csv.reader(lines))
        except csv.Error as error:
            raise InvalidTrace(f"This is not CSV: {error}; write one line a moment, with commas.") from error

    @classmethod
    def _of_rows(cls, rows: Iterator[list[str]]) -> Trace:
        header = [name.strip() for name in next(rows, [])]
        if header[:1] != [TIME]:
            raise InvalidTrace(f"The first column is called {header[0] if header else ''!r}; call it {TIME!r}.")
        column = next((header.index(name) for name in VALUES if name in header), None)
        if column is None:
            raise InvalidTrace(
                f"None of the columns {', '.join(header)} is called {' or '.join(VALUES)}; call the one with the load so."
            )
        seconds: list[float] = []
        values: list[float] = []
        for number, row in enumerate(rows, start=2):
            if not row:
                continue
            if len(row) != len(header):
                raise InvalidTrace(f"Line {number} has {len(row)} columns, the header has {len(header)}.")
            if not row[column].strip():
                continue
            try:
                seconds.append(float(row[0]))
                values.append(float(row[column]))
            except ValueError as error:
                raise InvalidTrace(f"Line {number} is {','.join(row)!r}; both columns must be numbers.") from error
        return cls(np.array(seconds), np.array(values))

    @property
    def start(self) -> float:
        """The first moment, in seconds."""
        return float(self.seconds[0])

    @property
    def stop(self) -> float:
        """The last moment, in seconds."""
        return float(self.seconds[-1])

    @property
    def duration(self) -> float:
        """From the first to the last moment, in seconds."""
        return self.stop - self.start

    @property
    def peak(self) -> float:
        """The largest value."""
        return float(self.values.max())

    @property
    def gap(self) -> tuple[float, float] | None:
        """The longest time without a row, from and to in seconds, where it is no usual step; what happened then is not known."""
        steps = np.diff(self.seconds)
        longest = int(steps.argmax())
        if len(steps) < RECORDED or steps[longest] <= GAP * float(np.median(steps)):
            return None
        return float(self.seconds[longest]), float(self.seconds[longest + 1])

    def at(self, seconds: float) -> float:
        """The value at one moment."""
        return float(np.interp(seconds, self.seconds, self.values))

    def segment(self, start: float, stop: float) -> Trace:
        """What lies between two moments, its own time beginning at zero; raises `InvalidTrace` if they are outside."""
        if not self.start <= start < stop <= self.stop:
            raise InvalidTrace(
                f"The segment {start:g}..{stop:g} s is not inside the trace, which is {self.start:g}..{self.stop:g} s."
            )
        inside = (self.seconds > start) & (self.seconds < stop)
        seconds = np.concatenate(([start], self.seconds[inside], [stop]))
        return Trace(seconds - start, np.interp(seconds, self.seconds, self.values))

    def scaled(self, *, peak: float) -> Trace:
        """The same shape with this largest value; raises `InvalidTrace` for a peak below 0 or a trace without load."""
        if not (math.isfinite(peak) and peak >= 0):
            raise InvalidTrace(f"The peak is {peak:g}; write a number of requests per second, zero or more.")
        if self.peak == 0:
            raise InvalidTrace("The trace is zero throughout and cannot be scaled to a peak.")
        return Trace(self.seconds, self.values * (peak / self.peak))

    def compressed(self, factor: float) -> Trace:
        """The same values in `factor` times less time; raises `InvalidTrace` for a factor that is not above zero."""
        if not (math.isfinite(factor) and factor > 0):
            raise InvalidTrace(f"The factor is {factor:g}; write a number above zero.")
        return Trace(self.seconds / factor, self.values)


def a_day() -> Trace:
    """A day of a production application's load, a value a minute; ships with the package as `flash_crowd` does."""
    return _packaged("day")


def flash_crowd() -> Trace:
    """28 minutes of a production application's load with a night-time spike to five times within three minutes.

    It ships with the package (see NOTICE); the unit was not published, hence scale it.
    """
    return _packaged("flash_crowd")


def _packaged(name: str) -> Trace:
    return Trace.parse(resources.files("controller.simulation").joinpath(f"data/{name}.csv").read_text().splitlines())
