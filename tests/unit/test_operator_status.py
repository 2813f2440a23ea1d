"""The status: what stands in it, the patch that makes it so whatever was there, and when it is worth a write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api import MOST_SCALE_EVENTS, AnomalyStatus, Reason, Status
from controller.engine import Override, Record
from controller.engine.lessons import Lesson, lesson_of
from controller.operator.clock import Moment, rfc3339
from controller.operator.conditions import of_problem, of_record, written
from controller.operator.lessons import Gist
from controller.operator.memory import ScaleEvent
from controller.operator.scalers import Problem, Scaler
from controller.operator.status import (
    Headline,
    events_of,
    headline_in,
    headline_of,
    patch_of,
    patch_of_problem,
    status_of,
)
from tests.engine_support import Case, Pod, dimension, even, record, rules, spec, wanting
from tests.learned_support import WEB_SPEC, Run, far_from_usual, web
from tests.operator_support import WALL, Time, scaler_of

NOW = Moment(1000.0, WALL)
PROBLEM = Problem(Reason.TARGET_NOT_FOUND, "there is no Deployment web; create it")
QUEUE = dimension("queue", per="Target")
PARTIAL = Case(spec(dimension("cpu"), QUEUE), even(3, 0.9))
SILENT = Case(spec(QUEUE), even(3))
CASES = {
    "calm": wanting(4, 4),
    "up": wanting(7, 4),
    "down": wanting(2, 4),
    "limited": wanting(30, 4, maximum=20),
    "cooled": wanting(2, 4, cooldown={"scaleDown": "60s"}, changes=[(1, 10)]),
    "within": wanting(4, 4, behavior={"scaleUp": rules(), "scaleDown": rules()}),
    "partial": PARTIAL,
    "silent": SILENT,
    "paused": Case(spec(), (), current=0),
    "halved": wanting(3, 4, magnitude={"target": "0.5"}),
}


def whole(case: Case, *events: ScaleEvent, now: Moment = NOW, of: Scaler | None = None) -> Status:
    found = record(case)
    subject = of or scaler_of(case.spec)
    return status_of(
        subject,
        written(of_record(found, "Deployment/web", "app=web", None, now), {}, 1, now.wall),
        found,
        events,
        now,
        Lesson(),
    )


def merge(document: Any, patch: Any) -> Any:
    """RFC 7386, word for word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


# What stands in it


def test_a_decision_is_told_from_values_to_replicas() -> None:
    case = replace(wanting(7, 4), spec=spec(dimension("load", "2", per="Target", floor="1")), target={"load": 3.0})
    status = whole(case)
    found = record(case)
    assert (status.current_replicas, status.desired_replicas) == (4, found.desired)
    assert (status.magnitude, status.dominant_dimension, status.reason) == ("2.00", "load", str(found.rule))
    assert status.pods is not None
    assert (status.pods.ready, status.pods.total) == (4, 4)
    decision = status.last_decision
    assert decision is not None
    assert (decision.time, decision.magnitude, decision.rule) == ("2026-01-01T00:00:00Z", "2", str(found.rule))
    assert decision.message == found.sentence
    (load,) = decision.dimensions
    assert (load.value, load.target, load.floor, load.normalized, load.share) == ("3", "2", "1", "2", "100.0%")
    assert (load.valid, load.reason, load.message) == (True, "ValidMetricFound", None)


def test_a_decision_by_demand_is_told_with_the_demand() -> None:
    run = Run()
    run.see(web(412, 10), times=40)
    found = run.record
    conditions = written(of_record(found, "Deployment/web", "app=web", None, NOW), {}, 1, NOW.wall)
    decision = status_of(scaler_of(WEB_SPEC), conditions, found, (), NOW, Lesson()).last_decision
    assert decision is not None
    assert (decision.response, decision.demand, decision.demand_ahead, decision.load_per_pod) == (
        "Capacity",
        "412 requests/s",
        "412 requests/s",
        f"{found.outlook.per_pod:.3g} requests/s",
    )


def test_a_decision_in_proportion_has_no_demand() -> None:
    decision = whole(CASES["up"]).last_decision
    assert decision is not None
    assert (decision.response, decision.demand, decision.demand_ahead, decision.load_per_pod) == (
        "Proportional",
        None,
        None,
        None,
    )


