"""What was learned, written into the status and read back: by another process, on another clock, by whoever edited it meanwhile."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api import Spec, Status
from controller.engine import Learned, LoadKind
from controller.engine.lessons import Dropped, Floor, Lesson, lesson_of, restore
from controller.operator.clock import Moment
from controller.operator.conditions import of_record, written
from controller.operator.lessons import Gist, gist_in, gist_of, learned_of, lesson_in
from controller.operator.status import status_of
from tests.engine_support import record, wanting
from tests.learned_support import WEB_SPEC, Run, web
from tests.operator_support import WALL, scaler_of

NOW = Moment(5000.0, WALL)
LESSON = Lesson(
    kind=LoadKind.REQUESTS,
    floors={"memory": Floor(0.612, 0.87, 4000.0), "latency": Floor(0.0871, 0.4, 4500.0)},
    capacities={"cpu": 35.0, "memory": 86.7, "latency": 50.8},
    per_pod=30.8,
    established=29.7,
    gain=1.3,
    startup=28.0,
    patience=2.5,
    dropped=Dropped("latency", 4900.0, 5800.0),
)


def told(lesson: Lesson, of: Spec = WEB_SPEC, now: Moment = NOW) -> Status:
    """The whole status with this lesson, as the API server hands it out again."""
    found = Run()
    found.see(web(300, 10, of=of))
    conditions = written(of_record(found.record, "Deployment/web", "app=web", None, now), {}, 1, now.wall)
    status = status_of(scaler_of(of), conditions, found.record, (), now, lesson)
    return Status.parse(status.manifest())


def edited(status: Status, **learned: Any) -> Status:
    """The status with another word in what was learned."""
    manifest = status.manifest()
    manifest["learned"] |= learned
    return Status.parse(manifest)


CALM = told(Lesson(startup=1.0))


def retold(lesson: Lesson) -> Status:
    """The same, without an evaluation for every example."""
    return CALM.model_copy(update={"learned": learned_of(lesson, WEB_SPEC, NOW)})


# What stands in it


def test_a_lesson_is_told_in_words_with_units() -> None:
    learned = learned_of(LESSON, WEB_SPEC, NOW)
    assert learned is not None
    assert learned.model_dump(exclude_none=True) == {
        "floors": (
            {"name": "memory", "value": "61.2%", "confidence": "87%", "since": "2025-12-31T23:43:20Z"},
            {"name": "latency", "value": "87.1ms", "confidence": "40%", "since": "2025-12-31T23:51:40Z"},
        ),
        "capacities": (
            {"name": "cpu", "loadPerPod": "35 requests/s"},
            {"name": "memory", "loadPerPod": "86.7 requests/s"},
            {"name": "latency", "loadPerPod": "50.8 requests/s"},
        ),
        "loadPerPod": "30.8 requests/s",
        "demand": "Requests",
        "established": "29.7 requests/s",
        "gain": "1.3",
        "startup": "28s",
        "patience": "2.5",
        "ineffective": ({"name": "latency", "since": "2025-12-31T23:58:20Z", "until": "2026-01-01T00:13:20Z"},),
    }


def test_cores_are_told_as_cores() -> None:
    learned = learned_of(dataclasses.replace(LESSON, kind=LoadKind.CORES, per_pod=0.62), WEB_SPEC, NOW)
    assert learned is not None
    assert (learned.demand, learned.load_per_pod) == ("Cores", "0.62 cores")


def test_what_is_not_known_is_not_told() -> None:
    learned = learned_of(Lesson(startup=28.0), WEB_SPEC, NOW)
    assert learned is not None
    assert learned.model_dump(exclude_none=True) == {
        "floors": (),
        "capacities": (),
        "startup": "28s",
        "ineffective": (),
    }
    assert learned_of(Lesson(), WEB_SPEC, NOW) is None


# Reading it back


def test_a_lesson_comes_back_as_it_was_to_the_printed_precision() -> None:
    assert lesson_in(WEB_SPEC, told(LESSON), NOW) == LESSON


@given(
    st.floats(0.01, 0.99),
    st.floats(0.01, 1.0),
    st.floats(1e-3, 1e6),
    st.floats(0, 4),
    st.floats(1, 1200),
    st.floats(0, 1e6),
    st.floats(0, 1e7),
)
def test_any_lesson_comes_back_to_the_printed_precision_on_another_machine(
    floor: float, confidence: float, load: float, gain: float, startup: float, down: float, uptime: float
) -> None:
    lesson = Lesson(
        kind=LoadKind.CORES,
        floors={"memory": Floor(floor, confidence, NOW.monotonic - 100.0)},
        capacities={"cpu": load},
        per_pod=load / 2,
        established=load / 3,
        gain=gain,
        startup=startup,
    )
    after = Moment(uptime, NOW.wall + down)
    again = lesson_in(WEB_SPEC, retold(lesson), after)
    assert again is not None
    assert again.floors["memory"].value == pytest.approx(floor, rel=0.006)
    assert again.floors["memory"].confidence == pytest.approx(confidence, abs=0.006)
    assert after.monotonic - again.floors["memory"].since == pytest.approx(100.0 + down, abs=1.01)
    assert again.capacities == pytest.approx({"cpu": load}, rel=0.006)
    assert (again.per_pod, again.established) == pytest.approx((load / 2, load / 3), rel=0.006)
    assert (again.gain, again.startup) == pytest.approx((gain, startup), rel=0.006, abs=0.51)


def test_a_status_without_lessons_teaches_nothing() -> None:
    assert lesson_in(WEB_SPEC, Status(), NOW) is None
    assert lesson_in(WEB_SPEC, told(Lesson()), NOW) is None


@pytest.mark.parametrize(
    "dimensions",
    [
        [{"metric": "cpu", "target": "70%"}, {"metric": "memory", "target": "100%"}],
        [
            {"metric": "cpu", "target": "60%"},
            {"metric": "memory", "target": "100%"},
            {"metric": "latency", "target": "250ms"},
        ],
        [
            {"metric": "memory", "target": "100%"},
            {"metric": "cpu", "target": "70%"},
            {"metric": "latency", "target": "250ms"},
        ],
    ],
)
def test_a_status_that_is_about_other_dimensions_teaches_nothing(dimensions: list[dict[str, str]]) -> None:
    changed = Spec.model_validate(
        {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 9, "dimensions": dimensions}
    )
    assert lesson_in(changed, told(LESSON), NOW) is None


def test_other_bounds_are_no_reason_to_forget() -> None:
    assert lesson_in(WEB_SPEC.model_copy(update={"max_replicas": 7}), told(LESSON), NOW) == LESSON


def test_a_floor_that_is_written_now_is_not_read() -> None:
    written_floor = WEB_SPEC.dimensions[1].model_copy(update={"floor": "40%"})
    changed = WEB_SPEC.model_copy(
        update={"dimensions": (WEB_SPEC.dimensions[0], written_floor, WEB_SPEC.dimensions[2])}
    )
    found = lesson_in(changed, told(LESSON), NOW)
    assert found is not None
    assert found.floors.keys() == {"latency"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("loadPerPod", "a lot"),
        ("loadPerPod", "-3 requests/s"),
        ("loadPerPod", "inf requests/s"),
        ("established", ""),
        ("gain", "NaN"),
        ("startup", "soon"),
        ("patience", "of an angel"),
        ("demand", "Wishes"),
        ("capacities", [{"name": "cpu", "loadPerPod": "many"}, {"name": "disk", "loadPerPod": "3 requests/s"}]),
        ("capacities", [{"name": "cpu", "loadPerPod": "0 requests/s"}]),
        ("floors", [{"name": "memory", "value": "most", "confidence": "87%", "since": "2025-12-31T23:43:20Z"}]),
        ("floors", [{"name": "memory", "value": "61%", "confidence": "very", "since": "2025-12-31T23:43:20Z"}]),
        ("floors", [{"name": "memory", "value": "61%", "confidence": "87%", "since": "yesterday"}]),
        ("floors", [{"name": "memory", "value": "900%", "confidence": "87%", "since": "2025-12-31T23:43:20Z"}]),
        ("ineffective", [{"name": "latency", "since": "2025-12-31T23:58:20Z", "until": "never"}]),
        ("ineffective", [{"name": "disk", "since": "2025-12-31T23:58:20Z", "until": "2026-01-01T00:13:20Z"}]),
        ("ineffective", [{"name": "latency", "since": "2025-12-31T23:58:20Z", "until": "2025-12-31T23:58:20Z"}]),
    ],
)
def test_what_somebody_else_wrote_as_nonsense_is_left_out_and_the_rest_still_works(field: str, value: Any) -> None:
    status = edited(told(LESSON), **{field: value})
    found = lesson_in(WEB_SPEC, status, NOW)
    assert found is not None
    assert found != LESSON
    assert gist_in(scaler_of(WEB_SPEC, status=status)) is not None
    seen = Run()
    seen.see(web(300, 10))
    assert seen.decisions is not None
    learned = Learned.empty(1, 3)
    restore(learned, 0, seen.decisions.scalers, found, seen.now)
    again = Run(learned, seen.now)
    assert again.see(web(300, 10), times=20).desired[0] > 0


def test_a_clock_that_was_set_back_keeps_no_dimension_out_for_longer_than_was_meant() -> None:
    found = lesson_in(WEB_SPEC, told(LESSON), Moment(50.0, WALL - 86400.0))
    assert found is not None
    assert found.dropped == Dropped("latency", 50.0, 950.0)


def test_a_dimension_is_kept_out_for_two_hours_at_the_most() -> None:
    until = [{"name": "latency", "since": "2025-12-31T23:58:20Z", "until": "2027-01-01T00:00:00Z"}]
    found = lesson_in(WEB_SPEC, edited(told(LESSON), ineffective=until), NOW)
    assert found is not None
    assert found.dropped == Dropped("latency", 4900.0, 4900.0 + 7200.0)


# What of it is news


GIST = Gist((("memory", 0.5),), 40.0)


@pytest.mark.parametrize(
    ("newer", "worth"),
    [
        (GIST, False),
        (Gist((("memory", 0.54),), 40.0), False),
        (Gist((("memory", 0.56),), 40.0), True),
        (Gist((("memory", 0.44),), 40.0), True),
        (Gist((("memory", 0.5), ("latency", 0.2)), 40.0), True),
        (Gist((), 40.0), False),
        (Gist((("memory", 0.5),), 49.0), False),
        (Gist((("memory", 0.5),), 51.0), True),
        (Gist((("memory", 0.5),), 31.0), True),
        (Gist((("memory", 0.5),), 33.0), False),
        (Gist((("memory", 0.5),), math.nan), False),
    ],
)
def test_a_floor_or_a_load_that_moved_is_news(newer: Gist, worth: bool) -> None:
    assert GIST.outdated_by(newer) is worth


def test_the_first_lesson_is_news() -> None:
    assert Gist().outdated_by(GIST)
    assert Gist().outdated_by(Gist((), 40.0))
    assert not Gist().outdated_by(Gist())


def test_the_gist_of_a_decision_has_the_floors_that_are_learned() -> None:
    found = Run()
    found.see(web(300, 10), times=20)
    gist = gist_of(found.record)
    assert [name for name, _ in gist.floors] == ["memory", "latency"]
    assert dict(gist.floors)["memory"] == pytest.approx(0.6, abs=0.05)
    assert gist.per_pod == found.record.outlook.per_pod
    assert gist_of(record(wanting(7, 4))).floors == ()


def test_what_the_status_says_already_is_no_news_to_an_operator_that_starts_anew() -> None:
    found = Run()
    found.see(web(300, 10), times=40)
    assert found.decisions is not None
    status = told(lesson_of(found.decisions, 0), now=Moment(found.now, WALL))
    assert not gist_in(scaler_of(WEB_SPEC, status=status)).outdated_by(gist_of(found.record))
    assert gist_in(scaler_of(WEB_SPEC)).outdated_by(gist_of(found.record))


@pytest.mark.parametrize("load", ["0", "0 requests/s", "1e308 requests/s", "-3 cores", "inf", "much"])
def test_a_load_that_cannot_be_one_is_not_read_back_and_stops_nobody(load: str) -> None:
    capacities = [{"name": "cpu", "loadPerPod": load}]
    status = edited(told(LESSON), loadPerPod=load, established=load, capacities=capacities)
    lesson = lesson_in(WEB_SPEC, status, NOW)
    assert lesson is not None
    assert (lesson.capacities, math.isnan(lesson.per_pod), math.isnan(lesson.established)) == ({}, True, True)
    gist = gist_in(dataclasses.replace(scaler_of(WEB_SPEC), status=status))
    assert gist.outdated_by(Gist(gist.floors, 30.0))


def test_a_time_that_was_never_set_is_not_read_back() -> None:
    floors = [{"name": "memory", "value": "61.2%", "confidence": "87%", "since": "0001-01-01T00:00:00Z"}]
    lesson = lesson_in(WEB_SPEC, edited(told(LESSON), floors=floors), NOW)
    assert lesson is not None
    assert lesson.floors == {}
