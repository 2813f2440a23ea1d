"""The ring of recommendations against a plain list, and the rows of the law's state against plain counts.

Whatever is met, recommended and forgotten, at whatever times and with whatever windows; whoever comes, goes away, and is changed.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api import ScaleTargetRef
from controller.engine import Learned, Scalers
from controller.operator.memory import PARKED, Knowledge, Lore, Memory, Subject
from controller.operator.scalers import Key
from tests.engine_support import dimension, spec

KEYS = [("shop", f"web-{number}") for number in range(20)]
SUBJECT = Subject("uid", ScaleTargetRef(kind="Deployment", name="web"))

pauses = st.one_of(st.floats(0.001, 0.1), st.floats(1.0, 60.0), st.just(15.0), st.floats(100.0, 5000.0))
windows = st.sampled_from([0.0, 1.0, 60.0, 300.0, 3600.0])


@dataclass(frozen=True)
class Step:
    """One cycle: who goes, who comes with which count, who is evaluated, and how long the next one lets itself be waited for."""

    gone: frozenset[Key]
    come: dict[Key, int]
    idle: frozenset[Key]
    replicas: int
    window: float
    pause: float


steps = st.lists(
    st.builds(
        Step,
        gone=st.frozensets(st.sampled_from(KEYS), max_size=3),
        come=st.dictionaries(st.sampled_from(KEYS), st.integers(0, 100), max_size=20),
        idle=st.frozensets(st.sampled_from(KEYS), max_size=5),
        replicas=st.integers(0, 1000),
        window=windows,
        pause=pauses,
    ),
    max_size=40,
)


@dataclass
class Lists:
    """All that was ever recommended of each scaler, and the newest time of it that the windows allowed to be dropped."""

    entries: dict[Key, list[tuple[float, int]]] = field(default_factory=dict)
    dropped: dict[Key, float] = field(default_factory=dict)

    def meet(self, key: Key, current: int, at: float) -> None:
        if key not in self.entries:
            self.entries[key], self.dropped[key] = [(at, current)], -np.inf

    def forget(self, key: Key) -> None:
        self.entries.pop(key, None)

    def recommend(self, keys: list[Key], replicas: list[int], at: float, window: float) -> None:
        for key, number in zip(keys, replicas, strict=True):
            self.entries[key].append((at, number))
        for key in self.entries:
            self.dropped[key] = max(self.dropped[key], at - window)

    def needed(self, key: Key) -> set[tuple[float, int]]:
        """What has been within every window since it was recommended."""
        return {(at, number) for at, number in self.entries[key] if at > self.dropped[key]}


def remembered(memory: Memory, keys: list[Key]) -> list[set[tuple[float, int]]]:
    history = memory.history(keys)
    return [
        {(float(at), int(number)) for at, number in zip(times, numbers, strict=True) if at > -np.inf}
        for times, numbers in zip(history.recommended_at, history.recommendations, strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(steps)
def test_the_ring_remembers_what_a_list_does(cycles: list[Step]) -> None:
    memory, lists, now = Memory(gap=math.inf), Lists(), 1000.0
    for step in cycles:
        for key in step.gone:
            memory.forget(key)
            lists.forget(key)
        for key, current in step.come.items():
            memory.meet(key, SUBJECT, current, now)
            lists.meet(key, current, now)
        everybody = sorted(lists.entries)
        for key, found in zip(everybody, remembered(memory, everybody), strict=True):
            assert lists.needed(key) <= found <= set(lists.entries[key])
        keys = [key for key in everybody if key not in step.idle]
        replicas = [step.replicas + number for number in range(len(keys))]
        memory.recommend(keys, np.array(replicas, np.int64), now, step.window)
        lists.recommend(keys, replicas, now, step.window)
        for key, found in zip(everybody, remembered(memory, everybody), strict=True):
            assert lists.needed(key) <= found <= set(lists.entries[key])
        now += step.pause


@settings(max_examples=150, deadline=None)
@given(
    st.lists(pauses, min_size=1, max_size=60), st.sampled_from([60.0, 300.0, 3600.0]), st.integers(0, 100), st.data()
)
def test_a_scaler_remembers_its_first_count_for_a_whole_window(
    gaps: list[float], window: float, current: int, data: st.DataObject
) -> None:
    memory, now = Memory(gap=math.inf), 1000.0
    before = data.draw(st.integers(0, 10), label="cycles before it is met")
    memory.meet(KEYS[0], SUBJECT, 1, now)
    for _ in range(before):
        memory.recommend([KEYS[0]], np.array([1], np.int64), now, window)
        now += 15.0
    met = now
    memory.meet(KEYS[1], SUBJECT, current, met)
    for gap in gaps:
        memory.recommend(KEYS[:2], np.array([1, 2], np.int64), now, window)
        now += gap
        if now - met >= window:
            break
        assert (met, current) in remembered(memory, [KEYS[1]])[0]


@dataclass(frozen=True)
class Attendance:
    """Some cycles in which the same scalers are there, each with a version of what it measures; some are deleted before."""

    deleted: frozenset[Key]
    present: dict[Key, int]
    cycles: int
    pause: float


attendances = st.lists(
    st.builds(
        Attendance,
        deleted=st.frozensets(st.sampled_from(KEYS[:6]), max_size=1),
        present=st.dictionaries(st.sampled_from(KEYS[:6]), st.sampled_from([0, 0, 0, 1]), max_size=6),
        cycles=st.integers(1, 30),
        pause=st.sampled_from([15.0, 15.0, 400.0]),
    ),
    max_size=12,
)

SPECS = [spec(dimension("cpu"), dimension("queue")), spec(dimension("cpu", 2))]
LORES = [Lore.of(SUBJECT, each) for each in SPECS]


@dataclass
class Counts:
    """For how many cycles each scaler has been there with what it measures, and the moment when it was last."""

    versions: dict[Key, int] = field(default_factory=dict)
    cycles: dict[Key, int] = field(default_factory=dict)
    last: dict[Key, float] = field(default_factory=dict)

    def come(self, key: Key, version: int, at: float, parked_since: float | None) -> None:
        away = parked_since is not None and at - parked_since > PARKED
        if self.versions.get(key) != version or away:
            self.cycles[key] = 0
        self.versions[key] = version


@settings(max_examples=150, deadline=None)
@given(attendances)
def test_every_row_is_its_scalers_own_and_every_slot_its_moments_own(attended: list[Attendance]) -> None:
    knowledge, counts, now = Knowledge(), Counts(), 1000.0
    left: dict[Key, float] = {}
    before: set[Key] = set()
    for each in attended:
        for key in each.deleted:
            knowledge.forget(key)
            counts.versions.pop(key, None)
        now += each.pause
        for key in before - each.present.keys():
            left[key] = now
        for key, version in each.present.items():
            counts.come(key, version, now, left.get(key) if key not in before else None)
        before = set(each.present)
        scalers = Scalers.of([SPECS[version] for version in each.present.values()])
        lores = {key: LORES[version] for key, version in each.present.items()}
        for _ in range(each.cycles):
            state = knowledge.follow(scalers, lambda lores=lores: lores, now, lambda _: None)  # type: ignore[misc]
            assert state.taught.tolist() == [counts.cycles[key] for key in each.present]
            remembered = np.isfinite(state.newest)
            assert np.array_equal(state.newest[remembered], np.broadcast_to(state.at, state.newest.shape)[remembered])
            knowledge.state = lived(state, now)
            for key in each.present:
                counts.cycles[key] += 1
            now += 15.0


def lived(state: Learned, now: float) -> Learned:
    """The state after a cycle that counts, and that remembers when it was; as the engine does, without touching the old one."""
    slot = int(state.at.argmin())
    at, newest = state.at.copy(), state.newest.copy()
    at[slot] = now
    newest[:, slot] = now
    return dataclasses.replace(state, at=at, newest=newest, taught=state.taught + 1)
