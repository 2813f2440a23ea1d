"""A source before a real HTTP server that behaves in every bad way: always an answer, always in time, always named."""

import asyncio
import gzip
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.api import Per, Reason, SourceConfiguration
from controller.prometheus import Answer, Column, Fault, Query, Scalar, Source

AT = 1_700_000_000.25
Behaviour = Callable[[BaseHTTPRequestHandler], None]

ONE_POD = {"metric": {"namespace": "shop", "pod": "a"}, "value": [AT, "1.5"]}
GOOD = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [ONE_POD]}}).encode()


class Server(ThreadingHTTPServer):
    """A server on a free loopback port that does what the test says and keeps what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.behaviour: Behaviour = says(200, GOOD)
        self.asked: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up on a bad server is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.asked.append({"path": parts.path} | {k: v[0] for k, v in parse_qs(parts.query).items()})
        self.server.headers.append(dict(self.headers))
        with suppress(ConnectionError):
            self.server.behaviour(self)

    def log_message(self, *_: object) -> None:
        pass


def says(status: int, body: bytes, **headers: str) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def trickles(data: bytes) -> Behaviour:
    """Send a byte every 20 ms, never long enough silent for a socket time-out."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        for at in range(len(data)):
            handler.wfile.write(data[at : at + 1])
            handler.wfile.flush()
            if handler.server.over.wait(0.02):  # type: ignore[attr-defined]
                return

    return behave


def hangs(handler: BaseHTTPRequestHandler) -> None:
    handler.server.over.wait(30.0)  # type: ignore[attr-defined]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


def source_at(url: str, **settings: object) -> Source:
    return Source("main", SourceConfiguration.model_validate({"url": url, "timeout": "5s", **settings}))


def query(text: str = "up", per: Per = Per.POD) -> Query:
    return Query("main", text, per)


async def ask(source: Source, asked: Query | None = None) -> Answer:
    asked = asked or query()
    try:
        return (await source.ask([asked], AT))[asked]
    finally:
        source.close()


async def fault_of(server: Server, behaviour: Behaviour, per: Per = Per.POD, **settings: object) -> Fault:
    server.behaviour = behaviour
    found = await ask(source_at(server.url, **settings), query(per=per))
    assert isinstance(found, Fault)
    assert found.message.startswith("source main ")
    assert "; " in found.message
    return found


async def test_a_good_answer_becomes_a_column(server: Server) -> None:
    found = await ask(source_at(server.url))
    assert isinstance(found, Column)
    assert found.keys == [("shop", "a")]
    assert found.values.tolist() == [1.5]


async def test_the_moment_and_the_time_limit_travel_with_the_query(server: Server) -> None:
    await ask(source_at(server.url), query('up{job="x"} > 0'))
    (asked,) = server.asked
    assert asked["path"] == "/api/v1/query"
    assert asked["query"] == 'up{job="x"} > 0'
    assert asked["time"] == "1700000000.250"
    assert asked["timeout"].endswith("ms")
    assert 4000 < int(asked["timeout"].removesuffix("ms")) <= 5000


async def test_a_url_with_a_path_is_kept(server: Server) -> None:
    await ask(source_at(f"{server.url}/prometheus/"))
    assert server.asked[0]["path"] == "/prometheus/api/v1/query"


async def test_equal_queries_are_one_request(server: Server) -> None:
    source = source_at(server.url)
    answers = await source.ask([query(), query(), query("other")], AT)
    source.close()
    assert set(answers) == {query(), query("other")}
    assert len(server.asked) == 2


async def test_every_query_has_its_own_answer(server: Server) -> None:
    def by_query(handler: BaseHTTPRequestHandler) -> None:
        text = parse_qs(urlsplit(handler.path).query)["query"][0]
        value = {"metric": {}, "value": [AT, text]}
        body = {"status": "success", "data": {"resultType": "vector", "result": [value]}}
        says(200, json.dumps(body).encode())(handler)

    server.behaviour = by_query
    source = source_at(server.url)
    queries = [query(str(number), Per.TARGET) for number in range(20)]
    answers = await source.ask(queries, AT)
    source.close()
    assert [answers[each] for each in queries] == [Scalar(float(number), 0.0) for number in range(20)]


