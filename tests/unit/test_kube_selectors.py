"""Label selectors: both written forms, their meaning, and what is refused."""

import pytest

from controller.kube import InvalidSelector, LabelSelector, Selector

LABELS = {"app": "web", "tier": "front", "example.com/track": "", "version": "1.2"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier=front", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("missing=", False),
        ("app in (web, db)", True),
        ("app in(db)", False),
        ("app notin (db,cache)", True),
        ("app notin (web)", False),
        ("missing notin (web)", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("example.com/track=", True),
        ("example.com/track in (,x)", True),
        ("in=x", False),
        ("version=1.2,app in (web),!missing,tier", True),
        ("version=1.2,app in (web),missing", False),
    ],
)
def test_the_text_form_means_what_kubernetes_means(text: str, selected: bool) -> None:
    assert Selector.parse(text).matches(LABELS) is selected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty and would match every pod"),
        ("   ", "is empty and would match every pod"),
        ("app=web,", "'' is no label key"),
        (",app=web", "',' is no label key"),
        ("app in web", r"expected '\(', found 'web'"),
        ("app in (web", r"expected '\)', found 'the end'"),
        ("app in ()", "a list of values is empty"),
        ("app web", "expected ',', found 'web'"),
        ("app=web=db", "expected ',', found '='"),
        ("-app=web", "'-app' is no label key"),
        ("a/b/c=web", "'a/b/c' is no label key"),
        ("app=" + "x" * 64, "is no label value"),
        ("app=we b", "expected ',', found 'b'"),
        ("app>3", "'app>3' is no label key"),
        ("!", "'' is no label key"),
    ],
)
def test_text_that_is_no_selector_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidSelector, match=why):
        Selector.parse(text)


def test_the_object_form_equals_the_text_form_in_whatever_order() -> None:
    written: LabelSelector = {
        "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["back", "batch"]},
            {"key": "canary", "operator": "DoesNotExist"},
            {"key": "version", "operator": "Exists", "values": None},
        ],
        "matchLabels": {"app": "web"},
    }
    same = Selector.parse("version,!canary,tier notin (batch,back),app=web")
    assert Selector.of(written) == same
    assert hash(Selector.of(written)) == hash(same)


def test_the_text_of_a_selector_reads_back_as_the_same_selector() -> None:
    selector = Selector.parse("a,!b,c=1,d!=2,e in (3,4),f notin (5,6),g=")
    assert Selector.parse(str(selector)) == selector


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (None, "is empty"),
        ({}, "is empty"),
        ({"matchLabels": {}, "matchExpressions": []}, "is empty"),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, "'Gt' is no selector operator"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}, "In on label a has no values"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["1"]}]}, "Exists on label a takes no"),
    ],
)
def test_an_object_that_is_no_selector_is_refused_with_the_reason(written: LabelSelector | None, why: str) -> None:
    with pytest.raises(InvalidSelector, match=why):
        Selector.of(written)
