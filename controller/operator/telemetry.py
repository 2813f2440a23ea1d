"""Our own metrics: what the operator did (counters) and what every scaler looks like now (gauges read at scrape time).

The gauges of a scaler are taken from the table of the last cycle when somebody scrapes, so they vanish with their object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.engine import Record
from controller.operator.conditions import Condition
from controller.operator.scalers import Key

__all__ = ["Sighting", "Telemetry"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One scaler as the last cycle saw it; `record` is missing where nothing could be evaluated.

    `epoch` is the Unix time (seconds) at which the clock of the record's moments stood at 0.
    """

    conditions: tuple[Condition, ...]
    record: Record | None
    epoch: float = 0.0


Table = Mapping[Key, Sighting]


class Telemetry:
    """The registry and everything in it."""

    def __init__(
        self,
        table: Callable[[], Table],
        cache_ages: Callable[[], Mapping[str, float]],
        events_dropped: Callable[[], int],
    ) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Scalers(table))
        self.registry.register(_Caches(cache_ages, events_dropped))
        own = self.registry
        self.cycle_seconds = Histogram(
            "compositescaler_cycle_duration_seconds",
            "Wall time of one cycle.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30),
            registry=own,
        )
        self.step_seconds = Histogram(
            "compositescaler_cycle_step_duration_seconds",
            "Wall time of each step of a cycle.",
            ["step"],
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15),
            registry=own,
        )
        self.cycles = Counter("compositescaler_cycles", "Cycles that ran, by result.", ["result"], registry=own)
        self.overruns = Counter(
            "compositescaler_cycle_overruns", "Moments of the grid that a slow cycle missed.", registry=own
        )
        self.queries = Counter("compositescaler_queries", "Queries sent to metrics sources.", ["source"], registry=own)
        self.query_faults = Counter(
            "compositescaler_query_faults", "Answers that could not be trusted.", ["source", "reason"], registry=own
        )
        self.writes = Counter("compositescaler_writes", "Writes to the API server.", ["what", "result"], registry=own)
        self.scale_events = Counter("compositescaler_scale_events", "Changes of replicas.", ["direction"], registry=own)
        self.scalers = Gauge("compositescaler_scalers", "CompositeScalers known.", registry=own)
        self.stopped = Gauge(
            "compositescaler_stopped",
            "1 while `stop` is true in the configuration: no target is written.",
            registry=own,
        )


