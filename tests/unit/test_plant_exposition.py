"""The plant's series as a Prometheus reads them; the parser is prometheus-client's own."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.simulation import MetricsServer, Plant, PlantSettings, Trace, render, serve


@pytest.fixture
def plant() -> Plant:
    plant = Plant(PlantSettings(imbalance=0.0), Trace(np.array([0.0, 600.0]), np.array([120.0, 120.0])))
    plant.set_pods([("shop", "web-a"), ("shop", "web-b"), ("shop", "web-c")])
    plant.advance(60.0)
    return plant


@pytest.fixture
def server(plant: Plant) -> Iterator[MetricsServer]:
    with serve(plant) as server:
        yield server


def read(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(pod: str, **further: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"namespace": "shop", "pod": pod, "container": "app", **further}.items()))


def test_counters_and_gauges_carry_namespace_pod_and_container(plant: Plant) -> None:
    series, snapshot = read(render(plant.snapshot())), plant.snapshot()
    assert series["container_cpu_usage_seconds_total"][of("web-b")] == snapshot.cpu_seconds[1]
    assert series["container_memory_working_set_bytes"][of("web-c")] == int(snapshot.memory_bytes[2])
    assert len(series["container_cpu_usage_seconds_total"]) == 3


def test_resource_requests_are_those_of_kube_state_metrics(plant: Plant) -> None:
    requests = read(render(plant.snapshot()))["kube_pod_container_resource_requests"]
    assert requests[of("web-a", resource="cpu", unit="core")] == 1.0
    assert requests[of("web-a", resource="memory", unit="byte")] == 512 * 2**20


def test_the_histogram_is_cumulative_and_complete(plant: Plant) -> None:
    series, snapshot = read(render(plant.snapshot())), plant.snapshot()
    bounds = [*map(str, snapshot.settings.buckets), "+Inf"]
    counts = [series["http_request_duration_seconds_bucket"][of("web-a", le=bound)] for bound in bounds]
    assert counts == snapshot.buckets[0].tolist()
    assert counts[-1] == series["http_request_duration_seconds_count"][of("web-a")] == snapshot.requests[0] > 0
    assert series["http_request_duration_seconds_sum"][of("web-a")] == snapshot.latency_seconds[0]


def test_the_series_of_a_pod_that_is_gone_vanish(plant: Plant) -> None:
    plant.set_pods([("shop", "web-a")])
    assert "web-b" not in render(plant.snapshot())


def test_without_pods_only_the_descriptions_are_left(plant: Plant) -> None:
    plant.set_pods([])
    assert read(render(plant.snapshot())) == {}


def test_the_endpoint_serves_what_is_rendered(plant: Plant, server: MetricsServer) -> None:
    with urllib.request.urlopen(server.url, timeout=5) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.read().decode() == render(plant.snapshot())


def test_another_path_is_not_found(server: MetricsServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(server.url.replace("/metrics", "/other"), timeout=5)
    assert caught.value.code == 404
    caught.value.close()


def test_a_closed_server_no_longer_answers(plant: Plant) -> None:
    server = serve(plant)
    server.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url, timeout=5)
