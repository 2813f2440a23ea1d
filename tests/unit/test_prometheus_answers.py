"""What each shape of an answer means, for one value a pod and for one value."""

import gc
import json
import math

import pytest

from controller.api import Per, Reason
from controller.prometheus import Answer, Column, Fault, Query, Scalar
from controller.prometheus.answers import read_answer

AT = 1_700_000_000.0


def row(value: str, pod: str = "a", namespace: str = "shop", **labels: str) -> dict[str, object]:
    return {"metric": {"namespace": namespace, "pod": pod, **labels}, "value": [AT, value]}


def answer(per: Per, result: object, kind: str = "vector", **more: object) -> Answer:
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return read_answer(json.dumps(body).encode(), Query("main", "up", per), AT)


def reason(found: Answer) -> Reason:
    assert isinstance(found, Fault)
    assert found.message.startswith("source main ")
    assert "; " in found.message
    return found.reason


def column(found: Answer) -> Column:
    assert isinstance(found, Column)
    return found


def scalar(found: Answer) -> Scalar:
    assert isinstance(found, Scalar)
    return found


def test_a_vector_becomes_a_column() -> None:
    found = column(answer(Per.POD, [row("1.5", "a", job="x"), row("2e3", "b", "other")]))
    assert found.keys == [("shop", "a"), ("other", "b")]
    assert found.values.tolist() == [1.5, 2000.0]
    assert found.ages.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf", "-1"])
def test_a_bad_single_value_stays_for_the_engine_to_judge(text: str) -> None:
    found = column(answer(Per.POD, [row(text), row("1", "b")]))
    assert found.values[0] == float(text) or math.isnan(float(text))
    assert math.isnan(found.values[0]) == (text == "NaN")
    assert found.values[1] == 1.0


def test_an_age_row_is_the_age_of_its_pod() -> None:
    rows = [row("1", "a"), row("2", "b"), row("130", "b", compositescaler_sample="age")]
    found = column(answer(Per.POD, rows))
    assert found.values.tolist() == [1.0, 2.0]
    assert found.ages.tolist() == [0.0, 130.0]


def test_a_pod_of_which_only_the_age_is_known_has_no_value() -> None:
    found = column(answer(Per.POD, [row("1", "a"), row("200", "b", compositescaler_sample="age")]))
    assert found.keys == [("shop", "a"), ("shop", "b")]
    assert math.isnan(found.values[1])
    assert found.ages.tolist() == [0.0, 200.0]


@pytest.mark.parametrize("label", ["namespace", "pod"])
def test_a_series_without_the_pods_labels_is_malformed(label: str) -> None:
    lacking = {"metric": {"namespace": "shop", "pod": "a"}, "value": [AT, "1"]}
    del lacking["metric"][label]  # type: ignore[attr-defined]
    found = answer(Per.POD, [row("1", "b"), lacking])
    assert reason(found) is Reason.MALFORMED_ANSWER
    assert isinstance(found, Fault)
    assert label in found.message
    assert "per: Pod needs namespace and pod" in found.message


def test_two_series_of_one_pod_are_not_one_series() -> None:
    assert reason(answer(Per.POD, [row("1", job="x"), row("2", job="y")])) is Reason.NOT_ONE_SERIES


def test_two_ages_of_one_pod_are_not_one_series() -> None:
    rows = [row("100", compositescaler_sample="age", job=job) for job in "xy"]
    assert reason(answer(Per.POD, rows)) is Reason.NOT_ONE_SERIES


@pytest.mark.parametrize("per", list(Per))
def test_no_series_is_no_data_and_not_zero(per: Per) -> None:
    assert reason(answer(per, [])) is Reason.NO_DATA


@pytest.mark.parametrize("per", list(Per))
@pytest.mark.parametrize(("kind", "result"), [("string", [AT, "x"]), ("matrix", [{"metric": {}, "values": []}])])
def test_a_string_or_a_matrix_is_not_a_vector(per: Per, kind: str, result: object) -> None:
    found = answer(per, result, kind)
    assert reason(found) is Reason.NOT_A_VECTOR
    assert isinstance(found, Fault)
    assert kind in found.message


def test_one_number_is_not_a_vector_where_pods_are_asked_for() -> None:
    assert reason(answer(Per.POD, [AT, "1"], "scalar")) is Reason.NOT_A_VECTOR


def test_a_native_histogram_is_not_a_vector_of_numbers() -> None:
    sample = {"metric": {"namespace": "shop", "pod": "a"}, "histogram": [AT, {"count": "1", "sum": "1", "buckets": []}]}
    assert reason(answer(Per.POD, [sample])) is Reason.NOT_A_VECTOR


@pytest.mark.parametrize("per", list(Per))
def test_a_value_that_is_no_number_is_malformed(per: Per) -> None:
    assert reason(answer(per, [row("many")])) is Reason.MALFORMED_ANSWER


def test_one_series_is_the_targets_value_whatever_its_labels() -> None:
    found = scalar(answer(Per.TARGET, [{"metric": {"queue": "x"}, "value": [AT, "300"]}]))
    assert (found.value, found.age) == (300.0, 0.0)


def test_a_number_is_the_targets_value() -> None:
    assert scalar(answer(Per.TARGET, [AT - 20, "3"], "scalar")) == Scalar(3.0, 20.0)


def test_the_age_of_the_targets_value_is_its_timestamps() -> None:
    assert scalar(answer(Per.TARGET, [{"metric": {}, "value": [AT - 42, "1"]}])).age == 42.0
    assert scalar(answer(Per.TARGET, [{"metric": {}, "value": [AT + 42, "1"]}])).age == 0.0


def test_the_age_row_of_a_target_is_its_age() -> None:
    aged = {"metric": {"compositescaler_sample": "age"}, "value": [AT, "120"]}
    assert scalar(answer(Per.TARGET, [{"metric": {}, "value": [AT, "1"]}, aged])) == Scalar(1.0, 120.0)
    alone = scalar(answer(Per.TARGET, [aged]))
    assert math.isnan(alone.value)
    assert alone.age == 120.0


def test_several_series_for_a_target_are_counted_in_the_sentence() -> None:
    found = answer(Per.TARGET, [row("1", "a"), row("2", "b"), row("3", "c")])
    assert reason(found) is Reason.NOT_ONE_SERIES
    assert isinstance(found, Fault)
    assert "3 series" in found.message


@pytest.mark.parametrize("text", ["NaN", "+Inf"])
def test_a_targets_bad_value_stays_for_the_engine_to_judge(text: str) -> None:
    assert not math.isfinite(scalar(answer(Per.TARGET, [row(text)])).value)


def test_a_warning_makes_the_answer_partial() -> None:
    found = answer(Per.POD, [row("1")], warnings=["No StoreAPIs matched for this query"])
    assert reason(found) is Reason.PARTIAL_ANSWER
    assert isinstance(found, Fault)
    assert "No StoreAPIs matched" in found.message


def test_hints_about_the_query_are_no_warnings() -> None:
    hint = "PromQL info: metric might not be a counter"
    assert isinstance(answer(Per.POD, [row("1")], warnings=[hint], infos=[hint]), Column)


@pytest.mark.parametrize("collects", [True, False])
def test_reading_leaves_the_garbage_collector_as_it_was(collects: bool) -> None:
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        answer(Per.POD, [row("1")])
        answer(Per.POD, "nonsense")
        assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()
