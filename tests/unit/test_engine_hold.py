"""The adaptive hold: what was needed lately is kept, and regret makes "lately" longer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.api import Reason
from controller.engine import Learned
from controller.engine.hold import FADES, MOST_PATIENCE, OTHERWISE, REGRET, watch
from tests.engine_support import rules
from tests.law_support import FULL, World, web


def after(*looks: tuple[float, int]) -> Learned:
    """What is known after replicas were seen at these seconds."""
    learned = Learned.empty(1, 1)
    for now, replicas in looks:
        seen = watch(learned, np.array([replicas]), now, np.maximum(now - learned.evaluated_at, 0.0))
        learned = replace(seen, evaluated_at=np.array([now]))
    return learned


def bumpy(at: float) -> float:
    """Traffic with a bump of two minutes every ten."""
    return 500.0 if at % 600 < 120 else 300.0


def restless(at: float) -> float:
    """The same bump, every six minutes."""
    return 500.0 if at % 360 < 120 else 300.0


def test_the_first_sight_of_the_replicas_is_no_change() -> None:
    seen = after((100.0, 7))
    assert (seen.direction[0], seen.patience[0]) == (0, 1.0)
    assert after((100.0, 7), (115.0, 7)).direction[0] == 0


def test_a_change_is_seen_whoever_made_it() -> None:
    up, down = after((0.0, 5), (15.0, 8), (30.0, 8)), after((0.0, 5), (15.0, 3))
    assert (up.direction[0], up.changed_at[0]) == (1, 15.0)
    assert (down.direction[0], down.changed_at[0]) == (-1, 15.0)


def test_a_scale_up_soon_after_a_scale_down_doubles_the_patience() -> None:
    assert after((0.0, 8), (15.0, 6), (REGRET, 8)).patience[0] == pytest.approx(2.0)
    assert after((0.0, 8), (15.0, 6), (REGRET + 30, 8)).patience[0] == pytest.approx(1.0)
    assert after((0.0, 6), (15.0, 8), (100.0, 9)).patience[0] == pytest.approx(1.0)


def test_the_patience_has_an_end_and_fades() -> None:
    looks = [(120.0 * at, 8 if at % 2 else 6) for at in range(12)]
    assert after(*looks).patience[0] == pytest.approx(MOST_PATIENCE)
    hour = [*looks, *((1320.0 + 60 * at, 8) for at in range(1, 61))]
    assert after(*hour).patience[0] == pytest.approx(1 + (MOST_PATIENCE - 1) * np.exp(-3600 / FADES))


def test_nothing_goes_below_what_was_needed_in_the_hold() -> None:
    world = World(web(), bumpy, replicas=10, noise=0.05)
    needed: list[tuple[float, float]] = []
    downs = 0
    for seen in world.cycles(5400):
        if seen.law.used[0]:
            needed.append((world.now, float(seen.law.needed[0])))
            if seen.desired[0] < world.replicas:
                downs += 1
                held = [each for at, each in needed if world.now - at <= seen.law.hold[0]]
                assert seen.desired[0] >= max(held) - 1e-6
    assert downs > 3


def test_regret_makes_the_hold_of_a_restless_day_longer() -> None:
    world = World(web(), restless, replicas=10)
    held = [float(seen.law.hold[0]) for seen in world.cycles(5400)]
    assert max(held) > 1.5 * OTHERWISE
    downs = [change for change, at in world.changes if change < 0 and at > 3600]
    assert len(downs) <= 3


def test_a_hand_that_scales_down_is_followed_by_the_short_hold_and_regretted() -> None:
    world = World(web(), lambda _: 300.0, replicas=10)
    world.run(600)
    world.scale(5)
    patience = [float(seen.law.patience[0]) for seen in world.cycles(180)]
    assert world.replicas >= 9
    assert max(patience) > 1.9


def drop(at: float) -> float:
    """Traffic that falls to a third after 10 minutes."""
    return 400.0 if at < 600 else 130.0


def first_down(world: World) -> float:
    """How many seconds after the drop the first pod goes."""
    world.run(600)
    assert world.replicas >= 12
    for seen in world.cycles(1800):
        if seen.desired[0] < world.replicas:
            return world.now - 600
    return np.inf


@pytest.mark.parametrize("interval", [1.0, 15.0, 30.0, 60.0])
def test_the_hold_is_as_long_in_seconds_for_any_interval(interval: float) -> None:
    world = World(web(), drop, replicas=12, interval=interval)
    assert OTHERWISE - 30 <= first_down(world) <= OTHERWISE + 110


@pytest.mark.parametrize(("interval", "late"), [(60.0, 0.25), (90.0, 0.0), (120.0, 0.0)])
def test_a_slow_cycle_still_scales_down(interval: float, late: float) -> None:
    world = World(web(), drop, replicas=12, interval=interval, late=late)
    world.run(2400)
    assert world.replicas < 8


def test_a_written_scale_down_is_hpas_window_instead() -> None:
    world = World(web(behavior={"scaleDown": rules(window=300)}), drop, replicas=12)
    assert 300 <= first_down(world) <= 420
    own = World(web(), drop, replicas=12)
    assert first_down(own) < 300


def test_the_rule_that_held_is_named() -> None:
    world = World(web(), drop, replicas=12)
    world.run(600)
    reasons = {world.rule(seen) for seen in world.cycles(90)}
    assert Reason.ADAPTIVE_HOLD in reasons


def test_after_a_restart_nothing_goes_down_for_the_hold() -> None:
    world = World(web(), lambda _: 200.0, replicas=20, obeys=False)
    world.run(600)
    assert world.learned is not None
    capacity, taught = world.learned.squares, world.learned.taught
    products, peak, at = world.learned.products, world.learned.peak, world.learned.evaluated_at
    # What stands in status is known again, what was needed lately is not.
    empty = Learned.empty(1, 1)
    world.learned = replace(empty, squares=capacity, products=products, taught=taught, peak=peak, evaluated_at=at)
    started = world.now
    seen = next(world.cycles(15))
    assert seen.law.used[0]
    for seen in world.cycles(OTHERWISE - 30):
        assert seen.desired[0] == 20, world.now - started
    assert min(int(seen.desired[0]) for seen in world.cycles(120)) < 20


def test_a_new_scaler_with_too_many_pods_waits_for_the_hold() -> None:
    world = World(web(), lambda _: FULL * 4, replicas=20)
    for seen in world.cycles(OTHERWISE):
        assert seen.desired[0] == 20
    world.run(450)
    assert world.replicas <= 5
