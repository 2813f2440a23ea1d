"""The embedded metrics source against the real Prometheus: the same samples, the same questions, the same answers.

Two ways to the same samples: back-filled into the real one (resets, gaps, NaN and odd histograms at known times), and scraped
by the real one and replayed to the embedded one at the real one's scrape times (stale markers, failed scrapes).
"""

import math
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from controller.embedded import EmbeddedMetricsSource
from controller.embedded.promql.formats import formatted
from controller.prometheus import READY_MADE, custom_text
from tests.realparts.parts import locate
from tests.realparts.prometheus import PrometheusServer
from tests.realparts.pytest_plugin import lack, require

pytestmark = pytest.mark.real

# Aligned to two hours, the length of a block.
BASE = 1_700_006_400
STEP = 15

CPU_FAMILY = (
    'sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[2m]))'
    ' or label_replace((time() - max by (namespace, pod) (timestamp(container_cpu_usage_seconds_total{container!=""})))'
    ' > 90, "compositescaler_sample", "age", "", "")'
)
LATENCY_FAMILY = (
    "(histogram_quantile(0.95, sum by (namespace, pod, le) (rate(http_request_duration_seconds_bucket[1m]))) > 0"
    " or 0 * (sum by (namespace, pod) (rate(http_request_duration_seconds_count[1m])) == 0))"
    " or label_replace((time() - max by (namespace, pod) (timestamp(http_request_duration_seconds_count))) > 20,"
    ' "compositescaler_sample", "age", "", "")'
)

REQUESTS = custom_text(READY_MADE["requests"].newest(120.0), "shop", "web")

