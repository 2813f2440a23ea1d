"""Every ready-made family on a real Prometheus: its text is accepted and gives the numbers that a person would expect."""

import asyncio
import math
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from controller.api import FamilyKind, Per, Reason, SourceConfiguration
from controller.prometheus import READY_MADE, Answer, Column, Family, Fault, Query, Scalar, Source, custom_text
from tests.realparts.parts import locate
from tests.realparts.prometheus import PrometheusServer
from tests.realparts.pytest_plugin import require

pytestmark = pytest.mark.real

STEP = 15
WINDOW = 120.0
MAX_AGE = 90.0
#: Seconds that a request takes on average.
MEAN = 0.2
#: Yesterday, on the grid of the samples: the newest sample of a pod that is well is of this very moment.
AT = float(int(time.time() - 86_400) // STEP * STEP)
LATENCIES = [name for name, family in READY_MADE.items() if family.form is FamilyKind.HISTOGRAM]
PER_POD = [name for name in LATENCIES if READY_MADE[name].per is Per.POD]
#: Those whose rates can be asked for.
RISING = ["cpu", *PER_POD]

Samples = dict[str, list[tuple[float, float]]]


def grid(begin: float, end: float) -> list[float]:
    return [AT + offset for offset in range(int(begin), int(end) + 1, STEP)]


def line(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{pairs}}}"


def histogram(
    family: Family,
    labels: Mapping[str, str],
    end: float = 0.0,
    rate: float = 10.0,
    bounds: tuple[float, ...] = (0.1, 0.25),
) -> Samples:
    """Requests that all took between 0.1 s and 0.25 s, MEAN on average, from ten minutes before `end` until then."""
    found: Samples = {}
    for at in grid(end - 600, end):
        served = 100.0 + rate * (at - AT + 600 - end)
        for bound in bounds:
            served_faster = 0.0 if bound == 0.1 else served
            le = f"{bound / family.scale:g}"
            found.setdefault(line(f"{family.metric}_bucket", {**labels, "le": le}), []).append((at, served_faster))
        found.setdefault(line(f"{family.metric}_bucket", {**labels, "le": "+Inf"}), []).append((at, served))
        found.setdefault(line(f"{family.metric}_count", labels), []).append((at, served))
        found.setdefault(line(f"{family.metric}_sum", labels), []).append((at, MEAN / family.scale * served))
    return found


def pod(name: str, **more: str) -> dict[str, str]:
    return {"namespace": "shop", "pod": name, **more}


ROLE = {"latency-istio": {"reporter": "destination"}, "latency-linkerd": {"direction": "inbound"}}
OTHER_ROLE = {"latency-istio": {"reporter": "source"}, "latency-linkerd": {"direction": "outbound"}}


def latency_samples(name: str) -> Samples:
    family, role = READY_MADE[name], ROLE.get(name, {})
    found = {
        **histogram(family, pod("busy", route="/a", **role)),
        **histogram(family, pod("busy", route="/b", **role)),
        **histogram(family, pod("idle", **role), rate=0.0),
        **histogram(family, pod("late", **role), end=-75.0),
        **histogram(family, pod("aged", **role), end=-105.0),
        **histogram(family, pod("gone", **role), end=-315.0),
        **histogram(family, pod("blind", **role), bounds=()),
        **histogram(family, {"job": "no-pod", **role}),
    }
    if name in OTHER_ROLE:
        found |= histogram(family, pod("client", **OTHER_ROLE[name]))
    return found


BACKENDS = {
    "honoured": {"namespace": "shop", "service": "honoured"},
    "monitored": {
        "namespace": "ingress",
        "service": "controller",
        "exported_namespace": "shop",
        "exported_service": "monitored",
    },
    "discovered": {"namespace": "ingress", "exported_namespace": "shop", "service": "discovered"},
}


