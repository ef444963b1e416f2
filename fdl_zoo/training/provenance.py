"""Where a run comes from: command, versions, source state and machine, as plain facts."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking.secrets import redacted_command

_PACKAGES = ("keras", "tensorflow", "numpy", "mlflow")


def starting_facts() -> dict[str, Any]:
    """What is known before anything heavy is imported."""
    return {
        "command": redacted_command([os.path.basename(sys.argv[0]) or "python", *sys.argv[1:]]),
        "folder": os.getcwd(),
        "machine": {"host": platform.node(), "system": platform.platform(), "cpus": os.cpu_count()},
    }


def versions(spec: RunSpec | None = None) -> dict[str, str]:
    """Versions of Python, of what we stand on, and of the plugins that a run uses."""
    found = {"python": platform.python_version()}
    return found | {name: _version(name) for name in ("fdl-zoo", *_PACKAGES, *(plugins(spec) if spec else ()))}


def all_versions() -> dict[str, str]:
    """Versions as `versions` gives them, of every plugin that is found: for a run that is not known yet."""
    return {each.distribution: each.version for each in catalogue.discovery.plugins} | versions()


def plugins(spec: RunSpec) -> list[str]:
    """The distributions of plugins that a run uses."""
    named = [
        catalogue.models.find(spec.model.name),
        catalogue.datasets.find(spec.data.name),
        catalogue.optimizers.find(spec.optimizer.name),
        *(catalogue.callbacks.find(each.name) for each in spec.callbacks),
    ]
    return sorted({entry.distribution for entry in named if entry.door in ("installed", "folder")})


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return next((each.version for each in catalogue.discovery.plugins if each.distribution == distribution), "")


def git_commit() -> str | None:
    """The commit of the working directory, with `+` where files differ from it; None outside a repository."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
        if commit.returncode != 0:
            return None
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
