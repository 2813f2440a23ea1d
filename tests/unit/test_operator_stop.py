"""The operator-wide stop: both ways, through every way in which a file changes, and not by a mistake."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from controller.api import Configuration
from controller.operator.stop import Stop

SOURCES = "sources: {default: {url: http://prometheus:9090}}\n"
CONFIGURATION = Configuration.parse({"sources": {"default": {"url": "http://prometheus:9090"}}})
STOPPED, RUNNING = SOURCES + "stop: true\n", SOURCES + "stop: false\n"


class Desk:
    """A stop, its file, and what was told of it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "configuration.yaml"
        self.file.write_text(SOURCES)
        self.told: list[bool] = []
        self.stop = Stop(CONFIGURATION, self.file, self.told.append)

    def after(self, text: str) -> bool:
        """Whether everything is stopped after the file was written anew."""
        self.file.write_text(text)
        return self.look()

    def look(self) -> bool:
        self.stop.look()
        return self.stop.stopped


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_file_that_says_so_stops_everything_and_lets_it_go_again(desk: Desk) -> None:
    assert [desk.look(), desk.after(STOPPED), desk.look(), desk.after(RUNNING), desk.after(STOPPED)] == [
        False,
        True,
        True,
        False,
        True,
    ]
    assert desk.after(SOURCES) is False


def test_an_operator_that_starts_with_the_stop_is_stopped_before_its_first_cycle() -> None:
    told: list[bool] = []
    stop = Stop(CONFIGURATION.model_copy(update={"stop": True}), None, told.append)
    stop.look()
    assert (stop.stopped, told) == (True, [True])


def test_the_gauge_is_told_of_every_change(desk: Desk) -> None:
    for text in (STOPPED, RUNNING):
        desk.after(text)
    assert desk.told == [False, True, False]


def test_a_mount_that_swaps_its_link_is_seen_although_the_times_are_the_same(tmp_path: Path) -> None:
    for name, text in (("one", RUNNING), ("two", STOPPED)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "configuration.yaml").write_text(text.ljust(100))
        os.utime(tmp_path / name / "configuration.yaml", (1_000_000, 1_000_000))
    data, file = tmp_path / "..data", tmp_path / "configuration.yaml"
    data.symlink_to("one")
    file.symlink_to("..data/configuration.yaml")
    stop = Stop(CONFIGURATION, file)
    stop.look()
    assert not stop.stopped
    (tmp_path / "..new").symlink_to("two")
    (tmp_path / "..new").rename(data)
    stop.look()
    assert stop.stopped


@pytest.mark.parametrize("broken", ["sources: [", "", "stop: true", SOURCES + "stop: yes please\n", None])
@pytest.mark.parametrize("before", [STOPPED, RUNNING])
def test_a_file_that_became_unreadable_or_invalid_changes_nothing_and_is_told_once(
    desk: Desk, before: str, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    was = desk.after(before)
    caplog.clear()
    if broken is None:
        desk.file.unlink()
    else:
        desk.file.write_text(broken)
    assert [desk.look() for _ in range(3)] == [was, was, was]
    (line,) = caplog.records
    assert f"stays {'stopped' if was else 'not stopped'}" in line.getMessage()
    assert str(desk.file) in line.getMessage()
    assert desk.after(RUNNING if was else STOPPED) is not was


def test_a_file_that_did_not_change_is_not_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.after(STOPPED)
    monkeypatch.setattr(Configuration, "load", lambda _: pytest.fail("it was read again"))
    assert desk.look()


def test_a_stop_is_one_log_line_and_going_on_another(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "controller.operator.stop")
    for text in (RUNNING, STOPPED, STOPPED, RUNNING):
        desk.after(text)
    assert [each.getMessage() for each in caplog.records] == [
        "stopped: nothing is written to any target until stop is false in the configuration",
        "going on: targets are written again",
    ]


def test_other_changes_of_the_file_are_told_to_need_a_restart(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    assert desk.after(STOPPED + "interval: 30s\n")
    assert caplog.records[-1].getMessage() == (
        "of the changed configuration only stop is taken; restart the operator for the rest"
    )
