"""Predicts with a finished run's model: files or examples of its dataset to classes with probabilities, or values."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo import backend, catalogue
from fdl_zoo.artifacts.inputs import Example, read_file
from fdl_zoo.artifacts.interface import Interface, model_inputs, raw_units
from fdl_zoo.artifacts.load import load_file
from fdl_zoo.artifacts.reference import Located, locate
from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking.folder import ROOT

SPLITS = ("test", "validation", "train")


@dataclass(frozen=True)
class Prediction:
    """What a model says of one example.

    Args:
        input: The file, or split and number.
        label: The class with the largest probability; None for values, logits and sequences.
        probability: Its probability; None likewise.
        probabilities: A probability per class, by its name; empty for values, logits and sequences.
        outputs: What the model gives: probabilities, values, or logits where they were asked for.
        truth: The right class or value, where the example is of a split.
    """

    input: str
    label: str | None
    probability: float | None
    probabilities: dict[str, float]
    outputs: Any
    truth: Any = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


class Predictions(list[Prediction]):
    """A prediction per example, in their order.

    Args:
        predictions: They.
        run_id: The tracking store's id of the run; None without one.
        name: The run's name, or the file's.
    """

    def __init__(self, predictions: Iterable[Prediction], run_id: str | None, name: str) -> None:
        super().__init__(predictions)
        self.run_id, self.name = run_id, name

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"run_id": self.run_id, "name": self.name, "predictions": [each.as_dict() for each in self]}


def predict(
    reference: str | Path,
    files: Iterable[str | Path] = (),
    *,
    split: str | None = None,
    limit: int | None = None,
    logits: bool = False,
    invert: bool | None = None,
    root: Path = ROOT,
    allow_unsafe: bool = False,
) -> Predictions:
    """Predicts files, or examples of the dataset that the run was trained on.

    Args:
        reference: What `load_model` takes.
        files: Images; `.npy` arrays [examples, ...] and CSV tables in the raw units of the training set.
        split: `test`, `validation` or `train` instead of files.
        limit: At most so many examples of the split.
        logits: Give the model's own outputs instead of probabilities.
        invert: Of images: whether black and white change places; None leaves it to their edges.
        root: The folder that holds `runs/`.
        allow_unsafe: Load a model that is refused otherwise.

    Raises:
        UnknownName: There is no such run.
        InvalidOption: Neither files nor a split are given, or both.
        InvalidData: The model cannot be loaded, or a file not read or not fitted to it.
    """
    paths = [Path(each).expanduser() for each in files]
    if bool(paths) == (split is not None):
        raise InvalidOption("Give files to predict, or --split test for examples of the dataset: one of both.")
    if split is not None and split not in SPLITS:
        raise InvalidOption(f"split cannot be {split!r}: it is one of {', '.join(SPLITS)}.")
    if limit is not None and (limit < 1 or split is None):
        raise InvalidOption(f"limit cannot be {limit!r}: it is a number of examples of a split, from 1 on.")
    located = locate(reference, Path(root))
    interface = None if logits and located.interface_path is None else located.interface
    if interface is not None and interface.task == "objective":
        raise InvalidOption(f"{located.name} predicts nothing: its model is an objective.")
    if interface is not None and paths:  # what a file lacks is said before TensorFlow loads
        examples = _examples(paths, interface.input_shape, interface, invert)
    backend.load()
    model = load_file(located.model_path, allow_unsafe=allow_unsafe)
    if split is not None:
        examples, truths = _of_split(located, split, limit)
    else:
        if interface is None or interface.input_shape != model.input_shape[1:]:
            examples = _examples(paths, model.input_shape[1:], interface, invert)
        truths = [None] * len(examples)
    outputs = _outputs(model, np.stack([each.raw for each in examples]), interface, logits)
    found = (
        _prediction(each.label, values, interface, logits, truth)
        for each, values, truth in zip(examples, outputs, truths, strict=True)
    )
    return Predictions(found, located.run_id, located.name)


def _examples(
    paths: list[Path], shape: tuple[int | None, ...], interface: Interface | None, invert: bool | None
) -> list[Example]:
    images, names = (interface.images, interface.feature_names) if interface else (None, ())
    return [example for path in paths for example in read_file(path, shape, images, invert, names)]


def _of_split(located: Located, split: str, limit: int | None) -> tuple[list[Example], list[Any]]:
    """Examples of the dataset in raw units, and what is right."""
    spec = located.spec
    data = catalogue.load_dataset(spec.data.name, **spec.data.options)
    part = data.splits[split]
    x, y = part.take(np.arange(len(part) if limit is None else min(limit, len(part))))
    return [Example(f"{split}[{index}]", each) for index, each in enumerate(raw_units(data, x))], list(y)


def _outputs(model: Any, raw: np.ndarray, interface: Interface | None, logits: bool) -> np.ndarray:
    """Raw examples to logits, or through the very model that is served to probabilities."""
    from fdl_zoo.artifacts.outputs import outputs_of
    from fdl_zoo.tracking.served import ServedModel

    if interface is None:
        return outputs_of(model, raw)
    if logits:
        return outputs_of(model, model_inputs(model, interface.normalization, raw))
    served = ServedModel(model, interface.normalization, interface.task)
    return np.concatenate([np.asarray(served(raw[start : start + 256])) for start in range(0, len(raw), 256)])


def _prediction(label: str, outputs: np.ndarray, interface: Interface | None, logits: bool, truth: Any) -> Prediction:
    classes = interface is not None and interface.task in ("classification", "binary")
    shown = None if truth is None else np.asarray(truth).tolist()
    if logits or not classes or outputs.ndim > 1:
        return Prediction(label, None, None, {}, np.asarray(outputs).tolist(), shown)
    from fdl_zoo.analysis.outcome import class_labels

    of_each = outputs if interface.task == "classification" else np.array([1 - outputs[0], outputs[0]])
    names = class_labels(interface.class_names, len(of_each))
    best = int(of_each.argmax())
    return Prediction(
        label,
        names[best],
        float(of_each[best]),
        dict(zip(names, map(float, of_each), strict=True)),
        np.asarray(outputs).tolist(),
        None if truth is None else names[int(np.ravel(truth)[0])],
    )
