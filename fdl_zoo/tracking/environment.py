"""What MLflow finds in the environment of our processes: no telemetry, pickles or bars, short waits for a server."""

import os

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow's client tries for minutes; the sender tries again by itself, and a command must come to its end.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def prepare() -> None:
    """Sets what the user's environment leaves open; to have an effect it must come before MLflow is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
