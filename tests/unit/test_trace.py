"""Traces: from a file to a load at any moment, and what a bad file is told."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest

from controller.api.errors import CompositeScalerError
from controller.simulation import InvalidTrace, Trace, flash_crowd

RAMP = Trace(np.array([0.0, 60.0, 120.0]), np.array([10.0, 40.0, 20.0]))


def test_a_trace_is_linear_between_its_moments() -> None:
    assert RAMP.at(30.0) == 25.0
    assert RAMP.at(90.0) == 30.0


def test_a_trace_keeps_its_first_and_last_value_outside() -> None:
    assert RAMP.at(-5.0) == 10.0
    assert RAMP.at(500.0) == 20.0


def test_a_segment_begins_at_zero_and_has_the_values_of_its_ends() -> None:
    part = RAMP.segment(30.0, 90.0)
    assert part.seconds.tolist() == [0.0, 30.0, 60.0]
    assert part.values.tolist() == [25.0, 40.0, 30.0]


def test_a_segment_outside_the_trace_is_refused_with_both_ranges() -> None:
    with pytest.raises(InvalidTrace, match=r"segment 90\.\.500 s is not inside the trace, which is 0\.\.120 s"):
        RAMP.segment(90.0, 500.0)


def test_scaling_moves_the_peak_and_keeps_the_shape() -> None:
    assert RAMP.scaled(peak=400.0).values.tolist() == [100.0, 400.0, 200.0]


def test_a_trace_without_load_cannot_be_scaled() -> None:
    with pytest.raises(InvalidTrace, match="zero throughout"):
        Trace(np.array([0.0, 1.0]), np.zeros(2)).scaled(peak=5.0)


@pytest.mark.parametrize("peak", [-1.0, float("nan"), float("inf")])
def test_a_peak_that_is_no_load_is_refused(peak: float) -> None:
    with pytest.raises(InvalidTrace, match="zero or more"):
        RAMP.scaled(peak=peak)


def test_compressing_keeps_the_values_in_less_time() -> None:
    quick = RAMP.compressed(10.0)
    assert quick.duration == 12.0
    assert quick.at(6.0) == 40.0


@pytest.mark.parametrize("factor", [0.0, -2.0, float("nan")])
def test_a_factor_that_is_not_above_zero_is_refused(factor: float) -> None:
    with pytest.raises(InvalidTrace, match="above zero"):
        RAMP.compressed(factor)


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"seconds,cpu_percent,requests_per_second\n0,99,1.5\n60,99,2.5\n"))
    assert Trace.read(path).values.tolist() == [1.5, 2.5]


def test_a_row_without_a_value_is_bridged() -> None:
    trace = Trace.parse(["seconds,load", "0,10", "60,", "120,30"])
    assert trace.at(60.0) == 20.0


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "first column is called ''; call it 'seconds'"),
        (["time,load", "0,1"], "first column is called 'time'; call it 'seconds'"),
        (["seconds,cpu_percent", "0,1"], "None of the columns seconds, cpu_percent is called"),
        (["seconds,load", "0,1"], "two moments or more, not 1"),
        (["seconds,load"], "two moments or more, not 0"),
        (["seconds;load", "0;1", "60;2"], "first column is called 'seconds;load'; call it 'seconds'"),
        (["seconds,load", "0,1", "60,1e999"], "value of row 2 is inf"),
        (["seconds,load", "0,1", "60,1\x00", "90,2"], "Line 3 is"),
        (["seconds,load", "0," + "9" * 200_000], "This is not CSV: field larger than field limit"),
        (["seconds,load", "0,1", "60"], "Line 3 has 1 columns, the header has 2"),
        (["seconds,load", "0,1", "60,many"], "Line 3 is '60,many'; both columns must be numbers"),
        (["seconds,load", "0,1", "60,nan"], "value of row 2 is nan"),
        (["seconds,load", "0,1", "inf,2"], "moment of row 2 is inf"),
        (["seconds,load", "0,1", "60,-3"], "value of row 2 is -3; a load is zero or more"),
        (["seconds,load", "0,1", "60,2", "60,3"], "Row 3 is at 60 s, not after the row before it at 60 s"),
    ],
)
def test_a_bad_file_gets_one_sentence(lines: list[str], sentence: str) -> None:
    with pytest.raises(InvalidTrace) as caught:
        Trace.parse(lines)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")
    assert isinstance(caught.value, CompositeScalerError)


def test_spaces_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfseconds, load\r\n0, 1\r\n60, \r\n\r\n120, 3\r\n")
    assert Trace.read(path).values.tolist() == [1.0, 3.0]


def test_a_million_rows_are_read_in_a_few_seconds(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("seconds,load\n" + "".join(f"{second},{second % 97}.25\n" for second in range(1_000_000)))
    before = time.process_time()
    assert Trace.read(path).duration == 999_999.0
    assert time.process_time() - before < 6.0  # a second of CPU where nothing else runs


def test_a_folder_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(InvalidTrace, match="cannot be read"):
        Trace.read(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidTrace, match=r"nothing\.csv cannot be read"):
        Trace.read(tmp_path / "nothing.csv")


@pytest.mark.parametrize("content", [b"not gzip at all", gzip.compress(b"seconds,load\n0,1\n60,2\n" * 50)[:-20]])
def test_a_broken_gzip_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)
    with pytest.raises(InvalidTrace, match=r"t\.csv\.gz cannot be read"):
        Trace.read(path)


def test_a_sentence_about_a_file_begins_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("seconds,load\n0,1\n")
    with pytest.raises(InvalidTrace, match=r"t\.csv: A trace needs two moments"):
        Trace.read(path)


def test_the_shipped_flash_crowd_rises_to_five_times_within_three_minutes_and_falls_again() -> None:
    trace = flash_crowd()
    assert trace.duration == 28 * 60
    assert trace.at(720.0) / trace.at(540.0) > 5.0
    assert trace.at(900.0) < 1.1 * trace.at(540.0)