def ingress_samples() -> Samples:
    family = READY_MADE["latency-ingress-nginx"]
    found: Samples = {}
    for labels in BACKENDS.values():
        found |= histogram(family, {**labels, "controller_pod": "x"})
    found |= histogram(family, {"namespace": "shop", "service": "resting"}, rate=0.0)
    found |= histogram(family, {"namespace": "shop", "service": "old"}, end=-105.0)
    return found


def rising(
    name: str,
    labels: Mapping[str, str],
    value: Callable[[float], float],
    begin: float = -600.0,
    end: float = 0.0,
    scale: float = 1.0,
) -> Samples:
    """One series; `value` is that of so many seconds after ten minutes ago."""
    return {line(name, labels): [(at, scale * value(at - AT + 600)) for at in grid(begin, end)]}


def steady(since: float) -> float:
    """10 a second."""
    return 40.0 + 10.0 * since


def surging(since: float) -> float:
    """10 a second, and 40 since the sample before the last."""
    return steady(since) + 30.0 * max(since - 585, 0.0)


def restarted(since: float) -> float:
    """10 a second until a restart after the sample before the last; 300 since."""
    return 5000.0 + steady(since) if since < 600 else 300.0


def requests_samples() -> Samples:
    metric, found = "nginx_ingress_controller_requests", Samples()
    for labels in BACKENDS.values():
        here = {**labels, "controller_pod": "x"}
        found |= rising(metric, {**here, "status": "200"}, steady)
        found |= rising(metric, {**here, "status": "503"}, steady, scale=0.5)
        # Another gateway, which is gone.
        found |= rising(metric, {**labels, "controller_pod": "y"}, steady, end=-315.0, scale=100.0)
    return found | rising(metric, {"namespace": "shop", "service": "resting"}, lambda _: 40.0)


def rate_samples(name: str) -> Samples:
    """Pods whose last rate is not their rate over the window."""
    family, role, found = READY_MADE[name], ROLE.get(name, {}), Samples()
    counters = {family.metric: 1.0}
    if family.form is FamilyKind.HISTOGRAM:
        counters = {f"{family.metric}_count": 1.0, f"{family.metric}_sum": MEAN / family.scale}
    for counter, scale in counters.items():
        for which, value, begin, end in (
            ("surging", surging, -600.0, 0.0),
            ("restarted", restarted, -600.0, 0.0),
            ("single", steady, 0.0, 0.0),
            ("renewed", surging, -600.0, -315.0),
            ("renewed", steady, -300.0, 0.0),
        ):
            labels = pod(which, container="app", part=f"since{begin:g}until{end:g}", **role)
            found |= rising(counter, labels, value, begin, end, scale)
    return found


def resource_samples() -> Samples:
    found: Samples = {}
    for name, end in (("busy", 0.0), ("late", -75.0), ("aged", -105.0), ("gone", -315.0)):
        for container, cores in (("app", 0.5), ("sidecar", 0.25), ("POD", 8.0), ("", 16.0)):
            labels = pod(name, container=container)
            for at in grid(end - 600, end):
                used = cores * (at - AT + 3600)
                found.setdefault(line("container_cpu_usage_seconds_total", labels), []).append((at, used))
                found.setdefault(line("container_memory_working_set_bytes", labels), []).append((at, cores * 2**30))
    return found


