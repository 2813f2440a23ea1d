"""The manifests of `bad/` and `good/`, and what is expected of the bad ones.

A bad manifest holds one mistake. Its first line, `# expect: A | B`, lists what the sentence of whoever refuses it must say.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
HEADER = "# expect: "


@dataclass(frozen=True)
class BadManifest:
    """A manifest that must be refused, by a sentence with all of `expected` in it."""

    path: Path
    expected: tuple[str, ...]
    content: Any

    def unsaid(self, sentence: str) -> list[str]:
        """What the sentence should say and does not."""
        return [part for part in self.expected if part not in sentence]


def bad_manifests() -> list[BadManifest]:
    """All of `bad/`, by name."""
    return [_bad(path) for path in sorted((FOLDER / "bad").glob("*.yaml"))]


def good_manifests() -> list[Path]:
    """All of `good/`, by name."""
    return sorted((FOLDER / "good").glob("*.yaml"))


def _bad(path: Path) -> BadManifest:
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first.startswith(HEADER), f"{path} must begin with `{HEADER}...`"
    return BadManifest(path, tuple(first.removeprefix(HEADER).split(" | ")), yaml.safe_load(text))
