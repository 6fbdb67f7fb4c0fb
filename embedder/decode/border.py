"""Where other people's exceptions become ours: the only such place for decoders.

Damaged bytes make a decoder fail in any of a dozen ways, most of them builtin exceptions.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import av.error
import PIL.Image
import soundfile

from embedder.errors import MediaError, TooManyPixels, UndecodableMedia

FOREIGN_ERRORS: dict[type[Exception], type[MediaError]] = {
    # Pillow's own limit, on frames and tiles that exceed the size in the header.
    PIL.Image.DecompressionBombError: TooManyPixels,
    PIL.Image.DecompressionBombWarning: TooManyPixels,
    # Pillow: a broken structure is a SyntaxError, a broken stream an OSError; the other builtins
    # are accidents of plugins that believed what a file says.
    SyntaxError: UndecodableMedia,
    OSError: UndecodableMedia,
    EOFError: UndecodableMedia,
    ValueError: UndecodableMedia,
    TypeError: UndecodableMedia,
    LookupError: UndecodableMedia,
    ArithmeticError: UndecodableMedia,
    RuntimeError: UndecodableMedia,  # libavif and libheif
    MemoryError: UndecodableMedia,  # a size that the header claims and nobody has
    UserWarning: UndecodableMedia,  # where the process makes warnings errors
    struct.error: UndecodableMedia,
    zlib.error: UndecodableMedia,
    soundfile.SoundFileError: UndecodableMedia,
    av.error.FFmpegError: UndecodableMedia,
}
"""What the decoders raise, and what it is called here; subclasses included."""


@contextmanager
def foreign_errors(name: str) -> Iterator[None]:
    """Turns what a decoder raises inside into a `MediaError` that names the format."""
    try:
        yield
    except tuple(FOREIGN_ERRORS) as exc:
        ours = next(FOREIGN_ERRORS[cls] for cls in type(exc).__mro__ if cls in FOREIGN_ERRORS)
        raise ours(f"{name} must decode without error, got: {_reason(exc)}") from exc


def _reason(exc: Exception) -> str:
    """Returns the decoder's own words, without the address of our buffer that libsndfile adds."""
    words = getattr(exc, "error_string", None) or getattr(exc, "strerror", None) or str(exc)
    return words or type(exc).__name__
