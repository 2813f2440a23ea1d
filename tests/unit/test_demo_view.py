"""The demo's terminal view: what is on the screen, and what is written where there is none."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.color import Color
from rich.console import Console

from controller.cli.demo.chart import Bars, bar, chart, columns
from controller.cli.demo.samples import Dimension, Moment
from controller.cli.demo.view import LiveView, PlainView, line, screen, view

NOW = Moment(
    t=34.0,
    load_rps=412.0,
    replicas_spec=15,
    replicas_ready=12,
    magnitude=1.42,
    dimensions=(Dimension("cpu", 0.95, 0.22), Dimension("memory", 0.4, 0.07), Dimension("latency", 1.1, 0.71)),
    p95_seconds=0.182,
    slo_seconds=0.3,
    decision="New size: 15; reason: magnitude 1.42 (latency 71 %, cpu 22 %, memory 7 %)",
    starting=True,
)


def shown(moments: list[Moment], width: int = 100, duration: float = 84.0) -> str:
    console = Console(record=True, width=width, force_terminal=True, file=io.StringIO())
    console.print(screen(moments, "The demo", duration, width))
    return console.export_text()


@pytest.mark.parametrize(
    "text",
    ["00:34 / 01:24", "412 rps", "12 ready", "15 wanted", "182 ms", "held", "1.42", "cpu", "71%", "New size: 15;"],
)
def test_the_screen_shows(text: str) -> None:
    assert text in shown([NOW])


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_of_the_screen_is_wider_than_the_terminal(width: int) -> None:
    moments = [replace(NOW, t=float(t)) for t in range(80)]
    assert max(len(text) for text in shown(moments, width).splitlines()) <= width


def test_the_screen_has_the_same_height_whatever_happened() -> None:
    first = replace(NOW, t=0.0, decision="")
    assert len(shown([first]).splitlines()) == len(shown([first, NOW]).splitlines())


@pytest.mark.parametrize(
    ("starting", "p95", "state"), [(True, 0.5, "starting"), (False, 0.5, "too slow"), (True, 0.2, "held")]
)
def test_the_state_says_whether_the_promise_is_held(starting: bool, p95: float, state: str) -> None:
    moment = replace(NOW, starting=starting, p95_seconds=p95)
    assert state in shown([moment])
    assert f"({state})" in line(moment)


@pytest.mark.parametrize(("starting", "coloured"), [(True, False), (False, True)])
def test_only_a_broken_promise_is_drawn_in_the_colour_of_alarm(starting: bool, coloured: bool) -> None:
    console = Console(width=100, file=io.StringIO())
    slow = replace(NOW, starting=starting, p95_seconds=0.5, dimensions=())
    segments = console.render(screen([slow, replace(slow, t=40.0, p95_seconds=0.1)], "The demo", 84.0, 100))
    colours = {segment.style.color for segment in segments if segment.style is not None}
    assert (Color.parse("#d55e00") in colours) is coloured


def test_before_the_first_decision_nothing_is_made_up() -> None:
    early = replace(NOW, magnitude=None, dimensions=(), decision="")
    assert "not known yet" in shown([early])
    assert "No decision yet." in shown([early])
    assert "magnitude unknown" in line(early)


def test_a_line_names_every_number_with_its_unit() -> None:
    assert line(NOW) == (
        "00:34  load  412 rps  ready 12 of 15  p95 182 ms of 300 ms (held)"
        "  magnitude 1.42 (cpu 22%, memory 7%, latency 71%)"
    )


def test_without_a_terminal_there_is_a_line_every_few_seconds_and_one_for_each_decision() -> None:
    out = io.StringIO()
    console = Console(file=out, width=20)
    with view(console, "The demo [20x]", 84.0) as plain:
        assert isinstance(plain, PlainView)
        for t in range(11):
            plain.show(replace(NOW, t=float(t), decision="New size: 4" if t >= 7 else ""))
    lines = out.getvalue().splitlines()
    assert [text[:12] for text in lines] == [
        "The demo [20",
        "00:00  load ",
        "00:05  load ",
        "00:07  New s",
        "00:10  load ",
    ]
    assert lines[0] == "The demo [20x]"


def test_on_a_terminal_the_last_state_stays_on_the_screen() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with view(console, "The demo", 84.0) as live:
        assert isinstance(live, LiveView)
        live.show(replace(NOW, t=33.0, load_rps=111.0))
        live.show(NOW)
    assert out.getvalue().index("111 rps") < out.getvalue().rindex("412 rps")
    assert out.getvalue().endswith("\x1b[?25h")


def test_a_chart_fills_columns_from_the_bottom_in_eighths() -> None:
    drawn = chart([Bars(4.0, ""), Bars(3.0, ""), Bars(1.25, ""), None, Bars(0.0, "")], 2, 4.0)
    assert [text.plain for text in drawn] == ["█▄   ", "██▅  "]


def test_the_part_above_has_its_own_colour_and_starts_where_the_lower_ends() -> None:
    top, bottom = chart([Bars(1.0, "blue", upper=4.0, upper_style="red")], 2, 4.0)
    assert (top.plain, top.spans[0].style) == ("█", "red")
    assert (bottom.plain, bottom.spans[0].style) == ("▄", "blue on red")


def test_a_value_beyond_the_top_fills_its_column_and_no_more() -> None:
    assert [text.plain for text in chart([Bars(99.0, "")], 2, 4.0)] == ["█", "█"]


def test_columns_keep_the_highest_value_and_bridge_what_lies_between() -> None:
    assert columns([0.0, 1.0, 9.0], [7.0, 5.0, 2.0], 20.0, 10) == [7.0, 7.0, 7.0, 7.0, 2.0, *[None] * 5]


def test_a_moment_after_the_end_falls_into_the_last_column() -> None:
    assert columns([25.0], [1.0], 20.0, 4)[-1] == 1.0


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "    "), (0.5, "██  "), (0.59, "██▍ "), (1.0, "████"), (7.0, "████")]
)
def test_a_bar_is_as_long_as_its_share(share: float, text: str) -> None:
    assert bar(share, 4) == text
