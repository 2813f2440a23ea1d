"""What a custom query may say, and what becomes of it."""

import re

import pytest

from controller.api import InvalidManifest
from controller.prometheus import custom_text


def test_namespace_and_name_are_the_targets() -> None:
    template = 'sum(queue_length{namespace="$namespace",queue="$name"})'
    assert custom_text(template, "shop", "checkout") == 'sum(queue_length{namespace="shop",queue="checkout"})'


@pytest.mark.parametrize(
    "pod",
    ["checkout-7d9c5b6f4-x2x4z", "checkout-x2x4z", "checkout-0", "checkout-12"],
    ids=["Deployment", "ReplicaSet", "StatefulSet", "StatefulSet of two digits"],
)
def test_pods_matches_the_pods_of_the_target(pod: str) -> None:
    assert re.fullmatch(custom_text("$pods", "shop", "checkout"), pod)


@pytest.mark.parametrize(
    "pod", ["checkout-worker-7d9c5b6f4-x2x4z", "checkout-worker-0", "checkout", "mycheckout-0", "checkout-"]
)
def test_pods_matches_no_pod_of_a_neighbour(pod: str) -> None:
    assert not re.fullmatch(custom_text("$pods", "shop", "checkout"), pod)


def test_a_dot_in_the_name_matches_only_a_dot() -> None:
    pods = custom_text("$pods", "shop", "api.v1")
    assert re.fullmatch(pods, "api.v1-0")
    assert not re.fullmatch(pods, "apixv1-0")
    assert "\\" not in pods


@pytest.mark.parametrize("text", ['up{pod=~"a$"}', 'label_replace(x, "pod", "$1", "p", "(.*)")', "${1}", "a $ b"])
def test_a_dollar_that_is_promqls_own_stays(text: str) -> None:
    assert custom_text(text, "shop", "checkout") == text


def test_two_dollars_are_one() -> None:
    assert custom_text('"$$namespace $$$name"', "shop", "checkout") == '"$namespace $checkout"'


def test_an_unknown_word_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(InvalidManifest, match=r"\$namespaces; write \$namespace, \$name or \$pods, or \$\$namespaces"):
        custom_text('up{namespace="$namespaces"}', "shop", "checkout")


def test_braces_are_refused_with_the_word_without_them() -> None:
    with pytest.raises(InvalidManifest, match=r"\$\{name\}; write \$name without braces"):
        custom_text("${name}", "shop", "checkout")


@pytest.mark.parametrize(("namespace", "name"), [('a"} or up{a="', "x"), ("shop", 'x"'), ("shop", "X"), ("a.b", "x")])
def test_a_name_that_no_api_server_admits_is_never_filled_in(namespace: str, name: str) -> None:
    with pytest.raises(InvalidManifest, match="is no DNS"):
        custom_text("$namespace $name", namespace, name)
