"""Groups that are kept while events arrive always equal matching everything by force."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.kube import POD_ADAPTER, Group, PodCache, Requirement, Selector
from tests.unit.kube_server import pod

KEYS = st.sampled_from(["app", "tier", "part-of"])
VALUES = st.sampled_from(["a", "b", "c", ""])
LABELS = st.dictionaries(KEYS, VALUES)
NAMESPACES = st.sampled_from(["shop", "bank"])
NAMES = st.sampled_from([f"pod-{number}" for number in range(6)])
REQUIREMENTS = st.one_of(
    st.builds(Requirement, KEYS, st.sampled_from(["In", "NotIn"]), st.frozensets(VALUES, min_size=1)),
    st.builds(Requirement, KEYS, st.sampled_from(["Exists", "DoesNotExist"]), st.just(frozenset())),
)
SELECTORS = st.builds(Selector, st.frozensets(REQUIREMENTS, min_size=1, max_size=4))


@given(SELECTORS, LABELS)
def test_a_selector_means_the_same_after_it_was_written_and_read(selector: Selector, labels: dict[str, str]) -> None:
    again = Selector.parse(str(selector))
    assert again == selector
    assert again.matches(labels) == selector.matches(labels)


class Groups(RuleBasedStateMachine):
    """Random events and registrations against a list of everything."""

    @initialize()
    def start(self) -> None:
        self.cache = PodCache()
        self.pods: dict[tuple[str, str], dict[str, Any]] = {}
        self.held: list[tuple[Group, int]] = []
        self.last: dict[int, list[Any]] = {}

    @rule(namespace=NAMESPACES, name=NAMES, labels=LABELS, phase=st.sampled_from(["Pending", "Running"]))
    def upsert(self, namespace: str, name: str, labels: dict[str, str], phase: str) -> None:
        thing = pod(name, namespace=namespace)
        thing["metadata"]["labels"] = labels
        thing["status"]["phase"] = phase
        self.pods[namespace, name] = thing
        self.cache.upsert(POD_ADAPTER.validate_json(json.dumps(thing)))

    @rule(namespace=NAMESPACES, name=NAMES)
    def remove(self, namespace: str, name: str) -> None:
        self.pods.pop((namespace, name), None)
        self.cache.remove((namespace, name))

    @rule(namespace=NAMESPACES, selector=SELECTORS)
    def hold(self, namespace: str, selector: Selector) -> None:
        group = self.cache.group(namespace, selector)
        self.held.append((group, group.version))

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if self.held:
            group, _ = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
            self.cache.release(group)

    @invariant()
    def groups_equal_brute_force(self) -> None:
        for group, _ in self.held:
            expected = sorted(
                (name, thing["status"]["phase"])
                for (namespace, name), thing in self.pods.items()
                if namespace == group.namespace and group.selector.matches(thing["metadata"]["labels"])
            )
            assert [(each.name, each.phase) for each in group.pods] == expected

    @invariant()
    def an_equal_version_means_equal_pods(self) -> None:
        for group, _ in self.held:
            assert self.last.setdefault(group.version, group.pods) == group.pods

    @invariant()
    def keys_are_complete(self) -> None:
        assert self.cache.keys() == set(self.pods)


test_groups_equal_brute_force_after_any_events = Groups.TestCase
