"""The record and its sentences: what a stranger reads about one decision."""

from __future__ import annotations

import math

import pytest

from controller.api import Reason
from controller.engine import NONE, Stage, code, reason, record_of
from tests.engine_support import Case, Pod, decide, dimension, even, record, rules, spec, wanting

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
        "magnitude 1.42 (cpu 100 %) over 5 Ready pods asks for 8 replicas; scaling from 5 to 8"
    )


def test_pods_that_are_not_ready_are_told_of() -> None:
    pods = (Pod.of(3.0), *(Pod.of(None, ready=False),) * 2)
    assert sentence(Case(spec(), pods)) == (
        "magnitude 3.00 (cpu 100 %) over 1 Ready pod and 2 not Ready asks for 3 replicas; "
        "staying at 3: the number that runs"
    )


def test_another_target_than_one_is_told_of() -> None:
    assert ", target 0.8, over 4 Ready pods" in sentence(Case(spec(magnitude={"target": "0.8"}), even(4, 2.0)))


def test_one_replica_is_not_told_of_as_replicas() -> None:
    assert "asks for 1 replica;" in sentence(Case(spec(), even(4, 0.2)))


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
