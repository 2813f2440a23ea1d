"""Values of expressions, against numbers worked out by hand from Prometheus' documentation and source.

That the real Prometheus agrees is shown in `tests/contract/test_promql_against_prometheus.py`; this needs nothing.
"""

import math

import pytest

from controller.embedded.promql import ExecutionError, QueryTimeout, SeriesStore, Trace, evaluate, evaluate_range

Sample = tuple[float, float | None]


def store(**series: list[Sample]) -> SeriesStore:
    """Series by metric name, without labels."""
    filled = SeriesStore(retention_seconds=1e6)
    for name, samples in series.items():
        filled.add({"__name__": name}, samples)
    return filled


def every(seconds: int, values: list[float]) -> list[Sample]:
    """Values at 1000 s and every so many seconds after."""
    return [(1000 + index * seconds, value) for index, value in enumerate(values)]


def number(samples: SeriesStore, query: str, at: float) -> float | None:
    """The only value of the answer; None for an empty vector."""
    value = evaluate(samples, query, round(at * 1000)).value
    if isinstance(value, float):
        return value
    assert isinstance(value, list)
    assert len(value) < 2
    return float(value[0][1]) if value and not isinstance(value[0], Trace) else None


def by_pod(samples: SeriesStore, query: str, at: float = 1000.0) -> dict[str, float]:
    value = evaluate(samples, query, round(at * 1000)).value
    assert isinstance(value, list)
    return {sample[0].get("pod", ""): sample[1] for sample in value if not isinstance(sample, Trace)}


def pods(**values: float) -> SeriesStore:
    filled = SeriesStore()
    for pod, value in values.items():
        filled.add({"__name__": "load", "namespace": "shop", "pod": pod}, [(1000, value)])
    return filled


def test_a_window_is_open_on_the_left() -> None:
    samples = store(a=every(10, [1, 2, 3]))
    assert number(samples, "count_over_time(a[10s])", 1020) == 1
    assert number(samples, "count_over_time(a[10001ms])", 1020) == 2


def test_an_instant_selector_looks_back_five_minutes_and_not_a_millisecond_more() -> None:
    samples = store(a=[(1000, 7)])
    assert number(samples, "a", 1299.999) == 7
    assert number(samples, "a", 1300) is None


def test_a_rate_is_extrapolated_to_the_windows_edges() -> None:
    samples = store(a=every(10, [900, 1000, 1100, 1200, 1300, 1400]))
    # Near both edges (4 s and 6 s, less than 1.1 intervals): up to the edges.
    assert number(samples, "increase(a[60s])", 1056) == pytest.approx(500 * (50 + 4 + 6) / 50)
    # Far from the right edge (15 s): half an interval beyond the last sample.
    assert number(samples, "rate(a[60s])", 1065) == pytest.approx(400 * (40 + 5 + 5) / 40 / 60)


def test_a_rate_does_not_reach_behind_the_counters_zero() -> None:
    samples = store(a=every(10, [10, 110, 210]))
    # Up to the start it is 10 s, but at this slope the counter was zero one second before its first sample.
    assert number(samples, "increase(a[30s])", 1020) == pytest.approx(200 * (20 + 1) / 20)


def test_a_counter_that_falls_has_been_reset() -> None:
    samples = store(a=every(10, [100, 110, 5, 15, 2, 12]))
    assert number(samples, "increase(a[50s])", 1050) == pytest.approx((12 - 110 + 110 + 15) * (40 + 10) / 40)
    assert number(samples, "irate(a[30s])", 1020) == pytest.approx(5 / 10)


def test_a_fall_before_the_windows_first_sample_does_not_count() -> None:
    samples = store(a=every(10, [100, 5, 15, 25]))
    # The window begins with the 5 itself: an increase of 20 over 20 s, and 5 s to its zero at this slope.
    assert number(samples, "increase(a[30s])", 1030) == pytest.approx(20 / 20 * (20 + 5))


