"""What stands above the decision: pins, forbidden directions, and what is remembered while they last."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from controller.api import Reason
from controller.engine import (
    NONE,
    Decisions,
    Override,
    Overrides,
    Record,
    Stage,
    code,
    evaluate,
    reason,
    record_of,
)
from controller.engine.efficacy import DROPPED, EXCURSION
from tests.engine_support import NOW, Case, batch, even, rules, spec, wanting
from tests.learned_support import Run, web

UP, DOWN = wanting(12, 4), wanting(3, 12)
WINDOW: dict[str, Any] = {"behavior": {"scaleUp": rules(tolerance="0"), "scaleDown": rules(window=300, tolerance="0")}}


def overrides(count: int = 1, **columns: Any) -> Overrides:
    """Overrides of so many scalers: numbers as they are, reasons as words."""

    def column(name: str, value: Any) -> Any:
        given = np.full(count, code(value) if isinstance(value, Reason) else value)
        return given.astype(getattr(Overrides.none(count), name).dtype)

    columns = {**columns, **({"why": Reason.PAUSED_REPLICAS} if "pinned" in columns else {})}
    return dataclasses.replace(Overrides.none(count), **{name: column(name, value) for name, value in columns.items()})


PAUSED = overrides(no_up=Reason.PAUSED, no_down=Reason.PAUSED)
RESUMES = overrides(resumes=True)


def decide(case: Case, above: Overrides | None) -> Decisions:
    return evaluate(*batch(case), NOW, None, above)


def told(case: Case, above: Overrides, *notes: str) -> Record:
    return record_of(decide(case, above), 0, None, Override((Reason.PAUSED,), notes))


def outcome(case: Case, above: Overrides) -> tuple[int, Reason]:
    decisions = decide(case, above)
    return int(decisions.desired[0]), reason(int(decisions.rule[0]))


def test_without_overrides_what_the_bounds_leave_is_done() -> None:
    for above in (None, Overrides.none(1)):
        decisions = decide(UP, above)
        assert decisions.replicas[Stage.OVERRIDDEN].tolist() == decisions.desired.tolist() == [12]
        assert decisions.reasons[Stage.OVERRIDDEN].tolist() == [NONE]


def test_a_pause_keeps_the_number_and_the_stages_before_say_what_would_have_been_done() -> None:
    seen = record_of(decide(UP, PAUSED), 0)
    assert (seen.proposed, seen.stages[Stage.BOUNDED], seen.stages[Stage.OVERRIDDEN], seen.desired) == (12, 12, 4, 4)
    assert seen.rule is Reason.PAUSED


def test_a_pause_holds_against_the_bounds_too() -> None:
    assert outcome(Case(spec(maximum=5), even(10, 1.0)), PAUSED) == (10, Reason.PAUSED)


def test_a_pause_that_changes_nothing_is_not_the_rule() -> None:
    assert outcome(wanting(4, 4), PAUSED) == (4, Reason.AT_TARGET)


@pytest.mark.parametrize(
    ("case", "above", "expected"),
    [
        (UP, overrides(no_down=Reason.PAUSED_SCALE_IN), (12, Reason.AS_PROPOSED)),
        (DOWN, overrides(no_down=Reason.PAUSED_SCALE_IN), (12, Reason.PAUSED_SCALE_IN)),
        (UP, overrides(no_up=Reason.PAUSED_SCALE_OUT), (4, Reason.PAUSED_SCALE_OUT)),
        (DOWN, overrides(no_up=Reason.PAUSED_SCALE_OUT), (3, Reason.AS_PROPOSED)),
    ],
)
def test_one_direction_may_be_forbidden_alone(case: Case, above: Overrides, expected: tuple[int, Reason]) -> None:
    assert outcome(case, above) == expected


@pytest.mark.parametrize("pinned", [0, 2, 30])
def test_a_pinned_number_is_reached_at_once_whatever_bounds_and_rates_say(pinned: int) -> None:
    slow = {"scaleUp": rules(("Pods", 1, 60)), "scaleDown": rules(("Pods", 1, 60), window=300)}
    case = wanting(12, 10, maximum=20, minReplicas=5, behavior=slow, cooldown={"scaleDown": "60s"}, changes=[(1, 5)])
    assert outcome(case, overrides(pinned=pinned)) == (pinned, Reason.PAUSED_REPLICAS)


def test_a_pin_brings_back_a_target_that_was_set_to_zero() -> None:
    assert outcome(Case(spec(), current=0), overrides(pinned=12)) == (12, Reason.PAUSED_REPLICAS)


def test_a_pin_is_the_rule_even_where_it_changes_nothing() -> None:
    assert outcome(Case(spec(), current=0), overrides(pinned=0)) == (0, Reason.PAUSED_REPLICAS)
    assert outcome(wanting(4, 4), overrides(pinned=4)) == (4, Reason.PAUSED_REPLICAS)


@pytest.mark.parametrize("pinned", [2, 12])
def test_a_number_is_not_even_pinned_where_nothing_may_be_written(pinned: int) -> None:
    above = overrides(pinned=pinned, no_up=Reason.STOPPED, no_down=Reason.STOPPED)
    assert outcome(wanting(7, 4), above) == (4, Reason.STOPPED)


def test_each_scaler_has_its_own_override() -> None:
    above = overrides(3)
    above.pinned[1], above.why[1], above.no_up[2] = 30, code(Reason.PAUSED_REPLICAS), code(Reason.DRY_RUN)
    assert evaluate(*batch(UP, UP, UP), NOW, None, above).desired.tolist() == [12, 30, 4]


def test_the_limits_that_are_told_are_those_of_the_decision_without_the_override() -> None:
    case = wanting(30, 4, maximum=20)
    assert record_of(decide(case, PAUSED), 0).limited is Reason.TOO_MANY_REPLICAS


def test_the_sentence_says_what_holds_and_what_would_be_without_it() -> None:
    ending = "staying at 4: paused by me until noon; without it 12 replicas"
    assert told(UP, PAUSED, "paused by me until noon").sentence.endswith(ending)
    ending = "staying at 4: one, and another; without them 12 replicas"
    assert told(UP, PAUSED, "one", "another").sentence.endswith(ending)
    pinned = told(UP, overrides(pinned=1), "pinned to 1")
    assert pinned.sentence.endswith("scaling from 4 to 1: pinned to 1; without it 12 replicas")


def test_an_override_that_nobody_explained_is_named() -> None:
    assert record_of(decide(UP, PAUSED), 0).sentence.endswith("staying at 4: Paused; without it 12 replicas")


# What is remembered


def test_the_window_goes_on_being_fed_with_what_would_have_been_recommended() -> None:
    assert decide(DOWN, PAUSED).recommendation.tolist() == [3]
    assert decide(UP, PAUSED).recommendation.tolist() == [12]
    assert decide(UP, overrides(pinned=30)).recommendation.tolist() == [12]


def test_where_scaling_down_resumes_nothing_falls_for_one_window() -> None:
    lately = [(3, seconds) for seconds in range(15, 600, 15)]
    case = wanting(3, 12, recommendations=lately, **WINDOW)
    assert outcome(case, PAUSED) == (12, Reason.PAUSED)
    decisions = decide(case, RESUMES)
    assert (decisions.desired.tolist(), decisions.recommendation.tolist()) == ([12], [12])
    assert outcome(wanting(3, 12, recommendations=[(12, 299), *lately], **WINDOW), Overrides.none(1))[0] == 12
    assert outcome(wanting(3, 12, recommendations=[(12, 300), *lately], **WINDOW), Overrides.none(1))[0] == 3


def test_where_scaling_up_resumes_it_waits_for_no_window_of_its_own_and_keeps_to_its_rate() -> None:
    slow = {"scaleUp": rules(("Pods", 4, 15), window=60, tolerance="0"), "scaleDown": rules()}
    case = wanting(20, 4, recommendations=[(20, 15), (20, 30), (20, 45)], behavior=slow)
    assert outcome(case, RESUMES) == (8, Reason.SCALE_UP_LIMIT)


def test_a_window_of_none_is_honoured_when_scaling_down_resumes() -> None:
    assert outcome(DOWN, RESUMES) == (3, Reason.AS_PROPOSED)


class Web(Run):
    """A web server whose overrides change from one evaluation to the next."""

    def under(self, above: Overrides, case: Case, times: int = 1) -> Decisions:
        for _ in range(times):
            self.now += 15.0
            self.decisions = evaluate(*batch(case), self.now, self.learned, above)
            self.learned = self.decisions.learned
        assert self.decisions is not None
        return self.decisions


def test_the_hold_of_the_law_begins_anew_where_scaling_down_resumes() -> None:
    run = Web()
    run.see(web(300, 10), times=60)
    assert run.under(PAUSED, web(90, 10), 60).replicas[Stage.BOUNDED][0] < 10
    assert run.under(RESUMES, web(90, 10)).desired.tolist() == [10]
    assert run.see(web(90, 10), times=4).desired.tolist() == [10]
    assert run.see(web(90, 10), times=8).desired[0] < 10


def test_a_pinned_count_is_no_change_that_the_hold_regrets() -> None:
    pinned = overrides(pinned=4)
    run, plain = Web(), Web()
    for each in (run, plain):
        each.see(web(300, 10), times=60)
    assert run.under(pinned, web(300, 10)).desired.tolist() == [4]
    assert run.under(pinned, web(300, 4), 4).desired.tolist() == [4]
    run.under(RESUMES, web(300, 4))
    assert run.see(web(300, 8), times=2).law.patience[0] == pytest.approx(1.0)
    plain.see(web(300, 10))
    plain.see(web(300, 4), times=5)
    assert plain.see(web(300, 8), times=2).law.patience[0] == pytest.approx(2.0, abs=0.05)


def test_a_fall_before_a_pin_is_not_regretted_after_it() -> None:
    run = Web()
    run.see(web(300, 10), times=60)
    run.see(web(300, 9))
    run.under(overrides(pinned=8), web(300, 9))
    run.under(RESUMES, web(300, 8))
    assert run.see(web(300, 10), times=2).law.patience[0] == pytest.approx(1.0)


def test_pods_that_nobody_was_allowed_to_add_are_no_proof_that_they_do_not_help() -> None:
    run, free, slow = Web(), Web(), web(300, 10, lambda load: 2.0 + 0 * load)
    for each in (run, free):
        each.see(web(300, 10), times=40)
        assert any(each.see(slow).law.tested[0] for _ in range(80))
    assert run.under(PAUSED, slow, 300).learned.phase[0] == EXCURSION
    assert free.see(slow, times=300).learned.phase[0] == DROPPED


def test_what_is_learned_of_the_load_is_the_same_under_an_override() -> None:
    run, free = Web(), Web()
    for each, above in ((run, PAUSED), (free, Overrides.none(1))):
        for demand in (100, 200, 300, 400, 300, 200):
            each.under(above, web(demand, 10), 10)
    assert run.learned is not None
    assert free.learned is not None
    for name in ("log_capacity", "covariance", "variance", "need", "floor", "patience"):
        assert np.array_equal(getattr(run.learned, name), getattr(free.learned, name), equal_nan=True), name
