"""The record and its sentences: what a stranger reads about one decision."""

from __future__ import annotations

import dataclasses
import math

import pytest

from controller.api import Efficacy, EfficacyAction, Magnitude, Reason, Response
from controller.engine import NONE, LoadKind, Stage, code, magnitude, reason, record_of, sentences
from controller.engine.hold import OTHERWISE
from tests.engine_support import Case, Pod, decide, dimension, even, record, rules, spec, wanting
from tests.law_support import normalized_at
from tests.learned_support import WEB_SPEC, Run, slow_dependency, web

DELAY = dimension("delay", "0.5")
ALONE = "in proportion (no demand is known, name it in spec.demand)"
THREE = (dimension("latency"), dimension("cpu"), dimension("memory"))


def sentence(case: Case) -> str:
    return record(case).sentence


def test_every_reason_has_a_code_and_comes_back_from_it() -> None:
    assert [reason(code(each)) for each in Reason] == list(Reason)
    with pytest.raises(IndexError):
        reason(NONE)


def test_the_record_holds_what_was_seen_of_each_dimension() -> None:
    case = Case(
        spec(dimension("a", 2, floor="0.5"), dimension("b", 4, onMissing="Ignore")),
        (*even(2, 1.25, None), Pod.of(9.0, 9.0, ready=False)),
    )
    seen = record(case)
    a, b = seen.dimensions
    assert (a.name, a.value, a.target, a.floor, a.normalized, a.share, a.covered) == ("a", 1.25, 2.0, 0.5, 0.5, 1.0, 2)
    assert (a.valid, a.reason, a.message) == (True, None, "")
    assert (b.valid, b.reason, b.covered) == (False, Reason.NO_DATA, 0)
    assert math.isnan(b.value)
    assert (seen.ready, seen.unready, seen.current) == (2, 1, 3)
    assert seen.invalid == (b,)
    assert seen.dominant == a


def test_the_dominant_dimension_is_the_one_with_the_largest_share() -> None:
    dominant = record(Case(spec(*THREE), even(3, 0.5, 1.5, 1.0))).dominant
    assert dominant is not None
    assert dominant.name == "cpu"


def test_the_cause_lists_the_dimensions_by_their_shares() -> None:
    seen = record(Case(spec(*THREE), even(3, 1.2, 0.7, 0.35)))
    assert seen.cause == "magnitude 1.43 (latency 70 %, cpu 24 %, memory 6 %)"


def test_the_cause_leaves_out_who_has_no_share() -> None:
    assert record(Case(spec(*THREE), even(3, 1.2, 0.0, None))).cause == "magnitude 1.20 (latency 100 %)"


def test_the_cause_says_when_there_is_no_load() -> None:
    assert record(Case(spec(*THREE), even(3, 0.0, 0.0, 0.0))).cause == "magnitude 0.00 (idle)"


def test_the_cause_says_when_there_is_nothing_to_go_by() -> None:
    assert record(Case(spec(), even(3, None))).cause == "no magnitude"


def test_a_scale_up_is_told_from_the_magnitude_to_the_move() -> None:
    assert sentence(Case(spec(), even(5, 1.42))) == (
        f"magnitude 1.42 (cpu 100 %) over 5 Ready pods asks for 8 replicas {ALONE}; scaling from 5 to 8"
    )


def test_pods_that_are_not_ready_are_told_of() -> None:
    pods = (Pod.of(3.0), *(Pod.of(None, ready=False),) * 2)
    assert sentence(Case(spec(), pods)) == (
        f"magnitude 3.00 (cpu 100 %) over 1 Ready pod and 2 not Ready asks for 3 replicas {ALONE}; "
        "staying at 3: the number that runs"
    )


def test_another_target_than_one_is_told_of() -> None:
    assert ", target 0.8, over 4 Ready pods" in sentence(Case(spec(magnitude={"target": "0.8"}), even(4, 2.0)))


def test_one_replica_is_not_told_of_as_replicas() -> None:
    assert "asks for 1 replica in proportion" in sentence(Case(spec(), even(4, 0.2)))