def test_one_sample_makes_no_rate() -> None:
    assert number(store(a=[(1000, 1)]), "rate(a[1m])", 1010) is None
    assert number(store(a=[(1000, 1)]), "irate(a[1m])", 1010) is None


def test_an_instantaneous_rate_is_that_between_the_last_two_samples_of_the_window() -> None:
    samples = store(a=every(10, [0, 10, 110, 500]))
    assert number(samples, "irate(a[1m])", 1029) == pytest.approx(100 / 10)
    # Only one sample is inside: what came before is not looked for.
    assert number(samples, "irate(a[5s])", 1023) is None


def test_delta_may_fall_and_knows_no_zero() -> None:
    samples = store(a=every(10, [5, 3, 1]))
    assert number(samples, "delta(a[30s])", 1020) == pytest.approx(-4 / 20 * 30)


def test_a_series_that_ended_is_gone_at_once_but_its_samples_stay_in_windows() -> None:
    samples = store(a=[(1000, 1), (1010, 2), (1020, None)])
    assert number(samples, "a", 1019) == 2
    assert number(samples, "a", 1020) is None
    assert number(samples, "sum_over_time(a[1m])", 1030) == 3


def test_a_series_that_came_back_is_there() -> None:
    assert number(store(a=[(1000, 1), (1010, None), (1020, 3)]), "a", 1025) == 3


def test_timestamp_of_a_selector_is_the_samples_own() -> None:
    samples = store(a=[(1000.25, 1)])
    assert number(samples, "timestamp(a)", 1100) == 1000.25
    assert number(samples, "timestamp(a offset 50s)", 1100) == 1000.25
    assert number(samples, "timestamp(a + 0)", 1100) == 1100


def test_over_time_functions_take_nan_only_when_there_is_nothing_else() -> None:
    samples = store(a=every(10, [math.nan, 4, 2]), b=every(10, [math.nan]))
    assert number(samples, "max_over_time(a[1m])", 1020) == 4
    assert number(samples, "min_over_time(a[1m])", 1020) == 2
    assert math.isnan(number(samples, "max_over_time(b[1m])", 1020) or 0)
    assert math.isnan(number(samples, "avg_over_time(a[1m])", 1020) or 0)


def test_sums_are_compensated() -> None:
    samples = store(a=every(1, [1e16, 1.0, 1.0, -1e16]))
    assert number(samples, "sum_over_time(a[1m])", 1010) == 2


def test_an_average_survives_a_sum_that_overflows() -> None:
    assert number(store(a=every(1, [1.5e308, 1.5e308])), "avg_over_time(a[1m])", 1010) == pytest.approx(1.5e308)


def histogram(**counts: dict[str, float]) -> SeriesStore:
    filled = SeriesStore()
    for pod, buckets in counts.items():
        for le, count in buckets.items():
            filled.add({"__name__": "h_bucket", "pod": pod, "le": le}, [(1000, count)])
    return filled


def test_a_quantile_is_interpolated_within_its_bucket() -> None:
    samples = histogram(a={"1": 10, "2": 30, "+Inf": 40})
    assert by_pod(samples, "histogram_quantile(0.5, h_bucket)") == {"a": pytest.approx(1.5)}


def test_the_first_bucket_begins_at_zero() -> None:
    samples = histogram(a={"1": 10, "+Inf": 10})
    assert by_pod(samples, "histogram_quantile(0.25, h_bucket)") == {"a": pytest.approx(0.25)}


def test_a_quantile_in_the_last_bucket_is_the_bound_below_it() -> None:
    samples = histogram(a={"1": 10, "2": 20, "+Inf": 100})
    assert by_pod(samples, "histogram_quantile(0.9, h_bucket)") == {"a": 2}


def test_no_observations_and_no_infinite_bucket_are_not_a_number() -> None:
    samples = histogram(a={"1": 0, "+Inf": 0}, b={"1": 5, "2": 6}, c={"-1": 0, "+Inf": 0})
    assert all(math.isnan(value) for value in by_pod(samples, "histogram_quantile(0.9, h_bucket)").values())


