"""The cases of bad input: how each is brought about, which reason and which words users must read, and how it is mended.

Each case has a Deployment of five replicas in a namespace of its own. Its data, were the bad part believed to be zero, would let it fall
to two at once. What must hold for all of them is in `test_bad_input`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.api import Reason
from controller.embedded import EmbeddedMetricsSource
from tests.e2e.workbench import MAX_AGE, SCALERS, WINDOW, Json, Workbench

Step = Callable[[Workbench, str], object]

REPLICAS, RIGHT = 5, 2
#: With target 10 and five replicas this asks for two.
GOOD = "4"
MEMORY = {"metric": "memory", "target": "100Mi"}
GOOD_BYTES = 40 * 2**20


@dataclass(frozen=True, slots=True)
class Case:
    """One way to go wrong. `says` must all be in the sentence; `before` brings it about before the pods are there, `spoil` when they are.

    `beside`: whether a second scaler can have a good dimension beside the bad one. `prometheus`: whether a real Prometheus is asked on the
    real bench.
    """

    name: str
    reason: Reason
    says: tuple[str, ...]
    mend: Step
    dimension: Json = field(default_factory=dict)
    spec: Json = field(default_factory=dict)
    deployment: Json | None = field(default_factory=dict)
    spoil: Step = lambda bench, name: None
    beside: bool = True
    prometheus: bool = False

    @property
    def about_the_spec(self) -> bool:
        """Whether the scaler cannot work at all, so that the condition Ready says why."""
        return self.reason in SPEC_REASONS

    @property
    def condition(self) -> str:
        """The condition that says why."""
        return "Ready" if self.about_the_spec else "ScalingActive"

    def source(self, bench: Workbench) -> str:
        """The source that is asked on this bench."""
        return "prometheus" if self.prometheus and bench.prometheus else "default"

    def scaler(self, bench: Workbench, target: str = "checkout", *more: Json) -> Json:
        """The CompositeScaler as the user wrote it."""
        return {
            "apiVersion": "compositescaler.io/v1alpha1",
            "kind": "CompositeScaler",
            "metadata": {"name": target},
            "spec": {**good_spec(target, work(self.name), *more), "source": self.source(bench)}
            | ({"dimensions": [self.dimension, *more]} if self.dimension else {})
            | self.spec,
        }


SPEC_REASONS = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.UNKNOWN_SOURCE,
        Reason.UNKNOWN_FAMILY,
        Reason.TARGET_NOT_FOUND,
        Reason.NOT_SCALABLE,
        Reason.FAILED_GET_SCALE,
    }
)


def work(name: str, query: str = "", per: str = "Target") -> Json:
    """The dimension of a case: its own series unless a query is given."""
    return {"name": "work", "query": query or f'work{{case="{name}"}}', "per": per, "target": "10"}


def good_spec(target: str, *dimensions: Json) -> Json:
    """A spec that works, quick enough for a test."""
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": RIGHT,
        "maxReplicas": 10,
        "dimensions": list(dimensions),
        "quality": {"maxAge": f"{MAX_AGE}s"},
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": WINDOW}},
        "cooldown": {"scaleDown": "0s"},
    }


def series(name: str, *values: str) -> tuple[str, ...]:
    """Lines of one series a value."""
    return tuple(f'work{{case="{name}",shard="{at}"}} {value}' for at, value in enumerate(values))


def exposing(*values: str) -> Step:
    """The case's own series have these values."""
    return lambda bench, name: bench.exposition.put(name, *series(name, *values))


def patching(**spec: object) -> Step:
    """The user corrects the spec of the case's scalers."""

    def patch(bench: Workbench, name: str) -> None:
        for target in bench.scalers_of(name):
            bench.api.merge(f"{SCALERS.format(f'namespaces/{name}/')}/{target}", {"spec": spec})

    return patch


def asking_well(bench: Workbench, name: str) -> None:
    """The user corrects the query."""
    patching(dimensions=[work(name)])(bench, name)


def memory(metric: str = "container_memory_working_set_bytes", value: str = str(GOOD_BYTES), silent: int = 0, at: str = "") -> Step:
    """The pods of the case expose this; of each Deployment the last `silent` do not."""

    def expose(bench: Workbench, name: str) -> None:
        lines = []
        for app in bench.scalers_of(name):
            pods = [pod["metadata"]["name"] for pod in bench.pods(name) if pod["metadata"]["labels"]["app"] == app]
            stamp = f" {int((time.time() + float(at)) * 1000)}" if at else ""
            lines += [
                f'{metric}{{namespace="{name}",pod="{pod}",container="app"}} {value}{stamp}'
                for pod in pods[: len(pods) - silent]
            ]
        bench.exposition.put(name, *lines)

    return expose