GUARD = "if it is 0/0, guard the division in the query"
SCRAPED = "look whether they are scraped, with the labels namespace and pod"
UP = {"scaleUp": rules(window=60), "scaleDown": rules(window=300)}
SLOW = {"scaleUp": rules(("Pods", 2, 60)), "scaleDown": rules(("Pods", 2, 60))}
HELD = [
    (Case(spec(), even(4, 1.05)), "staying at 4: within the tolerance of 0.1 below and 0.1 above the target"),
    (
        Case(spec(dimension("a"), dimension("b")), even(4, 0.1, math.nan)),
        f"staying at 4: nothing scales down while a dimension is missing (b: the value of 4 of 4 Ready pods is NaN; {GUARD})",
    ),
    (
        Case(spec(), even(4, None)),
        f"staying at 4: no dimension can be believed (cpu: no sample of any of 4 Ready pods; {SCRAPED})",
    ),
    (Case(spec(), current=4), "staying at 4: no pod matches the selector of the target, so nothing can be measured"),
    (
        Case(spec(), (Pod.of(None, ready=False),) * 4),
        "staying at 4: none of the 4 pods of the target is Ready, so nothing can be measured; "
        "look at the events of the pods",
    ),
    (
        Case(spec(), (Pod.of(None, ready=False),)),
        "staying at 1: the only pod of the target is not Ready, so nothing can be measured; "
        "look at the events of the pods",
    ),
    (
        Case(spec(dimension(scaleDown=False)), even(4, 0.1)),
        "staying at 4: no valid dimension may ask for fewer replicas (scaleDown: false)",
    ),
    (
        wanting(9, 4, behavior=UP, recommendations=[(4, 1)]),
        "staying at 4: no more than the lowest recommendation of the last 60 s (behavior.scaleUp)",
    ),
    (
        wanting(2, 4, behavior=UP, recommendations=[(3, 1)]),
        "scaling from 4 to 3: no fewer than the highest recommendation of the last 300 s (behavior.scaleDown)",
    ),
    (
        wanting(2, 4, cooldown={"scaleDown": "60s"}, changes=[(1, 15)]),
        "staying at 4: cooldown: 45 s of 60 s left since the last scale event",
    ),
    (wanting(9, 4, behavior=SLOW), "scaling from 4 to 6: as far as the policies of behavior.scaleUp allow"),
    (wanting(1, 4, behavior=SLOW), "scaling from 4 to 2: as far as the policies of behavior.scaleDown allow"),
    (wanting(9, 4, maximum=5), "scaling from 4 to 5: maxReplicas is 5"),
    (wanting(1, 4, minReplicas=3), "scaling from 4 to 3: minReplicas is 3"),
    (
        Case(spec(), current=0),
        "staying at 0: the target was set to 0 replicas, which pauses scaling; set 1 or more to resume",
    ),
]


@pytest.mark.parametrize(("case", "ending"), HELD, ids=[ending for _, ending in HELD])
def test_every_rule_has_its_sentence_with_its_numbers(case: Case, ending: str) -> None:
    assert sentence(case).endswith(ending)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (Case(spec(), even(1, None)), f"no sample of any of 1 Ready pod; {SCRAPED}"),
        (
            Case(spec(), (*even(1, 0.5), *even(2, None))),
            "samples of only 1 of 3 Ready pods, 80 % are needed (quality.minCoverage); look whether the others are scraped",
        ),
        (
            Case(spec(), even(3, math.inf)),
            "the value of 3 of 3 Ready pods is +Inf; if it is x/0, guard the division in the query",
        ),
        (
            Case(spec(), even(3, -math.inf)),
            "the value of 3 of 3 Ready pods is -Inf; if it is x/0, guard the division in the query",
        ),
        (
            Case(spec(), (*even(2, -1.0), *even(1, -2.0))),
            "the value of 3 of 3 Ready pods is negative (-2); a load must be 0 or more",
        ),
        (
            Case(spec(), (*even(2, (1.0, 91.0)), *even(1, (1.0, 120.0)))),
            "the newest sample of 3 of 3 Ready pods is 120 s old, older than 90 s (quality.maxAge); "
            "look whether they are still scraped",
        ),
        (Case(spec(dimension(per="Target")), even(3)), "no sample"),
        (
            Case(spec(dimension(per="Target")), even(3), target={"cpu": math.nan}),
            f"its value is NaN; {GUARD}",
        ),
        (
            Case(spec(dimension(per="Target")), even(3), target={"cpu": -3.0}),
            "its value is negative (-3); a load must be 0 or more",
        ),
        (
            Case(spec(dimension(per="Target")), even(3), target={"cpu": (1.0, 91.0)}),
            "its newest sample is 91 s old, older than 90 s (quality.maxAge); look whether it is still scraped",
        ),
        (Case(spec(), current=3), "no pod of the target is Ready"),
    ],
)
def test_every_defect_has_its_sentence(case: Case, message: str) -> None:
    assert record(case).dimensions[0].message == message