async def test_one_fault_spoils_no_other_answer(server: Server) -> None:
    def by_query(handler: BaseHTTPRequestHandler) -> None:
        says(503, b"")(handler) if "query=bad" in handler.path else says(200, GOOD)(handler)

    server.behaviour = by_query
    source = source_at(server.url)
    answers = await source.ask([query("bad"), query("good")], AT)
    source.close()
    assert isinstance(answers[query("bad")], Fault)
    assert isinstance(answers[query("good")], Column)


async def test_a_packed_answer_is_unpacked(server: Server) -> None:
    server.behaviour = says(200, gzip.compress(GOOD), Content_Encoding="gzip")
    assert isinstance(await ask(source_at(server.url)), Column)


async def test_connections_are_kept_for_the_next_cycle(server: Server) -> None:
    ports = set()

    def behave(handler: BaseHTTPRequestHandler) -> None:
        ports.add(handler.client_address[1])
        says(200, GOOD)(handler)

    server.behaviour = behave
    source = source_at(server.url)
    for _ in range(3):
        await source.ask([query()], AT)
    source.close()
    assert len(ports) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_server_in_trouble_is_a_source_error_and_is_asked_once(server: Server, status: int) -> None:
    found = await fault_of(server, says(status, b"<html>upstream connect error</html>"))
    assert found.reason is Reason.SOURCE_ERROR
    assert f"answered {status}" in found.message
    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "kind"), [(400, "bad_data"), (422, "execution")])
async def test_a_rejected_query_carries_prometheus_own_words(server: Server, status: int, kind: str) -> None:
    body = {"status": "error", "errorType": kind, "error": "parse error: unexpected end of input"}
    found = await fault_of(server, says(status, json.dumps(body).encode()))
    assert found.reason is Reason.QUERY_REJECTED
    assert "parse error: unexpected end of input" in found.message


async def test_a_proxy_that_says_400_has_not_rejected_the_query(server: Server) -> None:
    found = await fault_of(server, says(400, b"<html>The plain HTTP request was sent to HTTPS port</html>"))
    assert found.reason is Reason.SOURCE_ERROR


