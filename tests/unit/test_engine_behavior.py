"""Windows, cooldown and rate policies, one rule at a time; the facts of HPA's own tests are in tests/conformance."""

from __future__ import annotations

from typing import Any

import pytest

from controller.api import Reason
from tests.engine_support import Case, rule, rules, wanting


def behavior(up: dict[str, object] | None = None, down: dict[str, object] | None = None) -> dict[str, object]:
    return {"scaleUp": {"tolerance": "0"} | (up or rules()), "scaleDown": {"tolerance": "0"} | (down or rules())}


def hpa_defaults(wanted: int, current: int, **fields: Any) -> Case:
    return wanting(wanted, current, behavior={}, cooldown={}, **fields)


def test_down_waits_for_the_highest_recommendation_of_the_window() -> None:
    window = behavior(down=rules(window=300))
    assert rule(wanting(3, 10, behavior=window, recommendations=[(7, 299), (5, 60)])) == (
        7,
        Reason.SCALE_DOWN_STABILIZED,
    )


def test_up_waits_for_the_lowest_recommendation_of_the_window() -> None:
    window = behavior(up=rules(window=60))
    assert rule(wanting(30, 10, behavior=window, recommendations=[(20, 59), (25, 30)])) == (
        20,
        Reason.SCALE_UP_STABILIZED,
    )


def test_a_recommendation_as_old_as_the_window_is_forgotten() -> None:
    window = behavior(down=rules(window=300))
    assert rule(wanting(3, 10, behavior=window, recommendations=[(7, 300)])) == (3, Reason.AS_PROPOSED)


def test_recommendations_hold_back_but_never_push_the_other_way() -> None:
    windows = behavior(rules(window=300), rules(window=300))
    assert rule(wanting(8, 10, behavior=windows, recommendations=[(30, 10)])) == (10, Reason.SCALE_DOWN_STABILIZED)
    assert rule(wanting(12, 10, behavior=windows, recommendations=[(2, 10)])) == (10, Reason.SCALE_UP_STABILIZED)


def test_by_default_up_is_immediate_and_down_waits_five_minutes() -> None:
    assert rule(hpa_defaults(12, 10, recommendations=[(5, 15)])) == (12, Reason.AS_PROPOSED)
    assert rule(hpa_defaults(5, 10, recommendations=[(10, 299)])) == (10, Reason.SCALE_DOWN_STABILIZED)
    assert rule(hpa_defaults(5, 10, recommendations=[(10, 300)])) == (5, Reason.AS_PROPOSED)


@pytest.mark.parametrize(("current", "most"), [(1, 5), (3, 7), (4, 8), (10, 20)])
def test_by_default_up_is_four_pods_or_twice_as_many(current: int, most: int) -> None:
    assert rule(hpa_defaults(900, current)) == (most, Reason.SCALE_UP_LIMIT)


def test_by_default_down_may_go_all_the_way() -> None:
    assert rule(hpa_defaults(1, 500)) == (1, Reason.AS_PROPOSED)


@pytest.mark.parametrize(("percent", "most"), [(10, 110), (1, 101), (29, 129)])
def test_percent_up_is_exact_and_rounds_up(percent: int, most: int) -> None:
    assert rule(wanting(900, 100, behavior=behavior(up=rules(("Percent", percent, 60)))))[0] == most
    assert rule(wanting(900, 3, behavior=behavior(up=rules(("Percent", percent, 60)))))[0] == 4


@pytest.mark.parametrize(("current", "least"), [(90, 63), (3, 2), (1, 1)])
def test_percent_down_is_exact_and_lets_at_least_one_pod_go(current: int, least: int) -> None:
    assert rule(wanting(0, current, behavior=behavior(down=rules(("Percent", 30, 60)))))[0] == least


