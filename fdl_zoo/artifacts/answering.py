"""The application that `fdl serve` runs: MLflow's server of a package, which refuses what `fdl predict` refuses."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo.artifacts.inputs import require_finite
from fdl_zoo.tracking.mlflow import scoring_application


def application() -> Any:
    """Called by uvicorn, in the server's process."""
    return scoring_application(Path(os.environ["FDL_ZOO_SERVED_FOLDER"]), check)


def check(data: Any) -> None:
    """Refuses what has no number in a number's place.

    Args:
        data: As MLflow has read it: an array in the model's type, so that null is NaN and what is too large infinite;
            or columns of a table or a mapping.

    Raises:
        InvalidData: It has NaN or infinity in it.
    """
    columns: Iterable[Any] = (values for _, values in data.items()) if hasattr(data, "items") else [data]
    for values in columns:
        require_finite("The request", np.asarray(values))