async def test_a_query_that_prometheus_gave_up_is_a_time_out(server: Server) -> None:
    body = {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"}
    found = await fault_of(server, says(503, json.dumps(body).encode()))
    assert found.reason is Reason.SOURCE_TIMEOUT
    assert "query timed out" in found.message


async def test_a_refused_credential_names_the_token_file(server: Server) -> None:
    found = await fault_of(server, says(401, b"Unauthorized"))
    assert found.reason is Reason.SOURCE_ERROR
    assert "bearerTokenFile" in found.message


async def test_a_wrong_path_says_so(server: Server) -> None:
    found = await fault_of(server, says(404, b"404 page not found"))
    assert found.reason is Reason.SOURCE_ERROR
    assert "/api/v1/query" in found.message


async def test_a_redirect_is_not_followed_with_the_token(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    server.behaviour = says(302, b"", Location="http://127.0.0.1:1/login?next=x")
    found = await ask(source_at(server.url, bearerTokenFile=str(token)))
    assert isinstance(found, Fault)
    assert found.reason is Reason.SOURCE_ERROR
    assert "redirect to http://127.0.0.1, which is not followed" in found.message
    assert len(server.asked) == 1


async def test_the_token_is_read_anew_for_every_request(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    source = source_at(server.url, bearerTokenFile=str(token))
    for word in ("one", "two"):
        token.write_text(f"{word}\n")
        await source.ask([query()], AT)
    source.close()
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("content", [None, "", "two\nlines"])
async def test_a_bad_token_file_is_named_but_never_quoted(server: Server, tmp_path: Path, content: str | None) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    found = await ask(source_at(server.url, bearerTokenFile=str(token)))
    assert isinstance(found, Fault)
    assert found.reason is Reason.SOURCE_ERROR
    assert str(token) in found.message
    assert "lines" not in found.message
    assert server.asked == []


async def test_no_proxy_and_no_credentials_come_from_the_environment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert isinstance(await ask(source_at(server.url)), Column)
    assert "Authorization" not in server.headers[0]


async def test_a_server_that_hangs_is_a_time_out_in_time(server: Server) -> None:
    started = time.monotonic()
    found = await fault_of(server, hangs, timeout="300ms")
    assert found.reason is Reason.SOURCE_TIMEOUT
    assert "did not answer within 0.3 s" in found.message
    assert time.monotonic() - started < 2.5


async def test_a_body_that_trickles_is_a_time_out_in_time(server: Server) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b" " * 100_000
    started = time.monotonic()
    found = await fault_of(server, lambda handler: sends_head_then_trickles(handler, answer), timeout="300ms")
    assert found.reason is Reason.SOURCE_TIMEOUT
    assert time.monotonic() - started < 2.5


def sends_head_then_trickles(handler: BaseHTTPRequestHandler, answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    handler.wfile.write(head + b"\r\n\r\n")
    trickles(body)(handler)


async def test_headers_that_trickle_are_a_time_out_in_time(server: Server) -> None:
    started = time.monotonic()
    found = await fault_of(server, trickles(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000), timeout="300ms")
    assert found.reason is Reason.SOURCE_TIMEOUT
    assert time.monotonic() - started < 2.5


async def test_queries_without_a_turn_are_time_outs_in_time(server: Server) -> None:
    server.behaviour = hangs
    source = source_at(server.url, timeout="300ms")
    started = time.monotonic()
    answers = await source.ask([query(str(number)) for number in range(30)], AT)
    source.close()
    assert time.monotonic() - started < 2.5
    assert {each.reason for each in answers.values() if isinstance(each, Fault)} == {Reason.SOURCE_TIMEOUT}
    assert len(answers) == 30
    assert len(server.asked) <= 4


async def test_a_source_that_hung_answers_again_when_it_is_well(server: Server) -> None:
    server.behaviour = hangs
    source = source_at(server.url, timeout="300ms")
    queries = [query(str(number)) for number in range(8)]
    await source.ask(queries, AT)
    server.over.set()
    server.behaviour = says(200, GOOD)
    for _ in range(100):
        answers = await source.ask(queries, AT)
        if all(isinstance(each, Column) for each in answers.values()):
            break
        await asyncio.sleep(0.02)
    source.close()
    assert all(isinstance(each, Column) for each in answers.values())


async def test_an_event_loop_runs_while_a_source_hangs(server: Server) -> None:
    server.behaviour = hangs
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    counting = asyncio.create_task(count())
    await ask(source_at(server.url, timeout="300ms"))
    counting.cancel()
    assert turns > 10


async def test_a_cancelled_question_ends_at_once(server: Server) -> None:
    server.behaviour = hangs
    source = source_at(server.url)
    asking = asyncio.create_task(source.ask([query()], AT))
    while not server.asked:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    source.close()


def test_a_server_that_hangs_does_not_hold_up_the_end_of_the_process(server: Server) -> None:
    server.behaviour = hangs
    script = f"""
import asyncio
from controller.api import Per, SourceConfiguration
from controller.prometheus import Query, Source

async def main():
    source = Source("main", SourceConfiguration.model_validate({{"url": "{server.url}", "timeout": "30s"}}))
    asking = asyncio.create_task(source.ask([Query("main", "up", Per.POD)], 1.0))
    await asyncio.sleep(0.3)
    asking.cancel()
    source.close()

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=15)
    assert server.asked


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    found = await ask(source_at("http://127.0.0.1:1"))
    assert isinstance(found, Fault)
    assert found.reason is Reason.SOURCE_UNREACHABLE
    assert "cannot be reached (Connection refused)" in found.message


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    found = await ask(source_at("http://prometheus.invalid:9090"))
    assert isinstance(found, Fault)
    assert found.reason is Reason.SOURCE_UNREACHABLE


async def test_a_server_that_hangs_up_is_unreachable(server: Server) -> None:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.connection.close()

    assert (await fault_of(server, behave)).reason is Reason.SOURCE_UNREACHABLE


async def test_tls_is_demanded_where_it_is_written(server: Server) -> None:
    found = await ask(source_at(server.url.replace("http:", "https:")))
    assert isinstance(found, Fault)
    assert found.reason is Reason.SOURCE_UNREACHABLE
    assert "caFile" in found.message


async def test_a_missing_ca_file_is_named(server: Server) -> None:
    found = await ask(source_at(server.url.replace("http:", "https:"), caFile="/nowhere/ca.crt"))
    assert isinstance(found, Fault)
    assert found.reason is Reason.SOURCE_ERROR
    assert "/nowhere/ca.crt" in found.message


async def test_an_answer_of_ten_megabytes_is_too_large_for_a_limit_of_one(server: Server) -> None:
    found = await fault_of(server, says(200, b" " * 10_500_000 + GOOD), maxBytes="1Mi")
    assert found.reason is Reason.ANSWER_TOO_LARGE
    assert "1048576 bytes" in found.message
    assert "maxBytes" in found.message


async def test_a_small_answer_that_unpacks_beyond_the_limit_is_too_large(server: Server) -> None:
    bomb = gzip.compress(b" " * 20_000_000 + GOOD)
    assert len(bomb) < 30_000
    found = await fault_of(server, says(200, bomb, Content_Encoding="gzip"), maxBytes="1Mi")
    assert found.reason is Reason.ANSWER_TOO_LARGE


async def test_an_answer_that_is_cut_off_is_malformed(server: Server) -> None:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(GOOD)))
        handler.end_headers()
        handler.wfile.write(GOOD[:-20])
        handler.close_connection = True

    found = await fault_of(server, behave)
    assert found.reason is Reason.MALFORMED_ANSWER
    assert f"it broke off after {len(GOOD) - 20} bytes, 20 more were promised" in found.message


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"<html>Sign in</html>", "is no JSON but begins with '<html>Sign in</html>'"), (b" ", "gave an empty answer")],
)
async def test_what_is_no_json_is_shown(server: Server, body: bytes, words: str) -> None:
    assert words in (await fault_of(server, says(200, body))).message


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Sign in</html>", b"[]", b'{"status":"success"}', GOOD[:-3], GOOD.replace(b"success", b"error")],
    ids=["empty", "a page", "a list", "no data", "cut JSON", "an error with 200"],
)
async def test_what_is_no_instant_querys_answer_is_malformed(server: Server, body: bytes) -> None:
    assert (await fault_of(server, says(200, body))).reason is Reason.MALFORMED_ANSWER


def vector(*rows: object, **more: object) -> Behaviour:
    body = {"status": "success", "data": {"resultType": "vector", "result": list(rows)}, **more}
    return says(200, json.dumps(body).encode())


async def test_a_string_is_not_a_vector(server: Server) -> None:
    body = {"status": "success", "data": {"resultType": "string", "result": [AT, "x"]}}
    assert (await fault_of(server, says(200, json.dumps(body).encode()))).reason is Reason.NOT_A_VECTOR


async def test_two_series_for_a_target_are_not_one(server: Server) -> None:
    assert (await fault_of(server, vector(ONE_POD, ONE_POD), Per.TARGET)).reason is Reason.NOT_ONE_SERIES


async def test_no_series_is_no_data(server: Server) -> None:
    assert (await fault_of(server, vector())).reason is Reason.NO_DATA


async def test_a_warning_is_a_partial_answer(server: Server) -> None:
    found = await fault_of(server, vector(ONE_POD, warnings=["store 10.0.0.7 is unreachable"]))
    assert found.reason is Reason.PARTIAL_ANSWER
    assert "store 10.0.0.7" in found.message


@pytest.mark.parametrize("text", ["NaN", "+Inf"])
async def test_a_value_that_is_not_finite_stays_for_the_engine_to_judge(server: Server, text: str) -> None:
    server.behaviour = vector({**ONE_POD, "value": [AT, text]})
    found = await ask(source_at(server.url))
    assert isinstance(found, Column)
    assert found.values.tolist() == pytest.approx([float(text)], nan_ok=True)
