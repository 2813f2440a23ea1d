"""The cases of bad input: how each is brought about, which reason and which words users must read, and how it is mended.

Each case has a Deployment of five replicas in a namespace of its own. Its data, were the bad part believed to be zero, would let it fall
to two at once. What must hold for all of them is in `test_bad_input`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from controller.api import Reason
from controller.embedded import EmbeddedMetricsSource
from tests.e2e.workbench import DEPLOYMENTS, MAX_AGE, SCALERS, WINDOW, Json, Workbench

Step = Callable[[Workbench, str], object]
Order = Callable[[EmbeddedMetricsSource, str], None]

REPLICAS, RIGHT = 5, 2
#: With target 10 and five replicas this asks for two.
GOOD = "3.5"
MEMORY = {"metric": "memory", "target": "100Mi"}
GOOD_BYTES = 35 * 2**20
#: A second dimension that is well.
CALM = {"name": "calm", "query": 'work{case="calm"}', "per": "Target", "target": "10"}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}


@dataclass(frozen=True, slots=True)
class Case:
    """One way to go wrong: the reason and what the sentence must say. `spoil` brings it about once the pods are there, `mend` ends it.

    `deployment` is how the target differs from the usual one, None: it is not there. `beside`: whether a second scaler can have a good
    dimension beside the bad one. `prometheus`: whether the real bench asks a real Prometheus.
    """

    name: str
    reason: Reason
    says: tuple[str, ...]
    _: KW_ONLY
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
        "scaleTargetRef": {**TARGET, "name": target},
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
        for target in bench.names(SCALERS, name):
            bench.api.merge(f"{SCALERS.format(f'namespaces/{name}/')}/{target}", {"spec": spec})

    return patch


def asking_well(bench: Workbench, name: str) -> None:
    """The user corrects the query."""
    patching(dimensions=[work(name)])(bench, name)


def memory(
    metric: str = "container_memory_working_set_bytes",
    value: str = str(GOOD_BYTES),
    silent: int = 0,
    seconds_ago: float = 0.0,
) -> Step:
    """The pods of the case expose this; of each Deployment the last `silent` do not. A scrape gives the time unless it is `seconds_ago`."""

    def expose(bench: Workbench, name: str) -> None:
        stamp = f" {int((time.time() - seconds_ago) * 1000)}" if seconds_ago else ""
        lines = []
        for app in bench.names(DEPLOYMENTS, name):
            pods = [pod["metadata"]["name"] for pod in bench.pods(name) if pod["metadata"]["labels"]["app"] == app]
            labels = (f'namespace="{name}",pod="{pod}",container="app"' for pod in pods[: len(pods) - silent])
            lines += [f"{metric}{{{each}}} {value}{stamp}" for each in labels]
        bench.exposition.put(name, *lines)

    return expose


def ordering(order: Order) -> Step:
    """A fault of the metrics source for the case's own query, until all faults are cleared."""

    def spoil(bench: Workbench, name: str) -> None:
        bench.exposition.put(name, *series(name, GOOD))
        order(bench.source, f'case="{name}"')

    return spoil


def answering(body: str | bytes) -> Order:
    """The metrics source answers with this body, whatever was asked."""
    return lambda source, only: source.faults.answer(body, answers=None, only=only)


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


def _fail_probes(bench: Workbench, name: str) -> None:
    bench.exposition.put(name, *series(name, GOOD))
    bench.set_ready(name, False)


def _resume_rollout(bench: Workbench, name: str) -> None:
    bench.api.merge(f"/apis/apps/v1/namespaces/{name}/deployments/checkout", {"spec": {"paused": False}})


def of_series(name: str, reason: Reason, says: tuple[str, ...], *bad: str) -> Case:
    """The query is right and gives these values."""
    return Case(name, reason, says, spoil=exposing(*bad), mend=exposing(GOOD), prometheus=True)


def of_query(name: str, reason: Reason, says: tuple[str, ...], query: str, per: str = "Target") -> Case:
    """The data is right and the query is not."""
    dimension = work(name, query, per)
    return Case(name, reason, says, dimension=dimension, spoil=exposing(GOOD), mend=asking_well, prometheus=True)


def of_pods(name: str, reason: Reason, says: tuple[str, ...], spoil: Step) -> Case:
    """A family whose values are bad."""
    return Case(name, reason, says, dimension=MEMORY, spoil=spoil, mend=memory(), prometheus=True)


def of_source(name: str, reason: Reason, says: tuple[str, ...], order: Order, source: str = "default") -> Case:
    """The metrics source itself fails; that it does is ended for all cases at once."""
    return Case(name, reason, says, spec={"source": source}, spoil=ordering(order), mend=nothing)


def of_spec(name: str, reason: Reason, says: tuple[str, ...], spec: Json, **corrected: object) -> Case:
    """A field of the spec is wrong."""
    return Case(name, reason, says, spec=spec, spoil=exposing(GOOD), mend=patching(**corrected))


QUERIES = (
    of_series("two-series", Reason.NOT_ONE_SERIES, ("2 series", "sum("), GOOD, "0"),
    of_series("nan", Reason.NOT_A_NUMBER, ("NaN",), "NaN"),
    of_series("infinite", Reason.INFINITE, ("+Inf",), "+Inf"),
    of_series("negative", Reason.NEGATIVE, ("-3",), "-3"),
    of_series("no-data", Reason.NO_DATA, ("no series",)),
    of_query("string", Reason.NOT_A_VECTOR, ("string", "one number"), '"seven"'),
    of_query("range", Reason.NOT_A_VECTOR, ("matrix", "one number"), 'work{case="range"}[1m]'),
    of_query("syntax", Reason.QUERY_REJECTED, ("parse error", "correct the query"), 'work{case="syntax"'),
    of_query("no-pod-label", Reason.MALFORMED_ANSWER, ("label", "pod", "sum by"), 'work{case="no-pod-label"}', "Pod"),
)

