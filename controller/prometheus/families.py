"""The catalogue of metric families: for each one PromQL texts for the whole cluster, grouped by namespace and pod.

Ready-made are `cpu`, `memory` and `latency`, the latency histograms of other instrumentations by their own names, and
`requests`. Beside its value (`text`) a family tells what was done last (`newest`), lately (`served`) and how long it took
(`waited`).
An administrator replaces or adds families in the operator's configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from controller.api import FamilyKind, InvalidConfiguration, InvalidManifest, Per, SourceConfiguration

__all__ = ["AGE_LABEL", "AGE_LABEL_VALUE", "READY_MADE", "Family", "Kind", "families_of"]

#: A row with this label holds the age in seconds of the newest raw sample of a pod, not a value.
AGE_LABEL: Final = "compositescaler_sample"
AGE_LABEL_VALUE: Final = "age"


class Kind(StrEnum):
    """What a family measures, and hence in which units its target may be written."""

    CPU = "Cpu"
    MEMORY = "Memory"
    LATENCY = "Latency"
    VALUE = "Value"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of the pods, and how it becomes one value a pod.

    `metric` is the name of the series, without `_bucket` and `_count` for a histogram. `selectors` are label matchers
    without braces; more than one where instrumentations differ, and the series of all are taken together. `scale`
    brings the value into cores, bytes or seconds. A family `per` target has `$namespace` and `$name` in its
    selectors, to be filled in by `custom_text`.
    """

    name: str
    form: FamilyKind
    metric: str
    selectors: tuple[str, ...] = ("",)
    scale: float = 1.0
    per: Per = Per.POD

    @property
    def kind(self) -> Kind:
        """What it measures, which the name tells."""
        if self.name.startswith("latency"):
            return Kind.LATENCY
        return {"cpu": Kind.CPU, "memory": Kind.MEMORY}.get(self.name, Kind.VALUE)

    def text(self, quantile: float | None, window_seconds: float, max_age_seconds: float) -> str:
        """The PromQL text: the values, or the age of a pod whose newest raw sample is older than `max_age_seconds`.

        `quantile` matters to histograms only. A pod that served no request in the window reports 0; one with requests
        but without usable buckets reports nothing. Raises `InvalidManifest` where a quantile is lacking,
        `InvalidConfiguration` for a window that is not a positive number of whole milliseconds.
        """
        raw = self._counter
        if self.form is FamilyKind.GAUGE:
            values = self._scaled(f"{self._by('sum')} ({self._each(raw)})")
        else:
            # A rate outlives its series by the window and shrinks meanwhile, since it is spread over the whole
            # window: a scrape that fails would look like falling load. So only what Prometheus has not marked stale
            # counts.
            alive = f"{self._by('count')} ({self._each(raw)})"
            values = f"({self._rates(quantile, _duration(window_seconds))}) and {alive}"
        return f"{values} or {self._ages(raw, max_age_seconds)}"

    def newest(self, window_seconds: float) -> str:
        """The PromQL text of what is newest: the rate per second between the last two samples, a gauge as it is.

        Of a histogram it is the requests, of a counter the family's unit. `window_seconds` is how far back the two
        samples may be. A pod with a single sample has no rate. Raises `InvalidConfiguration` as `text` does.
        """
        if self.form is FamilyKind.GAUGE:
            return self._scaled(f"{self._by('sum')} ({self._each(self.metric)})")
        return self._counted(self._last_rate(self._counter, window_seconds))

    def served(self, window_seconds: float) -> str:
        """The PromQL text of what `newest` counts as a rate over the whole window, hence the calmer of the two.

        Raises `InvalidManifest` for a gauge, `InvalidConfiguration` as `text` does.
        """
        if self.form is FamilyKind.GAUGE:
            raise InvalidManifest(
                f"metric {self.name} is a gauge, which has no rate over {_duration(window_seconds)}; "
                "name a family of kind Counter or Histogram"
            )
        rate = "rate({}[" + _duration(window_seconds) + "])"
        served = f"{self._by('sum')} ({self._each(self._counter, rate)})"
        return f"({self._counted(served)}) and {self._by('count')} ({self._each(self._counter)})"

    def waited(self, window_seconds: float) -> str:
        """The PromQL text of the seconds per second that requests took between the last two samples of a histogram.

        Divided by `newest` it is the mean latency of those requests. Raises `InvalidManifest` for another family,
        `InvalidConfiguration` as `text` does.
        """
        if self.form is not FamilyKind.HISTOGRAM:
            raise InvalidManifest(
                f"metric {self.name} is a {self.form.lower()}, which has no sum of durations; "
                "name a family of kind Histogram"
            )
        return self._scaled(self._last_rate(f"{self.metric}_sum", window_seconds))

    @property
    def _counter(self) -> str:
        """The series that say whether a pod is seen at all; of a histogram they count its requests."""
        return f"{self.metric}_count" if self.form is FamilyKind.HISTOGRAM else self.metric

    def _counted(self, rate: str) -> str:
        # The scale of a histogram is that of its durations; requests are requests.
        return rate if self.form is FamilyKind.HISTOGRAM else self._scaled(rate)

    def _last_rate(self, metric: str, window_seconds: float) -> str:
        # The last rate of a series that ended stays whole for a window. So here it is not enough that the pod is seen:
        # a restarted container, or one of several gateways that is gone, would count on beside its successor.
        rate = "irate({0}[" + _duration(window_seconds) + "]) and {0}"
        return f"{self._by('sum')} ({self._each(metric, rate)})"

    def _rates(self, quantile: float | None, window: str) -> str:
        rate = "rate({}[" + window + "])"
        if self.form is FamilyKind.COUNTER:
            return self._scaled(f"{self._by('sum')} ({self._each(self.metric, rate)})")
        if quantile is None or not 0 < quantile < 1:
            raise InvalidManifest(
                f"metric {self.name} is a histogram and quantile is {quantile}; write a number between 0 and 1, "
                "such as 0.95"
            )
        buckets = f"{self._by('sum', 'le')} ({self._each(f'{self.metric}_bucket', rate)})"
        requests = f"{self._by('sum')} ({self._each(f'{self.metric}_count', rate)})"
        return f"({self._scaled(f'histogram_quantile({_number(quantile)}, {buckets})')} > 0) or ({requests} == 0)"

    def _ages(self, raw: str, max_age_seconds: float) -> str:
        newest = f"{self._by('max')} ({self._each(raw, 'timestamp({})')})"
        aged = f"(time() - {newest}) > {_number(max_age_seconds)}"
        return f'label_replace({aged}, "{AGE_LABEL}", "{AGE_LABEL_VALUE}", "", "")'

    def _each(self, metric: str, form: str = "{}") -> str:
        """The series of every selector, each within `form`."""
        return " or ".join(form.format(f"{metric}{{{self._matchers(selector)}}}") for selector in self.selectors)

    def _matchers(self, selector: str) -> str:
        # What belongs to no pod would be a row without the labels that make a column.
        identity = 'namespace!="",pod!=""' if self.per is Per.POD else ""
        return ",".join(part for part in (selector, identity) if part)

    def _by(self, function: str, *more: str) -> str:
        labels = (*(("namespace", "pod") if self.per is Per.POD else ()), *more)
        return f"{function} by ({', '.join(labels)})"

    def _scaled(self, expression: str) -> str:
        return expression if self.scale == 1.0 else f"{expression} * {_number(self.scale)}"