def test_a_few_bad_samples_are_told_with_how_many_are_needed() -> None:
    (seen,) = record(Case(spec(), (*even(7, 0.5), *even(3, math.nan)))).dimensions
    assert seen.reason is Reason.NOT_A_NUMBER
    assert seen.message == (
        "the value of 3 of 10 Ready pods is NaN, good ones of 80 % are needed (quality.minCoverage); "
        "if it is 0/0, guard the division in the query"
    )


def test_what_the_source_said_is_passed_on() -> None:
    decisions = decide(Case(spec(), even(3, None), faults={"cpu": Reason.SOURCE_TIMEOUT}))
    said = record_of(decisions, 0, {"cpu": "prometheus default did not answer within 10 s"})
    assert said.dimensions[0].reason is Reason.SOURCE_TIMEOUT
    assert (
        said.sentence
        == "staying at 3: no dimension can be believed (cpu: prometheus default did not answer within 10 s)"
    )


def test_a_fault_that_nobody_explained_is_named() -> None:
    (seen,) = record(Case(spec(), even(3, 1.0), faults={"cpu": Reason.SOURCE_TIMEOUT})).dimensions
    assert seen.message == "SourceTimeout"


def test_young_pods_are_told_of_where_they_hold_the_number() -> None:
    pods = (*(Pod.of(0.2),) * 2, *(Pod.of(0.2, young=True),) * 3)
    assert "over 5 Ready pods (of which 3 so young that they count as full) asks for" in sentence(Case(spec(), pods))
    high = (*(Pod.of(2.0),) * 2, *(Pod.of(2.0, young=True),) * 3)
    assert "over 5 Ready pods asks for" in sentence(Case(spec(), high))


def test_the_record_is_of_its_own_row() -> None:
    decisions = decide(Case(spec(), even(2, 2.0)), Case(spec(dimension("x")), even(3, 0.5)), Case(spec(), current=0))
    records = [record_of(decisions, row) for row in range(3)]
    assert [each.desired for each in records] == [4, 2, 0]
    assert [each.dimensions[0].name for each in records] == ["cpu", "x", "cpu"]
    assert [each.stages[Stage.BOUNDED] for each in records] == [4, 2, 0]


# The law


def run(*cases: Case, times: int = 40) -> Run:
    found = Run()
    for case in cases:
        found.see(case, times=times)
    return found


def test_a_number_by_demand_is_told_with_why_not_one_less() -> None:
    seen = run(web(412, 10)).record
    assert seen.outlook.used
    assert seen.sentence == (
        "magnitude 1.39 (cpu 72 %, latency 20 %, memory 8 %); demand 412 requests/s, 412 ahead when a pod created now is Ready (28 s); "
        f"{seen.outlook.per_pod:.1f} requests/s a pod are the target: 14 replicas; "
        f"13 would be at magnitude {seen.outlook.fewer:.2f}, 14 at {seen.outlook.then:.2f}; scaling from 10 to 14"
    )
    assert seen.outlook.then <= 1 < seen.outlook.fewer


@pytest.mark.parametrize("norm", [1, 2, "1.5", "Infinity"])
def test_the_magnitude_that_is_expected_is_that_of_the_learned_capacities(norm: object) -> None:
    normed = Magnitude.model_validate({"norm": norm})
    decisions = run(web(412, 10, of=WEB_SPEC.model_copy(update={"magnitude": normed}))).decisions
    assert decisions is not None
    scalers, law, outlook = decisions.scalers, decisions.law, record_of(decisions, 0).outlook
    expected = []
    for pods in (decisions.proposed, decisions.proposed - 1):
        y = normalized_at(scalers, law.capacity, law.floor, law.ahead / pods)
        expected.append(float(magnitude.norm(y, scalers.weight, scalers.norm)[0][0]))
    assert [outlook.then, outlook.fewer] == pytest.approx(expected)


def test_the_magnitude_that_is_expected_of_what_grows_with_the_load_comes() -> None:
    linear = spec({"metric": "cpu", "target": "70%"}, behavior={})
    found = run(dataclasses.replace(web(412, 10, of=linear), pods=even(10, 41.2 / 50, newest=41.2, served=41.2)))
    wanted = found.record
    assert wanted.proposed == 12
    assert wanted.outlook.then == pytest.approx(412 / 12 / 35)
    load = 412 / 12
    found.see(dataclasses.replace(web(412, 12, of=linear), pods=even(12, load / 50, newest=load, served=load)))
    assert found.record.magnitude == pytest.approx(wanted.outlook.then)


