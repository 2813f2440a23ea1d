"""The sample store: what was scraped, in memory, for a bounded time.

Built for the two questions PromQL asks of a series: its newest sample at a moment, and its samples in a window. Counter
resets are noted when a sample arrives, so that a rate costs binary searches and no scan. Stale markers are kept apart
from samples: a window never sees them, an instant selector must.

Not its business: where samples come from (`controller.embedded.scraping`) and what is computed from them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from controller.embedded.promql.expressions import Matcher
from controller.embedded.promql.values import NAME, Labels, Window

__all__ = ["Series", "SeriesStore", "milliseconds"]


def milliseconds(seconds: float) -> int:
    """Unix seconds as the store keeps time."""
    return round(seconds * 1000)


class Series:
    """One series: samples in order of time, stale markers, and the places where its value fell."""

    __slots__ = ("_fall_times", "_falls", "_stale", "_times", "_values", "bare", "labels")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.bare = labels.bare()
        self._times: list[int] = []
        self._values: list[float] = []
        self._stale: list[int] = []
        self._fall_times: list[int] = []
        self._falls: list[float] = []

    def append(self, time: int, value: float) -> bool:
        """Add a sample; False, and it is refused as by Prometheus, when it is not newer than what is there."""
        if time <= self.newest():
            return False
        if self._values and value < self._values[-1]:
            self._fall_times.append(time)
            self._falls.append(self._values[-1])
        self._times.append(time)
        self._values.append(value)
        return True

    def end(self, time: int) -> bool:
        """Put a stale marker: from `time` on the series is gone until its next sample."""
        if time <= self.newest():
            return False
        self._stale.append(time)
        return True

    def newest(self) -> float:
        """The time of the newest sample or marker; minus infinity when there is none."""
        samples = self._times[-1] if self._times else float("-inf")
        return max(samples, self._stale[-1]) if self._stale else samples

    def at(self, time: int, lookback: int) -> tuple[int, float] | None:
        """The newest sample in (time - lookback, time], unless a stale marker came after it."""
        after = bisect_right(self._times, time)
        if not after:
            return None
        taken = self._times[after - 1]
        if taken <= time - lookback:
            return None
        if self._stale:
            markers = bisect_right(self._stale, time)
            if markers and self._stale[markers - 1] > taken:
                return None
        return taken, self._values[after - 1]

    def window(self, start: int, end: int) -> Window | None:
        """The samples in (start, end]; None when there are none."""
        first = bisect_right(self._times, start)
        stop = bisect_right(self._times, end)
        if first >= stop:
            return None
        falls: list[float] = []
        if self._falls:
            oldest, newest = self._times[first], self._times[stop - 1]
            falls = self._falls[bisect_right(self._fall_times, oldest) : bisect_right(self._fall_times, newest)]
        return Window(self._times[first:stop], self._values[first:stop], falls, start, end)

    def forget(self, before: int) -> bool:
        """Drop what is older than `before`; True when nothing is left."""
        kept = bisect_right(self._times, before - 1)
        del self._times[:kept], self._values[:kept]
        del self._stale[: bisect_right(self._stale, before - 1)]
        kept = bisect_right(self._fall_times, before - 1)
        del self._fall_times[:kept], self._falls[:kept]
        return not self._times and not self._stale


class SeriesStore:
    """All series by name and labels, kept for `retention_seconds` before the newest sample."""

    def __init__(self, retention_seconds: float = 900.0) -> None:
        self._retention = milliseconds(retention_seconds)
        self._by_name: dict[str, dict[Labels, Series]] = {}
        self._forgotten_at = 0

    def __len__(self) -> int:
        return sum(len(family) for family in self._by_name.values())

    def __iter__(self) -> Iterator[Series]:
        for family in self._by_name.values():
            yield from family.values()

    def series(self, labels: Labels) -> Series:
        """The series with exactly these labels, made when it is new; `__name__` is one of the labels."""
        family = self._by_name.setdefault(labels.get(NAME, ""), {})
        known = family.get(labels)
        if known is None:
            known = family[labels] = Series(labels)
        return known

    def add(self, labels: Mapping[str, str], samples: Iterable[tuple[float, float | None]]) -> None:
        """Load samples as (Unix seconds, value) in order of time; the value None ends the series there (stale).

        Raises ValueError for a sample that is not newer than what the series has.
        """
        series = self.series(Labels({name: value for name, value in labels.items() if value}))
        newest = 0
        for seconds, value in samples:
            newest = milliseconds(seconds)
            if not (series.end(newest) if value is None else series.append(newest, value)):
                raise ValueError(
                    f"the sample of {series.labels} at {seconds} is not newer than its last one, at "
                    f"{series.newest() / 1000}: give the samples of a series in order of time, each time once"
                )
        self.retain(newest)

    def select(self, matchers: tuple[Matcher, ...]) -> list[Series]:
        """All series that every matcher accepts."""
        names = [matcher.value for matcher in matchers if matcher.name == NAME and matcher.operator == "="]
        families = [self._by_name.get(names[0], {})] if names else list(self._by_name.values())
        rest = [matcher for matcher in matchers if not (matcher.name == NAME and matcher.operator == "=")]
        if len(names) > 1 and any(name != names[0] for name in names):
            return []
        return [
            series
            for family in families
            for series in family.values()
            if all(matcher.accepts(series.labels.get(matcher.name, "")) for matcher in rest)
        ]

    def retain(self, now: int) -> None:
        """Drop what has left the retention at `now`; looks at every series only each tenth of the retention."""
        if now - self._forgotten_at < self._retention // 10:
            return
        self._forgotten_at = now
        before = now - self._retention
        for name, family in list(self._by_name.items()):
            for labels in [labels for labels, series in family.items() if series.forget(before)]:
                del family[labels]
            if not family:
                del self._by_name[name]
