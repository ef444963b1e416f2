"""The notes' worked example of filters: detectors of vertical and of horizontal lines, and max pooling (chapter 5).

A filter slides over the image; where what is below matches, the feature map lights up: m = f(W * x + b), f the ReLU.
"""

import numpy as np

VERTICAL = np.array([[-1.0, 2.0, -1.0]] * 3)
HORIZONTAL = VERTICAL.T.copy()
DETECTORS = {"vertical": VERTICAL, "horizontal": HORIZONTAL}


def lined_image(size: int = 16) -> np.ndarray:
    """A white picture with one upright line and one level line, one pixel wide [size, size]; ink is 1."""
    image = np.zeros((size, size))
    image[2:-2, size // 3] = 1
    image[2 * size // 3, 2:-2] = 1
    return image


def convolved(image: np.ndarray, kernel: np.ndarray, bias: float = 0.0) -> np.ndarray:
    """The feature map f(W * x + b) of one filter, stride 1, padded with zeros to the image's size [height, width].

    As in every network the filter is not turned round: each cell is the sum of products with what lies below it.

    Args:
        image: [height, width].
        kernel: Of odd height and width.
        bias: Added before the ReLU.
    """
    above, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = np.pad(image, ((above, above), (left, left)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)  # [height, width, *kernel]
    return np.maximum(np.einsum("hwij,ij->hw", windows, kernel) + bias, 0)


def pooled(feature_map: np.ndarray, extent: int = 2) -> np.ndarray:
    """The greatest value of each tile, as many tiles as fit [height // extent, width // extent].

    Args:
        feature_map: [height, width].
        extent: Side of a tile.
    """
    height, width = (size // extent for size in feature_map.shape)
    tiles = feature_map[: height * extent, : width * extent].reshape(height, extent, width, extent)
    return tiles.max(axis=(1, 3))
