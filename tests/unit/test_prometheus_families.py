"""The texts of the catalogue; what they answer is tested on a real Prometheus in tests/contract."""

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
