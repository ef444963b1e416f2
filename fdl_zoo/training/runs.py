"""The runs of a working directory, found by name and listed, latest first."""

from pathlib import Path

from fdl_zoo.tracking.folder import ROOT, find_folder, list_folders
from fdl_zoo.training.run import Run


def runs(*, status: str | None = None, limit: int | None = None, root: str | Path = ROOT) -> list[Run]:
    """The runs below `root`, latest start first.

    Args:
        status: Only those with this status.
        limit: At most so many.
        root: The folder that holds `runs/`.
    """
    found = [Run(folder) for folder in list_folders(Path(root))]
    return [run for run in found if status is None or run.status == status.upper()][:limit]


def find_run(reference: str, root: str | Path = ROOT) -> Run:
    """The run that a name, an id, a unique prefix of either, or `last` means.

    Raises:
        UnknownName: No run, or more than one, goes by it.
    """
    return Run(find_folder(reference, Path(root))[0])
