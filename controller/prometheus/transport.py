"""One instant query over HTTP by prometheus-api-client, without its blind retries, and with what it lacks.

It lacks a limit for the body and one for the whole time, and of an answer it passes on the result only, without type and
warnings. So beneath it lies a `requests` adapter that reads the body itself and hands it on unparsed. What a body means is
read in `answers`; who asks, and when, is `source`'s business.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, IncompleteRead, ReadTimeoutError
from urllib3.util.retry import Retry

from controller.api import Reason
from controller.prometheus.body import BodyError, BodyLateError, BodyTooLargeError, read_body
from controller.prometheus.faults import excerpt, fault
from controller.prometheus.payload import Refusal, parse_refusal
from controller.prometheus.query import Fault

__all__ = ["FaultyAnswerError", "Transport"]

_CONNECT_SECONDS = 3.0
#: Prometheus is told the same limit and says so in words when it is reached: leave it the time to.
_GRACE_SECONDS = 0.5
_REFUSAL_BYTES = 64 * 1024


class FaultyAnswerError(Exception):
    """There is no body to read; `fault` says why. It never leaves this package."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Transport:
    """A session with one Prometheus; safe to use from several threads.

    `max_bytes` counts the unpacked bytes of one answer; `timeout` is what the administrator allows, in seconds, for the words of a fault.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout: float,
        max_bytes: int,
        bearer_token_file: Path | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._name = name
        self._timeout = timeout
        self._session = requests.Session()
        # Neither proxies nor credentials come from the environment: an administrator wrote down where to connect, and
        # how.
        self._session.trust_env = False
        self._session.headers["Accept-Encoding"] = "gzip"
        if ca_file is not None:
            self._session.verify = str(ca_file)
        self._client = PrometheusConnect(
            url=url.rstrip("/"),
            retry=Retry(0),
            session=self._session,
            auth=None if bearer_token_file is None else cast("Any", _BearerToken(name, bearer_token_file)),
        )
        adapter = _Adapter(name, timeout, max_bytes)
        for prefix in list(self._session.adapters):
            self._session.mount(prefix, adapter)

    def fetch(self, text: str, at: float, seconds: float) -> bytes:
        """The body that answers a query evaluated at `at` (unix seconds).

        It takes at most `seconds` from connecting to the last byte. Raises `FaultyAnswerError` for every way to get
        none.
        """
        milliseconds = max(1, round(seconds * 1000))
        parameters = {"time": f"{at:.3f}", "timeout": f"{milliseconds}ms"}
        limits = (min(_CONNECT_SECONDS, milliseconds / 1000), milliseconds / 1000 + _GRACE_SECONDS)
        try:
            return cast("bytes", self._client.custom_query(text, parameters, timeout=limits))
        except requests.Timeout:
            raise self._faulty(Reason.SOURCE_TIMEOUT, f"did not answer within {self._timeout:g} s", _LATE) from None
        except requests.exceptions.SSLError as error:
            what = f"has no certificate that can be trusted ({_cause(error)})"
            raise self._faulty(Reason.SOURCE_UNREACHABLE, what, "look at its url and caFile") from None
        except requests.ConnectionError as error:
            what = f"cannot be reached ({_cause(error)})"
            raise self._faulty(Reason.SOURCE_UNREACHABLE, what, "look at its url and whether it runs") from None
        except (requests.RequestException, OSError) as error:
            what = f"cannot be asked ({_cause(error)})"
            raise self._faulty(Reason.SOURCE_ERROR, what, "look at its url and caFile") from None

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    def _faulty(self, reason: Reason, what: str, remedy: str) -> FaultyAnswerError:
        return _faulty(self._name, reason, what, remedy)


_MOUNT_IT = "mount a token there, or correct the path"
_LOOK_AT_PROXIES = "look at the server and at the proxies before it"
_ONE_WORD = re.compile(r"[!-~]+")
_LATE = "look at its load, record the query's rates, or raise timeout in the source's configuration"


def _faulty(source: str, reason: Reason, what: str, remedy: str) -> FaultyAnswerError:
    return FaultyAnswerError(fault(source, reason, what, remedy))


def _cause(error: BaseException) -> str:
    """The innermost cause in one line: the outer ones only repeat addresses of objects."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, IncompleteRead):
        return f"it broke off after {error.partial} bytes, {error.expected} more were promised"
    words = error.strerror if isinstance(error, OSError) else None
    return excerpt(words or str(error)) or type(error).__name__


