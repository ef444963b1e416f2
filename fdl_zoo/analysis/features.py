"""What a trained network has learned to see: filters, feature maps, pooling, the last hidden layer (chapter 5)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fdl_zoo import backend
from fdl_zoo.analysis.finished import FinishedRun, open_run
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.reading import pixels
from fdl_zoo.tracking.folder import ROOT

EXAMPLES = 256  # test images over which the effect of a shift is averaged


@dataclass(frozen=True)
class Features:
    """What `features` found.

    Args:
        run: The run's name.
        title: What captions say of it.
        image: Where the image came from; None where examples are no images.
        layer: The convolution that is drawn; None where the model has none.
        filters: Its kernel [height, width, channels, filters].
        maps: Its feature maps of the image [height, width, filters].
        shift: How maps change when images are moved, as `shift_invariance` gives it; None without pooling.
        embedding: The last hidden layer in two dimensions.
        files: Figures and numbers in the run's folder.
    """

    run: str
    title: str
    image: str | None
    layer: str | None = None
    filters: np.ndarray | None = None
    maps: np.ndarray | None = None
    shift: dict[str, np.ndarray] | None = None
    embedding: Any = None
    files: tuple[Path, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`; the many numbers are in the files."""
        from fdl_zoo.plain import plain

        found = self.embedding
        return plain(
            {
                "run": self.run,
                "image": self.image,
                "layer": self.layer,
                "filters": None if self.filters is None else self.filters.shape,
                "feature_maps": None if self.maps is None else self.maps.shape,
                "shift": self.shift,
                "embedding": found
                and {
                    "method": found.method,
                    "layer": found.layer,
                    "examples": len(found.points),
                    "neighbour_accuracy": found.neighbour_accuracy,
                    "neighbour_accuracy_input": found.neighbour_accuracy_input,
                },
                "files": [str(file) for file in self.files],
            }
        )


def features(
    run: Any,
    image: str | Path | int | None = None,
    *,
    layer: str | None = None,
    method: Literal["tsne", "pca"] = "tsne",
    examples: int = 1000,
    seed: int = 0,
    root: str | Path = ROOT,
) -> Features:
    """Draws what the network of a finished run has learned to see.

    The filters of a convolution and its feature maps of an image, how max pooling takes a shift, the last hidden layer
    by class, and the notes' line detectors on a drawn picture and on the image. What a model has none of is left out.
    Figures and numbers go into the run's artifacts and to its tracking store.

    Args:
        run: Its name, id, a unique prefix of either, `last`, each with `@best` for the best checkpoint; or a `Run`.
        image: The number of a test example, or an image file; the first test example by default.
        layer: The name of a convolution; the first by default.
        method: How the last hidden layer is drawn.
        examples: At most so many test and validation examples of it.
        seed: Of t-SNE.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: There is no such run.
        InvalidData: The run has no model, the file is no image, or there is nothing to draw.
        InvalidOption: There is no such layer or example, or a number is out of range.
    """
    if examples < 10 or seed < 0:
        raise InvalidOption(
            f"{examples} examples and the seed {seed} cannot be used: give at least 10, and at least 0."
        )
    if method not in ("tsne", "pca"):
        raise InvalidOption(f"method cannot be {method!r}: it is tsne or pca.")
    subject = open_run(run, root)
    if image is not None and not str(image).isdigit() and not Path(image).is_file():
        raise InvalidData(
            f"The image {str(image)!r} cannot be read: there is no such file, and it is no number of a test example."
        )
    subject.require_place("features")
    backend.load()
    from fdl_zoo.analysis.embedding import embedded
    from fdl_zoo.analysis.filters import shift_invariance, stage_named

    stage = stage_named(subject.model, layer)
    x = name = None
    if len(subject.data.input_shape) == 3:
        x, name = _image(subject, image)
    elif image is not None:
        raise InvalidData(f"{subject.spec.data.name} has no images, so an image cannot be given: leave it out.")
    found = Features(subject.name, subject.title, name)
    if stage is not None and x is not None:
        found = replace(found, **_maps(subject, stage, x))
        if stage.pooling is not None:
            test = subject.data.test.take(np.arange(min(EXAMPLES, len(subject.data.test))))[0]
            found = replace(found, shift=shift_invariance(subject.model, stage, test))
    if subject.data.task != "objective":
        given = _examples(subject, examples)
        classes = subject.data.task in ("classification", "binary")
        found = replace(found, embedding=embedded(subject.model, *given, classes=classes, method=method, seed=seed))
    if x is None and found.embedding is None:
        raise InvalidData(
            f"{subject.spec.model.name} on {subject.spec.data.name} has neither images nor hidden layers."
        )
    return _recorded(subject, found, x)