def test_pods_that_wait_for_nodes_are_told() -> None:
    waiting = (Pod.of(None, ready=False, unscheduled=True),) * 2
    pods = whole(Case(spec(), (*even(3, 1.0), *waiting))).pods
    assert pods is not None
    assert (pods.ready, pods.total, pods.waiting_for_nodes) == (3, 5, 2)


def test_a_dimension_without_room_above_its_floor_says_what_to_write() -> None:
    case = Case(spec(dimension("cpu"), {"metric": "memory", "target": "80%", "floor": "78%"}), even(4, 1.2, 0.8))
    decision = whole(case).last_decision
    assert decision is not None
    memory = decision.dimensions[1]
    assert (memory.valid, memory.reason, memory.value) == (True, "FloorAtTarget", None)
    assert memory.message == record(case).dimensions[1].advice


def test_every_stage_of_the_decision_is_told() -> None:
    status = whole(CASES["limited"])
    assert status.last_decision is not None
    assert status.last_decision.replicas.model_dump() == {
        "current": 4,
        "proposed": 30,
        "trusted": 30,
        "tolerated": 30,
        "stabilized": 30,
        "cooled": 30,
        "rateLimited": 30,
        "guarded": 30,
        "bounded": 20,
        "overridden": 20,
    }


def test_how_far_from_usual_it_is_is_told_and_since_when() -> None:
    (found, at), (calm, _) = far_from_usual(), far_from_usual(cycles=0)
    case = Case(spec(dimension("cpu"), dimension("queue")), even(4, 0.7, 0.7))
    decision, before = (
        status_of(scaler_of(case.spec), (), each, (), Moment(at, WALL), Lesson()).last_decision
        for each in (found, calm)
    )
    assert decision is not None
    assert decision.anomaly is not None
    assert (decision.anomaly.score, decision.anomaly.threshold, decision.anomaly.dimension) == ("0.8", "0.3", "cpu")
    assert decision.anomaly.since == rfc3339(WALL - 39 * 15.0)
    assert before is not None
    assert before.anomaly == AnomalyStatus(score="0", threshold="0.3")
    assert before.replicas.guarded == before.replicas.rate_limited


def test_a_status_from_before_there_were_guards_is_read() -> None:
    written = whole(CASES["limited"]).manifest()
    del written["lastDecision"]["replicas"]["guarded"]
    read = Status.parse(written).last_decision
    assert read is not None
    assert (read.replicas.guarded, read.replicas.bounded) == (None, 20)


def test_amounts_are_shown_in_the_unit_of_the_target() -> None:
    cpu = {"name": "cpu", "metric": "cpu", "target": "50%"}
    latency = {"metric": "latency", "target": "250ms", "floor": "50ms"}
    memory = {"metric": "memory", "target": "1Gi"}
    status = whole(Case(spec(cpu, latency, memory), even(2, 0.25, 0.1, 2.0**29)))
    assert status.last_decision is not None
    shown = [(each.value, each.target, each.floor) for each in status.last_decision.dimensions]
    assert [value.endswith(unit) for (value, _, _), unit in zip(shown, ("%", "ms", "Mi"), strict=True) if value] == [
        True
    ] * 3
    assert [target for _, target, _ in shown] == ["50%", "250ms", "1Gi"]


def test_a_dimension_without_data_has_no_numbers_but_a_reason_and_a_sentence() -> None:
    status = whole(PARTIAL)
    assert status.last_decision is not None
    queue = status.last_decision.dimensions[1]
    assert (queue.valid, queue.value, queue.normalized, queue.share, queue.reason) == (
        False,
        None,
        None,
        None,
        "NoData",
    )
    assert queue.message


def test_without_any_data_there_is_no_magnitude() -> None:
    manifest = whole(SILENT).manifest()
    assert "magnitude" not in manifest
    assert "dominantDimension" not in manifest
    assert "magnitude" not in manifest["lastDecision"]


def test_only_the_newest_scale_events_are_kept() -> None:
    events = [ScaleEvent(float(at), at, at + 1) for at in range(MOST_SCALE_EVENTS + 5)]
    kept = whole(CASES["calm"], *events).scale_events
    assert len(kept) == MOST_SCALE_EVENTS
    assert kept[-1].from_replicas == MOST_SCALE_EVENTS + 4