QUERIES = [
    CPU_FAMILY,
    LATENCY_FAMILY,
    *(READY_MADE[name].newest(120.0) for name in ("cpu", "memory", "latency")),
    *(READY_MADE[name].served(60.0) for name in ("cpu", "latency")),
    READY_MADE["latency"].waited(60.0),
    REQUESTS,
    'sum(rabbitmq_queue_messages{namespace="shop", queue="checkout"})',
    "rabbitmq_queue_messages",
    'rabbitmq_queue_messages{queue=~"check.*|o.d", queue!~"odd.+"}',
    '{__name__=~"rabbitmq_.*", queue!="checkout"}',
    "rabbitmq_queue_messages offset 1m30s",
    "rabbitmq_queue_messages offset -30s",
    "container_cpu_usage_seconds_total[75s]",
    "rate(container_cpu_usage_seconds_total[1m])",
    "rate(container_cpu_usage_seconds_total[2m] offset 30s)",
    "rate(container_cpu_usage_seconds_total[1h])",
    "increase(container_cpu_usage_seconds_total[2m])",
    "increase(young_total[5m])",
    "rate(young_total[40s])",
    "rate(jitter_total[1m])",
    "rate(rabbitmq_queue_messages[2m])",
    "irate(container_cpu_usage_seconds_total[2m])",
    "irate(odd_total[2m])",
    "irate(young_total[5m])",
    "irate(young_total[16s])",
    "irate(jitter_total[1m] offset 10s)",
    "irate(gap_total[5m])",
    "irate(http_request_duration_seconds_count[2m])",
    # Falls as often as it rises, and its name is no counter's.
    "irate(rabbitmq_queue_messages[2m])",
    "irate(container_cpu_usage_seconds_total[5m]) and container_cpu_usage_seconds_total",
    "delta(rabbitmq_queue_messages[2m])",
    "avg_over_time(rabbitmq_queue_messages[2m])",
    "max_over_time(rabbitmq_queue_messages[2m])",
    "min_over_time(rabbitmq_queue_messages[2m])",
    "sum_over_time(rabbitmq_queue_messages[2m])",
    "count_over_time(rabbitmq_queue_messages[2m])",
    "last_over_time(rabbitmq_queue_messages[2m])",
    "histogram_quantile(0.5, rate(http_request_duration_seconds_bucket[2m]))",
    "histogram_quantile(0.99, http_request_duration_seconds_bucket)",
    "histogram_quantile(0, http_request_duration_seconds_bucket)",
    "histogram_quantile(1, http_request_duration_seconds_bucket)",
    "histogram_quantile(1.5, http_request_duration_seconds_bucket)",
    "histogram_quantile(-1, http_request_duration_seconds_bucket)",
    "histogram_quantile(NaN, http_request_duration_seconds_bucket)",
    "histogram_quantile(0.2, temperature_bucket)",
    "histogram_quantile(0.9, sum by (pod) (http_request_duration_seconds_bucket))",
    'label_replace(rabbitmq_queue_messages, "short", "$1-${2}-$$-$3", "queue", "(.)(.).*")',
    'label_replace(rabbitmq_queue_messages, "queue", "", "queue", ".*")',
    'label_replace(rabbitmq_queue_messages, "queue", "x", "queue", "no match")',
    "clamp_min(rabbitmq_queue_messages, 5) + clamp_max(rabbitmq_queue_messages, 5)",
    "time()",
    "time() - 5m",
    "time() - timestamp(rabbitmq_queue_messages)",
    "timestamp(rabbitmq_queue_messages)",
    "timestamp(rabbitmq_queue_messages * 1)",
    "timestamp((rabbitmq_queue_messages offset 45s))",
    "scalar(rabbitmq_queue_messages)",
    'scalar(rabbitmq_queue_messages{queue="checkout"})',
    "abs(-rabbitmq_queue_messages)",
    "absent(nothing_here)",
    'absent(nothing_here{a="1", b!="2", c=~"x", d="4", d="5"})',
    "absent(rabbitmq_queue_messages)",
    "absent(sum(nothing_here))",
    "sum(rabbitmq_queue_messages)",
    'avg(rabbitmq_queue_messages{queue!="odd"})',
    "min by (namespace) (rabbitmq_queue_messages)",
    "max without (queue) (rabbitmq_queue_messages)",
    "count by (nothing) (rabbitmq_queue_messages)",
    "sum by (__name__) (rabbitmq_queue_messages)",
    "sum without () (rabbitmq_queue_messages)",
    "sum(rate(container_cpu_usage_seconds_total[2m])) by (pod) / on(pod) sum(cpu_requests) by (pod)",
    "rate(container_cpu_usage_seconds_total[2m]) / on(pod) group_left(team) cpu_requests",
    "cpu_requests * on(pod) group_right(team) rate(container_cpu_usage_seconds_total[2m])",
    "rabbitmq_queue_messages * ignoring(queue) rabbitmq_queue_messages",
    "rabbitmq_queue_messages / on(namespace, queue) rabbitmq_queue_messages",
    "rabbitmq_queue_messages % 3",
    "-rabbitmq_queue_messages ^ 0.5",
    "2 ^ 3 ^ 2",
    "-2 ^ 2",
    "1 - 2 - 3 * 4 / 5 % 3",
    "(0 - 8) ^ (1 / 3)",
    "1 / 0 - 1 / 0",
    "-1 / 0",
    "7 % 0",
    "0x10 + 1e3 + .5 + 1_000 + Inf",
    "rabbitmq_queue_messages > 10",
    "10 < rabbitmq_queue_messages",
    "rabbitmq_queue_messages > bool 10",
    "rabbitmq_queue_messages == rabbitmq_queue_messages",
    "rabbitmq_queue_messages >= bool on(queue, namespace) (rabbitmq_queue_messages offset 1m)",
    "3 >= bool 2",
    'rabbitmq_queue_messages and on(namespace) cpu_requests{team="a"}',
    "cpu_requests unless on(pod) container_cpu_usage_seconds_total",
    "cpu_requests and ignoring(team) (cpu_requests > 0.3)",
    "cpu_requests or rabbitmq_queue_messages or vector(1)",
    "rabbitmq_queue_messages or cpu_requests and cpu_requests unless cpu_requests",
    '"a string with \\"escapes\\" and \\u00e9"',
    "'single' ",
    "`raw \\n`",
    "1e-7 + 0",
    "1e21 + 0",
    "123456789 * 1000000000",
    "# a comment\nsum( # another\nrabbitmq_queue_messages)",
    "SUM BY (queue) (rabbitmq_queue_messages{})",
    "count({namespace='shop'})",
    'sum({"cpu_requests", team="a"})',
]

