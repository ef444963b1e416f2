"""Confusion movie: draws which classes are taken for which after each epoch, as an animated GIF.

A row is a true class, a column what the model takes it for; each row's colour is the share of its examples. What the
model learns first, and which pairs of classes it keeps mixing up, is seen at one glance at the film.
"""

import logging
import tempfile
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from fdl_zoo.card import Card
from fdl_zoo.errors import InvalidData

CARD = Card(tags=("figure",), ranges={"every": "[1, inf)", "frames_per_second": "(0, 50]"})

_logger = logging.getLogger(__name__)
_BATCH = 1024  # examples that are predicted at a time
_LAST_PICTURE = 3000  # milliseconds for which the last picture stands still
_MANY = 25  # classes


def confusion_matrix(true, predicted, classes):
    """How many examples of each true class (row) are taken for each class (column), [classes, classes]."""
    counts = np.bincount(np.asarray(true) * classes + np.asarray(predicted), minlength=classes * classes)
    return counts.reshape(classes, classes)


class ConfusionMovie(keras.callbacks.Callback):
    """Keeps a matrix every few epochs and writes the film as training ends. In plain Keras make it by its class.

    Args:
        x: Examples [examples, ...].
        y: Their classes [examples].
        class_names: A name per class.
        save: Called with the path of the finished film, which is deleted afterwards.
        every: Epochs between two pictures.
        frames_per_second: Pictures per second.
        title: What stands above the film.
    """

    def __init__(self, x, y, class_names, save, every=1, frames_per_second=4.0, title="confusion"):
        super().__init__()
        self.x, self.y, self.class_names, self.save = x, np.asarray(y).reshape(-1).astype(int), class_names, save
        self.every, self.frames_per_second, self.title = every, frames_per_second, title
        self.epochs, self.matrices, self._restored = [], [], None

    def on_train_begin(self, logs=None):
        """Begins a new film, or goes on with the one that was set."""
        self.epochs, self.matrices = self._restored or ([], [])
        self._restored = None

    def on_epoch_end(self, epoch, logs=None):
        """Keeps the matrix of this epoch."""
        if (epoch + 1) % self.every == 0:
            self.epochs.append(epoch + 1)
            self.matrices.append(confusion_matrix(self.y, self._predicted(), len(self.class_names)))

    def _predicted(self):
        starts = range(0, len(self.x), _BATCH)
        logits = np.concatenate([np.asarray(self.model.predict_on_batch(self.x[at : at + _BATCH])) for at in starts])
        return (logits[:, 0] > 0).astype(int) if logits.shape[1] == 1 else logits.argmax(axis=1)

    def on_train_end(self, logs=None):
        """Writes the film, if there is a picture."""
        if not self.matrices:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "confusion_movie.gif"
            write_movie(path, self.epochs, self.matrices, self.class_names, self.frames_per_second, self.title)
            self.save(path)

    def get_state(self):
        """The pictures so far, as plain values, so that a resumed training has the whole film."""
        return {"epochs": list(self.epochs), "matrices": [matrix.tolist() for matrix in self.matrices]}

    def set_state(self, state):
        """Goes on with the pictures of an interrupted training."""
        self._restored = list(state["epochs"]), [np.array(matrix) for matrix in state["matrices"]]
        self.epochs, self.matrices = map(list, self._restored)


def write_movie(path, epochs, matrices, class_names, frames_per_second=4.0, title="confusion"):
    """Write the film.

    Args:
        path: The GIF.
        epochs: The epoch of each picture, from 1.
        matrices: A matrix of counts [classes, classes] per picture.
        class_names: A name per class.
        frames_per_second: Pictures per second.
        title: What stands above.
    """
    stage = _Stage(class_names)
    pictures = [
        stage.picture(matrix, f"{title}\nepoch {epoch} of {epochs[-1]}, accuracy {np.trace(matrix) / matrix.sum():.3f}")
        for epoch, matrix in zip(epochs, matrices, strict=True)
    ]
    milliseconds = [round(1000 / frames_per_second)] * (len(pictures) - 1) + [_LAST_PICTURE]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)


class _Stage:
    """The figure in which one matrix after another is shown.

    Args:
        class_names: A name per class; from `_MANY` on neither names nor counts fit.
    """

    def __init__(self, class_names):
        count = len(class_names)
        size = 2.4 + min(0.42 * count, 8)
        self.figure = Figure(figsize=(size + 0.9, size), dpi=100, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_subplot()
        self.image = self.axes.imshow(np.zeros((count, count)), vmin=0, vmax=1, cmap="Blues")
        self.axes.set(xlabel="predicted class", ylabel="true class")
        self.figure.colorbar(self.image, label="share of the true class", fraction=0.046)
        self.texts = {}
        if count < _MANY:
            places = np.arange(count)
            self.axes.set_xticks(places, class_names, rotation=90 if max(map(len, class_names)) > 3 else 0)
            self.axes.set_yticks(places, class_names)
            self.texts = {
                (row, column): self.axes.text(column, row, "", ha="center", va="center", fontsize=8)
                for row in places
                for column in places
            }

    def picture(self, matrix, title):
        """One picture of the film."""
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        self.image.set_data(shares)
        self.axes.set_title(title, fontsize=10)
        for place, text in self.texts.items():
            text.set_text(str(matrix[place]) if matrix[place] else "")
            text.set_color("white" if shares[place] > 0.5 else "black")
        self.canvas.draw()
        self.figure.set_layout_engine("none")  # the places of the first picture are those of all
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB").quantize(128)


def build(
    *,
    split: Literal["train", "validation", "test"] = "validation",
    every: int = 1,
    frames_per_second: float = 4.0,
    context=None,
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        split: The part of the data that is drawn.
        every: Epochs between two pictures.
        frames_per_second: Pictures per second of film.
        context: The run, whose artifact `figures/confusion_movie.gif` the film becomes; without one there are no data
            to draw, and nothing is: make a `ConfusionMovie` yourself.
    """
    if context is None:
        _logger.warning("confusion_movie draws nothing here: in plain Keras make a ConfusionMovie(x, y, ...) yourself.")
        return keras.callbacks.Callback()
    data = context.data
    if data.task not in ("classification", "binary"):
        raise InvalidData(f"confusion_movie cannot be drawn: the data ask for {data.task}, and it needs classes.")
    part = data.splits[split]
    x, y = part.take(np.arange(len(part)))
    count = 2 if data.task == "binary" else data.num_outputs
    names = data.class_names or tuple(map(str, range(count)))

    def save(path):
        context.tracker.log_artifact(path, "figures")

    title = f"{context.spec.model.name} on {context.spec.data.name}, {split}"
    return ConfusionMovie(x, y, names, save, every, frames_per_second, title)