def ordering(order: Callable[[EmbeddedMetricsSource, str], None]) -> Step:
    """A fault of the metrics source for the case's own query, until all faults are cleared."""

    def spoil(bench: Workbench, name: str) -> None:
        bench.exposition.put(name, *series(name, GOOD))
        order(bench.source, f'case="{name}"')

    return spoil


def nothing(bench: Workbench, name: str) -> None:
    """What is done for all cases together mends this one."""


def _huge() -> bytes:
    row = b'{"metric":{"namespace":"shop","pod":"checkout-%064d"},"value":[0,"1"]},'
    rows = b"".join(row % at for at in range(10_000_000 // len(row % 0) + 1))
    return b'{"status":"success","data":{"resultType":"vector","result":[' + rows.rstrip(b",") + b"]}}"


TEN_MEGABYTES = _huge()
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


def _stop_scraping(bench: Workbench, name: str) -> None:
    memory()(bench, name)
    bench.quiet.scrape_once()
    bench.quiet.scraping = False


def _resume_scraping(bench: Workbench, name: str) -> None:
    bench.quiet.scraping = True


def _start_listening(bench: Workbench, name: str) -> None:
    bench.exposition.put(name, *series(name, GOOD))
    source = EmbeddedMetricsSource(bench.exposition.text, interval_seconds=0.5, port=bench.closed)
    bench.closing.enter_context(source.in_thread())


def _resume_rollout(bench: Workbench, name: str) -> None:
    bench.api.merge(f"/apis/apps/v1/namespaces/{name}/deployments/checkout", {"spec": {"paused": False}})


QUERIES = (
    Case("two-series", Reason.NOT_ONE_SERIES, ("2 series", "sum("), exposing(GOOD), spoil=exposing(GOOD, "0"), prometheus=True),
    Case("nan", Reason.NOT_A_NUMBER, ("NaN",), exposing(GOOD), spoil=exposing("NaN"), prometheus=True),
    Case("infinite", Reason.INFINITE, ("+Inf",), exposing(GOOD), spoil=exposing("+Inf"), prometheus=True),
    Case("negative", Reason.NEGATIVE, ("-3",), exposing(GOOD), spoil=exposing("-3"), prometheus=True),
    Case("no-data", Reason.NO_DATA, ("no series",), exposing(GOOD), prometheus=True),
    Case("string", Reason.NOT_A_VECTOR, ("string",), asking_well, work("", '"seven"'), spoil=exposing(GOOD), prometheus=True),
    Case("range", Reason.NOT_A_VECTOR, ("matrix",), asking_well, work("", 'work{case="range"}[1m]'), spoil=exposing(GOOD), prometheus=True),
    Case("syntax", Reason.QUERY_REJECTED, ("parse error",), asking_well, work("", 'work{case="syntax"'), spoil=exposing(GOOD), prometheus=True),
    Case("no-pod-label", Reason.MALFORMED_ANSWER, ("label", "pod"), asking_well, work("no-pod-label", per="Pod"), spoil=exposing(GOOD), prometheus=True),
    Case("nan-of-pods", Reason.NOT_A_NUMBER, ("5 of 5", "NaN"), memory(), MEMORY, spoil=memory(value="NaN"), prometheus=True),
    Case("infinite-of-pods", Reason.INFINITE, ("5 of 5", "+Inf"), memory(), MEMORY, spoil=memory(value="+Inf"), prometheus=True),
    Case("half-silent", Reason.TOO_FEW_SAMPLES, ("3 of 5", "80 %"), memory(), MEMORY, spoil=memory(silent=2), prometheus=True),
    Case("old-samples", Reason.STALE, ("2 s", "maxAge"), memory(), MEMORY, spoil=memory(at="-20"), prometheus=True),
    Case(
        "missing-request",
        Reason.MISSING_REQUEST,
        ("cpu request",),
        patching(dimensions=[{"metric": "cpu", "target": "350m"}]),
        {"metric": "cpu", "target": "70%"},
        deployment={"requests": False},
        spoil=memory("container_cpu_usage_seconds_total"),
        prometheus=True,
    ),
)

SOURCES = (
    Case("too-large", Reason.ANSWER_TOO_LARGE, ("1048576", "maxBytes"), nothing, spoil=ordering(lambda source, only: source.faults.answer(TEN_MEGABYTES, answers=None, only=only))),
    Case("unavailable", Reason.SOURCE_ERROR, ("503",), nothing, spoil=ordering(lambda source, only: source.faults.unavailable(None, only))),
    Case("cut-off", Reason.MALFORMED_ANSWER, ("cannot be read",), nothing, spoil=ordering(lambda source, only: source.faults.truncate(None, only))),
    Case("warning", Reason.PARTIAL_ANSWER, ("store-3 did not answer",), nothing, spoil=ordering(lambda source, only: source.faults.warn("store-3 did not answer", answers=None, only=only))),
    Case("html", Reason.MALFORMED_ANSWER, ("url",), nothing, spoil=ordering(lambda source, only: source.faults.answer(HTML, answers=None, only=only))),
    Case("late", Reason.SOURCE_TIMEOUT, ("0.5 s",), nothing, spec={"source": "slow"}, spoil=ordering(lambda source, only: source.faults.delay(1.5, None, only))),
    Case("refused", Reason.SOURCE_UNREACHABLE, ("refused",), _start_listening, spec={"source": "closed"}, beside=False),
    Case("not-scraped", Reason.STALE, ("2 s", "maxAge"), _resume_scraping, MEMORY, spec={"source": "quiet"}, spoil=_stop_scraping),
)

PODS = (
    Case("no-pods", Reason.NO_PODS, ("no pod", "app=checkout"), _resume_rollout, deployment={"paused": True}, spoil=exposing(GOOD), beside=False),
    Case(
        "never-ready",
        Reason.NO_READY_PODS,
        ("none of the 5 pods",),
        lambda bench, name: bench.set_ready(name, True),
        deployment={"startup": "8760h"},
        spoil=lambda bench, name: (exposing(GOOD)(bench, name), bench.set_ready(name, False)),
        beside=False,
    ),
)

SPECS = (
    Case("unknown-source", Reason.UNKNOWN_SOURCE, ("'thanos'", "default"), patching(source="default"), spec={"source": "thanos"}, spoil=exposing(GOOD)),
    Case("unknown-family", Reason.UNKNOWN_FAMILY, ("'disk'", "cpu", "memory"), asking_well, {"metric": "disk", "target": "10"}, spoil=exposing(GOOD)),
    Case("unknown-word", Reason.INVALID_SPEC, ("$unknown", "dimension work"), asking_well, work("", 'work{case="$unknown"}'), spoil=exposing(GOOD)),
    Case("no-target", Reason.TARGET_NOT_FOUND, ("Deployment no-target/checkout", "create it"), lambda bench, name: bench.deploy(name), deployment=None, spoil=exposing(GOOD)),
    Case(
        "config-map",
        Reason.NOT_SCALABLE,
        ("ConfigMap", "/scale"),
        patching(scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}),
        spec={"scaleTargetRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "checkout"}},
        spoil=exposing(GOOD),
    ),
    Case(
        "unknown-kind",
        Reason.TARGET_NOT_FOUND,
        ("Deploiment", "apps/v1"),
        patching(scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}),
        spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deploiment", "name": "checkout"}},
        spoil=exposing(GOOD),
    ),
)

#: These are in the cluster since a CRD without schema.
OLD_SCHEMA = (
    Case("old-bounds", Reason.INVALID_SPEC, ("minReplicas 20", "maxReplicas 10"), patching(minReplicas=RIGHT), spec={"minReplicas": 20}, spoil=exposing(GOOD)),
    Case("old-field", Reason.INVALID_SPEC, ("spec.minReplica:", "unknown field"), patching(minReplica=None), spec={"minReplica": 2}, spoil=exposing(GOOD)),
    Case(
        "old-target",
        Reason.INVALID_SPEC,
        ("spec.dimensions[0].target", "required"),
        asking_well,
        {"name": "work", "query": 'work{case="old-target"}', "per": "Target"},
        spoil=exposing(GOOD),
    ),
)

CASES = (*QUERIES, *SOURCES, *PODS, *SPECS, *OLD_SCHEMA)