REFUSED = [
    "",
    "sum(",
    "rabbitmq_queue_messages[5m]]",
    "rabbitmq_queue_messages[0s]",
    "rabbitmq_queue_messages{queue='a'",
    "rabbitmq_queue_messages{queue~'a'}",
    "rabbitmq_queue_messages{queue=~'('}",
    "rabbitmq_queue_messages{queue=~'a(?=b)'}",
    "{}",
    '{queue=~".*"}',
    "rate(rabbitmq_queue_messages)",
    "abs(rabbitmq_queue_messages[1m])",
    "abs(1)",
    "abs()",
    "sum(1)",
    "1 > 2",
    "1 and 2",
    "1 + on(pod) 2",
    "cpu_requests + bool cpu_requests",
    "cpu_requests or on(pod) group_left cpu_requests",
    "sum(cpu_requests) offset 1m",
    "(cpu_requests)[1m]",
    "cpu_requests offset 1m [1m]",
    "cpu_requests offset 1m offset 1m",
    "-cpu_requests[1m]",
    '"a" + 1',
    'cpu_requests{__name__="other"}',
    "cpu_requests{a:b='1'}",
    "no_such_function(cpu_requests)",
    "cpu_requests 5",
    "'open",
    "5x",
    "1 +",
    "sum by (pod cpu_requests)",
    "abs(cpu_requests,)",
    "cpu_requests$",
    # Right in form, impossible with these data.
    "cpu_requests + ignoring(pod, team) cpu_requests",
    "container_cpu_usage_seconds_total / on(pod) cpu_requests",
    "cpu_requests / on(pod) container_cpu_usage_seconds_total",
    'label_replace(rabbitmq_queue_messages, "queue", "same", "queue", ".*")',
    'label_replace(cpu_requests, "a", "b", "c", "(")',
    "-{__name__=~'twin_.*'}",
    "rate({__name__=~'twin_.*'}[5m])",
]

MOMENTS = [BASE + 300.0, BASE + 412.345, BASE + 599.999, BASE + 615.0, BASE + 900.0, BASE + 20.0]


Series = dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]