def test_the_largest_of_several_policies_counts() -> None:
    several = (("Pods", 4, 60), ("Percent", 10, 60))
    assert rule(wanting(900, 100, behavior=behavior(up=rules(*several))))[0] == 110
    assert rule(wanting(1, 100, behavior=behavior(down=rules(*several))))[0] == 90


def test_the_smallest_policy_counts_where_the_user_says_so() -> None:
    several = (("Pods", 4, 60), ("Percent", 10, 60))
    assert rule(wanting(900, 100, behavior=behavior(up=rules(*several, select="Min"))))[0] == 104
    assert rule(wanting(1, 100, behavior=behavior(down=rules(*several, select="Min"))))[0] == 96


def test_a_disabled_direction_does_not_move_and_the_other_does() -> None:
    no_up = behavior(up=rules(select="Disabled"))
    assert rule(wanting(20, 10, behavior=no_up)) == (10, Reason.SCALE_UP_LIMIT)
    assert rule(wanting(5, 10, behavior=no_up)) == (5, Reason.AS_PROPOSED)
    no_down = behavior(down=rules(select="Disabled"))
    assert rule(wanting(5, 10, behavior=no_down)) == (10, Reason.SCALE_DOWN_LIMIT)
    assert rule(wanting(20, 10, behavior=no_down)) == (20, Reason.AS_PROPOSED)


def test_what_was_added_within_the_period_is_used_up() -> None:
    five = behavior(up=rules(("Pods", 5, 60)))
    assert rule(wanting(50, 13, behavior=five, changes=[(3, 59)])) == (15, Reason.SCALE_UP_LIMIT)
    assert rule(wanting(50, 13, behavior=five, changes=[(3, 60)])) == (18, Reason.SCALE_UP_LIMIT)


def test_what_was_removed_within_the_period_may_be_added_again() -> None:
    five = behavior(up=rules(("Pods", 5, 60)))
    assert rule(wanting(50, 10, behavior=five, changes=[(-3, 30)])) == (18, Reason.SCALE_UP_LIMIT)


def test_an_overdrawn_budget_holds_still_and_pushes_nothing_back() -> None:
    five = behavior(up=rules(("Pods", 5, 60)))
    assert rule(wanting(50, 30, behavior=five, changes=[(20, 30)])) == (30, Reason.SCALE_UP_LIMIT)


def test_nothing_moves_before_the_cooldown_after_the_last_event_is_over() -> None:
    assert rule(wanting(5, 10, cooldown={"scaleDown": "60s"}, changes=[(2, 59)])) == (10, Reason.COOLDOWN)
    assert rule(wanting(5, 10, cooldown={"scaleDown": "60s"}, changes=[(2, 60)])) == (5, Reason.AS_PROPOSED)
    assert rule(wanting(20, 10, cooldown={"scaleUp": "30s"}, changes=[(-2, 29)])) == (10, Reason.COOLDOWN)


def test_the_last_of_several_events_counts_for_the_cooldown() -> None:
    assert rule(wanting(5, 10, cooldown={"scaleDown": "60s"}, changes=[(1, 10), (1, 500)])) == (10, Reason.COOLDOWN)


def test_a_cooldown_holds_only_its_own_direction() -> None:
    assert rule(wanting(20, 10, cooldown={"scaleDown": "60s", "scaleUp": "0s"}, changes=[(2, 1)]))[0] == 20
    assert rule(wanting(5, 10, cooldown={"scaleUp": "60s", "scaleDown": "0s"}, changes=[(2, 1)]))[0] == 5


def test_without_any_event_there_is_no_cooldown() -> None:
    assert rule(wanting(5, 10, cooldown={"scaleDown": "1h", "scaleUp": "1h"})) == (5, Reason.AS_PROPOSED)


def test_a_restart_that_remembers_the_present_count_scales_nothing_down() -> None:
    assert rule(hpa_defaults(1, 10, recommendations=[(10, 0)])) == (10, Reason.SCALE_DOWN_STABILIZED)
