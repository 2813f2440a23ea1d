"""Compile the real parts that are lacking: `python -m tests.realparts.build [--only MODULE] [--require] [--print-dir]`.

Standard library only, so that it runs before anything is installed. Sources come through the ordinary Go client,
locked by go.sum; no prebuilt binary is downloaded, not even a Go toolchain. What the parts are and where they lie
is in `parts`.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tests.realparts.parts import GO_BUILD_FLAGS, MODULES, GoModule, find


class CannotBuildError(Exception):
    """Go is lacking, too old or failed; the message is one sentence for a person."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Find or build every binary, print one line for each, and return the exit status."""
    options = _parser().parse_args(arguments)
    modules = [module for module in MODULES if options.only in (None, module.name)]
    if options.print_dir:
        for module in modules:
            print(module.cache_folder())
        return 0
    provided = [_provide(binary, module) for module in modules for binary in module.packages]
    if not all(provided) and options.require:
        print(
            "A real part is lacking and --require was given: see the lines above for what to install.", file=sys.stderr
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.realparts.build", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument(
        "--only", choices=[module.name for module in MODULES], help="one of the two modules instead of both"
    )
    parser.add_argument("--require", action="store_true", help="exit 1 if a part is lacking at the end")
    parser.add_argument(
        "--print-dir", action="store_true", help="print where the compiled binaries are kept and do nothing else"
    )
    return parser


def _provide(binary: str, module: GoModule) -> bool:
    place = find(binary)
    if place is not None:
        _say(f"{binary}: found in {place.origin} ({place.path})")
        return True
    try:
        go = _go_client(module)
        with _only_builder(module.cache_folder()) as lock:
            place = find(binary)  # another builder may have finished it while this one waited
            if place is not None:
                _say(f"{binary}: built meanwhile by another process ({place.path})")
                return True
            seconds, path = _compile(binary, module, go, lock)
    except CannotBuildError as problem:
        _say(f"{binary}: lacking. {problem}")
        return False
    _say(f"{binary}: built in {seconds:.0f} s ({path})")
    return True


def _compile(binary: str, module: GoModule, go: str, lock: int) -> tuple[float, Path]:
    """Compile one command into the cache folder; returns (seconds, path). The caller holds the folder's lock."""
    target = module.cache_folder() / binary
    unfinished = target.with_name(f"{binary}.unfinished")  # one name suffices: the lock admits one builder
    _say(f"{binary}: building (minutes the first time) ...", stream=sys.stderr)
    begin = time.monotonic()
    package = module.packages[binary]
    command = [go, "build", *GO_BUILD_FLAGS, "-ldflags", module.linker_flags(), "-o", str(unfinished), package]
    try:
        result = subprocess.run(
            command,
            cwd=module.folder,
            env=_go_environment(),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            pass_fds=(lock,),  # Go goes on if this process is killed, and nobody else may write its file meanwhile
        )
        if result.returncode != 0:
            last_words = " ".join(result.stderr.strip().splitlines()[-3:]) or f"exit status {result.returncode}"
            raise CannotBuildError(f"`go build {package}` failed: {last_words}")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return time.monotonic() - begin, target


def _go_client(module: GoModule) -> str:
    major, minor = module.oldest_go()
    wanted = f"Install Go {major}.{minor} or newer and run this again"
    go = shutil.which("go")
    if go is None:
        alternative = ", or install Prometheus 2.42 or newer" if "prometheus" in module.packages else ""
        raise CannotBuildError(f"{wanted}{alternative}.")
    # Asked outside the module: inside it a Go that is too old answers with an error instead of its version.
    asked = [go, "env", "GOVERSION"]
    answer = subprocess.run(asked, cwd="/", env=_go_environment(), capture_output=True, text=True, check=False)
    version = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    if version is not None and (int(version[1]), int(version[2])) < (major, minor):
        raise CannotBuildError(f"Go {version[1]}.{version[2]} is too old. {wanted}.")
    return go


def _go_environment() -> dict[str, str]:
    # GOTOOLCHAIN=local: an older Go would otherwise fetch a prebuilt newer one. GOWORK=off: a workspace of the user
    # is not ours.
    return os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


@contextmanager
def _only_builder(folder: Path) -> Iterator[int]:
    """Hold the folder's lock and hand out its descriptor; the kernel releases it when the last holder is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is building here; waiting for it ...", stream=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _say(line: str, *, stream: TextIO | None = None) -> None:
    print(line, file=stream, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Interrupted. What was finished is kept; run this again for the rest.")