class _Scalers(Collector):
    """The gauges of every scaler."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table

    def collect(self) -> Iterable[Metric]:
        """Read the table as it is now."""
        labels = ["namespace", "name"]

        def gauge(name: str, text: str, *more: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"compositescaler_{name}", text, labels=[*labels, *more])

        magnitude = gauge("magnitude", "Length of the load vector; the target is compositescaler_target_magnitude.")
        target = gauge("target_magnitude", "The magnitude to hold.")
        value = gauge("dimension_value", "Value of a dimension in its own unit.", "dimension")
        normalized = gauge("dimension_normalized", "Excess over idle: 0 idle, 1 at the target.", "dimension")
        share = gauge("dimension_share", "Share of the magnitude, 0 to 1.", "dimension")
        valid = gauge("dimension_valid", "Whether the dimension can be believed.", "dimension")
        replicas = gauge("replicas", "Replicas after each stage of the decision.", "stage")
        pods = gauge("pods", "Pods of the target.", "state")
        floor = gauge("floor", "Value of a dimension without load, in its own unit.", "dimension")
        confidence = gauge("floor_confidence", "How far a learned floor is trusted, 0 to 1.", "dimension")
        ineffective = gauge("ineffective", "1 where pods do not lower a dimension, else 0.", "dimension")
        retry = gauge(
            "ineffective_retry_timestamp_seconds", "When such a dimension may ask for more again.", "dimension"
        )
        tried = gauge(
            "ineffective_tried_load_per_pod", "The load per pod that was tried, from and to.", "dimension", "end"
        )
        demand = gauge("demand", "What is asked of the target, in requests/s or cores.")
        ahead = gauge("demand_ahead", "The demand to expect when a pod created now is Ready.")
        per_pod = gauge("load_per_pod_target", "Load per pod at which the magnitude is its target.")
        hold = gauge("hold_seconds", "How long what was needed is remembered before replicas go down.")
        startup = gauge("startup_seconds", "How long a pod takes from its creation until it is Ready.")
        anomaly = gauge("anomaly_score", "How far the load vector is from usual: the sum of the parts.")
        threshold = gauge("anomaly_threshold", "What the score stays below as a rule.")
        part = gauge(
            "anomaly_part", "How far a dimension is from usual, 1 being its target above its floor.", "dimension"
        )
        detected = gauge("anomaly_detected", "1 while an anomaly is detected, else 0.")
        rule = gauge("rule", "1 for the rule that decided.", "reason")
        condition = gauge("condition", "1 True, 0 False, -1 Unknown.", "type", "reason")
        paused = gauge("paused", "1 for each reason that keeps the replicas from moving as decided.", "reason")
        until = gauge("paused_until_timestamp_seconds", "When the pause ends by itself.")
        for key, sighting in self._table().items():
            for each in sighting.conditions:
                state = -1 if each.status is None else int(each.status)
                condition.add_metric([*key, str(each.type), str(each.reason)], state)
            record = sighting.record
            if record is None:
                continue
            target.add_metric(key, record.target_magnitude)
            outlook, trial, alarm = record.outlook, record.outlook.trial, record.alarm
            detected.add_metric(key, int(alarm.detected))
            measured = [
                (magnitude, [*key], record.magnitude),
                (demand, [*key], outlook.demand),
                (ahead, [*key], outlook.ahead),
                (per_pod, [*key], outlook.per_pod),
                (hold, [*key], outlook.hold),
                (startup, [*key], outlook.startup),
                (anomaly, [*key], alarm.score),
                (threshold, [*key], alarm.threshold),
                *((part, [*key, name], each) for name, each in alarm.parts.items()),
            ]
            in_vain = trial.dimension if trial is not None and trial.dropped else None
            for dimension in record.dimensions:
                at = [*key, dimension.name]
                valid.add_metric(at, int(dimension.valid))
                ineffective.add_metric(at, int(dimension.name == in_vain))
                if trial is not None and dimension.name == in_vain:
                    measured += [
                        (retry, at, sighting.epoch + trial.until),
                        (tried, [*at, "from"], trial.tried.load_from),
                        (tried, [*at, "to"], trial.tried.load),
                    ]
                measured += [
                    (value, at, dimension.value),
                    (normalized, at, dimension.normalized),
                    (share, at, dimension.share),
                    (floor, at, dimension.floor),
                    (confidence, at, dimension.confidence),
                ]
            for family, at, number in measured:
                # What was not measured has no series: a NaN would poison every sum over it.
                if not math.isnan(number):
                    family.add_metric(at, number)
            replicas.add_metric([*key, "current"], record.current)
            replicas.add_metric([*key, "proposed"], record.proposed)
            for stage, number in record.stages.items():
                replicas.add_metric([*key, str(stage)], number)
            replicas.add_metric([*key, "desired"], record.desired)
            pods.add_metric([*key, "ready"], record.ready)
            pods.add_metric([*key, "unready"], record.unready - record.unscheduled)
            pods.add_metric([*key, "waitingForNodes"], record.unscheduled)
            rule.add_metric([*key, str(record.rule)], 1)
            for reason in record.blocks:
                paused.add_metric([*key, str(reason)], 1)
            if record.override is not None and math.isfinite(record.override.until):
                until.add_metric(key, record.override.until)
        yield from (magnitude, target, value, normalized, share, valid, replicas, pods, rule, condition, paused, until)
        yield from (floor, confidence, ineffective, retry, tried, demand, ahead, per_pod, hold, startup)
        yield from (anomaly, threshold, part, detected)


class _Caches(Collector):
    """How old each cache is, and what the Events' queue lost."""

    def __init__(self, ages: Callable[[], Mapping[str, float]], events_dropped: Callable[[], int]) -> None:
        self._ages = ages
        self._events_dropped = events_dropped

    def collect(self) -> Iterable[Metric]:
        """Ask every cache now."""
        age = GaugeMetricFamily(
            "compositescaler_cache_age_seconds", "Seconds since a cache was last known to be current.", labels=["cache"]
        )
        for name, seconds in self._ages().items():
            if math.isfinite(seconds):
                age.add_metric([name], seconds)
        yield age
        dropped = CounterMetricFamily("compositescaler_events_dropped", "Kubernetes Events that were not written.")
        dropped.add_metric([], self._events_dropped())
        yield dropped