def test_cores_are_told_as_cores() -> None:
    case = dataclasses.replace(web(4.0, 10), kind=LoadKind.CORES)
    assert "; demand 4 cores; 0.696 cores a pod are the target: 6 replicas; " in run(case).record.sentence


def test_going_down_the_demand_is_told_that_the_number_is_made_of() -> None:
    found = run(web(300, 14))
    found.see(web(400, 14), times=8)
    found.see(web(240, 14), times=8)
    seen = found.record
    assert seen.proposed < seen.current
    assert seen.proposed == math.ceil(seen.outlook.counted / seen.outlook.per_pod)
    assert (
        f"; demand {seen.outlook.demand:.0f} requests/s, {seen.outlook.counted:.0f} with its noise; " in seen.sentence
    )
    assert seen.outlook.then <= 1 < seen.outlook.fewer


def test_another_target_magnitude_is_told_of_by_demand_too() -> None:
    half = WEB_SPEC.model_copy(update={"magnitude": WEB_SPEC.magnitude.model_copy(update={"target": "0.5"})})
    assert "requests/s a pod are the target of 0.5: " in run(web(412, 10, of=half)).record.sentence


def test_the_hold_is_told_with_its_length() -> None:
    found = run(web(412, 14))
    found.see(web(200, 14))
    assert found.record.sentence.endswith("staying at 14: no fewer than were needed in the last 120 s (the hold)")
    assert found.record.rule is Reason.ADAPTIVE_HOLD


def test_a_hold_that_was_made_longer_by_a_regret_says_so() -> None:
    found = run(web(300, 14))
    found.see(web(300, 10), times=2)
    found.see(web(412, 14), times=2)
    found.see(web(200, 14))
    assert found.record.sentence.endswith("s (the hold; longer because a scale-down was regretted)")


def test_where_no_hold_is_in_force_there_is_none() -> None:
    assert math.isnan(record(wanting(7, 4)).outlook.hold)
    assert run(web(412, 10)).record.outlook.hold == OTHERWISE


def test_a_law_that_still_learns_says_for_how_long_it_has() -> None:
    assert (
        "in proportion (what a pod can take is being learned, 50 % of the first window of load so far)"
        in run(web(412, 10), times=3).record.sentence
    )


def test_a_demand_that_is_lost_says_what_the_source_said() -> None:
    found = run(web(412, 10))
    lost = [dataclasses.replace(pod, newest=math.nan, served=math.nan) for pod in web(412, 10).pods]
    decisions = found.see(dataclasses.replace(web(412, 10), pods=lost))
    assert "in proportion (the demand is not known now: it has no fresh samples)" in found.record.sentence
    said = record_of(decisions, 0, {"demand": "source default did not answer within 10 s"})
    assert "(the demand is not known now: source default did not answer within 10 s)" in said.sentence


def test_who_wants_proportion_is_not_told_why() -> None:
    shaped = spec(magnitude={"response": "Proportional"})
    assert "asks for 8 replicas; " in sentence(Case(shaped, even(5, 1.42)))


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "1 pod waits for a node, no more are ordered for the load that it shall take"),
        (2, "2 pods wait for a node, no more are ordered for the load that they shall take"),
    ],
)
def test_pods_that_wait_for_a_node_are_told_of_and_not_ordered_again(count: int, told: str) -> None:
    waiting = (Pod.of(None, None, None, ready=False, unscheduled=True),) * count
    case = web(412, 10)
    found = run(case)
    seen = found.record
    found.see(dataclasses.replace(case, pods=(*case.pods, *waiting), current=14))
    assert (found.record.unscheduled, found.record.desired) == (count, seen.desired)
    assert found.record.sentence.endswith(told)


def test_a_dimension_that_wants_more_than_it_may_have_is_told_of() -> None:
    narrow = WEB_SPEC.model_copy(update={"efficacy": Efficacy(authority=1.1)})
    found = run(web(300, 10, of=narrow), web(300, 10, slow_dependency, narrow), times=60)
    trial = found.record.outlook.trial
    assert trial is not None
    assert (trial.dimension, trial.dropped) == ("latency", False)
    assert "; latency may not ask for more until it has shown that pods lower it; " in found.record.sentence


def test_an_order_in_proportion_that_is_limited_says_by_what() -> None:
    form = WEB_SPEC.model_copy(update={"magnitude": Magnitude(response=Response.PROPORTIONAL)})
    found = run(web(300, 10, of=form), web(300, 10, slow_dependency, form), times=12)
    seen = found.record
    assert seen.proposed < seen.magnitude * seen.ready
    assert "; latency may not ask for more until it has shown that pods lower it; " in seen.sentence
    found.see(web(300, 10, slow_dependency, form), times=60)
    assert "; latency does not ask: pods do not lower it; " in found.record.sentence


