"""Evaluates a finished run's model on a split: metrics, numbers per class, and the figures that a run keeps."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo import backend, catalogue
from fdl_zoo.artifacts.adapted import adapted, joined
from fdl_zoo.artifacts.load import load_file
from fdl_zoo.artifacts.reference import Located, locate
from fdl_zoo.data import Dataset
from fdl_zoo.errors import InvalidData, InvalidOption, ZooError
from fdl_zoo.tracking.folder import ROOT
from fdl_zoo.tracking.recorder import FolderRecorder, Recorder
from fdl_zoo.tracking.sender import mark_changed

SPLITS = ("test", "validation", "train", "all")
_PREFIX = {"test": "test_", "validation": "val_", "train": "train_", "all": "all_"}
BATCH = 256


@dataclass(frozen=True)
class Evaluation:
    """How well a model does on a split.

    Args:
        run_id: The tracking store's id of the run; None without one.
        name: The run's name, or the file's.
        data: The dataset's name.
        split: `test`, `validation`, `train` or `all`.
        examples: How many there were.
        metrics: `test_loss`, `test_accuracy`, ...; `val_`, `train_` or `all_` of the other splits.
        per_class: A row per class: `class`, `precision`, `recall`, `f1`, `support`; empty for values.
        confusion_matrix: Counts, a row per true class; empty for values.
        figures: The files of figures and tables.
    """

    run_id: str | None
    name: str
    data: str
    split: str
    examples: int
    metrics: dict[str, float]
    per_class: list[dict[str, Any]] = field(default_factory=list)
    confusion_matrix: list[list[int]] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


class NotDrawn(ZooError):
    """A model was evaluated, but the figures cannot be written.

    Args:
        evaluation: What was found all the same.
        cause: Why they cannot.
    """

    def __init__(self, evaluation: Evaluation, cause: OSError) -> None:
        super().__init__(f"The figures of {evaluation.name} cannot be written: {cause}; give another folder (output).")
        self.evaluation, self.cause = evaluation, cause


def evaluate(
    reference: str | Path,
    *,
    data: str | None = None,
    split: str = "test",
    data_dir: str | None = None,
    output: str | Path | None = None,
    root: Path = ROOT,
    allow_unsafe: bool = False,
) -> Evaluation:
    """Evaluates the model of a run.

    Args:
        reference: What `load_model` takes.
        data: A dataset's name or the path of the user's own data; None for what the run was trained on. Other data are
            brought to the raw units and classes of the training set first.
        split: `test`, `validation`, `train`, or `all` three together.
        data_dir: Where prepared sets lie.
        output: The folder of the figures; by default `artifacts/evaluation/` of the run, and none of other models.
        root: The folder that holds `runs/`.
        allow_unsafe: Load a model that is refused otherwise.

    Raises:
        UnknownName: There is no such run or dataset.
        InvalidOption: There is no such split.
        InvalidData: The model cannot be loaded, or the data do not fit it.
        NotDrawn: The figures cannot be written; what was found is its `evaluation`.
    """
    if split not in SPLITS:
        raise InvalidOption(f"split cannot be {split!r}: it is one of {', '.join(SPLITS)}.")
    located = locate(reference, Path(root))
    name, options = _dataset(located, data, data_dir)
    backend.load()
    model = load_file(located.model_path, allow_unsafe=allow_unsafe)
    loaded = catalogue.load_dataset(name, **options)
    if data is not None:
        loaded = adapted(loaded, name, model, located.interface)
    if split == "all":
        loaded = joined(loaded)
    if not len(loaded.splits[_part(split)]):
        raise InvalidData(f"{name} cannot be evaluated on: its {split} split is empty.")
    return _evaluation(located, model, loaded, name, split, output)


def _part(split: str) -> str:
    return "test" if split == "all" else split


def _dataset(located: Located, data: str | None, data_dir: str | None) -> tuple[str, dict[str, Any]]:
    """The dataset's name and options; checked before TensorFlow loads."""
    from fdl_zoo.layers import make_layers
    from fdl_zoo.resolution import resolve

    if data is None:
        known = located.spec.data
        options = dict(known.options)
        if data_dir is not None and "data_dir" in catalogue.datasets.find(known.name).options:
            options["data_dir"] = data_dir
        return known.name, options
    trained = located.spec if located.has_spec else None
    model = trained.model.model_dump() if trained else "mlp"
    found = resolve(make_layers(model, data), data_dir).spec.data
    options = dict(found.options)
    if trained and trained.data.name == found.name:  # another file of the same kind: read as the first one was
        which = ("path", "source", *(["data_dir"] if data_dir is not None else []))
        options = {**trained.data.options, **{key: options[key] for key in which if key in options}}
    return found.name, options


def _evaluation(
    located: Located, model: Any, data: Dataset, name: str, split: str, output: str | Path | None
) -> Evaluation:
    metrics = split_metrics(model, data, _part(split))
    found = Evaluation(
        run_id=located.run_id,
        name=located.name,
        data=name,
        split=split,
        examples=len(data.splits[_part(split)]),
        metrics={f"{_PREFIX[split]}{key}": value for key, value in metrics.items()},
    )
    if data.task == "objective":
        return found
    from fdl_zoo.artifacts.outputs import outcome_of

    outcome = outcome_of(model, data, _part(split))
    if outcome.is_of_classes:
        found.per_class.extend(outcome.per_class())
        found.confusion_matrix.extend(outcome.confusion().tolist())
    try:
        found.figures.extend(_draw(located, outcome, data, name, split, output))
    except OSError as error:
        raise NotDrawn(found, error) from error
    return found


def _draw(located: Located, outcome: Any, data: Dataset, name: str, split: str, output: str | Path | None) -> list[str]:
    """Figures into the named folder, or among the run's artifacts, from where they are mirrored."""
    from fdl_zoo.artifacts.illustrate import draw_outcome

    title = f"{located.name} on {name}, {split}"
    if output is not None:
        recorder, folder, place = FolderRecorder(Path(output)), "", Path(output)
    elif located.folder is not None:
        recorder, place = Recorder(located.folder), located.folder.artifacts
        best = "-best" if located.model_path.stem == "best" else ""
        folder = f"evaluation/{name.replace('/', '_')}-{split}{best}"
    else:
        return []
    names = draw_outcome(recorder, outcome, title, data, _part(split), folder)
    if output is None:
        mark_changed(located.folder)
    return [str(place / each) for each in names]


def split_metrics(model: Any, data: Dataset, split: str) -> dict[str, float]:
    """Loss and metrics of a compiled model on a split, by the names that Keras gives them."""
    import keras

    part = data.splits[split]

    class Examples(keras.utils.PyDataset):
        """The split in its own order."""

        def __len__(self) -> int:
            return -(-len(part) // BATCH)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return part.take(np.arange(index * BATCH, min((index + 1) * BATCH, len(part))))

    found = model.evaluate(Examples(), verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}