class _BearerToken(requests.auth.AuthBase):
    """Reads the file for every request: a projected token is replaced on disk while we run."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = f"cannot be asked: its bearerTokenFile {self._path} is not readable ({error})"
            raise _faulty(self._name, Reason.SOURCE_ERROR, what, _MOUNT_IT) from None
        # Not left to http.client, whose error quotes the token.
        if _ONE_WORD.fullmatch(token) is None:
            what = f"cannot be asked: its bearerTokenFile {self._path} is empty or holds more than one word"
            raise _faulty(self._name, Reason.SOURCE_ERROR, what, _MOUNT_IT)
        request.headers["Authorization"] = f"Bearer {token}"
        return request


class _Answer(requests.Response):
    """A response whose body is already read."""

    def json(self, **kwargs: Any) -> Any:
        """The body, in the only place from which PrometheusConnect passes anything on."""
        return {"data": {"result": self.content}}


class _Adapter(HTTPAdapter):
    """Reads the body within its limits and turns whatever is no answer into a `FaultyAnswerError`."""

    def __init__(self, name: str, timeout: float, max_bytes: int) -> None:
        # 0 and not Retry(0): only then a read time-out stays a time-out and does not become a ConnectionError.
        super().__init__(max_retries=0, pool_maxsize=16)
        self._name = name
        self._timeout = timeout
        self._max_bytes = max_bytes

    def send(  # type: ignore[override]  # the client passes a pair
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: tuple[float, float] = (0, 0),
        **rest: Any,
    ) -> requests.Response:
        deadline = time.monotonic() + timeout[1]
        response = super().send(request, stream=True, timeout=timeout, **rest)
        try:
            # Before requests sees it: credentials go where the administrator wrote, not where a redirect points.
            if response.status_code != HTTPStatus.OK:
                raise self._refused(response, deadline)
            body = self._body(response, self._max_bytes, deadline)
        finally:
            response.close()
        answer = _Answer()
        answer.__dict__.update(response.__dict__, _content=body, _content_consumed=True)
        return answer

    def _body(self, response: requests.Response, max_bytes: int, deadline: float) -> bytes:
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        try:
            return read_body(response.raw, encoding, max_bytes, deadline)
        except BodyTooLargeError:
            what = f"gave an answer of more than {max_bytes} bytes"
            remedy = "write a query with fewer series, or raise maxBytes in the source's configuration"
            raise self._faulty(Reason.ANSWER_TOO_LARGE, what, remedy) from None
        except (BodyLateError, ReadTimeoutError):
            what = f"did not send its whole answer within {self._timeout:g} s"
            raise self._faulty(Reason.SOURCE_TIMEOUT, what, _LATE) from None
        except (BodyError, HTTPError, OSError) as error:
            what = f"gave an answer that cannot be read ({_cause(error)})"
            raise self._faulty(Reason.MALFORMED_ANSWER, what, _LOOK_AT_PROXIES) from None

    def _refused(self, response: requests.Response, deadline: float) -> FaultyAnswerError:
        status = response.status_code
        said = self._said(response, deadline)
        answered = f"answered {status} {response.reason or ''}".rstrip()
        if said is not None:
            answered = f"{answered}: {excerpt(said['error'])}"
        if 300 <= status < 400:
            target = urlsplit(response.headers.get("Location", ""))
            where = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
            return self._faulty(
                Reason.SOURCE_ERROR,
                f"{answered}, a redirect{where}, which is not followed",
                "write the final url in the configuration",
            )
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return self._faulty(Reason.SOURCE_ERROR, answered, "look at the source's bearerTokenFile")
        if said is not None and status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
            return self._faulty(Reason.QUERY_REJECTED, answered, "correct the query")
        if said is not None and said["errorType"] == "timeout":
            return self._faulty(Reason.SOURCE_TIMEOUT, answered, _LATE)
        if status == HTTPStatus.NOT_FOUND:
            return self._faulty(Reason.SOURCE_ERROR, answered, "write a url to which /api/v1/query can be appended")
        return self._faulty(Reason.SOURCE_ERROR, answered, _LOOK_AT_PROXIES)

    def _said(self, response: requests.Response, deadline: float) -> Refusal | None:
        try:
            return parse_refusal(self._body(response, _REFUSAL_BYTES, deadline))
        except FaultyAnswerError:
            return None

    def _faulty(self, reason: Reason, what: str, remedy: str) -> FaultyAnswerError:
        return _faulty(self._name, reason, what, remedy)