def openmetrics(samples: Samples) -> str:
    """OpenMetrics wants the lines of one family together."""
    names = sorted(samples, key=lambda name: (name.partition("{")[0].rsplit("_", 1)[0], name))
    rows = (f"{name} {value} {at}" for name in names for at, value in samples[name])
    return "\n".join([*rows, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus() -> Iterator[PrometheusServer]:
    """A Prometheus with the samples of yesterday, filled in by promtool."""
    require("prometheus")
    require("promtool")
    samples = resource_samples() | ingress_samples() | requests_samples() | rate_samples("cpu")
    for name in PER_POD:
        samples |= latency_samples(name) | rate_samples(name)
    with PrometheusServer() as server:
        server.stop()
        text = server.folder / "yesterday.txt"
        text.write_text(openmetrics(samples), encoding="utf-8")
        promtool = str(locate("promtool")["promtool"])
        fill = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(server.folder / "data")]
        subprocess.run(fill, check=True, capture_output=True, timeout=60)
        server.start()
        yield server


async def ask(server: PrometheusServer, text: str, per: Per = Per.POD, at: float = AT) -> Answer:
    source = Source("main", SourceConfiguration.model_validate({"url": server.url}))
    asked = Query("main", text, per)
    try:
        return (await source.ask([asked], at))[asked]
    finally:
        source.close()


def rows_of(answer: Answer) -> dict[str, tuple[float, float]]:
    """(value, age) by pod."""
    assert isinstance(answer, Column), answer
    assert {namespace for namespace, _ in answer.keys} == {"shop"}
    pods = [name for _, name in answer.keys]
    return dict(zip(pods, zip(answer.values.tolist(), answer.ages.tolist(), strict=True), strict=True))


async def family_rows(
    server: PrometheusServer, name: str, quantile: float | None = None
) -> dict[str, tuple[float, float]]:
    return rows_of(await ask(server, READY_MADE[name].text(quantile, WINDOW, MAX_AGE)))


@pytest.mark.parametrize("name", PER_POD)
async def test_a_latency_is_the_quantile_of_each_pod_in_seconds(prometheus: PrometheusServer, name: str) -> None:
    value, age = (await family_rows(prometheus, name, 0.9))["busy"]
    assert value == pytest.approx(0.1 + 0.9 * 0.15)
    assert age == 0.0


@pytest.mark.parametrize("name", PER_POD)
async def test_a_pod_without_requests_has_latency_zero(prometheus: PrometheusServer, name: str) -> None:
    assert (await family_rows(prometheus, name, 0.9))["idle"] == (0.0, 0.0)


@pytest.mark.parametrize("name", PER_POD)
async def test_a_pod_with_requests_but_without_buckets_says_nothing(prometheus: PrometheusServer, name: str) -> None:
    assert "blind" not in await family_rows(prometheus, name, 0.9)


@pytest.mark.parametrize("name", ["cpu", "memory", *PER_POD])
async def test_a_pod_whose_samples_stopped_has_their_age(prometheus: PrometheusServer, name: str) -> None:
    assert (await family_rows(prometheus, name, 0.9))["aged"][1] == 105.0


@pytest.mark.parametrize("name", ["cpu", "memory", *PER_POD])
async def test_a_pod_whose_samples_are_young_enough_has_no_age(prometheus: PrometheusServer, name: str) -> None:
    value, age = (await family_rows(prometheus, name, 0.9))["late"]
    assert value > 0.0
    assert age == 0.0


@pytest.mark.parametrize("name", ["cpu", "memory", *PER_POD])
async def test_a_pod_that_prometheus_has_forgotten_is_absent(prometheus: PrometheusServer, name: str) -> None:
    assert "gone" not in await family_rows(prometheus, name, 0.9)


@pytest.mark.parametrize("name", PER_POD)
async def test_only_the_pod_that_serves_has_a_latency(prometheus: PrometheusServer, name: str) -> None:
    assert set(await family_rows(prometheus, name, 0.9)) == {"busy", "idle", "late", "aged"}


async def test_cpu_is_the_sum_of_the_containers_in_cores(prometheus: PrometheusServer) -> None:
    value, age = (await family_rows(prometheus, "cpu"))["busy"]
    assert value == pytest.approx(0.75)
    assert age == 0.0


async def test_memory_is_the_sum_of_the_containers_in_bytes(prometheus: PrometheusServer) -> None:
    rows = await family_rows(prometheus, "memory")
    assert rows["busy"] == (0.75 * 2**30, 0.0)
    assert rows["aged"] == (0.75 * 2**30, 105.0)


def per_pod_newest(name: str) -> float:
    """What the pod `busy` does in all its series, a second."""
    return 0.75 if name == "cpu" else 20.0


async def rates(server: PrometheusServer, text: str) -> dict[str, float]:
    return {name: value for name, (value, _) in rows_of(await ask(server, text)).items()}


@pytest.mark.parametrize("name", RISING)
async def test_the_newest_rate_is_that_between_the_last_two_samples(prometheus: PrometheusServer, name: str) -> None:
    found = await rates(prometheus, READY_MADE[name].newest(WINDOW))
    assert found["busy"] == pytest.approx(per_pod_newest(name), rel=0.01)
    assert found["surging"] == pytest.approx(40.0, rel=0.01)


@pytest.mark.parametrize("name", RISING)
async def test_what_was_served_is_the_rate_over_the_whole_window(prometheus: PrometheusServer, name: str) -> None:
    found = await rates(prometheus, READY_MADE[name].served(WINDOW))
    assert found["busy"] == pytest.approx(per_pod_newest(name), rel=0.01)
    # Seven intervals of 10 a second, the last of them 40: Prometheus extends their mean to the window's edges.
    assert found["surging"] == pytest.approx((6 * 10.0 + 40.0) / 7, rel=0.01)


@pytest.mark.parametrize("name", RISING)
async def test_after_a_restart_the_newest_rate_is_what_was_counted_since(
    prometheus: PrometheusServer, name: str
) -> None:
    assert (await rates(prometheus, READY_MADE[name].newest(WINDOW)))["restarted"] == pytest.approx(
        300 / STEP, rel=0.01
    )


@pytest.mark.parametrize("name", RISING)
async def test_a_pod_with_a_single_sample_has_no_newest_rate(prometheus: PrometheusServer, name: str) -> None:
    found = await rates(prometheus, READY_MADE[name].newest(WINDOW))
    assert "single" not in found
    assert found.keys() >= {"busy", "surging", "restarted"}


@pytest.mark.parametrize("name", RISING)
async def test_the_rate_of_a_series_that_is_gone_does_not_count_however_long_the_window(
    prometheus: PrometheusServer, name: str
) -> None:
    found = await rates(prometheus, READY_MADE[name].newest(600.0))
    assert "gone" not in found
    assert found["renewed"] == pytest.approx(10.0, rel=0.01)
    assert "gone" not in await rates(prometheus, READY_MADE[name].served(600.0))


@pytest.mark.parametrize("name", PER_POD)
async def test_a_pod_without_requests_has_the_newest_rate_zero(prometheus: PrometheusServer, name: str) -> None:
    assert (await rates(prometheus, READY_MADE[name].newest(WINDOW)))["idle"] == 0.0
    assert (await rates(prometheus, READY_MADE[name].served(WINDOW)))["idle"] == 0.0


@pytest.mark.parametrize("name", PER_POD)
async def test_what_requests_waited_by_their_number_is_their_mean_latency_in_seconds(
    prometheus: PrometheusServer, name: str
) -> None:
    newest = await rates(prometheus, READY_MADE[name].newest(WINDOW))
    waited = await rates(prometheus, READY_MADE[name].waited(WINDOW))
    assert waited["busy"] == pytest.approx(20 * MEAN, rel=0.01)
    for each in ("busy", "surging", "restarted"):
        assert waited[each] / newest[each] == pytest.approx(MEAN, rel=0.01)


async def test_the_newest_of_a_gauge_is_its_value(prometheus: PrometheusServer) -> None:
    found = await rates(prometheus, READY_MADE["memory"].newest(WINDOW))
    assert found["busy"] == 0.75 * 2**30
    assert "gone" not in found


async def test_the_rate_of_a_counter_is_in_its_familys_unit(prometheus: PrometheusServer) -> None:
    family = Family("millicores", FamilyKind.COUNTER, READY_MADE["cpu"].metric, READY_MADE["cpu"].selectors, 1000.0)
    assert (await rates(prometheus, family.newest(WINDOW)))["busy"] == pytest.approx(750.0)
    assert (await rates(prometheus, family.served(WINDOW)))["busy"] == pytest.approx(750.0)


def requests_text(service: str, text: str) -> str:
    return custom_text(text, "shop", service)


@pytest.mark.parametrize("service", list(BACKENDS))
async def test_the_requests_of_a_service_are_what_all_living_gateways_see_however_they_are_scraped(
    prometheus: PrometheusServer, service: str
) -> None:
    for text in (READY_MADE["requests"].newest(600.0), READY_MADE["requests"].served(WINDOW)):
        found = await ask(prometheus, requests_text(service, text), Per.TARGET)
        assert isinstance(found, Scalar)
        assert found.value == pytest.approx(15.0, rel=0.01)


async def test_a_service_that_nobody_asks_has_zero_requests_and_an_unknown_one_no_data(
    prometheus: PrometheusServer,
) -> None:
    text = READY_MADE["requests"].newest(WINDOW)
    assert await ask(prometheus, requests_text("resting", text), Per.TARGET) == Scalar(0.0, 0.0)
    found = await ask(prometheus, requests_text("nobody", text), Per.TARGET)
    assert isinstance(found, Fault)
    assert found.reason is Reason.NO_DATA


@pytest.mark.parametrize("service", list(BACKENDS))
async def test_the_requests_of_a_latency_at_the_gateway_are_its_count(
    prometheus: PrometheusServer, service: str
) -> None:
    family = READY_MADE["latency-ingress-nginx"]
    newest = await ask(prometheus, requests_text(service, family.newest(WINDOW)), Per.TARGET)
    waited = await ask(prometheus, requests_text(service, family.waited(WINDOW)), Per.TARGET)
    assert isinstance(newest, Scalar)
    assert isinstance(waited, Scalar)
    assert newest.value == pytest.approx(10.0, rel=0.01)
    assert waited.value == pytest.approx(10 * MEAN, rel=0.01)


def ingress_text(service: str) -> str:
    return custom_text(READY_MADE["latency-ingress-nginx"].text(0.9, WINDOW, MAX_AGE), "shop", service)


@pytest.mark.parametrize("service", list(BACKENDS))
async def test_ingress_latency_is_that_of_the_service_however_it_is_scraped(
    prometheus: PrometheusServer, service: str
) -> None:
    found = await ask(prometheus, ingress_text(service), Per.TARGET)
    assert isinstance(found, Scalar)
    assert found.value == pytest.approx(0.1 + 0.9 * 0.15)
    assert found.age == 0.0


async def test_ingress_latency_without_requests_is_zero(prometheus: PrometheusServer) -> None:
    assert await ask(prometheus, ingress_text("resting"), Per.TARGET) == Scalar(0.0, 0.0)


async def test_ingress_latency_whose_samples_stopped_has_their_age(prometheus: PrometheusServer) -> None:
    found = await ask(prometheus, ingress_text("old"), Per.TARGET)
    assert isinstance(found, Scalar)
    assert found.age == 105.0


async def test_ingress_latency_of_an_unknown_service_is_no_data(prometheus: PrometheusServer) -> None:
    found = await ask(prometheus, ingress_text("nobody"), Per.TARGET)
    assert isinstance(found, Fault)
    assert found.reason is Reason.NO_DATA


async def test_the_words_of_a_custom_query_select_the_targets_pods(prometheus: PrometheusServer) -> None:
    template = 'count(container_memory_working_set_bytes{namespace="$namespace",pod=~"$pods|$name",container="app"})'
    assert await ask(prometheus, custom_text(template, "shop", "busy"), Per.TARGET) == Scalar(1.0, 0.0)


async def test_a_rejected_query_is_answered_in_prometheus_own_words(prometheus: PrometheusServer) -> None:
    found = await ask(prometheus, "sum(rate(up))")
    assert isinstance(found, Fault)
    assert found.reason is Reason.QUERY_REJECTED
    assert "expected type range vector" in found.message


async def test_vectors_that_cannot_be_matched_are_a_rejected_query(prometheus: PrometheusServer) -> None:
    metric = 'container_memory_working_set_bytes{pod="busy"}'
    found = await ask(prometheus, f"{metric} * on (pod) {metric}")
    assert isinstance(found, Fault)
    assert found.reason is Reason.QUERY_REJECTED


@pytest.mark.parametrize(
    ("text", "per", "reason"),
    [
        ('"words"', Per.TARGET, Reason.NOT_A_VECTOR),
        ("1", Per.POD, Reason.NOT_A_VECTOR),
        ("container_memory_working_set_bytes[5m]", Per.TARGET, Reason.NOT_A_VECTOR),
        ("container_memory_working_set_bytes", Per.TARGET, Reason.NOT_ONE_SERIES),
        ("container_memory_working_set_bytes", Per.POD, Reason.NOT_ONE_SERIES),
        ("sum(container_memory_working_set_bytes)", Per.POD, Reason.MALFORMED_ANSWER),
        ("no_such_metric", Per.POD, Reason.NO_DATA),
        ('histogram_quantile(2, sum by (le) ({__name__=~"http_.*_bucket"}))', Per.TARGET, Reason.PARTIAL_ANSWER),
    ],
)
async def test_each_wrong_query_has_its_reason(
    prometheus: PrometheusServer, text: str, per: Per, reason: Reason
) -> None:
    found = await ask(prometheus, text, per)
    assert isinstance(found, Fault)
    assert found.reason is reason


async def test_one_number_is_the_value_of_a_target(prometheus: PrometheusServer) -> None:
    assert await ask(prometheus, "300", Per.TARGET) == Scalar(300.0, 0.0)
    not_a_number = await ask(prometheus, "0/0", Per.TARGET)
    assert isinstance(not_a_number, Scalar)
    assert math.isnan(not_a_number.value)
    assert await ask(prometheus, "vector(1/0)", Per.TARGET) == Scalar(math.inf, 0.0)


class Exporter(ThreadingHTTPServer):
    """Two pods on two ports, each using a core; a pod that is not well answers 500."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.well = True
        super().__init__(("127.0.0.1", 0), ExporterHandler)


class ExporterHandler(BaseHTTPRequestHandler):
    server: Exporter

    def do_GET(self) -> None:
        self.send_response(200 if self.server.well else 500)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        labels = {"namespace": "shop", "pod": self.server.name, "container": "app"}
        self.wfile.write(f"{line('container_cpu_usage_seconds_total', labels)} {time.time()}\n".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    "text",
    [READY_MADE["cpu"].text(None, 10.0, 8.0), READY_MADE["cpu"].newest(10.0), READY_MADE["cpu"].served(10.0)],
    ids=["text", "newest", "served"],
)
async def test_a_failed_scrape_makes_a_pod_missing_and_not_less_busy(
    prometheus_factory: Callable[..., PrometheusServer], text: str
) -> None:
    exporters = [Exporter("well"), Exporter("ill")]
    threads = [threading.Thread(target=each.serve_forever) for each in exporters]
    for thread in threads:
        thread.start()
    try:
        server = prometheus_factory([f"127.0.0.1:{each.server_port}" for each in exporters])
        await until(server, text, lambda rows: rows.keys() >= {"ill"} and rows["ill"][0] > 0.7)
        exporters[1].well = False

        def missing(rows: Mapping[str, tuple[float, float]]) -> bool:
            assert rows.get("ill", (1.0, 0.0))[0] > 0.6
            return rows.keys() == {"well"}

        await until(server, text, missing)
    finally:
        for each in exporters:
            each.shutdown()
            each.server_close()
        for thread in threads:
            thread.join()


async def until(server: PrometheusServer, text: str, fits: Callable[[Mapping[str, tuple[float, float]]], bool]) -> None:
    """Ask again and again until an answer fits, for at most 20 s."""
    deadline = time.monotonic() + 20
    rows: dict[str, tuple[float, float]] = {}
    while not fits(rows):
        assert time.monotonic() < deadline, rows
        await asyncio.sleep(0.2)
        answer = await ask(server, text, at=time.time())
        rows = rows_of(answer) if isinstance(answer, Column) else {}
