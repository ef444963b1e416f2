"""What a demonstration returns: its numbers, and where its figure and their file are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdl_zoo.analysis.figure import save


@dataclass(frozen=True)
class Demonstration:
    """A demonstration that was run.

    Args:
        numbers: What it measured.
        files: The figure, its numbers, and an animation where there is one.
    """

    numbers: Mapping[str, Any]
    files: tuple[Path, ...]


def written(folder: str | Path, name: str, figure: Any, numbers: Mapping[str, Any]) -> Demonstration:
    """Save a figure with its numbers below `folder`, and return both."""
    names = save(Path(folder), name, figure, numbers)
    return Demonstration(numbers, tuple(Path(folder) / each for each in names))
