"""The user's own images: a folder with one subfolder of PNG, JPEG, BMP or GIF files per class.

Images are read from disk as they are needed, so that memory does not grow with their number.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Normalization, Split, split_indices
from fdl_zoo.data_checks import check
from fdl_zoo.datasets import _own
from fdl_zoo.datasets._augment import augmented
from fdl_zoo.errors import InvalidData
from fdl_zoo.reading import pixels

CARD = Card(task="classification", tags=("own", "images"), ranges={"image_size": "[1, inf)", "seed": "[0, inf)"})
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
PIXELS = Normalization(0, 255)


class ImageFiles(Split):
    """Images that stay on disk: `files` [examples] and `labels` [examples]."""

    def __init__(self, files: np.ndarray, labels: np.ndarray, size: tuple[int, int], mode: str) -> None:
        """Remembers what to read.

        Args:
            files: Paths.
            labels: Class indices.
            size: Height and width to which every image is brought.
            mode: Pillow's: `L` for grey, `RGB` for colour.
        """
        self.files, self.labels, self.size, self.mode = files, labels, size, mode

    @property
    def known_targets(self) -> np.ndarray:
        """The labels of this part [examples]."""
        return self.labels

    def __len__(self) -> int:
        return len(self.files)

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The images at `indices`, [n, height, width, channels] float32 in [0, 1], and their labels [n]."""
        images = np.stack([pixels(self.files[index], self.mode, self.size) for index in indices])
        return PIXELS(images), self.labels[indices]


def build(
    *,
    path: str | None = None,
    image_size: tuple[int, ...] | None = None,
    color_mode: Literal["rgb", "grayscale"] = "rgb",
    augment: tuple[Literal["flip", "shift", "brightness"], ...] = (),
    seed: int = 0,
) -> Dataset:
    """Finds the images; every subfolder is a class, in the order of their names.

    Args:
        path: The folder.
        image_size: Height and width to which every image is brought; None for the first image's.
        color_mode: Whether images have three channels or one.
        augment: Changes made to training images, anew in each epoch.
        seed: Fixes which images are for training, validation and testing, and the changes.

    Raises:
        InvalidData: The folder is missing or not of this form, or its first image cannot be read.
    """
    folder = _own.existing(path, "folder", folder=True)
    names, files, labels = _found(folder)
    mode = {"rgb": "RGB", "grayscale": "L"}[color_mode]
    if image_size is not None and len(image_size) != 2:
        raise InvalidData(f"image_size cannot be {image_size}: give height and width.")
    shape = pixels(files[0], mode, image_size).shape
    parts = [ImageFiles(files[rows], labels[rows], shape[:2], mode) for rows in split_indices(len(files), seed)]
    data = Dataset(*parts, shape, len(names), "classification", names, PIXELS)
    check(data, str(folder))
    return augmented(data, augment, seed)


def _found(folder: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Classes, files and labels, in the order of their names; hidden folders are left out."""
    try:
        classes = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
        members = [sorted(file for file in each.iterdir() if file.suffix.lower() in SUFFIXES) for each in classes]
    except PermissionError as error:
        raise InvalidData(f"The folder {error.filename} cannot be read: permission is denied.") from error
    if len(classes) < 2:
        raise InvalidData(f"{folder} cannot be used: it has {len(classes)} subfolders; give one for each class.")
    for each, inside in zip(classes, members, strict=True):
        if not inside:
            raise InvalidData(f"{each} cannot be used as a class: it has no image ({', '.join(SUFFIXES)}).")
    labels = np.repeat(np.arange(len(classes)), [len(inside) for inside in members])
    return tuple(each.name for each in classes), np.array([file for inside in members for file in inside]), labels