def test_counts_that_fall_from_bucket_to_bucket_are_lifted_and_that_is_said() -> None:
    samples = histogram(a={"1": 10, "2": 8, "+Inf": 20})
    answer = evaluate(samples, "histogram_quantile(0.5, h_bucket)", 1_000_000)
    assert by_pod(samples, "histogram_quantile(0.5, h_bucket)") == {"a": 1}
    (info,) = answer.annotations.infos
    assert "needed to be fixed for monotonicity" in info
    assert "from buckets 2 to 2, with a max diff of 2" in info


def test_a_series_without_a_bound_is_left_out_with_a_warning() -> None:
    answer = evaluate(pods(a=1), "histogram_quantile(0.5, load)", 1_000_000)
    assert answer.value == []
    assert list(answer.annotations.warnings) == [
        'PromQL warning: bucket label "le" is missing or has a malformed value of "" (1:25)'
    ]


def test_a_rate_of_what_does_not_sound_like_a_counter_is_remarked_on() -> None:
    (info,) = evaluate(store(a=every(1, [1, 2])), "rate(a[1m])", 1_005_000).annotations.infos
    assert info.endswith('name does not end in _total/_sum/_count/_bucket: "a" (1:6)')


def test_matchers_are_anchored_and_a_missing_label_is_empty() -> None:
    samples = pods(web_1=1, web_2=2, api_1=3)
    assert set(by_pod(samples, 'load{pod=~"web"}')) == set()
    assert set(by_pod(samples, 'load{pod=~"web.*"}')) == {"web_1", "web_2"}
    assert set(by_pod(samples, 'load{pod!~"web_1|api.*"}')) == {"web_2"}
    assert set(by_pod(samples, 'load{pod!="web_1", zone=""}')) == {"web_2", "api_1"}


def test_aggregations_group_by_and_without() -> None:
    samples = pods(a=1, b=2, c=6)
    assert by_pod(samples, "sum(load)") == {"": 9}
    assert by_pod(samples, "avg by (namespace) (load)") == {"": 3}
    assert by_pod(samples, "max without (namespace) (load)") == {"a": 1, "b": 2, "c": 6}
    assert by_pod(samples, "count(load > 1)") == {"": 2}
    assert by_pod(samples, "min(load)") == {"": 1}


def test_a_comparison_filters_and_with_bool_answers() -> None:
    samples = pods(a=1, b=2)
    assert by_pod(samples, "load > 1") == {"b": 2}
    assert by_pod(samples, "1 < load") == {"b": 2}
    assert by_pod(samples, "load > bool 1") == {"a": 0, "b": 1}


def test_set_operators_look_at_labels_only() -> None:
    samples = pods(a=1, b=2)
    assert by_pod(samples, "load and (load > 1) * 10") == {"b": 2}
    assert by_pod(samples, "load unless (load > 1) * 10") == {"a": 1}
    assert by_pod(samples, "(load > 1) or load * 10") == {"b": 2, "a": 10}


def test_an_or_keeps_what_has_another_label() -> None:
    query = 'load or label_replace(load, "compositescaler_sample", "age", "", "")'
    value = evaluate(pods(a=1), query, 1_000_000).value
    assert isinstance(value, list)
    assert [sample[0].get("compositescaler_sample") for sample in value] == [None, "age"]


