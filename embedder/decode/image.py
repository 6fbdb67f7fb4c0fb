"""Pictures, through Pillow."""

import io
import struct
import warnings
from collections.abc import Callable

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from pi_heif import HeifImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Transpose
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from embedder.decode.border import foreign_errors
from embedder.decode.formats import expect
from embedder.decode.limits import DEFAULT_LIMITS, Limits
from embedder.media import Image, Modality

# The classes themselves, not PIL.Image.open: it tries formats in turn and warns about large sizes
# by the process-wide PIL.Image.MAX_IMAGE_PIXELS, where our limit is the caller's.
_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
    "HEIC": HeifImageFile,
}

# Pillow warns of each odd tag of a TIFF; none of them is read here.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")

LEAST_SIDE = 1024
"""Of a large JPEG, both sides that are decoded at least: twice the largest input of any model."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What undoes each value of the EXIF tag Orientation (EXIF 2.32, 4.6.4)."""


def decode_image(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Image:
    """Decodes a picture: the first frame, turned upright, on white where it is transparent.

    A JPEG is decoded to half its sides where both stay at least `LEAST_SIDE`: that takes a third
    of the time, and no model looks more closely. A quarter moves vectors too far.

    Colour profiles are ignored. 16-bit grey is scaled to 8; wider numbers are stretched from their
    smallest to their largest, since they carry no white level.

    Raises:
        MediaTooLarge: If the file has too many bytes.
        TooManyPixels: If the header says that the picture is too large; it is not decoded then.
        UndecodableMedia: If the file is of no known format, cut short or damaged.
    """
    name = expect(data, Modality.IMAGE, limits).name
    with foreign_errors(name), _OPENERS[name](io.BytesIO(data)) as picture:
        limits.check_pixels(*picture.size)
        width, height = (max(LEAST_SIDE, side // 2) for side in picture.size)
        picture.draft(None, (width, height))
        picture.load()
        pixels = np.asarray(_rgb(_upright(picture)))
    return Image(pixels)


def _upright(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Undoes the rotation of the camera; of TIFF, Pillow has done so while loading."""
    turn = _UPRIGHT.get(_orientation(picture.info.get("exif") or b""))
    return picture if turn is None else picture.transpose(turn)


def _orientation(exif: bytes) -> int:
    """Returns the EXIF orientation, 1 (upright) where there is none.

    Read here because Pillow's reader reads every tag, and warns about each odd one.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return int(value)
    except struct.error:
        return 1
    return 1


def _rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Returns the picture in 8-bit RGB, on white."""
    if picture.mode.startswith(("I", "F")):
        picture = PIL.Image.fromarray(_eight_bits(np.asarray(picture), picture.mode))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _eight_bits(values: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    """Scales grey values wider than a byte to 0..255."""
    wide = values.astype(np.float64)
    if mode.startswith("I;16"):
        low, high = 0.0, 65_535.0
    else:
        low, high = float(wide.min()), float(wide.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("pixels must be finite, got NaN or infinity")
    return ((wide - low) * (255 / max(high - low, 1e-12))).round().astype(np.uint8)
