"""The user's own files: what `npz`, `csv` and `folder` share: paths, targets, splits and normalization."""

from pathlib import Path

import numpy as np

from fdl_zoo.data import Dataset, Normalization, Split, split_indices
from fdl_zoo.data_checks import check
from fdl_zoo.datasets._stored import BLOCK, Stored, StoredSplit, fitted
from fdl_zoo.errors import InvalidData


def existing(path: str | None, kind: str, folder: bool = False) -> Path:
    """The path of the user's file or folder.

    Raises:
        InvalidData: None is given, or it is not there.
    """
    what = "folder" if folder else "file"
    if not path:
        raise InvalidData(f"{kind} cannot be loaded without a path: name the {what} with --set data.path=PATH.")
    found = Path(path).expanduser()
    if not (found.is_dir() if folder else found.is_file()):
        raise InvalidData(f"{kind} cannot be loaded: there is no {what} {found}.")
    return found


def targets(values: np.ndarray, task: str, where: str) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Targets as a task needs them, the task, and the classes' names.

    Args:
        values: Labels of any kind, or numbers.
        task: `classification`, `binary`, `regression`, or `auto`: classes if the values are text or whole numbers.
        where: What they come from, for messages.

    Raises:
        InvalidData: The values are not what the task needs.
    """
    if task == "auto":
        task = "regression" if values.dtype.kind == "f" and not _whole(values) else "classification"
    if task == "regression":
        if values.dtype.kind not in "fiub":
            raise InvalidData(f"{where} cannot be used for regression: its targets are text; give numbers.")
        return values.reshape(len(values), -1).astype(np.float32), task, ()
    if values.dtype.kind == "f" and not _whole(values):
        raise InvalidData(f"{where} cannot be used for {task}: its targets are not whole numbers; set task=regression.")
    labels = values.astype(np.int64) if values.dtype.kind == "f" else values
    if labels.ndim > 1 and labels.shape[1:] != (1,):
        raise InvalidData(
            f"{where} cannot be used for {task}: its targets have the shape {labels.shape}; give one label per example,"
            " such as np.argmax(y, axis=1) of rows with a one in each."
        )
    names, indices = np.unique(labels, return_inverse=True)
    if task == "binary" and len(names) != 2:
        raise InvalidData(f"{where} cannot be used for two classes: it has {len(names)}; set task=classification.")
    return indices.reshape(len(labels)).astype(np.int64), task, tuple(str(name) for name in names)


def _whole(values: np.ndarray) -> bool:
    """Whether all are whole numbers, and none is so large that it would not stay one."""
    return bool((np.abs(values) < 2.0**53).all() and (values == np.floor(values)).all())


def assembled(
    raw: np.ndarray | Stored,
    y: np.ndarray,
    task: str,
    class_names: tuple[str, ...],
    normalize: bool,
    seed: int,
    where: str,
    feature_names: tuple[str, ...] = (),
) -> Dataset:
    """Cuts examples into splits and normalizes them; what is on disk stays there.

    Bytes are taken for pixels, from 0 to 1; other numbers get mean 0 and deviation 1 over the training split, each
    feature of the last axis by itself.
    """
    if 0 in raw.shape[1:]:
        raise InvalidData(f"{where} cannot be used: its examples of shape {raw.shape[1:]} have no numbers in them.")
    _check_finite(raw, where)
    cut = split_indices(len(raw), seed)
    normalization = _normalization(raw, cut[0]) if normalize else Normalization()
    prepare = normalization if normalize else np.asarray
    if isinstance(raw, Stored):
        parts = [StoredSplit(raw, y, rows, prepare) for rows in cut]
    else:
        parts = [Split(prepare(raw[rows]), y[rows]) for rows in cut]
    outputs = {"classification": len(class_names), "binary": 1}.get(task) or y.shape[-1]
    data = Dataset(*parts, raw.shape[1:], outputs, task, class_names, normalization, feature_names)
    check(data, where)
    return data


def _check_finite(raw: np.ndarray | Stored, where: str) -> None:
    """One bad value would spoil its feature in every example, so it is looked for before normalization."""
    for start in range(0, len(raw), BLOCK):
        bad = ~np.isfinite(raw[start : start + BLOCK]).reshape(min(BLOCK, len(raw) - start), -1).all(axis=1)
        if bad.any():
            example = start + int(bad.argmax())
            raise InvalidData(
                f"{where} cannot be used: example {example} has NaN or infinity; leave it out or fill it."
            )


def _normalization(raw: np.ndarray | Stored, train: np.ndarray) -> Normalization:
    return Normalization(0, 255) if raw.dtype == np.uint8 else fitted(raw, train)