def backfilled() -> Series:
    """Series by labels: forty-one scrapes of what is hard to get right."""
    found: Series = {}
    every = range(41)

    def add(name: str, values: Sequence[float | None], labels: dict[str, str], shift: float = 0.0) -> None:
        """One value a scrape, None where there is no sample."""
        samples = [(BASE + index * STEP + shift, value) for index, value in enumerate(values) if value is not None]
        found[("__name__", name), *sorted(labels.items())] = samples

    cpu = "container_cpu_usage_seconds_total"
    app = {"namespace": "shop", "container": "app"}
    add(cpu, [1000.1 + 0.37 * index for index in every], app | {"pod": "a"})
    add(cpu, [0.21 * index for index in every], app | {"pod": "a", "container": "side"})
    add(cpu, [0.01 * index for index in every], app | {"pod": "a", "container": "POD"})
    add(cpu, [0.4 * index for index in every], app | {"pod": "a", "container": ""})
    add(cpu, [0.37 * (index % 20) for index in every], app | {"pod": "b"})
    add(cpu, [0.37 * index for index in range(19)], app | {"pod": "c"})
    for pod, request, team in [("a", 0.5, "a"), ("b", 0.25, "b"), ("z", 1.0, "a")]:
        add("cpu_requests", [request] * 41, {"namespace": "shop", "pod": pod, "team": team})

    bucket = "http_request_duration_seconds_bucket"
    for number, bound in enumerate(["0.1", "0.25", "0.5", "1", "2.5", "+Inf"], start=1):
        labels = {"namespace": "shop", "le": bound}
        add(bucket, [float(round(index * 17 * number / 6)) for index in every], labels | {"pod": "busy"})
        add(bucket, [40 * number / 6] * 41, labels | {"pod": "idle"})
        add(bucket, [index * number * (7.0 if number == 4 else 9.0) for index in every], labels | {"pod": "falling"})
        add(bucket, [(index % 23) * 11 * number / 6 for index in every], labels | {"pod": "reset"})
        if bound == "+Inf":
            add(bucket, [index * 3.0 for index in every], labels | {"pod": "only-infinity"})
        else:
            add(bucket, [index * 5.0 for index in every], labels | {"pod": "no-infinity"})
    add(bucket, [3.0] * 41, {"namespace": "shop", "pod": "bad", "le": "not a number"})
    count = "http_request_duration_seconds_count"
    for pod, growth in [("busy", 17.0), ("idle", 0.0), ("falling", 54.0), ("reset", 1.0)]:
        add(count, [40 + index * growth for index in every], {"namespace": "shop", "pod": pod})
    total = "http_request_duration_seconds_sum"
    for pod, growth in [("busy", 3.1), ("idle", 0.0), ("falling", 9.7), ("once", 1.0)]:
        values = [1.5 + index * growth if pod != "once" or index == 20 else None for index in every]
        add(total, values, {"namespace": "shop", "pod": pod})
    arrived, gateways = "nginx_ingress_controller_requests", {"namespace": "shop", "service": "web"}
    add(arrived, [7.0 * index for index in every], gateways | {"controller_pod": "x"})
    add(arrived, [5.0 * index for index in range(19)], gateways | {"controller_pod": "y"})
    prefixed = {f"exported_{name}": value for name, value in gateways.items()} | {"namespace": "ingress"}
    add(arrived, [3.0 * (index % 7) for index in every], prefixed)
    add(count, [None] * 10 + [float(index) for index in range(20)], {"namespace": "shop", "pod": "short"})
    for number, bound in enumerate(["-10", "0", "10", "+Inf"], start=1):
        add("temperature_bucket", [float(index * number) for index in every], {"le": bound})

    depth = "rabbitmq_queue_messages"
    odd = [math.nan, math.inf, -math.inf, 5.0, 0.0, -0.0, 3.0]
    add(depth, [12.5 + (index * 7) % 11 - index for index in every], {"namespace": "shop", "queue": "checkout"})
    add(depth, [1e15 + index / 7 for index in every], {"namespace": "shop", "queue": "large"})
    add(depth, [odd[index * 3 % len(odd)] for index in every], {"namespace": "shop", "queue": "odd"})
    add("odd_total", [odd[index % len(odd)] for index in every], {})
    add("young_total", [None] * 15 + [2.0 + 2 * index for index in range(26)], {})
    add("jitter_total", [index * 3.3 + index % 4 for index in every], {}, shift=0.123)
    add("gap_total", [None if index % 9 else 2.0 * index for index in every], {})
    add("twin_a", [float(index) for index in every], {"pod": "a"})
    add("twin_b", [float(index) for index in every], {"pod": "a"})
    return found


def open_metrics(series: Series) -> str:
    """The OpenMetrics text of the series, for promtool."""
    lines = []
    for labels, samples in series.items():
        name = dict(labels)["__name__"]
        body = ",".join(f'{label}="{value}"' for label, value in labels if label != "__name__" and value)
        lines += [f"{name}{{{body}}} {formatted(value)} {moment:.3f}" for moment, value in samples]
    return "\n".join(lines) + "\n# EOF\n"


@dataclass
class Pair:
    """The two servers that are to agree."""

    real: str
    embedded: str

    def agree(self, path: str, **parameters: str | float) -> None:
        """Ask both; fail with both answers when they differ."""
        answers = [
            requests.post(f"{url}/api/v1/{path}", data=parameters, timeout=10) for url in (self.real, self.embedded)
        ]
        theirs, ours = (comparable(answer.json()) for answer in answers)
        assert same(theirs, ours), f"{parameters}\nPrometheus: {theirs}\nembedded:   {ours}"
        assert answers[0].status_code == answers[1].status_code


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what is not promised: the order of a vector and of remarks, the wording of errors."""
    data = answer.get("data", {})
    result = data.get("result")
    if data.get("resultType") in ("vector", "matrix"):
        result = sorted(result, key=lambda element: sorted(element["metric"].items()))
    return {
        "status": answer["status"],
        "errorType": answer.get("errorType"),
        "type": data.get("resultType"),
        "result": result,
        "warnings": sorted(answer.get("warnings", [])),
        "infos": sorted(answer.get("infos", [])),
    }


def same(theirs: Any, ours: Any) -> bool:
    """Equal, values (which are texts) to 1e-9 of themselves."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return theirs.keys() == ours.keys() and all(same(theirs[key], ours[key]) for key in theirs)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(same, theirs, ours))
    if isinstance(theirs, str) and isinstance(ours, str) and theirs != ours:
        try:
            return math.isclose(float(theirs), float(ours), rel_tol=1e-9, abs_tol=0.0)
        except ValueError:
            return False
    return bool(theirs == ours)


