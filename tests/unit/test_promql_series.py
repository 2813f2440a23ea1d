"""The sample store: order, retention, selection."""

import pytest

from controller.embedded.promql import Labels, SeriesStore
from controller.embedded.promql.expressions import Matcher


def test_a_sample_that_is_not_newer_is_refused_with_a_sentence() -> None:
    store = SeriesStore()
    with pytest.raises(ValueError, match=r"the sample of a at 1000 is not newer than its last one, at 1000\.0"):
        store.add({"__name__": "a"}, [(1000, 1), (1000, 2)])


def test_nothing_older_than_an_end_is_taken() -> None:
    store = SeriesStore()
    with pytest.raises(ValueError, match="not newer"):
        store.add({"__name__": "a"}, [(1000, None), (999, 2)])


def test_samples_older_than_the_retention_are_forgotten() -> None:
    store = SeriesStore(retention_seconds=60)
    store.add({"__name__": "a"}, [(1000 + second, second) for second in range(200)])
    (series,) = store
    window = series.window(0, 2_000_000)
    assert window is not None
    assert window.times[0] >= 1_199_000 - 66_000
    assert window.times[-1] == 1_199_000


def test_a_series_of_which_nothing_is_left_is_forgotten_whole() -> None:
    store = SeriesStore(retention_seconds=60)
    store.add({"__name__": "a", "pod": "old"}, [(1000, 1)])
    store.add({"__name__": "a", "pod": "new"}, [(2000, 1)])
    assert [series.labels["pod"] for series in store] == ["new"]


def test_falls_are_forgotten_with_their_samples() -> None:
    store = SeriesStore(retention_seconds=60)
    store.add({"__name__": "a"}, [(1000 + second, 10 - second % 10) for second in range(200)])
    (series,) = store
    window = series.window(0, 2_000_000)
    assert window is not None
    fallen = [before for before, after in zip(window.values, window.values[1:], strict=False) if after < before]
    assert list(window.falls)[-len(fallen) :] == fallen
    assert len(window.falls) <= len(fallen) + 1


def test_an_empty_label_is_no_label() -> None:
    store = SeriesStore()
    store.add({"__name__": "a", "zone": ""}, [(1000, 1)])
    assert [series.labels for series in store] == [{"__name__": "a"}]


def test_series_are_selected_by_name_and_by_condition() -> None:
    store = SeriesStore()
    for name, pod in [("a", "x"), ("a", "y"), ("b", "x")]:
        store.add({"__name__": name, "pod": pod}, [(1000, 1)])
    by_name = store.select((Matcher("__name__", "=", "a"), Matcher("pod", "!=", "x")))
    by_pattern = store.select((Matcher("__name__", "=~", "a|b"), Matcher("pod", "=", "x")))
    assert [str(series.labels) for series in by_name] == ['a{pod="y"}']
    assert [str(series.labels) for series in by_pattern] == ['a{pod="x"}', 'b{pod="x"}']


def test_equal_labels_are_equal_in_any_order() -> None:
    assert hash(Labels(a="1", b="2")) == hash(Labels(b="2", a="1"))
