"""Puts a run's model into the MLflow Model Registry, under a name and an alias such as `champion`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fdl_zoo.artifacts.package import packaged
from fdl_zoo.artifacts.reference import locate
from fdl_zoo.artifacts.target import parse_target
from fdl_zoo.errors import InvalidOption, TrackingError
from fdl_zoo.tracking.folder import ROOT


@dataclass(frozen=True)
class Registered:
    """A version of a registered model.

    Args:
        name: The registered model's name.
        version: Its number.
        alias: The alias that now means this version; None without one.
        uri: What loads it: `models:/NAME@ALIAS`, or `models:/NAME/VERSION`.
        run_id: The run that it comes from.
    """

    name: str
    version: str
    alias: str | None
    uri: str
    run_id: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


def register(reference: str | Path, target: str, *, root: Path = ROOT) -> Registered:
    """Registers the model of a run; a run whose model is registered under the name already gets no second version.

    Args:
        reference: The run; one that is not yet in its tracking store is sent there.
        target: `NAME` or `NAME@ALIAS`; an alias that another version has moves to this one.
        root: The folder that holds `runs/`.

    Raises:
        InvalidOption: The target is malformed, or the model is not a run's.
        UnknownName: There is no such run.
        TrackingError: The run is still training, or its store cannot be used.
    """
    name, alias = parse_target(target)
    located = locate(reference, root)
    if located.folder is None:
        raise InvalidOption(f"{reference} cannot be registered: only a run's model can; name the run.")
    if located.folder.status == "RUNNING":
        raise TrackingError(f"{located.name} cannot be registered yet: it is still training.")
    packaged(located)
    from fdl_zoo.tracking.mlflow import register_version
    from fdl_zoo.tracking.sender import send

    uri = send(located.folder)
    run_id = located.folder.run_id or ""
    version = register_version(uri, name, run_id, alias)
    place = f"models:/{name}@{alias}" if alias else f"models:/{name}/{version}"
    return Registered(name, version, alias, place, run_id)