def test_the_last_scale_time_is_that_of_the_newest_event() -> None:
    status = whole(CASES["calm"], ScaleEvent(940.0, 3, 5), ScaleEvent(970.0, 5, 4))
    assert status.last_scale_time == status.scale_events[-1].time == "2025-12-31T23:59:30Z"
    assert whole(CASES["calm"]).last_scale_time is None


# Remembering


@given(
    st.lists(
        st.tuples(st.floats(0, 7200), st.integers(0, 500), st.integers(0, 500), st.text(max_size=20)), max_size=10
    ),
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.floats(0, 1e7),
)
def test_scale_events_survive_a_restart_on_another_machine_to_half_a_second(
    written_: list[tuple[float, int, int, str]], down: float, fraction: float, uptime: float
) -> None:
    before = Moment(1e5, WALL + fraction)
    events = [ScaleEvent(before.monotonic - ago, one, two, why) for ago, one, two, why in written_]
    status = Status.parse(whole(CASES["calm"], *events, now=before).manifest())
    after = Moment(uptime, before.wall + down)
    found = events_of(status, after)
    assert [(each.before, each.after, each.message) for each in found] == [
        (each[1], each[2], each[3]) for each in written_
    ]
    for event, again in zip(events, found, strict=True):
        assert (after.monotonic - again.at) == pytest.approx(before.monotonic - event.at + down, abs=0.51)


@given(st.lists(st.floats(0, 7200), max_size=5), st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e7)), max_size=5))
def test_a_time_that_was_written_once_is_written_the_same_after_any_number_of_restarts(
    ages: list[float], restarts: list[tuple[float, float]]
) -> None:
    now = NOW
    events = [ScaleEvent(now.monotonic - ago, 3, 4) for ago in ages]
    first = whole(CASES["calm"], *events, now=now).scale_events
    for down, uptime in restarts:
        now = Moment(uptime, now.wall + down)
        status = Status(scale_events=first)
        assert whole(CASES["calm"], *events_of(status, now), now=now).scale_events == first


def test_a_time_that_cannot_be_read_is_left_out() -> None:
    events = [
        {"time": time, "from": 3, "to": 4} for time in ("yesterday", "2026-01-01T00:00:00", "2025-12-31T23:59:00Z")
    ]
    assert events_of(Status.parse({"scaleEvents": events}), NOW) == [ScaleEvent(940.0, 3, 4)]


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_wall_clock_that_jumps_while_the_operator_runs_moves_no_scale_event(jump: float) -> None:
    time = Time()
    event = ScaleEvent(time.monotonic, 3, 4)
    time.pass_(30.0)
    time.wall += jump
    status = whole(CASES["calm"], event, now=time.now)
    (again,) = events_of(status, time.now)
    assert time.monotonic - again.at == pytest.approx(30.0, abs=0.5)


def test_a_wall_clock_that_was_set_back_between_two_runs_makes_an_event_no_younger_than_now() -> None:
    status = whole(CASES["calm"], ScaleEvent(1000.0, 3, 4), now=NOW)
    (event,) = events_of(status, Moment(50.0, WALL - 3600.0))
    assert event.at == 50.0


# The patch


KEYS = ("magnitude", "reason", "pods", "lastDecision", "replicas", "conditions", "scaleEvents", "time")
OLD = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)),
    max_leaves=20,
)


def known_fields(old: Mapping[str, Any], status: Status) -> dict[str, Any]:
    """The part of an old status that this operator knows; fields of a newer one are left alone."""
    return {key: value for key, value in old.items() if key in status.model_dump(by_alias=True)}


@given(st.sampled_from(sorted(CASES)), st.dictionaries(st.sampled_from(KEYS), OLD, max_size=6))
def test_the_patch_makes_the_status_of_whatever_was_there(case: str, old: dict[str, Any]) -> None:
    status = whole(CASES[case], ScaleEvent(900.0, 3, 4))
    inside = {key: value for key, value in known_fields(old, status).items() if not isinstance(value, dict)}
    assert merge(inside, patch_of(status)) == status.manifest()