def _maps(subject: FinishedRun, stage: Any, x: np.ndarray) -> dict[str, Any]:
    from fdl_zoo.analysis.filters import outputs_of

    maps = outputs_of(subject.model, {"maps": stage.maps}, x[None])["maps"][0]
    return {"layer": stage.convolution.name, "filters": np.asarray(stage.convolution.kernel), "maps": maps}


def _examples(subject: FinishedRun, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first test examples, and validation examples where there are too few."""
    parts = []
    for split in (subject.data.test, subject.data.validation):
        taken = min(count - sum(len(each[0]) for each in parts), len(split))
        if taken:
            parts.append(split.take(np.arange(taken)))
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _image(subject: FinishedRun, image: str | Path | int | None) -> tuple[np.ndarray, str]:
    """The image as the model takes it [height, width, channels], and what captions call it."""
    if image is None or str(image).isdigit():
        number = int(image or 0)
        if number >= len(subject.data.test):
            raise InvalidOption(
                f"There is no test example {number}: {subject.spec.data.name} has {len(subject.data.test)}, counted"
                " from 0."
            )
        x, y = subject.data.test.take(np.array([number]))
        names = subject.data.class_names
        return x[0], f"test example {number}" + (f" ({names[int(np.ravel(y)[0])]})" if names else "")
    return _read(Path(image), subject), Path(image).name


def _read(path: Path, subject: FinishedRun) -> np.ndarray:
    """An image file in the size, the channels and the range of values of the training images."""
    height, width, channels = subject.data.input_shape
    if channels not in (1, 3):
        raise InvalidData(f"{path} cannot be given: the model takes {channels} channels, and an image has 1 or 3.")
    image = pixels(path, "L" if channels == 1 else "RGB", (height, width))
    train = subject.data.train
    raw = subject.data.normalization.invert(train.take(np.arange(min(1000, len(train))))[0])
    return subject.data.normalization(raw.min() + image / 255 * (raw.max() - raw.min()))


def _recorded(subject: FinishedRun, found: Features, x: np.ndarray | None) -> Features:
    from fdl_zoo.analysis import feature_figures as figures

    files: list[Path] = []
    if found.filters is not None:
        values = {"layer": found.layer, "axes": "height, width, channels, filters", "filters": found.filters}
        files += subject.record(f"features/filters_{found.layer}", figures.filters_figure(found), values)
        values = {"image": found.image, "axes": "height, width, filters", "input": x, "feature_maps": found.maps}
        files += subject.record(f"features/maps_{found.layer}", figures.maps_figure(found, x), values)
    if found.shift is not None:
        files += subject.record(f"features/shift_{found.layer}", figures.shift_figure(found), found.shift)
    if found.embedding is not None:
        points = found.embedding.points
        columns = {"x": points[:, 0], "y": points[:, 1], "target": found.embedding.targets}
        figure = figures.embedding_figure(found, subject.data.class_names)
        files += subject.record(f"features/{found.embedding.method}", figure, columns)
    if x is not None:
        figure, values = figures.lines_figure(found, x)
        files += subject.record("features/line_detectors", figure, values)
    subject.send()
    return replace(found, files=tuple(files))
