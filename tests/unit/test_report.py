"""The demo's HTML report: complete, self-contained, well-formed, and true to its moments."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from controller.cli.demo.plots import Area, Axis, Line, Panel, figure, round_steps
from controller.cli.demo.report import About, render_report, write_report
from controller.cli.demo.samples import Dimension, Moment

SVG = "{http://www.w3.org/2000/svg}"
ABOUT = About("The demo", "A real load.", 20.0, 38.5)


def moment(t: float, **changes: object) -> Moment:
    calm = Moment(
        t=t,
        load_rps=150.0,
        replicas_spec=5,
        replicas_ready=5,
        magnitude=0.8,
        dimensions=(Dimension("cpu", 0.7, 0.75), Dimension("latency", 0.4, 0.25)),
        p95_seconds=0.15,
        slo_seconds=0.3,
        decision="",
        starting=False,
    )
    return replace(calm, **changes)  # type: ignore[arg-type]


CALM = [moment(float(t)) for t in range(20)]
GROWN = [
    *CALM[:5],
    moment(5.0, replicas_spec=9, decision="New size: 9; reason: magnitude 1.6", starting=True, p95_seconds=2.0),
    *(moment(float(t), replicas_spec=9, replicas_ready=9) for t in range(6, 20)),
]


def svg_of(page: str) -> ElementTree.Element:
    found = re.search(r"<svg.*</svg>", page, re.DOTALL)
    assert found is not None
    return ElementTree.fromstring(found.group(0))


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


class Tags(HTMLParser):
    """Fails on tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opened and closed at once."""


def test_every_tag_is_closed() -> None:
    parser = Tags()
    parser.feed(render_report(GROWN, ABOUT))
    assert parser.open == []


def test_the_report_loads_nothing_from_anywhere() -> None:
    page = render_report(GROWN, ABOUT).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|<script|<link|<img|url\(|@import", page)


def test_a_run_that_held_the_promise_says_so() -> None:
    page = render_report(GROWN, ABOUT)
    assert "The promise was held" in page
    assert "at or below 300 ms in all 19 seconds" in page
    assert "✗" not in page


def test_a_run_that_broke_the_promise_says_how_long_and_how_badly() -> None:
    page = render_report([*CALM, moment(20.0, p95_seconds=0.45)], ABOUT)
    assert "The promise was broken" in page
    assert "in 1 of the 21 seconds in which no pod was starting; the worst was 450 ms" in page
    assert "✓" not in page


def test_a_run_without_a_second_to_judge_is_not_called_held() -> None:
    assert "Nothing could be judged" in render_report([moment(0.0, starting=True)], ABOUT)


def test_every_decision_is_listed_with_time_load_replicas_and_sentence() -> None:
    page = render_report(GROWN, ABOUT)
    for cell in ("00:05", "150 rps", "5 → 9", "New size: 9; reason: magnitude 1.6"):
        assert f">{cell}</td>" in page
    assert "The replicas were never changed." in render_report(CALM, ABOUT)


def test_text_from_outside_is_text_and_never_markup() -> None:
    moments = [moment(0.0), moment(1.0, replicas_spec=6, decision="<b>&boom", dimensions=(Dimension("<i>", 1.0, 1.0),))]
    page = render_report(moments, About("<u>", "<s>", 1.0, 38.5))
    assert not re.search(r"<(u|s|i)>|<b>&boom", page)
    assert "&lt;b&gt;&amp;boom" in page
    svg_of(page)


def test_the_figure_names_each_plot_with_its_unit_and_each_dimension() -> None:
    found = texts(svg_of(render_report(GROWN, ABOUT)))
    for text in ("Load, requests per second", "Replicas", "Magnitude, by dimension", "cpu", "latency", "pods starting"):
        assert text in found
    assert "promise, 300 ms" in found


def test_a_breach_is_in_the_legend_only_when_there_is_one() -> None:
    assert "broken" not in texts(svg_of(render_report(GROWN, ABOUT)))
    assert "broken" in texts(svg_of(render_report([*CALM, moment(20.0, p95_seconds=0.5)], ABOUT)))


@pytest.mark.parametrize(("starting", "filled"), [(True, "#e69f00"), (False, "#d55e00")])
def test_latency_above_the_promise_is_filled_by_whether_pods_were_starting(starting: bool, filled: str) -> None:
    moments = [*CALM, *(moment(float(t), starting=starting, p95_seconds=1.0) for t in (20, 21, 22))]
    found = {}
    for path in svg_of(render_report(moments, ABOUT)).iter(f"{SVG}path"):
        heights = re.findall(r",([0-9.]+)", path.get("d") or "")
        found[path.get("fill"), path.get("fill-opacity")] = len(set(heights)) > 1
    above = {fill: found[fill, opacity] for fill, opacity in (("#e69f00", "0.55"), ("#d55e00", "0.9"))}
    assert above == {fill: fill == filled for fill in above}


def test_pointing_at_a_decision_shows_its_sentence() -> None:
    titles = [element.text for element in svg_of(render_report(GROWN, ABOUT)).iter(f"{SVG}title")]
    assert titles == ["00:05  5 → 9: New size: 9; reason: magnitude 1.6"]


def test_starting_seconds_are_shaded_in_every_plot() -> None:
    bands = [e for e in svg_of(render_report(GROWN, ABOUT)).iter(f"{SVG}rect") if e.get("class") == "b"]
    plots = [band for band in bands if band.get("height") == "130.0"]
    assert len(plots) == 4
    assert len({band.get("x") for band in plots}) == 1


def test_a_run_of_one_second_without_a_decision_can_be_reported() -> None:
    svg_of(render_report([moment(0.0, magnitude=None, dimensions=())], ABOUT))


def test_a_report_without_moments_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to judge"):
        render_report([], ABOUT)


def test_the_report_is_written_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, GROWN, ABOUT)
    assert path.read_bytes().decode() == render_report(GROWN, ABOUT)


def drawn(panel: Panel, times: list[float]) -> str:
    svg = ElementTree.fromstring(figure(times, [panel]))
    return next(path.get("d") or "" for path in svg.iter(f"{SVG}path"))


AXIS = Axis(0.0, 10.0, [(0.0, "0"), (10.0, "10")])


def test_a_line_goes_through_its_values_and_stops_at_gaps() -> None:
    panel = Panel("p", AXIS, lines=[Line("v", "#000", [0.0, 10.0, None, 5.0, 5.0])], height=100.0)
    assert drawn(panel, [0.0, 1.0, 2.0, 3.0, 4.0]) == "M62.0,134.0L282.0,34.0M722.0,84.0L942.0,84.0"


def test_a_stepped_line_keeps_its_value_until_the_next() -> None:
    panel = Panel("p", AXIS, lines=[Line("v", "#000", [0.0, 10.0], stepped=True)], height=100.0)
    assert drawn(panel, [0.0, 1.0]) == "M62.0,134.0L942.0,134.0L942.0,34.0"


def test_an_area_is_closed_along_its_lower_edge() -> None:
    panel = Panel("p", AXIS, areas=[Area("v", "#000", [0.0, 0.0], [10.0, 5.0])], height=100.0)
    assert drawn(panel, [0.0, 1.0]) == "M62.0,34.0L942.0,84.0L942.0,134.0L62.0,134.0Z"


def test_values_beyond_the_axis_are_drawn_at_its_end() -> None:
    panel = Panel("p", AXIS, lines=[Line("v", "#000", [-5.0, 500.0])], height=100.0)
    assert drawn(panel, [0.0, 1.0]) == "M62.0,134.0L942.0,34.0"


def test_a_logarithmic_axis_gives_each_factor_the_same_room() -> None:
    axis = Axis(0.1, 10.0, [], logarithmic=True)
    assert [axis.place(v) for v in (0.1, 1.0, 10.0, 0.0)] == pytest.approx([0.0, 0.5, 1.0, 0.0])


@pytest.mark.parametrize(
    ("high", "steps"),
    [(30.0, [0, 10, 20, 30]), (849.0, [0, 250, 500, 750, 1000]), (0.0, [0, 1]), (3.4, [0, 1, 2, 3, 4])],
)
def test_axes_have_round_steps(high: float, steps: list[float]) -> None:
    assert round_steps(high) == pytest.approx(steps)
