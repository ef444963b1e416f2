"""Brings image files to what a model was trained on: the one place of size, channels, range, polarity and framing.

In this order:

1. The file is turned as its camera says, and what is transparent becomes white, as paper is.
2. It becomes grey or RGB, as the training images are.
3. Where all training images have a dark edge, as MNIST's white ink on black, and this one has a light edge, or the
   other way round, it is inverted. `invert` decides instead.
4. An image of the model's size stays as it is. Else, where training images are a drawing on an empty ground, the
   drawing is cut out, scaled to the size that drawings have there, and put into the middle; any other image is scaled
   as the dataset `folder` scales it.
5. Black becomes 0 and white the largest value of the training set's raw units: 255, or 16 for `digits`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fdl_zoo.data import Normalization
from fdl_zoo.reading import pixels as read_pixels

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_NEAR = 0.15  # what differs less from the ground, of 0 to 1, belongs to it


@dataclass(frozen=True)
class Images:
    """What the images of a training split have in common.

    Args:
        white: The raw value of white.
        ground: `dark` or `light` where all of them have such an edge, else None.
        box: Median height and width of what is drawn on the ground, as shares of the image; None without a ground.
    """

    white: float
    ground: Literal["dark", "light"] | None = None
    box: tuple[float, float] | None = None

    @classmethod
    def of(cls, raw: np.ndarray, normalization: Normalization) -> "Images":
        """Looks at training images.

        Args:
            raw: A sample in raw units [images, height, width, channels].
            normalization: How raw units become inputs: where inputs are 0 to 1, its scale is white.
        """
        mean, scale = np.asarray(normalization.mean), np.asarray(normalization.scale)
        if mean.size == scale.size == 1 and not mean.any() and scale.item() != 1:
            white = float(scale.item())
        else:
            white = 255.0 if raw.max() > 1.5 else 1.0
        if raw.shape[-1] != 1:
            return cls(white)
        pixels = raw[..., 0] / white
        edges = np.concatenate([_corners(each) for each in pixels])
        ground = float(np.median(edges))
        if np.mean(np.abs(edges - ground) < _NEAR) < 0.9 or 0.3 < ground < 0.7:
            return cls(white)
        boxes = [_box(each, ground) for each in pixels]
        shares = [
            ((bottom - top) / pixels.shape[1], (right - left) / pixels.shape[2])
            for top, bottom, left, right in filter(None, boxes)
        ]
        height, width = np.median(shares, axis=0) if shares else (1.0, 1.0)
        return cls(white, "light" if ground > 0.5 else "dark", (float(height), float(width)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Images":
        """What `as_dict` gave."""
        box = values["box"]
        return cls(values["white"], values["ground"], tuple(box) if box else None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def read(self, path: Path, shape: tuple[int, ...], invert: bool | None = None) -> np.ndarray:
        """A file in raw units [height, width, channels], float32.

        Args:
            path: The image.
            shape: The model's input: height, width, channels.
            invert: Whether black and white change places; None leaves it to the edges.

        Raises:
            InvalidData: It cannot be read as an image; the message names the file.
        """
        pixels = read_pixels(path, "L" if shape[-1] == 1 else "RGB") / 255
        if shape[-1] == 1:
            pixels = pixels[..., 0]
            ground = float(np.median(_edge(pixels)))
            if invert or (invert is None and self.ground and (ground > 0.5) != (self.ground == "light")):
                pixels, ground = 1 - pixels, 1 - ground
            pixels = self._framed(pixels, shape, ground)[..., None]
        elif invert:
            pixels = 1 - pixels
        if pixels.shape != tuple(shape):
            pixels = np.stack([_resized(pixels[..., i], shape[:2]) for i in range(shape[-1])], axis=-1)
        return (pixels * self.white).astype(np.float32)

    def _framed(self, pixels: np.ndarray, shape: tuple[int, ...], ground: float) -> np.ndarray:
        """The drawing as large as drawings are in training, in the middle of its ground."""
        flat = np.mean(np.abs(_edge(pixels) - ground) < _NEAR) > 0.95
        found = _box(pixels, ground) if self.box and flat and pixels.shape != tuple(shape[:2]) else None
        if found is None:
            return pixels
        top, bottom, left, right = found
        drawing = pixels[top:bottom, left:right]
        scale = min(self.box[i] * shape[i] / drawing.shape[i] for i in range(2))
        size = [int(np.clip(round(drawing.shape[i] * scale), 1, shape[i])) for i in range(2)]
        framed = np.full(shape[:2], ground)
        row, column = ((shape[i] - size[i]) // 2 for i in range(2))
        framed[row : row + size[0], column : column + size[1]] = _resized(drawing, size)
        return framed


def _resized(pixels: np.ndarray, size: Any) -> np.ndarray:
    """One channel [height, width] at another size; each new pixel is a weighted mean of those that it covers."""
    from PIL import Image

    height, width = (int(each) for each in size)
    image = Image.fromarray(pixels.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _edge(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _corners(pixels: np.ndarray) -> np.ndarray:
    """The four corners and their neighbours along the sides: a drawing that fills its image leaves them empty."""
    return np.concatenate([pixels[row, [0, -1]] for row in (0, len(pixels) // 2, -1)])


def _box(pixels: np.ndarray, ground: float) -> tuple[int, int, int, int] | None:
    """Top, bottom, left and right of what differs from the ground; None where nothing does."""
    drawn = np.abs(pixels - ground) > 2 * _NEAR
    if not drawn.any():
        return None
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
