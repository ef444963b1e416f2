"""The folder that MLflow serves a run's model from: a SavedModel for raw units, with `model.keras` beside it."""

from pathlib import Path
from typing import Any

from fdl_zoo.artifacts.interface import FILE, Interface
from fdl_zoo.artifacts.reference import Located
from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking.folder import RunFolder


def package(model: Any, folder: RunFolder, interface: Interface) -> Path:
    """Writes the package of a model into its run's folder, in the place of an older one.

    Args:
        model: A built `keras.Model` that outputs logits, or values.
        folder: The run's folder.
        interface: Raw units, task and classes.

    Returns:
        Where the package is.
    """
    from fdl_zoo.tracking.mlflow import package_model

    return package_model(
        model,
        folder.model,
        input_example=interface.example,
        class_names=interface.class_names,
        normalization=interface.normalization,
        task=interface.task,
        beside=[folder.path / FILE, folder.path / "spec.yaml"],
    )


def packaged(located: Located) -> Path:
    """The package of a located model; that of a run that was not tracked, or is not finished, is made now.

    Raises:
        InvalidOption: It is a bare `.keras` file, a best checkpoint, or a model that predicts nothing.
    """
    if located.package is not None:
        return located.package
    folder = located.folder
    if folder is None or located.model_path.name != "last.keras":
        raise InvalidOption(f"{located.name} cannot be packaged: that is made of a run's last state; name the run.")
    interface = located.interface
    if interface.task == "objective":
        raise InvalidOption(f"{located.name} cannot be packaged: its model is an objective, which predicts nothing.")
    made = folder.model / "model.keras"
    if not made.is_file() or made.stat().st_mtime < located.model_path.stat().st_mtime:
        from fdl_zoo.artifacts.load import load_file

        package(load_file(located.model_path), folder, interface)
    return folder.model
