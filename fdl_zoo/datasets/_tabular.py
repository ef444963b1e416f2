"""Tables of numbers as datasets: cut by seed, then normalized by mean and deviation of the training split alone."""

import numpy as np

from fdl_zoo.data import Dataset, Normalization, Split, split_indices


def tabular(raw: np.ndarray, y: np.ndarray, seed: int, task: str, class_names: tuple[str, ...] = ()) -> Dataset:
    """A dataset of 80 % training, 10 % validation and 10 % test examples.

    Args:
        raw: Features [examples, features].
        y: Class indices [examples], 0 or 1 [examples], or values [examples, values].
        seed: Fixes the splits.
        task: `classification`, `binary` or `regression`.
        class_names: A name per class.
    """
    train, *others = split_indices(len(raw), seed)
    normalization = Normalization.fit(raw[train])
    parts = [Split(normalization(raw[indices]), y[indices]) for indices in (train, *others)]
    num_outputs = {"classification": len(class_names), "binary": 1}.get(task) or y.shape[-1]
    return Dataset(*parts, raw.shape[1:], num_outputs, task, class_names, normalization)
