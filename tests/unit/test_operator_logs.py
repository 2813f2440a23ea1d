"""Log lines: what stands in one, as JSON and for people."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import kopf
import pytest
from kopf._core.actions.loggers import ObjectLogger

from controller.operator.logs import ConsoleFormatter, JsonFormatter, configure

FIELDS: dict[str, Any] = {"namespace": "shop", "from": 3, "to": 7, "magnitude": 1.42}


def line(message: str = "scaling from %d to %d", *args: object, **extra: Any) -> logging.LogRecord:
    record = logging.LogRecord(
        "controller.operator.writes", logging.INFO, "writes.py", 1, message, args or (3, 7), None
    )
    for name, value in extra.items():
        setattr(record, name, value)
    return record


def failed() -> logging.LogRecord:
    record = line("no luck", 0)
    record.args = ()
    try:
        raise ValueError("a bad day")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    return record


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Puts the process's logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("kopf", "aiohttp.access")}
    yield
    root.handlers[:], root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_a_json_line_has_the_sentence_and_every_field() -> None:
    found = json.loads(JsonFormatter().format(line(**FIELDS)))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", found.pop("time"))
    assert found == {
        "level": "info",
        "logger": "controller.operator.writes",
        "message": "scaling from 3 to 7",
        **FIELDS,
    }


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_null(number: float) -> None:
    text = JsonFormatter().format(line(magnitude=number))
    assert json.loads(text, parse_constant=pytest.fail)["magnitude"] is None


def test_what_json_cannot_hold_is_written_as_text() -> None:
    assert json.loads(JsonFormatter().format(line(kind=kopf.OperatorSettings)))["kind"].startswith("<class")


def test_letters_stay_readable() -> None:
    assert "größer" in JsonFormatter().format(line("größer als %d: %d", 1, 2))


def test_an_exception_is_in_the_same_json_line() -> None:
    text = JsonFormatter().format(failed())
    assert "\n" not in text
    assert "ValueError: a bad day" in json.loads(text)["exception"]


def test_a_console_line_has_time_level_sentence_and_fields() -> None:
    text = ConsoleFormatter().format(line(**FIELDS))
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d info    scaling from 3 to 7  \[namespace=shop from=3 to=7 magnitude=1.42\]", text
    )


def test_a_console_line_without_fields_ends_with_the_sentence() -> None:
    assert ConsoleFormatter().format(line()).endswith("info    scaling from 3 to 7")


def test_an_exception_follows_the_console_line() -> None:
    first, *rest = ConsoleFormatter().format(failed()).splitlines()
    assert first.endswith("no luck")
    assert rest[-1] == "ValueError: a bad day"


def test_what_kopf_carries_along_for_itself_stays_out(caplog: pytest.LogCaptureFixture) -> None:
    body = kopf.Body({"metadata": {"name": "web", "namespace": "shop"}})
    ObjectLogger(body=body, settings=kopf.OperatorSettings()).warning("watch out")
    found = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert found.keys() == {"time", "level", "logger", "message", "k8s_ref"}
    assert found["k8s_ref"]["name"] == "web"


@pytest.mark.usefixtures("logging_as_before")
def test_lines_go_to_standard_error_from_the_chosen_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure("warning", "json")
    logging.getLogger("controller.it").info("quiet")
    logging.getLogger("controller.it").warning("loud")
    said = capsys.readouterr()
    assert [json.loads(each)["message"] for each in said.err.splitlines()] == ["loud"]
    assert said.out == ""


@pytest.mark.usefixtures("logging_as_before")
def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "console")
    logging.getLogger("controller.it").info("hello", extra={"name_of": "web"})
    assert capsys.readouterr().err.endswith("info    hello  [name_of=web]\n")


@pytest.mark.usefixtures("logging_as_before")
def test_kopf_and_the_web_server_are_only_heard_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    for name in ("kopf.objects", "aiohttp.access"):
        logging.getLogger(name).info("handled")
        logging.getLogger(name).error("broken")
    assert [json.loads(each)["message"] for each in capsys.readouterr().err.splitlines()] == ["broken", "broken"]
