"""Pixels of an opened image as bytes, whatever its depth: Pillow alone cuts 16-bit grey off at white."""

from typing import Any

import numpy as np

from fdl_zoo.errors import InvalidData


def as_bytes(image: Any, file: Any) -> Any:
    """The image with at most eight bits per channel.

    Args:
        image: A `PIL.Image.Image`.
        file: Where it is from, for the message.

    Raises:
        InvalidData: Its pixels are numbers of which it is not known how large white is.
    """
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InvalidData(
            f"The image {file} cannot be read: its pixels are 32-bit numbers without a largest one; save it with 8"
            " or 16 bits per channel."
        )
    return image
