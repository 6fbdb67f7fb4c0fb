"""Media made by the tests themselves, decoded and encoded: no file of anyone else is needed."""

import io

import av
import numpy as np
import PIL.Image
import soundfile
from numpy.typing import NDArray
from pillow_heif import register_heif_opener

from embedder.media import Audio, Image

register_heif_opener()  # Pillow writes HEIC with it

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "bright": (255, 255, 255),
    "dark": (0, 0, 0),
}


def picture(colour: str = "red", size: tuple[int, int] = (32, 24)) -> Image:
    """Returns a plain picture, (width, height) pixels, of one of `COLOURS`."""
    width, height = size
    return Image(np.full((height, width, 3), COLOURS[colour], dtype=np.uint8))


def photo(seed: int = 0, size: tuple[int, int] = (48, 40)) -> Image:
    """Returns a smooth random picture: different for every seed, and it survives JPEG well."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    smooth = PIL.Image.fromarray(coarse).resize(size, PIL.Image.Resampling.BICUBIC)
    return Image(np.array(smooth))


def tone(
    hz: float = 440.0,
    loudness: float = 0.5,
    seconds: float = 1.0,
    sample_rate: int = 16_000,
    channels: int = 1,
) -> Audio:
    """Returns a sine of this peak on every channel."""
    time = np.arange(max(1, round(seconds * sample_rate))) / sample_rate
    wave = (loudness * np.sin(2 * np.pi * hz * time + 0.1)).astype(np.float32)
    return Audio(np.tile(wave, (channels, 1)), sample_rate)


def image_bytes(image: Image, format: str = "PNG", **options: object) -> bytes:
    """Encodes a picture in any format that Pillow writes."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.array(image.pixels)).save(buffer, format, **options)
    return buffer.getvalue()


def audio_bytes(audio: Audio, format: str = "WAV", subtype: str | None = None) -> bytes:
    """Encodes a sound in any format that libsndfile writes."""
    buffer = io.BytesIO()
    channels, length = audio.samples.shape
    with soundfile.SoundFile(
        buffer, "w", audio.sample_rate, channels, subtype, format=format
    ) as file:
        # The Vorbis encoder overruns the stack when given minutes at once.
        for start in range(0, length, audio.sample_rate):
            file.write(audio.samples[:, start : start + audio.sample_rate].T)
    return buffer.getvalue()


def film_bytes(
    frames: NDArray[np.uint8],
    rate: int = 10,
    sound: Audio | None = None,
    kind: tuple[str, str, str] = ("mp4", "libx264", "aac"),
) -> bytes:
    """Encodes a film of frames (n, height, width, 3), as nearly lossless as H.264 is.

    Args:
        frames: Of even sides.
        rate: Frames a second.
        sound: Its sound track.
        kind: Container, and the codecs of pictures and of sound.
    """
    buffer = io.BytesIO()
    container, seen, heard = kind
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(seen, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "4", "g": "8"}
        track = file.add_stream(heard, rate=sound.sample_rate, layout="mono") if sound else None
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        file.mux(stream.encode())
        if track and sound:
            wave = av.AudioFrame.from_ndarray(np.array(sound.samples), "fltp", "mono")
            wave.sample_rate = sound.sample_rate
            file.mux(track.encode(wave))
            file.mux(track.encode())
    return buffer.getvalue()


def colours(*seconds: str, rate: int = 10, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """Returns the frames of a film that shows one plain colour of `COLOURS` each second."""
    return np.stack([picture(name, size).pixels for name in seconds for _ in range(rate)])
