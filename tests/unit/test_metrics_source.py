"""The embedded metrics source over HTTP: what it serves, how it scrapes, how it can be made to fail."""

import asyncio
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import aiohttp
import pytest
import requests
from aiohttp import web

from controller.embedded import EmbeddedMetricsSource

QUEUE = {"__name__": "depth", "queue": "checkout"}


class Clock:
    """Seconds that move when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> Iterator[EmbeddedMetricsSource]:
    """One series with the value 7 at 1000 s, and the clock at 1010 s."""
    source = EmbeddedMetricsSource(interval_seconds=None, clock=Clock(1010.0))
    source.add_samples(QUEUE, [(1000, 7)])
    with source.in_thread():
        yield source


def ask(source: EmbeddedMetricsSource, query: str, **parameters: str) -> requests.Response:
    return requests.get(f"{source.url}/api/v1/query", params={"query": query, **parameters}, timeout=10)


def values(source: EmbeddedMetricsSource, query: str, **parameters: str) -> dict[str, str]:
    """The values of an instant query by pod (or queue)."""
    result: list[dict[str, Any]] = ask(source, query, **parameters).json()["data"]["result"]
    return {one["metric"].get("pod", one["metric"].get("queue", "")): one["value"][1] for one in result}


def scraping(texts: Sequence[str | None], clock: Clock) -> EmbeddedMetricsSource:
    """A source whose scrapes give these texts, one after the other; None fails."""
    remaining = iter(texts)

    def scrape() -> str:
        text = next(remaining)
        if text is None:
            raise ConnectionError("nobody is there")
        return text

    return EmbeddedMetricsSource(scrape, interval_seconds=None, clock=clock)


# Answers.


def test_a_vector_is_served_as_prometheus_does(source: EmbeddedMetricsSource) -> None:
    answer = ask(source, "depth")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json() == {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": QUEUE, "value": [1010, "7"]}]},
    }


def test_scalars_strings_and_matrices_are_served(source: EmbeddedMetricsSource) -> None:
    data = [ask(source, query, time="1000.5").json()["data"] for query in ("time()", "'x'", "depth[1m]")]
    assert data == [
        {"resultType": "scalar", "result": [1000.5, "1000.5"]},
        {"resultType": "string", "result": [1000.5, "x"]},
        {"resultType": "matrix", "result": [{"metric": QUEUE, "values": [[1000, "7"]]}]},
    ]


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("1/0", "+Inf"),
        ("-1/0", "-Inf"),
        ("0/0", "NaN"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("0.000001", "0.000001"),
        ("1.5e-7", "1.5e-07"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("-0.5", "-0.5"),
    ],
)
def test_numbers_are_written_as_prometheus_does(source: EmbeddedMetricsSource, query: str, written: str) -> None:
    assert ask(source, query).json()["data"]["result"][1] == written


def test_a_query_may_be_posted(source: EmbeddedMetricsSource) -> None:
    answer = requests.post(f"{source.url}/api/v1/query", data={"query": "depth", "time": "1001"}, timeout=10)
    assert answer.json()["data"]["result"][0]["value"] == [1001, "7"]


def test_a_range_query_has_a_point_a_step(source: EmbeddedMetricsSource) -> None:
    parameters = {"query": "depth", "start": "990", "end": "1010", "step": "10s"}
    answer = requests.get(f"{source.url}/api/v1/query_range", params=parameters, timeout=10).json()
    assert answer["data"]["result"] == [{"metric": QUEUE, "values": [[1000, "7"], [1010, "7"]]}]


def test_it_is_ready_and_healthy(source: EmbeddedMetricsSource) -> None:
    answers = [requests.get(f"{source.url}/-/{state}", timeout=10) for state in ("ready", "healthy")]
    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize(
    ("parameters", "status", "kind", "message"),
    [
        ({"query": "depth +"}, 400, "bad_data", 'invalid parameter "query": 1:8: parse error: unexpected end of input'),
        ({"query": "topk(1, depth)"}, 400, "bad_data", "the embedded metrics source does not support"),
        ({"query": "depth", "time": "noon"}, 400, "bad_data", 'cannot parse "noon" to a valid timestamp'),
        ({"query": "depth", "timeout": "soon"}, 400, "bad_data", 'cannot parse "soon" to a valid duration'),
        ({"query": "depth", "limit": "1"}, 400, "bad_data", 'does not support the parameter "limit"'),
        ({"query": "{queue='checkout'} + on() {queue=~'.+'}"}, 422, "execution", "found duplicate series"),
        ({"query": "depth", "timeout": "0"}, 503, "timeout", "query timed out"),
    ],
)
def test_errors_have_the_shape_and_status_of_prometheus(
    source: EmbeddedMetricsSource, parameters: dict[str, str], status: int, kind: str, message: str
) -> None:
    source.add_samples({"__name__": "other", "queue": "checkout"}, [(1000, 1)])
    answer = requests.get(f"{source.url}/api/v1/query", params=parameters, timeout=10)
    assert answer.status_code == status
    body = answer.json()
    assert (body["status"], body["errorType"]) == ("error", kind)
    assert message in body["error"]


def test_remarks_come_with_the_answer(source: EmbeddedMetricsSource) -> None:
    source.add_samples({"__name__": "work"}, [(1000, 1), (1005, 2)])
    body = ask(source, "rate(work[1m]) or histogram_quantile(0.5, depth)").json()
    assert len(body["warnings"]) == len(body["infos"]) == 1


# Scraping.


def test_what_is_scraped_is_answered() -> None:
    clock = Clock()
    with scraping(['load{pod="a"} 1\n', 'load{pod="a"} 5\n'], clock).in_thread() as source:
        source.scrape_once()
        clock.now += 1
        source.scrape_once()
        assert values(source, "load") == {"a": "5"}
        assert values(source, "load", time="1000") == {"a": "1"}


def test_a_series_that_left_the_exposition_is_gone_at_once() -> None:
    clock = Clock()
    with scraping(['load{pod="a"} 1\nload{pod="b"} 2\n', 'load{pod="a"} 1\n'], clock).in_thread() as source:
        source.scrape_once()
        clock.now += 1
        source.scrape_once()
        assert values(source, "load") == {"a": "1"}
        assert values(source, "count_over_time(load[1m])") == {"a": "2", "b": "1"}


@pytest.mark.parametrize("failing", [None, "not an exposition {\n"])
def test_a_failed_scrape_ends_every_series_and_up_is_zero(
    failing: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with (
        caplog.at_level(logging.WARNING),
        scraping(['load{pod="a"} 1\n', failing, 'load{pod="a"} 3\n'], clock).in_thread() as source,
    ):
        source.scrape_once()
        clock.now += 1
        source.scrape_once()
        assert values(source, "load") == {}
        assert values(source, "up") == {"": "0"}
        clock.now += 1
        source.scrape_once()
        assert values(source, "load") == {"a": "3"}
    assert len(caplog.records) == 1


def test_a_sample_with_a_time_of_its_own_keeps_it_and_is_not_ended() -> None:
    clock = Clock()
    with scraping(['load{pod="a"} 1 990000\n', "\n"], clock).in_thread() as source:
        source.scrape_once()
        clock.now += 1
        source.scrape_once()
        assert values(source, "timestamp(load)") == {"a": "990"}


def test_a_target_is_fetched_by_http_and_labelled() -> None:
    with EmbeddedMetricsSource(lambda: "", interval_seconds=None).in_thread() as served:
        # Any HTTP server will do as a target that is none: its 404 is a failed scrape.
        url = f"{served.url}/metrics"
        with EmbeddedMetricsSource([url], interval_seconds=None).in_thread() as source:
            source.scrape_once()
            (up,) = ask(source, "up").json()["data"]["result"]
    assert up["metric"] == {"__name__": "up", "job": "embedded", "instance": served_address(url)}
    assert up["value"][1] == "0"


def served_address(url: str) -> str:
    return url.removeprefix("http://").removesuffix("/metrics")


async def test_it_scrapes_at_its_interval_in_the_callers_loop() -> None:
    enough = asyncio.Event()
    scraped = 0

    async def metrics(request: web.Request) -> web.Response:
        nonlocal scraped
        scraped += 1
        if scraped >= 3:
            enough.set()
        return web.Response(text=f"scrapes {scraped}\n")

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    target = f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    async with EmbeddedMetricsSource([target], interval_seconds=0.01).running() as source:
        await asyncio.wait_for(enough.wait(), 10)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{source.url}/api/v1/query", params={"query": "count_over_time(scrapes[1m]) >= 2"}) as answer,
        ):
            assert len((await answer.json())["data"]["result"]) == 1
    await runner.cleanup()


def test_while_scraping_is_off_nothing_is_taken_and_nothing_ends() -> None:
    clock = Clock()
    with scraping(['load{pod="a"} 1\n', 'load{pod="a"} 2\n'], clock).in_thread() as source:
        source.scrape_once()
        source.scraping = False
        clock.now += 60
        source.scrape_once()
        assert values(source, "time() - timestamp(load)") == {"a": "60"}
        source.scraping = True
        source.scrape_once()
        assert values(source, "load") == {"a": "2"}


def test_a_single_url_is_refused_because_its_letters_would_be_targets() -> None:
    with pytest.raises(TypeError, match=r"write \['http://target/metrics'\]"):
        EmbeddedMetricsSource("http://target/metrics")


def test_there_is_no_url_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="call start"):
        _ = EmbeddedMetricsSource().url


# Faults.


def test_the_next_answers_are_503_and_then_it_is_well_again(source: EmbeddedMetricsSource) -> None:
    source.faults.unavailable(answers=2)
    assert [ask(source, "depth").status_code for _ in range(3)] == [503, 503, 200]
    assert source.faults.injected == 2


def test_an_answer_can_be_late(source: EmbeddedMetricsSource) -> None:
    source.faults.delay(5.0)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{source.url}/api/v1/query", params={"query": "depth"}, timeout=0.05)


def test_an_answer_can_be_empty(source: EmbeddedMetricsSource) -> None:
    source.faults.empty()
    assert values(source, "depth") == {}
    assert values(source, "depth") == {"checkout": "7"}


def test_an_answer_can_carry_warnings(source: EmbeddedMetricsSource) -> None:
    source.faults.warn("a store did not answer", "nor did another")
    body = ask(source, "depth").json()
    assert body["warnings"] == ["a store did not answer", "nor did another"]
    assert len(body["data"]["result"]) == 1


def test_an_answer_can_break_off(source: EmbeddedMetricsSource) -> None:
    source.faults.truncate()
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        ask(source, "depth")


def test_an_answer_can_be_huge(source: EmbeddedMetricsSource) -> None:
    source.faults.huge(1_000_000)
    answer = ask(source, "depth")
    assert len(answer.content) >= 1_000_000
    assert answer.json()["data"]["resultType"] == "vector"


def test_an_answer_can_be_anything(source: EmbeddedMetricsSource) -> None:
    source.faults.answer("<html>", status=502)
    answer = ask(source, "depth")
    assert (answer.status_code, answer.text) == (502, "<html>")


def test_a_fault_can_be_for_one_query_only_and_for_ever(source: EmbeddedMetricsSource) -> None:
    source.faults.unavailable(answers=None, only="depth")
    assert [ask(source, query).status_code for query in ("depth", "vector(1)", "depth")] == [503, 200, 503]
    source.faults.clear()
    assert ask(source, "depth").status_code == 200


# Speed.


def family(pods: int, scrapes: int) -> Callable[[int], str]:
    bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]

    def text(scrape: int) -> str:
        lines = []
        for pod in range(pods):
            labels = f'namespace="shop",pod="web-{pod}"'
            lines += [f'seconds_bucket{{{labels},le="{le}"}} {scrape * (n + 1)}' for n, le in enumerate(bounds)]
            lines += [
                f"{name}{{{labels}}} {scrape * 0.1}" for name in ("a", "b", "c", "d", "e", "f", "g", "seconds_count")
            ]
        return "\n".join(lines) + "\n"

    return text


def test_a_family_of_sixty_pods_is_answered_within_thirty_milliseconds() -> None:
    clock = Clock()
    text = family(60, 120)
    texts = [text(scrape) for scrape in range(120)]
    query = (
        "(histogram_quantile(0.95, sum by (namespace, pod, le) (rate(seconds_bucket[1m]))) > 0"
        " or 0 * (sum by (namespace, pod) (rate(seconds_count[1m])) == 0)) or label_replace((time() - max by"
        ' (namespace, pod) (timestamp(seconds_count))) > 90, "compositescaler_sample", "age", "", "")'
    )
    with scraping(texts, clock).in_thread() as source:
        for _ in texts:
            clock.now += 1
            source.scrape_once()
        assert len(values(source, query)) == 60
        durations = []
        for _ in range(9):
            start = time.process_time()
            ask(source, query)
            durations.append(time.process_time() - start)
    # CPU time of this process, client included: a crowded machine does not change it.
    assert statistics.median(durations) < 0.030
