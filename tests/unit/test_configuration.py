"""The operator's configuration file: defaults, meaning, and the sentences about mistakes."""

from pathlib import Path
from typing import Any

import pytest

from controller.api import Configuration, FamilyKind, InvalidConfiguration, LogFormat, LogLevel, Per

SOURCE = {"url": "http://prometheus.monitoring:9090"}


def sentence(**content: Any) -> str:
    with pytest.raises(InvalidConfiguration) as error:
        Configuration.parse({"sources": {"default": SOURCE}, **content})
    return str(error.value)


def sentence_of_source(**fields: Any) -> str:
    return sentence(sources={"default": {**SOURCE, **fields}})


def sentence_of_family(name: str, **fields: Any) -> str:
    return sentence_of_source(families={name: {"kind": "Gauge", "metric": "queue_length", **fields}})


def test_one_source_is_enough_and_the_rest_has_defaults() -> None:
    configuration = Configuration.parse({"sources": {"default": SOURCE}})
    assert (configuration.interval_seconds, configuration.evaluation_delay_seconds) == (15.0, 5.0)
    assert configuration.address == (None, 8080)
    assert configuration.stop is False
    assert (configuration.log_format, configuration.log_level) == (LogFormat.JSON, LogLevel.INFO)
    source = configuration.sources["default"]
    assert (source.timeout_seconds, source.most_bytes, source.window_seconds) == (10.0, 32 * 1024**2, 120.0)
    assert source.bearer_token_file is source.ca_file is None
    assert source.families == {}


def test_every_field_has_its_effect(tmp_path: Path) -> None:
    file = tmp_path / "configuration.yaml"
    file.write_text(
        """
interval: 30s
evaluationDelay: 0s
logFormat: console
logLevel: debug
listen: "[::1]:0"
sources:
  default:
    url: https://thanos.monitoring/team-a/
    timeout: 2.5s
    maxBytes: 1Mi
    window: 5m
    bearerTokenFile: /var/run/token
    caFile: /etc/ca.crt
    families:
      latency-edge: {kind: Histogram, metric: edge_duration_milliseconds, selectors: ['route="a"', 'route="b"'], scale: 0.001}
      queue: {kind: Gauge, metric: queue_length, per: Target, selectors: ['queue="$name"']}
  other: {url: "http://127.0.0.1:9090"}
""",
        encoding="utf-8",
    )
    configuration = Configuration.load(file)
    assert (configuration.interval_seconds, configuration.evaluation_delay_seconds) == (30.0, 0.0)
    assert configuration.address == ("::1", 0)
    assert set(configuration.sources) == {"default", "other"}
    source = configuration.sources["default"]
    assert source.url == "https://thanos.monitoring/team-a"
    assert (source.timeout_seconds, source.most_bytes, source.window_seconds) == (2.5, 1024**2, 300.0)
    assert (source.bearer_token_file, source.ca_file) == (Path("/var/run/token"), Path("/etc/ca.crt"))
    edge, queue = source.families["latency-edge"], source.families["queue"]
    assert (edge.kind, edge.scale, edge.per) == (FamilyKind.HISTOGRAM, 0.001, Per.POD)
    assert edge.selectors == ('route="a"', 'route="b"')
    assert (queue.per, queue.scale) == (Per.TARGET, 1.0)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"none\.yaml cannot be read: No such file or directory"):
        Configuration.load(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", [b"sources: [", b"\xff\xfe\x00", b"a: b: c"])
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "configuration.yaml"
    file.write_bytes(content)
    with pytest.raises(InvalidConfiguration, match=r"configuration\.yaml is no YAML"):
        Configuration.load(file)


@pytest.mark.parametrize("content", ["", "[]", "text"])
def test_a_file_of_another_shape_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "configuration.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match=r"configuration\.yaml: must be of type object"):
        Configuration.load(file)


def test_at_least_one_source_is_needed() -> None:
    assert sentence(sources={}) == "sources: should have at least 1 items"


@pytest.mark.parametrize(
    "url",
    ["prometheus:9090", "ftp://prometheus", "http://", "http://user:secret@prometheus", "http://prometheus?x=1", ""],
)
def test_a_url_that_is_no_base_url_is_refused_with_an_example(url: str) -> None:
    text = sentence_of_source(url=url)
    assert text.startswith("sources.default.url: must be the base URL of a Prometheus API")
    assert "http://prometheus.monitoring:9090" in text


def test_a_password_in_a_url_is_not_repeated() -> None:
    assert "secret" not in sentence_of_source(url="http://user:secret@prometheus")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"timeout": "0s"}, 'sources.default.timeout: must be above 0 (got "0s")'),
        (
            {"timeout": 10},
            "sources.default.timeout: must be of type string, write it with its unit, for example 70%, 350m, 1Gi or 250ms, "
            'or a plain number in quotes like "300" (got 10)',
        ),
        (
            {"maxBytes": "many"},
            'sources.default.maxBytes: must be above 0, write for example 1, or 0.8 in quotes (got "many")',
        ),
        ({"headers": {}}, "sources.default.headers: unknown field, remove it or correct its name"),
        (
            {"caFile": "/ca.crt"},
            "sources.default: caFile /ca.crt is of no use with http://prometheus.monitoring:9090, write an https URL or remove caFile",
        ),
    ],
)
def test_a_mistake_in_a_source_is_told_with_its_remedy(fields: dict[str, Any], expected: str) -> None:
    assert sentence_of_source(**fields) == expected


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("latency-edge", {}, "latency is a Histogram, write kind: Histogram or rename it"),
        ("size", {"kind": "Histogram"}, "a Histogram gives durations, rename it to latency-size"),
        ("latency", {"kind": "Histogram", "metric": "http_seconds_bucket"}, "remove _bucket, _count or _sum"),
        ("queue", {"metric": "queue{a='b'}"}, "must be the name of a metric without labels"),
        ("queue", {"selectors": ['{a="b"}']}, "must be label matchers without braces"),
        ("queue", {"scale": 0}, "should be greater than 0"),
        ("queue", {"kind": "Summary"}, 'supported values: "Counter", "Gauge", "Histogram"'),
        ("Queue", {}, "must be lower-case letters, digits and hyphens"),
    ],
)
def test_a_mistake_in_a_family_is_told_with_its_remedy(name: str, fields: dict[str, Any], expected: str) -> None:
    assert expected in sentence_of_family(name, **fields)


@pytest.mark.parametrize("listen", ["8080", "localhost", "0.0.0.0:99999", "a b:80", "::1:80"])
def test_an_address_without_a_port_is_refused_with_an_example(listen: str) -> None:
    assert "must be host:port, write for example 0.0.0.0:8080" in sentence(listen=listen)


def test_a_port_alone_means_every_address() -> None:
    assert Configuration.parse({"sources": {"default": SOURCE}, "listen": ":9000"}).address == (None, 9000)


@pytest.mark.parametrize("value", ["true", 1, None])
def test_a_stop_is_true_or_false_and_nothing_else(value: object) -> None:
    assert Configuration.parse({"sources": {"default": SOURCE}, "stop": True}).stop is True
    assert sentence(stop=value).startswith("stop: must be of type boolean")