FAMILIES = (
    of_pods("nan-of-pods", Reason.NOT_A_NUMBER, ("5 of 5 Ready pods", "NaN"), memory(value="NaN")),
    of_pods("infinite-of-pods", Reason.INFINITE, ("5 of 5 Ready pods", "+Inf"), memory(value="+Inf")),
    of_pods("half-silent", Reason.TOO_FEW_SAMPLES, ("3 of 5 Ready pods", "80 %"), memory(silent=2)),
    of_pods("old-samples", Reason.STALE, ("2 s", "quality.maxAge"), memory(seconds_ago=20)),
    Case(
        "missing-request",
        Reason.MISSING_REQUEST,
        ("cpu request", "as an amount"),
        dimension={"metric": "cpu", "target": "70%"},
        deployment={"requests": False},
        spoil=memory("container_cpu_usage_seconds_total"),
        mend=patching(dimensions=[{"metric": "cpu", "target": "350m"}]),
        prometheus=True,
    ),
)

SOURCES = (
    of_source("too-large", Reason.ANSWER_TOO_LARGE, ("1048576 bytes", "maxBytes"), answering(TEN_MEGABYTES)),
    of_source("unavailable", Reason.SOURCE_ERROR, ("503",), lambda source, only: source.faults.unavailable(None, only)),
    of_source(
        "cut-off",
        Reason.MALFORMED_ANSWER,
        ("broke off after", "proxies"),
        lambda source, only: source.faults.truncate(None, only),
    ),
    of_source("html", Reason.MALFORMED_ANSWER, ("502 Bad Gateway", "url"), answering(HTML)),
    of_source(
        "warning",
        Reason.PARTIAL_ANSWER,
        ("store-3 did not answer",),
        lambda source, only: source.faults.warn("store-3 did not answer", answers=None, only=only),
    ),
    of_source(
        "late",
        Reason.SOURCE_TIMEOUT,
        ("0.5 s", "timeout"),
        lambda source, only: source.faults.delay(1.5, None, only),
        source="slow",
    ),
    Case(
        "refused",
        Reason.SOURCE_UNREACHABLE,
        ("refused", "url"),
        spec={"source": "closed"},
        mend=_start_listening,
        beside=False,
    ),
    Case(
        "not-scraped",
        Reason.STALE,
        ("2 s", "quality.maxAge"),
        dimension=MEMORY,
        spec={"source": "quiet"},
        spoil=_stop_scraping,
        mend=_resume_scraping,
    ),
)

PODS = (
    Case(
        "no-pods",
        Reason.NO_PODS,
        ("no pod", "app=checkout"),
        deployment={"paused": True},
        spoil=exposing(GOOD),
        mend=_resume_rollout,
        beside=False,
    ),
    Case(
        "never-ready",
        Reason.NO_READY_PODS,
        ("none of the 5 pods",),
        deployment={"startup": "8760h"},
        spoil=_fail_probes,
        mend=lambda bench, name: bench.set_ready(name, True),
        beside=False,
    ),
)

SPECS = (
    of_spec("unknown-source", Reason.UNKNOWN_SOURCE, ("'thanos'", "default"), {"source": "thanos"}, source="default"),
    of_spec(
        "unknown-family",
        Reason.UNKNOWN_FAMILY,
        ("'disk'", "cpu", "memory"),
        {"dimensions": [{"metric": "disk", "target": "10"}]},
        dimensions=[work("unknown-family")],
    ),
    of_spec(
        "unknown-word",
        Reason.INVALID_SPEC,
        ("$unknown", "dimension work"),
        {"dimensions": [work("", 'work{case="$unknown"}')]},
        dimensions=[work("unknown-word")],
    ),
    of_spec(
        "config-map",
        Reason.NOT_SCALABLE,
        ("ConfigMap", "/scale"),
        {"scaleTargetRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "checkout"}},
        scaleTargetRef=TARGET,
    ),
    of_spec(
        "unknown-kind",
        Reason.TARGET_NOT_FOUND,
        ("Deploiment", "apps/v1"),
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deploiment", "name": "checkout"}},
        scaleTargetRef=TARGET,
    ),
    Case(
        "no-target",
        Reason.TARGET_NOT_FOUND,
        ("Deployment no-target/checkout", "create it"),
        deployment=None,
        spoil=exposing(GOOD),
        mend=lambda bench, name: bench.deploy(name),
    ),
)

#: These are in the cluster since a CRD without schema. The field that nobody knows goes by itself when the schema comes: the API
#: server prunes it.
OLD_SCHEMA = (
    of_spec(
        "old-bounds",
        Reason.INVALID_SPEC,
        ("minReplicas 20", "maxReplicas 10", "lower minReplicas"),
        {"minReplicas": 20},
        minReplicas=RIGHT,
    ),
    of_spec("old-field", Reason.INVALID_SPEC, ("spec.minReplica:", "unknown field"), {"minReplica": 2}),
    of_spec(
        "old-target",
        Reason.INVALID_SPEC,
        ("spec.dimensions[0].target", "required"),
        {"dimensions": [{"name": "work", "query": 'work{case="old-target"}', "per": "Target"}]},
        dimensions=[work("old-target")],
    ),
)

NEW = (*QUERIES, *FAMILIES, *SOURCES, *PODS, *SPECS)
CASES = (*OLD_SCHEMA, *NEW)
