"""The commands: each reads its arguments here and does its work elsewhere.

Bad input ends with one sentence on standard error and exit status 2, never with a traceback.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from controller.api import KIND as SCALER_KIND
from controller.api import (
    CompositeScaler,
    CompositeScalerError,
    Configuration,
    InvalidManifest,
    Overrides,
    Response,
    crd,
)
from controller.operator.logs import configure

__all__ = ["main"]

app = typer.Typer(
    name="compositescaler",
    help="Scales Kubernetes workloads on one explained vector of CPU, memory, latency and any PromQL.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The operator's configuration file.")],
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Default: the pod's service account, else your kubeconfig.")
    ] = None,
) -> None:
    """Run the operator until it is told to stop."""
    configuration = Configuration.load(config)
    configure(configuration.log_level, configuration.log_format)
    from controller.operator.app import run as run_operator

    asyncio.run(run_operator(configuration, kubeconfig, config))


@app.command(name="crd")
def print_crd() -> None:
    """Print the CustomResourceDefinition, for `kubectl apply -f -`."""
    typer.echo(crd.render(), nl=False)


@app.command()
def check(files: Annotated[list[Path], typer.Argument(help="Manifests; - reads standard input.")]) -> None:
    """Check CompositeScaler manifests without a cluster: what is wrong, and what to write instead."""
    found = [(str(file), each) for file in files for each in _scalers_in(file)]
    if not found:
        typer.echo(f"there is no {SCALER_KIND} in {', '.join(map(str, files))}", err=True)
    fine = [_fine(file, each) for file, each in found]
    raise typer.Exit(0 if found and all(fine) else 2)


def _scalers_in(file: Path) -> list[dict[str, Any]]:
    """The CompositeScalers of one file of manifests."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    return [each for document in yaml.safe_load_all(text) for each in _scalers(document)]


def _scalers(document: Any) -> Iterator[dict[str, Any]]:
    """The CompositeScalers of one document, those of a List too."""
    if not isinstance(document, dict):
        return
    if document.get("kind") == SCALER_KIND:
        yield document
    elif isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _scalers(item)


@app.command()
def demo(
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = Path("compositescaler-demo.html"),
    picture: Annotated[Path | None, typer.Option(help="Write the chart alone, as SVG, here too.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another run of the same load.")] = 1,
    response: Annotated[
        Response, typer.Option(help="How the magnitude becomes a number of replicas.", case_sensitive=False)
    ] = Response.CAPACITY,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Play it with each response instead and write both pictures into this folder."
        ),
    ] = None,
) -> None:
    """Watch a CompositeScaler hold a flash crowd: API server, metrics and load on this machine, the real operator."""
    from controller.cli.demo import run as demonstration

    if compare is not None:
        raise typer.Exit(demonstration.compare(compare, seed))
    raise typer.Exit(demonstration.run(report, picture, seed, response))


@app.command()
def simulate(
    trace: Annotated[
        Path | None,
        typer.Option(
            help="CSV (gzipped if it ends in .gz): seconds, and requests_per_second or load. Default: a packaged day."
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="What scales; repeat it to compare. Default: compositescaler, hpa, hpa-cpu."),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="The CompositeScaler; default: cpu 70%, memory 100%, latency 250ms.")
    ] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="What goes wrong; repeat it for several.")] = None,
    seeds: Annotated[int, typer.Option(help="How many times every run is repeated.")] = 3,
    peak: Annotated[
        float, typer.Option(metavar="PODS", help="The load is scaled so that its peak needs so many pods.")
    ] = 30.0,
    start: Annotated[float | None, typer.Option(help="From here on, in the trace's seconds.")] = None,
    stop: Annotated[float | None, typer.Option(help="Up to here, in the trace's seconds.")] = None,
    day: Annotated[int | None, typer.Option(help="One day of the trace; the first is 0.")] = None,
    part: Annotated[
        str, typer.Option(help="tune (the first 70 %), test (the rest) or all; the peak is the whole trace's.")
    ] = "all",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Draw the first seed's runs into this file.")] = None,
    known: Annotated[bool, typer.Option("--list", help="Print the policies and scenarios.")] = False,
) -> None:
    """Try policies on a load without a cluster: violations, pod-hours, flips and more, by policy."""
    from controller.cli import simulate as simulator

    if known:
        simulator.known()
        return
    request = simulator.Request.of(
        file=trace,
        manifest=manifest,
        policies=policy or ("compositescaler", "hpa", "hpa-cpu"),
        scenarios=scenario or ("none",),
        seeds=seeds,
        peak_pods=peak,
        stretch=simulator.Stretch(start, stop, day, part),
    )
    simulator.simulate(request, machine_readable=json, page=html)


def _fine(file: str, manifest: dict[str, Any]) -> bool:
    try:
        scaler = CompositeScaler.parse(manifest)
        Overrides.parse((manifest.get("metadata") or {}).get("annotations"))
    except InvalidManifest as error:
        name = (manifest.get("metadata") or {}).get("name", "without a name")
        typer.echo(f"{file}: {name}: {error}", err=True)
        return False
    typer.echo(f"{file}: {'/'.join(scaler.key)} is valid")
    return True


def main() -> None:
    """Run the command line."""
    try:
        app()
    except (CompositeScalerError, OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        typer.echo(f"compositescaler: {error}", err=True)
        sys.exit(2)
