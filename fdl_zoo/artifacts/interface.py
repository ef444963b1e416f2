"""What users must know of a model beyond its weights: raw units, task, classes; the file `interface.npz`."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from fdl_zoo.analysis.mistakes import are_images
from fdl_zoo.artifacts.images import Images
from fdl_zoo.data import Dataset, Normalization
from fdl_zoo.errors import InvalidData

FILE = "interface.npz"
EXAMPLES = 3
_SAMPLE = 512


@dataclass(frozen=True)
class Interface:
    """How raw examples reach a model, and what its outputs mean.

    Args:
        task: The dataset's task.
        class_names: A name per class; empty where there are none.
        normalization: How raw units become the model's inputs.
        example: A few raw training examples [examples, ...], float32.
        images: What training images have in common; None where examples are no images.
        feature_names: The columns of the table that the model was trained on; empty where it was none.
    """

    task: str
    class_names: tuple[str, ...]
    normalization: Normalization
    example: np.ndarray
    images: Images | None = None
    feature_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Dataset) -> "Interface":
        """That of a dataset."""
        images = are_images(data.input_shape)
        sample = data.train.take(np.arange(min(_SAMPLE if images else EXAMPLES, len(data.train))))[0]
        raw = raw_units(data, sample)
        found = Images.of(raw, data.normalization) if images else None
        return cls(data.task, tuple(data.class_names), data.normalization, raw[:EXAMPLES], found, data.feature_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.example.shape[1:]

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all; it holds numbers and text, no objects."""
        about = {
            "task": self.task,
            "class_names": list(self.class_names),
            "images": self.images.as_dict() if self.images else None,
            "feature_names": list(self.feature_names),
        }
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(temporary, "wb") as file:
                np.savez_compressed(
                    file,
                    about=np.array(json.dumps(about)),
                    mean=np.asarray(self.normalization.mean, np.float64),
                    scale=np.asarray(self.normalization.scale, np.float64),
                    example=self.example,
                )
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "Interface":
        """What `save` wrote; nothing in the file is executed.

        Raises:
            InvalidData: It is missing or damaged, or holds something else.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                images = Images.from_dict(about["images"]) if about["images"] else None
                normalization = Normalization(stored["mean"], stored["scale"])
                classes, features = (tuple(about.get(name, ())) for name in ("class_names", "feature_names"))
                return cls(about["task"], classes, normalization, stored["example"], images, features)
        except FileNotFoundError as error:
            raise InvalidData(f"The raw units of this model are not known: there is no {path}.") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile) as error:
            raise InvalidData(f"{path} cannot be read: it is damaged, or no {FILE} of a run.") from error


def raw_units(data: Dataset, examples: np.ndarray) -> np.ndarray:
    """Examples [count, ...] in the units in which a user has them; word numbers stay whole numbers."""
    return examples if examples.dtype.kind in "iu" else data.normalization.invert(examples)


def model_inputs(model: Any, normalization: Normalization, raw: np.ndarray) -> np.ndarray:
    """Raw examples [count, ...] as a model takes them: word numbers as they are, all else normalized to float32."""
    kind = model.inputs[0].dtype
    return np.rint(raw).astype(kind) if kind.startswith(("int", "uint")) else normalization(raw)