def require_version_three(server: PrometheusServer) -> None:
    """Skip on a Prometheus of before 3: its windows are closed on the left, and it has other remarks."""
    version = requests.get(f"{server.url}/api/v1/status/buildinfo", timeout=10).json()["data"]["version"]
    if int(version.split(".")[0]) < 3:
        lack(f"Prometheus {version} is here; its semantics are those of version 2 and not what is promised")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both servers with the back-filled series."""
    require("prometheus")
    require("promtool")
    folder: Path = tmp_path_factory.mktemp("backfill")
    series = backfilled()
    text = folder / "samples.txt"
    text.write_text(open_metrics(series), encoding="utf-8")
    command = [str(locate("promtool")["promtool"]), "tsdb", "create-blocks-from", "openmetrics", str(text)]
    subprocess.run([*command, str(folder / "data")], check=True, capture_output=True, text=True, timeout=60)
    with PrometheusServer(flags=["--storage.tsdb.retention.time=100y"]) as real:
        require_version_three(real)
        real.stop()
        shutil.copytree(folder / "data", real.folder / "data", dirs_exist_ok=True)
        real.start()
        source = EmbeddedMetricsSource(interval_seconds=None, retention_seconds=100_000.0)
        for labels, samples in series.items():
            source.add_samples(dict(labels), samples)
        with source.in_thread():
            yield Pair(real.url, source.url)


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_has_the_answer_of_the_real_prometheus(pair: Pair, query: str) -> None:
    for moment in MOMENTS:
        pair.agree("query", query=query, time=repr(moment))


def test_a_family_answers_values_and_the_ages_of_what_has_grown_old(pair: Pair) -> None:
    parameters = {"query": CPU_FAMILY, "time": str(BASE + 500)}
    for url in (pair.real, pair.embedded):
        result = requests.get(f"{url}/api/v1/query", params=parameters, timeout=10).json()["data"]["result"]
        found = {(one["metric"]["pod"], one["metric"].get("compositescaler_sample")): one["value"][1] for one in result}
        assert found.keys() == {("a", None), ("b", None), ("c", "age")}
        assert float(found["c", "age"]) == 500 - 18 * STEP


@pytest.mark.parametrize("query", REFUSED)
def test_what_the_real_prometheus_refuses_is_refused_alike(pair: Pair, query: str) -> None:
    pair.agree("query", query=query, time=repr(MOMENTS[0]))


@pytest.mark.parametrize(
    "query", [CPU_FAMILY, LATENCY_FAMILY, REQUESTS, "rate(gap_total[5m])", "time()", "cpu_requests > 0.3"]
)
def test_a_range_query_has_the_answer_of_the_real_prometheus(pair: Pair, query: str) -> None:
    pair.agree("query_range", query=query, start=BASE, end=BASE + 900, step="17.5")


@pytest.mark.parametrize(
    "parameters",
    [
        {"query": "cpu_requests", "time": "2023-11-15T00:05:00Z"},
        {"query": "cpu_requests", "time": "tomorrow"},
        {"query": "cpu_requests", "timeout": "soon"},
        {"query": "cpu_requests", "time": str(BASE + 300), "timeout": "1m30s"},
    ],
)
def test_parameters_are_read_alike(pair: Pair, parameters: dict[str, str]) -> None:
    pair.agree("query", **parameters)


def scenario(scrape: int) -> str | None:
    """The exposition of the scrape of this number; None: a failing target."""
    if scrape == 14:
        return None
    lines = ["# TYPE work_total counter"]
    work = scrape * 3.7 if scrape < 9 else (scrape - 9) * 2.2
    lines.append(f'work_total{{namespace="shop",pod="steady"}} {work!r}')
    if scrape < 11:
        lines.append(f'work_total{{namespace="shop",pod="gone"}} {scrape * 1.1!r}')
    if scrape < 6 or scrape > 10:
        lines.append(f'work_total{{namespace="shop",pod="back"}} {float(scrape)!r}')
    lines += ["# TYPE depth gauge", f'depth{{queue="checkout",empty=""}} {scrape % 5}', 'depth{queue="nan"} NaN']
    lines += [f'work_seconds_bucket{{pod="idle",le="{bound}"}} 7' for bound in ("0.1", "1", "+Inf")]
    return "\n".join(lines) + "\n"


SCRAPES = 18
SCRAPED_QUERIES = [
    "work_total",
    "sum(up)",
    "timestamp(work_total)",
    "count(work_total)",
    "rate(work_total[2s])",
    "increase(work_total[10s])",
    "irate(work_total[1s])",
    "irate(work_total[10s])",
    "sum by (pod) (irate(work_total[10s]) and work_total)",
    "sum by (namespace) (rate(work_total[3s]))",
    "count_over_time(work_total[1m])",
    "last_over_time(work_total[1m])",
    "depth",
    "avg_over_time(depth[2s])",
    "histogram_quantile(0.95, sum by (pod, le) (rate(work_seconds_bucket[2s])))",
    "histogram_quantile(0.95, sum by (pod, le) (work_seconds_bucket))",
    "time() - max by (pod) (timestamp(work_total))",
    'absent(work_total{pod="gone"})',
    "work_total[1m]",
]


@pytest.fixture(scope="module")
def scraped() -> Iterator[tuple[Pair, list[float]]]:
    """Both servers after the same scrapes, and the times of these."""
    require("prometheus")
    served = 0
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal served
            text = scenario(min(served, SCRAPES - 1))
            served += 1
            self.send_response(200 if text else 500)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((text or "").encode())
            if served > SCRAPES:
                done.set()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class names it so
            pass

    target = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    try:
        job = {
            "job_name": "scenario",
            "static_configs": [{"targets": [f"127.0.0.1:{target.server_port}"]}],
            # The embedded source puts no labels onto what a function returns.
            "metric_relabel_configs": [{"action": "labeldrop", "regex": "job|instance"}],
        }
        with PrometheusServer(scrape_interval="200ms", extra_config={"scrape_configs": [job]}) as real:
            require_version_three(real)
            assert done.wait(30), f"Prometheus has scraped {served} times only"
            times = scrape_times(real.url)[:SCRAPES]
            clock = [0.0]
            texts = iter(range(SCRAPES))

            def scrape() -> str:
                text = scenario(next(texts))
                if text is None:
                    raise ConnectionError("the target fails")
                return text

            source = EmbeddedMetricsSource(scrape, interval_seconds=None, clock=lambda: clock[0])
            with source.in_thread():
                for clock[0] in times:
                    source.scrape_once()
                yield Pair(real.url, source.url), times
    finally:
        target.shutdown()
        target.server_close()


def scrape_times(url: str) -> list[float]:
    """When the real Prometheus has scraped, in Unix seconds: at least SCRAPES times."""
    for _ in range(100):
        answer = requests.get(f"{url}/api/v1/query", params={"query": "up[5m]"}, timeout=10).json()
        times = [float(moment) for series in answer["data"]["result"] for moment, _ in series["values"]]
        if len(times) >= SCRAPES:
            return times
        time.sleep(0.1)
    raise AssertionError("Prometheus does not store what it scrapes")


@pytest.mark.parametrize("query", SCRAPED_QUERIES)
def test_what_was_scraped_is_answered_alike_at_and_between_all_scrapes(
    scraped: tuple[Pair, list[float]], query: str
) -> None:
    pair, times = scraped
    for moment in times:
        pair.agree("query", query=query, time=f"{moment:.3f}")
        pair.agree("query", query=query, time=f"{moment - 0.001:.3f}")