def test_a_dimension_that_pods_do_not_lower_does_not_ask_and_what_was_tried_is_told() -> None:
    found = Run()
    found.in_vain()
    seen = found.record
    trial = seen.outlook.trial
    assert trial is not None
    assert trial.dropped
    assert trial.until == found.now + 900.0
    assert seen.outlook.then < 1
    assert "; latency does not ask: pods do not lower it; " in seen.sentence
    assert sentences.of_ineffective(trial.tried, "noon") == (
        "with the load per pod from 30 to 18.8 requests/s, latency went from 499ms to 500ms: pods do not lower it, "
        "so it may not ask for more until noon; look for a cause outside of the pods"
    )


def test_a_trial_that_was_read_back_has_no_numbers_any_more() -> None:
    found = Run()
    found.in_vain()
    trial = found.record.outlook.trial
    assert trial is not None
    forgotten = dataclasses.replace(trial.tried, load_from=math.nan)
    assert sentences.of_ineffective(forgotten, "noon").startswith("latency did not fall with the load per pod: ")


def test_a_value_that_stood_at_its_cap_was_that_or_more() -> None:
    found = Run()
    found.in_vain()
    trial = found.record.outlook.trial
    assert trial is not None
    assert "went from 499ms or more to 500ms" in sentences.of_ineffective(
        dataclasses.replace(trial.tried, capped=True), "noon"
    )


def test_without_a_demand_a_trial_is_told_in_pods() -> None:
    found = Run()
    found.see(Case(spec(DELAY), even(10, 0.1)), times=4)
    found.see(Case(spec(DELAY), even(10, 1.0)))
    found.see(Case(spec(DELAY), even(20, 1.0)), times=6)
    trial = found.record.outlook.trial
    assert trial is not None
    assert trial.dropped
    assert sentences.of_ineffective(trial.tried, "noon").startswith(
        "with 10 Ready pods and then 19, delay went from 1 to 1: pods do not lower it"
    )


def test_who_only_observes_is_told_so() -> None:
    observing = WEB_SPEC.model_copy(update={"efficacy": Efficacy(action=EfficacyAction.OBSERVE)})
    found = Run()
    found.in_vain(observing)
    trial = found.record.outlook.trial
    assert trial is not None
    assert "so it asks for more all the same (efficacy.action: Observe)" in sentences.of_ineffective(
        trial.tried, "noon"
    )
    assert "does not ask" not in found.record.sentence


def test_a_dimension_that_is_at_its_target_without_load_is_left_out_with_advice() -> None:
    memory = {"metric": "memory", "target": "1Gi", "floor": "1000Mi"}
    seen = record(Case(spec(dimension("cpu"), memory), even(4, 1.2, 1.02 * 2**30)))
    assert seen.cause == "magnitude 1.20 (cpu 100 %)"
    assert seen.dimensions[1].advice == (
        "memory is 1000Mi without load, 95 % or more of its target 1Gi, so no number of pods can hold it; "
        "raise the target above 1.118Gi, or lower its floor"
    )
    assert (seen.dimensions[1].valid, seen.dimensions[1].unreachable, seen.dimensions[0].unreachable) == (
        True,
        True,
        False,
    )


def test_a_share_of_the_request_can_also_be_mended_at_the_request() -> None:
    memory = {"metric": "memory", "target": "80%", "floor": "78%"}
    (seen,) = record(Case(spec(memory), even(4, 0.8))).dimensions
    assert seen.advice.endswith(
        "raise the target above 83%, or raise the memory request of the pods, or lower its floor"
    )


def test_where_every_dimension_is_at_its_target_without_load_the_decision_says_so() -> None:
    memory = {"metric": "memory", "target": "80%", "floor": "78%"}
    assert "staying at 4: no dimension can be believed (memory is 78% without load, " in sentence(
        Case(spec(memory), even(4, 0.8))
    )


def test_a_floor_that_is_learned_stands_in_the_record_with_its_confidence() -> None:
    cpu, memory, _ = run(web(412, 10)).record.dimensions
    assert math.isnan(cpu.confidence)
    assert 0 < memory.confidence < 1
    assert 0.5 < memory.floor < 0.7
    assert cpu.capacity == pytest.approx(35.0, rel=0.01)
