"""The command that trains a specification again, as short as it can be, and checked to resolve to it."""

import json
from pathlib import Path
from typing import Any

from fdl_zoo.comparison.child import WITHOUT_EFFECT, spec_digest
from fdl_zoo.errors import ZooError
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking.secrets import redacted_command

_FLAGS = {"optimizer.learning_rate": "--lr", "epochs": "--epochs", "batch_size": "--batch-size", "seed": "--seed"}


def rerun_command(spec: RunSpec, file: Path) -> str:
    """`fdl train ...` with what differs from the recipe; where flags cannot say it, with `--config` of a file.

    Args:
        spec: What is to be trained.
        file: Where this specification is written as YAML.
    """
    names = {"model": spec.model.name, "data": spec.data.name, "optimizer": spec.optimizer.name}
    try:
        plain = resolve(make_layers(**names)).spec.flat()
        changed = {path: value for path, value in spec.flat().items() if _differs(path, value, plain)}
        settings = [f"{path}={_text(value)}" for path, value in changed.items()]
        if spec_digest(resolve(make_layers(**names, settings=settings)).spec) == spec_digest(spec):
            words = ["fdl", "train", names["model"], "--data", names["data"], "--optimizer", names["optimizer"]]
            for path, value in changed.items():
                words += [_FLAGS[path], _text(value)] if path in _FLAGS else ["--set", f"{path}={_text(value)}"]
            return redacted_command(words)
    except ZooError:  # flags that resolve to nothing: the file says it
        pass
    return redacted_command(["fdl", "train", "--config", str(file)])


def _differs(path: str, value: Any, plain: dict[str, Any]) -> bool:
    return path.split(".")[0] not in WITHOUT_EFFECT and (path not in plain or plain[path] != value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