@given(st.sampled_from(sorted(CASES)), st.sampled_from(sorted(CASES)), st.booleans(), st.booleans())
def test_the_patch_turns_any_status_of_ours_into_any_other(one: str, other: str, scaled: bool, again: bool) -> None:
    event = ScaleEvent(900.0, 3, 4)
    old = whole(CASES[one], *([event] if scaled else []))
    new = whole(CASES[other], *([event] if again else []))
    assert merge(old.manifest(), patch_of(new)) == new.manifest()
    assert merge({}, patch_of(new)) == new.manifest()


def test_nothing_inside_of_a_list_is_null() -> None:
    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(nulls(each) for each in value.values())
        return value is None or (isinstance(value, list) and any(nulls(each) for each in value))

    for key, value in patch_of(whole(PARTIAL)).items():
        if isinstance(value, list):
            assert not nulls(value), key
    dimensions = patch_of(whole(PARTIAL))["lastDecision"]["dimensions"]
    assert not nulls(dimensions)


def test_a_problem_keeps_what_was_decided_and_done_before() -> None:
    before = whole(CASES["up"], ScaleEvent(900.0, 4, 7)).manifest()
    conditions = written(of_problem(PROBLEM), {}, 2, NOW.wall)
    after = Status.parse(merge(before, patch_of_problem(scaler_of(None, generation=2), conditions)))
    assert (after.observed_generation, after.conditions, after.reason) == (2, conditions, "TargetNotFound")
    assert (after.magnitude, after.dominant_dimension, after.desired_replicas) == (None, None, None)
    kept = ("currentReplicas", "lastDecision", "scaleEvents", "lastScaleTime", "pods")
    assert {key: after.manifest()[key] for key in kept} == {key: before[key] for key in kept}


# When it is worth a write


CALM = Headline(facts=("a",), reasons=("x",), magnitude=1.0, written_at=1000.0, gist=Gist((("memory", 0.5),), 40.0))


MOVED_GIST = Gist((("memory", 0.56),), 40.0)


@pytest.mark.parametrize(
    ("newer", "worth"),
    [
        ({}, False),
        ({"facts": ("b",)}, True),
        ({"reasons": ("y",)}, False),
        ({"reasons": ("y",), "written_at": 1059.9}, False),
        ({"reasons": ("y",), "written_at": 1060.0}, True),
        ({"magnitude": 1.2}, False),
        ({"magnitude": 1.2, "written_at": 1060.0}, True),
        ({"magnitude": 0.8, "written_at": 1060.0}, True),
        ({"magnitude": 1.09, "written_at": 99999.0}, False),
        ({"magnitude": math.nan, "written_at": 1059.9}, False),
        ({"magnitude": math.nan, "written_at": 1060.0}, True),
        ({"magnitude": math.inf, "written_at": 1060.0}, True),
        ({"written_at": 99999.0}, False),
        ({"gist": MOVED_GIST, "written_at": 1299.9}, False),
        ({"gist": MOVED_GIST, "written_at": 1300.0}, True),
        ({"gist": Gist((("memory", 0.54),), 45.0), "written_at": 99999.0}, False),
    ],
)
def test_what_changed_decides_how_soon_it_is_written(newer: dict[str, Any], worth: bool) -> None:
    assert CALM.outdated_by(replace(CALM, **newer)) is worth


@pytest.mark.parametrize("magnitude", [math.nan, math.inf])
def test_a_magnitude_that_stays_away_or_infinite_is_no_news(magnitude: float) -> None:
    before = replace(CALM, magnitude=magnitude)
    assert not before.outdated_by(replace(before, written_at=99999.0))


def test_a_magnitude_that_comes_back_is_news() -> None:
    before = replace(CALM, magnitude=math.nan)
    assert before.outdated_by(replace(before, magnitude=1.0, written_at=1060.0))


def headline(found: Record, now: Moment = NOW, event: ScaleEvent | None = None, **fields: Any) -> Headline:
    return headline_of(
        scaler_of(None, **fields), of_record(found, "Deployment/web", "app=web", None, NOW), found, now, event
    )


