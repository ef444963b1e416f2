"""What is read of the user's files in more than one place: pixels of any depth, numbers in a table."""

from typing import Any

import numpy as np

from fdl_zoo.errors import InvalidData

MOST_PIXELS = 100_000_000  # of a larger image the uncompressed pixels would fill the memory


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


def pixels(file: Any, mode: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """An image file as bytes [height, width, channels], turned as its camera says, on white where it is transparent.

    Args:
        file: Its path.
        mode: Pillow's: `L` for grey, `RGB` for colour.
        size: Height and width to which it is brought; None leaves its own.

    Raises:
        InvalidData: It cannot be read; the message names the file.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InvalidData(
                    f"The image {file} cannot be read: {image.width} x {image.height} pixels are too many; shrink it."
                )
            image = as_bytes(ImageOps.exif_transpose(image), file)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert(mode)
            if size is not None and image.size != size[::-1]:
                image = image.resize(size[::-1], Image.Resampling.BILINEAR)
            found = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        cause = "no image is in it" if "cannot identify" in str(error) else str(error)
        raise InvalidData(f"The image {file} cannot be read: {cause}; give a PNG or JPEG file in its place.") from error
    return found if found.ndim == 3 else found[..., None]


def is_number(text: str) -> bool:
    """Whether a cell of a table holds a number, NaN and infinity among them."""
    try:
        float(text)
    except ValueError:
        return False
    return True
