"""What is read of the user's files in more than one place: pixels of any depth, numbers in a table."""

from typing import Any

import numpy as np

from fdl_zoo.errors import InvalidData


def as_bytes(image: Any, file: Any) -> Any:
    """The image with at most eight bits per channel; Pillow alone cuts 16-bit grey off at white.

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


def is_number(text: str) -> bool:
    """Whether a cell of a table holds a number, NaN and infinity among them."""
    try:
        float(text)
    except ValueError:
        return False
    return True
