"""The texts of the catalogue; what they answer is tested on a real Prometheus in tests/contract."""

from collections.abc import Callable

import pytest

from controller.api import FamilyKind, InvalidConfiguration, InvalidManifest, Per, SourceConfiguration
from controller.prometheus import READY_MADE, Family, Kind, custom_text, families_of


def test_every_value_of_a_pod_family_is_grouped_by_namespace_and_pod() -> None:
    for family in READY_MADE.values():
        text = family.text(0.95, 120.0, 90.0)
        assert ("by (namespace, pod)" in text) == (family.per is Per.POD), family.name


def test_a_window_is_written_in_whole_milliseconds() -> None:
    assert "[120s]" in READY_MADE["cpu"].text(None, 120.0, 90.0)
    assert "[1500ms]" in READY_MADE["cpu"].text(None, 1.5, 90.0)


@pytest.mark.parametrize("window", [0.0, -1.0, 0.0004])
def test_a_window_that_promql_cannot_say_is_refused(window: float) -> None:
    with pytest.raises(InvalidConfiguration, match="whole milliseconds"):
        READY_MADE["cpu"].text(None, window, 90.0)


@pytest.mark.parametrize("quantile", [None, 0.0, 1.0, 95.0])
def test_a_histogram_without_a_quantile_between_0_and_1_is_refused(quantile: float | None) -> None:
    with pytest.raises(InvalidManifest, match="between 0 and 1"):
        READY_MADE["latency"].text(quantile, 120.0, 90.0)


@pytest.mark.parametrize("name", sorted(READY_MADE))
def test_the_newest_of_a_family_is_grouped_as_its_values_are(name: str) -> None:
    family = READY_MADE[name]
    assert family.newest(60.0).startswith("sum by (namespace, pod) " if family.per is Per.POD else "sum by () ")


def test_the_newest_rate_of_each_series_counts_only_while_that_series_is_there() -> None:
    family = Family("jobs", FamilyKind.COUNTER, "jobs_total", ("a", "b"))
    assert family.newest(60.0) == (
        "sum by (namespace, pod) ("
        'irate(jobs_total{a,namespace!="",pod!=""}[60s]) and jobs_total{a,namespace!="",pod!=""}'
        ' or irate(jobs_total{b,namespace!="",pod!=""}[60s]) and jobs_total{b,namespace!="",pod!=""})'
    )


def test_the_newest_of_a_gauge_is_its_value() -> None:
    family = Family("queue", FamilyKind.GAUGE, "queue_length", scale=2.0)
    assert family.newest(60.0) == 'sum by (namespace, pod) (queue_length{namespace!="",pod!=""}) * 2'


def test_a_histograms_scale_is_that_of_its_durations_and_not_of_its_requests() -> None:
    istio = READY_MADE["latency-istio"]
    assert istio.waited(60.0).endswith(" * 0.001")
    assert "0.001" not in istio.newest(60.0) + istio.served(60.0)


def test_a_counters_scale_is_that_of_its_rates() -> None:
    family = Family("traffic", FamilyKind.COUNTER, "sent_bytes_total", scale=8.0)
    assert family.newest(60.0).endswith(" * 8")
    assert " * 8) and count by (namespace, pod) " in family.served(60.0)


def test_what_is_served_counts_only_where_the_pod_is_there() -> None:
    assert READY_MADE["latency"].served(60.0) == (
        '(sum by (namespace, pod) (rate(http_request_duration_seconds_count{namespace!="",pod!=""}[60s])))'
        ' and count by (namespace, pod) (http_request_duration_seconds_count{namespace!="",pod!=""})'
    )


def test_a_gauge_has_no_rate_over_a_window() -> None:
    with pytest.raises(InvalidManifest, match=r"metric memory is a gauge, .* over 60s; name a family of kind Counter"):
        READY_MADE["memory"].served(60.0)


@pytest.mark.parametrize(("name", "kind"), [("memory", "gauge"), ("cpu", "counter")])
def test_only_a_histogram_tells_how_long_requests_took(name: str, kind: str) -> None:
    with pytest.raises(InvalidManifest, match=f"metric {name} is a {kind}, .* name a family of kind Histogram"):
        READY_MADE[name].waited(60.0)


@pytest.mark.parametrize("ask", [Family.newest, Family.served, Family.waited])
def test_a_window_that_promql_cannot_say_is_refused_everywhere(ask: Callable[[Family, float], str]) -> None:
    with pytest.raises(InvalidConfiguration, match="whole milliseconds"):
        ask(READY_MADE["latency"], 0.0)


def test_a_quantile_changes_only_the_text_of_a_histogram() -> None:
    assert READY_MADE["cpu"].text(0.5, 120.0, 90.0) == READY_MADE["cpu"].text(0.9, 120.0, 90.0)
    assert READY_MADE["latency"].text(0.5, 120.0, 90.0) != READY_MADE["latency"].text(0.9, 120.0, 90.0)


def test_the_name_tells_what_a_family_measures() -> None:
    kinds = {name: family.kind for name, family in READY_MADE.items()}
    assert kinds["cpu"] is Kind.CPU
    assert kinds["memory"] is Kind.MEMORY
    assert {kind for name, kind in kinds.items() if name.startswith("latency")} == {Kind.LATENCY}
    assert Family("queue", FamilyKind.GAUGE, "queue_length").kind is Kind.VALUE


def test_a_family_of_the_configuration_is_added_or_replaces() -> None:
    configuration = SourceConfiguration.model_validate(
        {
            "url": "http://prometheus:9090",
            "families": {
                "queue": {"kind": "Gauge", "metric": "queue_length", "selectors": ['job="worker"']},
                "latency": {"kind": "Histogram", "metric": "rpc_duration_milliseconds", "scale": 0.001},
            },
        }
    )
    families = families_of(configuration)
    assert (
        families["queue"]
        .text(None, 120.0, 90.0)
        .startswith('sum by (namespace, pod) (queue_length{job="worker",namespace!="",pod!=""})')
    )
    assert "rpc_duration_milliseconds_bucket" in families["latency"].text(0.9, 120.0, 90.0)
    assert "* 0.001" in families["latency"].text(0.9, 120.0, 90.0)
    assert families["memory"] is READY_MADE["memory"]


def test_a_family_per_target_is_filled_in_with_the_targets_names() -> None:
    text = READY_MADE["latency-ingress-nginx"].text(0.95, 120.0, 90.0)
    filled = custom_text(text, "shop", "checkout")
    assert 'exported_service="checkout"' in filled
    assert "$" not in filled


def test_the_requests_of_a_target_are_filled_in_with_its_names() -> None:
    filled = custom_text(READY_MADE["requests"].newest(60.0), "shop", "checkout")
    assert 'irate(nginx_ingress_controller_requests{namespace="shop",service="checkout",exported_' in filled
    assert "$" not in filled