def test_vectors_are_matched_one_to_one_or_refused() -> None:
    samples = pods(a=1, b=2)
    assert by_pod(samples, "load / on(pod) load") == {"a": 1, "b": 1}
    with pytest.raises(ExecutionError, match=r"found duplicate series for the match group .* on the right hand-side"):
        evaluate(samples, "load / on(namespace) load", 1_000_000)
    with pytest.raises(ExecutionError, match="many-to-one matching must be explicit"):
        evaluate(samples, "load / on(namespace) sum by (namespace) (load)", 1_000_000)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("load + load", False),
        ("load + 1", False),
        ("load == load", True),
        ("load == 1", True),
        ("load == bool load", False),
        ("load == bool 1", False),
        ("-load", False),
        ("rate(load[1m]) or load", True),
        ("last_over_time(load[1m])", True),
        ("max_over_time(load[1m])", False),
    ],
)
def test_what_changes_a_metrics_meaning_drops_its_name(query: str, named: bool) -> None:
    value = evaluate(pods(a=1), query, 1_000_000).value
    assert isinstance(value, list)
    assert ["__name__" in sample[0] for sample in value] == [named]


def test_group_left_lets_many_meet_one() -> None:
    assert by_pod(pods(a=1, b=3), "load / on(namespace) group_left sum by (namespace) (load)") == {"a": 0.25, "b": 0.75}


def test_label_replace_expands_groups_as_go_does() -> None:
    value = evaluate(pods(web_7=1), r'label_replace(load, "n", "$2-${1}x-$$-$9", "pod", "(.*)_(\\d)")', 1_000_000).value
    assert isinstance(value, list)
    assert value[0][0]["n"] == "7-webx-$-"


def test_label_replace_with_nothing_takes_the_label_away() -> None:
    value = evaluate(pods(a=1), 'label_replace(load, "pod", "", "", "")', 1_000_000).value
    assert value == [({"__name__": "load", "namespace": "shop"}, 1.0)]


def test_without_leaves_no_metric_name() -> None:
    value = evaluate(pods(a=1), "sum without (pod) (load)", 1_000_000).value
    assert value == [({"namespace": "shop"}, 1.0)]


def test_two_results_with_the_same_labels_are_refused() -> None:
    with pytest.raises(ExecutionError, match="vector cannot contain metrics with the same labelset"):
        evaluate(store(a=[(1000, 1)], b=[(1000, 2)]), '-{__name__=~"a|b"}', 1_000_000)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("10 - 2 - 3", 5),
        ("7 % -4", 3),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("1 / -0", -math.inf),
        ("(-10) ^ 400", math.inf),
        ("(-10) ^ 401", -math.inf),
        ("0 ^ -1", math.inf),
        ("5m", 300),
        ("1 <= bool 2", 1),
        ("time() - 1m", 940),
        ("scalar(vector(3)) + 1", 4),
    ],
)
def test_arithmetic_is_that_of_ieee(query: str, value: float) -> None:
    assert number(SeriesStore(), query, 1000) == value


@pytest.mark.parametrize("query", ["0 / 0", "1 % 0", "(-8) ^ (1/3)", "Inf - Inf", "scalar(nothing)", "Inf % 2"])
def test_what_has_no_value_is_not_a_number(query: str) -> None:
    assert math.isnan(number(SeriesStore(), query, 1000) or 0)


def test_absent_has_the_labels_that_the_selector_fixes() -> None:
    value = evaluate(SeriesStore(), 'absent(a{b="1", c!="2", d=~"3"})', 0).value
    assert value == [({"b": "1"}, 1.0)]
    assert evaluate(pods(a=1), "absent(load)", 1_000_000).value == []


def test_clamps_keep_not_a_number() -> None:
    samples = pods(a=1, b=9, c=math.nan)
    clamped = by_pod(samples, "clamp_max(clamp_min(load, 2), 5)")
    assert (clamped["a"], clamped["b"]) == (2, 5)
    assert math.isnan(clamped["c"])


def test_a_range_query_is_an_instant_query_at_each_step() -> None:
    answer = evaluate_range(store(a=every(10, [1, 2, 3])), "a * 2", 1_000_000, 1_020_000, 10_000)
    assert answer.value == [Trace({}, [(1_000_000, 2.0), (1_010_000, 4.0), (1_020_000, 6.0)])]  # type: ignore[arg-type]


def test_a_query_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(QueryTimeout, match="query timed out"):
        evaluate(pods(a=1), "load + load", 1_000_000, timeout_seconds=-1)