@pytest.mark.parametrize(
    "changes",
    [{"current": 5}, {"desired": 5}, {"limited": Reason.TOO_MANY_REPLICAS}, {"magnitude": math.nan}],
)
def test_other_replicas_and_a_condition_that_flips_are_written_at_once(changes: dict[str, Any]) -> None:
    found = record(CASES["calm"])
    assert headline(found).outdated_by(headline(replace(found, **changes)))


def test_pods_that_begin_to_wait_for_nodes_and_another_response_are_written_after_a_while() -> None:
    found = record(CASES["calm"])
    for newer in (replace(found, unscheduled=2), replace(found, outlook=replace(found.outlook, used=True))):
        assert not headline(found).outdated_by(headline(newer, Moment(1059.0, WALL)))
        assert headline(found).outdated_by(headline(newer, Moment(1060.0, WALL)))


def test_a_dimension_that_is_dropped_is_written_at_once() -> None:
    run = Run()
    run.in_vain()
    found = run.record
    assert found.outlook.trial is not None
    other = replace(found.outlook.trial, dimension="errors")
    assert headline(found).outdated_by(headline(replace(found, outlook=replace(found.outlook, trial=other))))
    assert headline(found).outdated_by(headline(replace(found, outlook=replace(found.outlook, trial=None))))


def test_a_lesson_that_the_status_tells_already_is_not_written_again_by_an_operator_that_starts_anew() -> None:
    run = Run()
    run.in_vain()
    assert run.decisions is not None
    now = Moment(run.now, WALL)
    conditions = of_record(run.record, "Deployment/web", "app=web", None, now)
    status = status_of(
        scaler_of(WEB_SPEC), written(conditions, {}, 1, WALL), run.record, (), now, lesson_of(run.decisions, 0)
    )
    told = scaler_of(WEB_SPEC, status=Status.parse(status.manifest()))
    before = headline_in(told, None, now)
    assert before is not None
    assert not before.outdated_by(headline_of(told, conditions, run.record, now, None))
    moved = replace(run.record, outlook=replace(run.record.outlook, per_pod=1.3 * run.record.outlook.per_pod))
    assert before.outdated_by(headline_of(told, conditions, moved, now, None))


def test_another_generation_another_object_and_another_scale_event_are_written_at_once() -> None:
    found = record(CASES["calm"])
    before = headline(found, event=ScaleEvent(900.0, 3, 4))
    assert before.outdated_by(headline(found, event=ScaleEvent(900.0, 3, 4), generation=2))
    assert before.outdated_by(headline(found, event=ScaleEvent(900.0, 3, 4), uid="another"))
    assert before.outdated_by(headline(found, event=ScaleEvent(950.0, 3, 4)))


def test_the_two_rules_of_a_steady_target_are_the_same_news() -> None:
    found = record(CASES["calm"])
    later = Moment(99999.0, WALL)
    for rule in (Reason.AT_TARGET, Reason.WITHIN_TOLERANCE):
        assert not headline(found).outdated_by(headline(replace(found, rule=rule), later))


def test_the_magnitude_counts_in_multiples_of_its_target() -> None:
    found = replace(record(CASES["calm"]), magnitude=0.5, target_magnitude=0.5)
    later = Moment(99999.0, WALL)
    assert not headline(found).outdated_by(headline(replace(found, magnitude=0.54), later))
    assert headline(found).outdated_by(headline(replace(found, magnitude=0.56), later))


def problem_headline(problem: Problem, now: Moment = NOW) -> Headline:
    return headline_of(scaler_of(None), of_problem(problem), None, now, None)


def test_another_problem_is_written_at_once_and_another_sentence_of_it_after_a_while() -> None:
    before = problem_headline(PROBLEM)
    assert before.outdated_by(problem_headline(replace(PROBLEM, reason=Reason.FAILED_GET_SCALE)))
    worded = replace(PROBLEM, message="no answer for 5.01 s")
    assert not before.outdated_by(problem_headline(worded, Moment(1059.0, WALL)))
    assert before.outdated_by(problem_headline(worded, Moment(1060.0, WALL)))


