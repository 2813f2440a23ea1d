"""The text format, as read for the store."""

import math

import pytest

from controller.embedded.promql import Exposition, ExpositionError


def test_names_labels_values_and_times_are_read() -> None:
    text = '# HELP a x\n# TYPE a counter\na{pod="p 1",path="/}\\"\\\\n"} 1.5e3 1700000000123\n\nb +Inf\nc\t7\n'
    a, b, c = Exposition().read(text)
    assert a == ({"__name__": "a", "pod": "p 1", "path": '/}"\\n'}, 1500.0, 1700000000123)
    assert b == ({"__name__": "b"}, math.inf, None)
    assert c == ({"__name__": "c"}, 7.0, None)


def test_a_counter_keeps_its_name() -> None:
    (sample,) = Exposition().read("# TYPE requests counter\nrequests 1\n")
    assert sample.labels["__name__"] == "requests"


def test_the_next_scrape_gives_the_same_label_sets() -> None:
    exposition = Exposition()
    first = exposition.read('a{pod="x"} 1\n')
    assert exposition.read('a{pod="x"} 2\n')[0].labels is first[0].labels


def test_labels_of_the_target_rename_those_of_the_series() -> None:
    (sample,) = Exposition({"job": "demo"}).read('a{job="own"} 1\n')
    assert sample.labels == {"__name__": "a", "job": "demo", "exported_job": "own"}


def test_only_a_newline_ends_a_line() -> None:
    (sample,) = Exposition().read('a{text="x\u2028y"} 1\r\n')
    assert sample.labels["text"] == "x\u2028y"


def test_an_empty_label_is_dropped() -> None:
    (sample,) = Exposition().read('a{zone=""} 1\n')
    assert sample.labels == {"__name__": "a"}


@pytest.mark.parametrize(
    "line", ["a", "a one", 'a{pod="x} 1', "a{pod=x} 1", "a 1 2 3", "a 1_000", "9a 1", 'a{pod="x"}']
)
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(ExpositionError, match="line 2 is no sample of the text format"):
        Exposition().read(f"good 1\n{line}\n")
