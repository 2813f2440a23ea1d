"""Conditions: what each says of a real decision, and since when."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from controller.api import Condition as WrittenCondition
from controller.api import ConditionStatus, ConditionType, Efficacy, Reason
from controller.engine import Override, Record
from controller.operator.clock import Moment
from controller.operator.conditions import Condition, of_problem, of_record, since_of, written
from controller.operator.scalers import Problem
from tests.engine_support import Case, Pod, dimension, even, record, rules, spec, wanting
from tests.learned_support import WEB_SPEC, Run, far_from_usual, slow_dependency, web
from tests.operator_support import WALL

READY, ACTIVE = ConditionType.READY, ConditionType.SCALING_ACTIVE
ABLE, LIMITED = ConditionType.ABLE_TO_SCALE, ConditionType.SCALING_LIMITED
INEFFECTIVE, UNREACHABLE = ConditionType.SCALING_INEFFECTIVE, ConditionType.TARGET_UNREACHABLE
BLOCKED = ConditionType.SCALING_BLOCKED
ANOMALY = ConditionType.ANOMALY_DETECTED
NOW = Moment(1000.0, WALL)
LOAD = dimension("load", per="Target")
QUEUE = dimension("queue", per="Target")
EXACT = {"tolerance": "0"}


def of(case: Case, failure: str | None = None, **changes: Any) -> dict[ConditionType, Condition]:
    found = of_record(dataclasses.replace(record(case), **changes), "Deployment/web", "app=web", failure, NOW)
    assert [each.type for each in found] == [READY, ACTIVE, ABLE, LIMITED, INEFFECTIVE, UNREACHABLE, BLOCKED, ANOMALY]
    return {each.type: each for each in found}


def said(condition: Condition) -> tuple[bool | None, Reason]:
    return condition.status, condition.reason


def test_where_all_is_well_nothing_is_limited_ineffective_unreachable_or_far_from_usual() -> None:
    found = of(wanting(4, 4))
    assert said(found[READY]) == (True, Reason.ACCEPTED)
    assert "Deployment/web" in found[READY].message
    assert said(found[ACTIVE]) == (True, Reason.VALID_METRIC_FOUND)
    assert said(found[ABLE]) == (True, Reason.READY_FOR_NEW_SCALE)
    assert said(found[LIMITED]) == (False, Reason.DESIRED_WITHIN_RANGE)
    assert said(found[INEFFECTIVE]) == (False, Reason.PODS_HELP)
    assert said(found[UNREACHABLE]) == (False, Reason.TARGETS_REACHABLE)
    assert said(found[ANOMALY]) == (False, Reason.AS_USUAL)


def test_a_scale_succeeded_with_its_numbers() -> None:
    able = of(wanting(7, 4))[ABLE]
    assert said(able) == (True, Reason.SUCCEEDED_RESCALE)
    assert able.message == "scaled from 4 to 7"


def test_a_write_that_failed_is_not_able_to_scale_and_says_why() -> None:
    found = of(wanting(7, 4), failure="somebody else scaled it")
    assert said(found[ABLE]) == (False, Reason.FAILED_UPDATE_SCALE)
    assert found[ABLE].message == "somebody else scaled it"
    assert said(found[READY]) == (True, Reason.ACCEPTED)


def test_a_bound_that_held_back_limits_scaling_in_the_words_of_the_decision() -> None:
    case = wanting(30, 4, maximum=20)
    limited = of(case)[LIMITED]
    assert said(limited) == (True, Reason.TOO_MANY_REPLICAS)
    assert limited.message == record(case).sentence


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (wanting(2, 4, cooldown={"scaleDown": "60s"}, changes=[(1, 10)]), Reason.COOLDOWN),
        (
            wanting(
                2,
                4,
                behavior={"scaleUp": rules(), "scaleDown": rules(window=300, tolerance="0")},
                recommendations=[(4, 100)],
            ),
            Reason.SCALE_DOWN_STABILIZED,
        ),
        (
            wanting(
                9,
                4,
                behavior={"scaleUp": rules(window=300, tolerance="0"), "scaleDown": rules()},
                recommendations=[(4, 100)],
            ),
            Reason.SCALE_UP_STABILIZED,
        ),
    ],
)
def test_a_scale_that_is_held_back_for_a_time_is_able_and_says_by_what(case: Case, reason: Reason) -> None:
    able = of(case)[ABLE]
    assert said(able) == (True, reason)
    assert able.message == record(case).sentence


def test_a_dimension_that_is_missing_beside_valid_ones_makes_the_metrics_partial() -> None:
    case = Case(spec(dimension("cpu"), QUEUE), even(3, 0.9))
    found = of(case)
    assert said(found[ACTIVE]) == (True, Reason.PARTIAL_METRICS)
    assert "queue: " in found[ACTIVE].message
    assert "cpu: " not in found[ACTIVE].message


def test_partial_metrics_promise_nothing_about_a_dimension_that_may_be_left_out() -> None:
    case = Case(spec(dimension("cpu"), {**QUEUE, "onMissing": "Ignore"}), even(3, 0.1))
    assert record(case).desired < 3
    assert "scales down" not in of(case)[ACTIVE].message


def test_without_any_valid_dimension_scaling_is_not_active_for_the_reason_of_the_first() -> None:
    case = Case(spec(LOAD, QUEUE), even(3), faults={"load": Reason.SOURCE_TIMEOUT, "queue": Reason.NOT_ONE_SERIES})
    active = of(case)[ACTIVE]
    assert said(active) == (False, Reason.SOURCE_TIMEOUT)
    assert "load: " in active.message
    assert "queue: " in active.message


def test_without_ready_pods_scaling_is_not_active() -> None:
    assert said(of(Case(spec(), [Pod.of(1.0, ready=False)]))[ACTIVE]) == (False, Reason.NO_READY_PODS)


def test_without_any_pod_the_selector_is_named() -> None:
    active = of(Case(spec(), (), current=2))[ACTIVE]
    assert said(active) == (False, Reason.NO_PODS)
    assert "app=web" in active.message
    assert "Deployment/web" in active.message


@pytest.mark.parametrize(
    ("pods", "reason"),
    [((), Reason.NO_PODS), ([Pod.of(None, ready=False)], Reason.NO_READY_PODS), (even(4, None), Reason.NO_DATA)],
)
def test_scaling_is_not_active_without_a_measurement_even_where_a_bound_moves_the_number(
    pods: Sequence[Pod], reason: Reason
) -> None:
    case = Case(spec(maximum=20), pods, current=30)
    assert record(case).rule is Reason.TOO_MANY_REPLICAS
    assert said(of(case)[ACTIVE]) == (False, reason)


def test_a_target_of_zero_replicas_disables_scaling() -> None:
    found = of(Case(spec(), (), current=0))
    assert said(found[ACTIVE]) == (False, Reason.SCALING_DISABLED)
    assert said(found[READY]) == (True, Reason.ACCEPTED)


def of_run(found: Run) -> dict[ConditionType, Condition]:
    now = Moment(found.now, WALL)
    return {each.type: each for each in of_record(found.record, "Deployment/web", "app=web", None, now)}


def test_a_dimension_that_pods_do_not_lower_makes_scaling_ineffective_with_what_was_tried_and_until_when() -> None:
    found = Run()
    found.in_vain()
    condition = of_run(found)[INEFFECTIVE]
    assert said(condition) == (True, Reason.PODS_DO_NOT_HELP)
    assert condition.message.startswith("with the load per pod from 30 to 18.8 requests/s, latency went from ")
    assert "may not ask for more until 2026-01-01T00:15:00Z" in condition.message


def test_in_proportion_pods_that_do_not_help_are_told_of_as_well() -> None:
    shaped = spec(dimension("delay", "0.5"), magnitude={"response": "Proportional"})
    found = Run()
    found.see(Case(shaped, even(10, 0.1)), times=4)
    found.see(Case(shaped, even(10, 1.0)))
    found.see(Case(shaped, even(20, 1.0)), times=6)
    condition = of_run(found)[INEFFECTIVE]
    assert said(condition) == (True, Reason.PODS_DO_NOT_HELP)
    assert condition.message.startswith("with 10 Ready pods and then 19, delay went from 1 to 1: ")


def test_a_dimension_that_is_being_tried_is_no_failure_yet() -> None:
    narrow = WEB_SPEC.model_copy(update={"efficacy": Efficacy(authority=1.1)})
    found = Run()
    found.see(web(300, 10, of=narrow), times=40)
    found.see(web(300, 10, slow_dependency, narrow), times=60)
    condition = of_run(found)[INEFFECTIVE]
    assert said(condition) == (False, Reason.PODS_HELP)
    assert condition.message.startswith("it is being tried whether pods lower latency, from ")
    assert "a pod on; until that is known" in condition.message


def test_a_target_without_room_above_its_floor_is_unreachable_with_the_advice_of_the_record() -> None:
    case = Case(spec(dimension("cpu"), {"metric": "memory", "target": "80%", "floor": "78%"}), even(4, 1.2, 0.8))
    found = of(case)
    assert said(found[UNREACHABLE]) == (True, Reason.FLOOR_AT_TARGET)
    assert found[UNREACHABLE].message == record(case).dimensions[1].advice
    assert said(found[ACTIVE]) == (True, Reason.VALID_METRIC_FOUND)


def test_an_unreachable_target_stays_so_while_its_metric_is_missing() -> None:
    case = Case(spec(dimension("cpu"), {"metric": "memory", "target": "80%", "floor": "78%"}), even(4, 1.2, None))
    found = of(case)
    assert said(found[UNREACHABLE]) == (True, Reason.FLOOR_AT_TARGET)
    assert said(found[ACTIVE]) == (True, Reason.PARTIAL_METRICS)


@pytest.mark.parametrize("reason", [Reason.TARGET_NOT_FOUND, Reason.FAILED_GET_SCALE, Reason.NOT_SCALABLE])
def test_a_target_that_cannot_be_had_cannot_be_scaled(reason: Reason) -> None:
    ready, active, able = of_problem(Problem(reason, "there is no Deployment web"))
    assert (ready.type, active.type, able.type) == (READY, ACTIVE, ABLE)
    assert (said(ready), said(active)) == ((False, reason), (False, reason))
    assert said(able) == (False, Reason.FAILED_GET_SCALE)
    assert {each.message for each in (ready, active, able)} == {"there is no Deployment web"}


def test_whether_an_invalid_spec_could_be_scaled_is_unknown() -> None:
    able = of_problem(Problem(Reason.INVALID_SPEC, "maxReplicas: required"))[2]
    assert said(able) == (None, Reason.INVALID_SPEC)
    assert able.word is ConditionStatus.UNKNOWN


@pytest.mark.parametrize(
    ("status", "word"),
    [(True, ConditionStatus.TRUE), (False, ConditionStatus.FALSE), (None, ConditionStatus.UNKNOWN)],
)
def test_a_condition_is_written_in_kubernetes_words(status: bool | None, word: ConditionStatus) -> None:
    (found,) = written([Condition(READY, status, Reason.ACCEPTED, "fine")], {}, 3, WALL)
    assert found == WrittenCondition(
        type=READY,
        status=word,
        reason="Accepted",
        message="fine",
        last_transition_time="2026-01-01T00:00:00Z",
        observed_generation=3,
    )


def test_the_transition_time_moves_only_when_the_status_flips() -> None:
    first = written([Condition(ACTIVE, True, Reason.VALID_METRIC_FOUND, "fine")], {}, 1, WALL)
    again = written([Condition(ACTIVE, True, Reason.PARTIAL_METRICS, "hm")], since_of(first), 1, WALL + 60)
    assert again[0].last_transition_time == "2026-01-01T00:00:00Z"
    flipped = written([Condition(ACTIVE, False, Reason.NO_DATA, "oh")], since_of(again), 1, WALL + 120)
    assert flipped[0].last_transition_time == "2026-01-01T00:02:00Z"
    unknown = written([Condition(ACTIVE, None, Reason.NO_DATA, "oh")], since_of(flipped), 1, WALL + 180)
    assert unknown[0].last_transition_time == "2026-01-01T00:03:00Z"


def test_a_condition_that_was_not_there_begins_now() -> None:
    before = written([Condition(READY, True, Reason.ACCEPTED, "fine")], {}, 1, WALL)
    (found,) = written([Condition(ACTIVE, True, Reason.VALID_METRIC_FOUND, "")], since_of(before), 1, WALL + 60)
    assert found.last_transition_time == "2026-01-01T00:01:00Z"


def test_a_sentence_without_end_is_cut_where_the_api_server_would_refuse_it() -> None:
    (found,) = written([Condition(READY, False, Reason.INVALID_SPEC, "spec.x: unknown; " * 5000)], {}, 1, WALL)
    assert len(found.message) == 32768


# Overrides


def overridden(case: Case, *reasons: Reason, desired: int | None = None) -> dict[ConditionType, Condition]:
    """A case that is decided under an override with these reasons, which leaves the number where it is."""
    found = record(case)
    notes = tuple(f"note {number}" for number, _ in enumerate(reasons))
    held = dataclasses.replace(found.held, notes=notes, rule=reasons[0])
    changes: dict[str, Any] = {"override": Override(reasons, notes), "held": held, "rule": reasons[0]}
    return of(case, desired=case.replicas if desired is None else desired, **changes)


def test_where_nothing_stands_above_the_decision_scaling_is_not_blocked() -> None:
    assert said(of(wanting(7, 4))[BLOCKED]) == (False, Reason.NOT_BLOCKED)


def test_a_pause_blocks_scaling_and_says_what_would_be_done_without_it() -> None:
    found = overridden(wanting(7, 4), Reason.PAUSED)
    assert said(found[BLOCKED]) == (True, Reason.PAUSED)
    assert found[BLOCKED].message == "note 0; without it 7 replicas"
    assert said(found[ABLE]) == (True, Reason.READY_FOR_NEW_SCALE)
    assert "ScalingBlocked" in found[ABLE].message
    assert said(found[ACTIVE]) == (True, Reason.VALID_METRIC_FOUND)


def test_of_two_that_block_the_first_is_the_reason_and_both_are_told() -> None:
    found = overridden(wanting(7, 4), Reason.STOPPED, Reason.PAUSED)[BLOCKED]
    assert said(found) == (True, Reason.STOPPED)
    assert found.message == "note 0, and note 1; without them 7 replicas"


def test_a_target_that_is_pinned_to_zero_is_not_active_because_of_the_pin() -> None:
    active = overridden(Case(spec(), (), current=0), Reason.PAUSED_REPLICAS)[ACTIVE]
    assert said(active) == (False, Reason.PAUSED_REPLICAS)
    assert active.message.endswith("staying at 0: note 0; without it 0 replicas")


def of_anomaly(found: Record) -> Condition:
    (anomaly,) = (each for each in of_record(found, "Deployment/web", "app=web", None, NOW) if each.type is ANOMALY)
    return anomaly


def test_an_anomaly_is_told_with_its_score_its_threshold_and_where_most_of_it_is() -> None:
    anomaly = of_anomaly(far_from_usual()[0])
    assert said(anomaly) == (True, Reason.ANOMALY_DETECTED)
    assert anomaly.message == "the load is far from usual for 9m45s: score 0.8 (most of it cpu, 0.6), threshold 0.3"


def test_an_anomaly_that_holds_says_so() -> None:
    found, _ = far_from_usual("Hold")
    assert of_anomaly(found).message.endswith("; nothing scales down while it lasts (anomaly.action: Hold)")
    able = of_record(found, "Deployment/web", "app=web", None, NOW)[2]
    assert said(able) == (True, Reason.ANOMALY_HOLD)


@pytest.mark.parametrize(
    ("cycles", "message"),
    [
        (0, "the load is not far from usual: score 0, threshold 0.3"),
        (
            4,
            "the load is far from usual for 45s, which is no anomaly yet: score 0.8 (most of it cpu, 0.6), threshold 0.3",
        ),
    ],
)
def test_what_does_not_last_is_no_anomaly_yet(cycles: int, message: str) -> None:
    anomaly = of_anomaly(far_from_usual(cycles=cycles)[0])
    assert said(anomaly) == (False, Reason.AS_USUAL)
    assert anomaly.message == message


def test_before_enough_was_seen_it_is_said_how_long_that_takes() -> None:
    assert of(wanting(4, 4))[ANOMALY].message == (
        "what is usual is not known yet: it takes one and a half times anomaly.window with samples"
    )