def test_a_problem_that_is_gone_is_written_at_once() -> None:
    assert problem_headline(PROBLEM).outdated_by(headline(record(CASES["calm"])))
    assert headline(record(CASES["calm"])).outdated_by(problem_headline(PROBLEM))


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_the_status_says_already_is_not_written_again_by_an_operator_that_starts_anew(case: str) -> None:
    found, event = record(CASES[case]), ScaleEvent(900.4, 3, 4)
    status = Status.parse(whole(CASES[case], event).manifest())
    told = scaler_of(CASES[case].spec, status=status)
    now = Moment(5.0, WALL + 600.0)
    (event,) = events_of(status, now)
    before = headline_in(told, event, now)
    assert before is not None
    conditions = of_record(found, "Deployment/web", "app=web", None, NOW)
    assert not before.outdated_by(headline_of(told, conditions, found, now, event))
    other = replace(found, current=found.current + 1)
    assert before.outdated_by(headline_of(told, conditions, other, now, event))


def test_a_scale_event_that_the_status_does_not_tell_is_written() -> None:
    case = CASES["calm"]
    told = scaler_of(case.spec, status=whole(case, ScaleEvent(900.0, 3, 4)))
    new = ScaleEvent(1000.0, 3, 4)
    before = headline_in(told, new, NOW)
    assert before is not None
    assert before.outdated_by(
        headline_of(told, of_record(record(case), "Deployment/web", "app=web", None, NOW), record(case), NOW, new)
    )


def test_a_problem_that_the_status_tells_already_is_not_written_again() -> None:
    conditions = of_problem(PROBLEM)
    patch = patch_of_problem(scaler_of(None), written(conditions, {}, 1, WALL))
    for before in ({}, whole(CASES["calm"], ScaleEvent(900.0, 3, 4)).manifest()):
        told = scaler_of(CASES["calm"].spec, status=Status.parse(merge(before, patch)))
        headline_before = headline_in(told, None, NOW)
        assert headline_before is not None
        assert not headline_before.outdated_by(headline_of(told, conditions, None, NOW, None))
        assert headline_before.outdated_by(headline_of(replace(told, generation=2), conditions, None, NOW, None))


def test_a_status_that_nobody_wrote_says_nothing() -> None:
    assert headline_in(scaler_of(CASES["calm"].spec), None, NOW) is None


def test_a_magnitude_that_somebody_else_wrote_as_nonsense_is_written_over() -> None:
    case = CASES["calm"]
    told = scaler_of(case.spec, status=whole(case).model_copy(update={"magnitude": "a lot"}))
    before = headline_in(told, None, NOW)
    assert before is not None
    assert before.outdated_by(
        headline_of(told, of_record(record(case), "Deployment/web", "app=web", None, NOW), record(case), NOW, None)
    )


# Overrides


def test_a_pin_is_told_as_one_and_is_one_after_a_restart() -> None:
    events = [ScaleEvent(900.0, 4, 6, "up"), ScaleEvent(950.0, 6, 12, "pinned to 12", pinned=True)]
    status = Status.parse(whole(CASES["limited"], *events).manifest())
    assert [each.reason for each in status.scale_events] == [None, "PausedReplicas"]
    assert [each.pinned for each in events_of(status, NOW)] == [False, True]


def dry_run(wanted: int) -> Record:
    """A dry run at 10 replicas."""
    found = record(wanting(wanted, 10))
    dry = Override((Reason.DRY_RUN,), ("a dry run",))
    return replace(found, desired=10, override=dry, rule=Reason.DRY_RUN, magnitude=1.0)


def test_what_a_dry_run_would_do_is_written_after_a_while_and_not_in_every_cycle() -> None:
    first = headline(dry_run(12))
    assert not first.outdated_by(headline(dry_run(13), Moment(1015.0, WALL)))
    assert first.outdated_by(headline(dry_run(13), Moment(1060.0, WALL)))
    assert not first.outdated_by(headline(dry_run(12), Moment(1060.0, WALL)))


def test_a_dry_run_that_the_status_tells_already_is_not_written_again_by_an_operator_that_starts_anew() -> None:
    found, of = dry_run(12), scaler_of(wanting(12, 10).spec)
    conditions = of_record(found, "Deployment/web", "app=web", None, NOW)
    status = status_of(of, written(conditions, {}, 1, WALL), found, (), NOW, Lesson())
    told = replace(of, status=Status.parse(status.manifest()))
    before = headline_in(told, None, NOW)
    assert before is not None
    assert not before.outdated_by(headline_of(told, conditions, found, NOW, None))
