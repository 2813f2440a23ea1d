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
from controller.api import CompositeScaler, CompositeScalerError, Configuration, InvalidManifest, crd
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

    asyncio.run(run_operator(configuration, kubeconfig))


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
) -> None:
    """Watch a CompositeScaler hold a flash crowd: API server, metrics and load on this machine, the real operator."""
    from controller.cli.demo.run import run as run_demo

    raise typer.Exit(run_demo(report, picture, seed))


def _fine(file: str, manifest: dict[str, Any]) -> bool:
    try:
        scaler = CompositeScaler.parse(manifest)
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
