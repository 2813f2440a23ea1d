"""Prometheus' text format -> samples.

The parser is prometheus_client's; it is asked only once for each series' name and labels, because parsing those is
nearly all of the cost and they repeat in every scrape (Prometheus' scrape cache does the same). Type lines are not
given to it: it would rename counters to OpenMetrics' rules, which Prometheus does not.
"""

from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from controller.embedded.promql.values import NAME, Labels

__all__ = ["Exposed", "Exposition", "ExpositionError"]


class ExpositionError(ValueError):
    """A text is not in the exposition format; the scrape as a whole has failed."""


class Exposed(NamedTuple):
    """One line: its labels with `__name__`, its value, and its own time in milliseconds when it brings one."""

    labels: Labels
    value: float
    time: int | None


class Exposition:
    """Reads the expositions of one target; `extra` labels go onto every series (a clash is renamed to exported_...)."""

    def __init__(self, extra: dict[str, str] | None = None) -> None:
        self._extra = extra or {}
        self._known: dict[str, Labels] = {}

    def read(self, text: str) -> list[Exposed]:
        """The samples of a text, in order; ExpositionError names the line that is wrong."""
        found: list[Exposed] = []
        used: dict[str, Labels] = {}
        for number, line in enumerate(text.split("\n"), start=1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            series, rest = _split(line)
            try:
                labels = self._known.get(series) or used.get(series) or self._labels(series)
                value, time = _value_and_time(rest)
            except ValueError as error:
                raise ExpositionError(
                    f"line {number} is no sample of the text format: {line[:120]!r} ({error})"
                ) from None
            used[series] = labels
            found.append(Exposed(labels, value, time))
        self._known = used
        return found

    def _labels(self, series: str) -> Labels:
        (family,) = text_string_to_metric_families(f"{series} 0\n")
        (sample,) = family.samples
        labels = {name: value for name, value in sample.labels.items() if value}
        for name, value in self._extra.items():
            if name in labels:
                labels[f"exported_{name}"] = labels[name]
            labels[name] = value
        return Labels({NAME: sample.name} | labels)


def _split(line: str) -> tuple[str, str]:
    """The series and the rest of a line: a value never has a brace, a name without labels never a space."""
    closing = line.rfind("}")
    if closing >= 0:
        return line[: closing + 1], line[closing + 1 :]
    name, _, rest = line.replace("\t", " ").partition(" ")
    return name, rest


def _value_and_time(text: str) -> tuple[float, int | None]:
    parts = text.split()
    if not 1 <= len(parts) <= 2 or "_" in text:
        raise ValueError("a value and at most a time in milliseconds must follow the series")
    return float(parts[0]), int(parts[1]) if len(parts) == 2 else None