_CONTAINERS: Final = 'container!="",container!="POD"'
# Prometheus renames the labels of the backend to exported_* where they collide with those of the scraped controller,
# and which ones collide depends on the scrape job: none (honor_labels), both (ServiceMonitor), or only the namespace
# (pod discovery).
_BACKENDS: Final = (
    'namespace="$namespace",service="$name",exported_namespace="",exported_service=""',
    'exported_namespace="$namespace",exported_service="$name"',
    'exported_namespace="$namespace",service="$name",exported_service=""',
)

#: The families every source has unless its configuration replaces them.
#:
#: * `cpu` in cores and `memory` in bytes: cAdvisor, by the kubelet. Scrape it once: a second job that scrapes the
#:   same kubelet doubles the sum. cAdvisor gives its samples timestamps, and Prometheus marks such series stale only
#:   with `track_timestamps_staleness: true` in the scrape configuration; without it a rate goes on, shrinking, until
#:   its age is over `maxAge`.
#: * `latency` in seconds: the name that most Prometheus client libraries' middlewares use.
#: * `latency-otel`: OpenTelemetry's HTTP server convention; the pod's labels must be `namespace` and `pod`, not only
#:   `k8s_pod_name`.
#: * `latency-istio`: by the sidecar of the pod that serves. Ambient waypoints have no sidecar: their series name no
#:   serving pod.
#: * `latency-linkerd`: by the proxy of the pod that serves; time to the first byte.
#: * `latency-ingress-nginx`: the controller knows the Service of a request but not the pod, hence one value per
#:   target, for the backend Service that has the target's name. A Service of another name needs a query of its own.
#: * `requests` per second: what the same controller sees arriving for that Service, answered or not; a demand.
READY_MADE: Final[Mapping[str, Family]] = MappingProxyType(
    {
        family.name: family
        for family in (
            Family("cpu", FamilyKind.COUNTER, "container_cpu_usage_seconds_total", (_CONTAINERS,)),
            Family("memory", FamilyKind.GAUGE, "container_memory_working_set_bytes", (_CONTAINERS,)),
            Family("latency", FamilyKind.HISTOGRAM, "http_request_duration_seconds"),
            Family("latency-otel", FamilyKind.HISTOGRAM, "http_server_request_duration_seconds"),
            Family(
                "latency-istio",
                FamilyKind.HISTOGRAM,
                "istio_request_duration_milliseconds",
                ('reporter="destination"',),
                0.001,
            ),
            Family("latency-linkerd", FamilyKind.HISTOGRAM, "response_latency_ms", ('direction="inbound"',), 0.001),
            Family(
                "latency-ingress-nginx",
                FamilyKind.HISTOGRAM,
                "nginx_ingress_controller_request_duration_seconds",
                _BACKENDS,
                per=Per.TARGET,
            ),
            Family("requests", FamilyKind.COUNTER, "nginx_ingress_controller_requests", _BACKENDS, per=Per.TARGET),
        )
    }
)


def families_of(configuration: SourceConfiguration) -> dict[str, Family]:
    """The ready-made families and those of a source's configuration, which replace them by name."""
    written = {
        name: Family(name, family.kind, family.metric, family.selectors, family.scale, family.per)
        for name, family in configuration.families.items()
    }
    return {**READY_MADE, **written}


def _duration(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    if milliseconds <= 0 or abs(seconds * 1000 - milliseconds) > 1e-6:
        raise InvalidConfiguration(
            f"a window of {seconds} s is no positive number of whole milliseconds; write 2m, say"
        )
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def _number(value: float) -> str:
    return format(value, ".15g")
