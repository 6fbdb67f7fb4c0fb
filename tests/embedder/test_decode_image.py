"""Pictures: every format, every pixel layout, every limit."""

import io
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from embedder.decode import FORMATS, Limits, decode, decode_image, recognise, sniff
from embedder.decode.image import _OPENERS, LEAST_SIDE
from embedder.errors import MediaTooLarge, TooManyPixels, UndecodableMedia
from embedder.media import Image, Modality
from tests.samples import audio_bytes, image_bytes, photo, picture, tone

LOSSLESS = [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
LOSSY = [
    ("JPEG", {"quality": 95}),
    ("WEBP", {"quality": 95}),
    ("GIF", {}),
    ("AVIF", {"quality": 90}),
    ("HEIF", {"quality": 90}),
]


def encoded(picture: PIL.Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_lossless_formats_give_back_the_pixels(format: str, options: dict[str, object]) -> None:
    image = photo()
    data = image_bytes(image, format, **options)
    assert sniff(data) is Modality.IMAGE
    np.testing.assert_array_equal(decode_image(data).pixels, image.pixels)


@pytest.mark.parametrize(("format", "options"), LOSSY)
def test_lossy_formats_give_back_nearly_the_pixels(format: str, options: dict[str, object]) -> None:
    image = photo()
    found = decode_image(image_bytes(image, format, **options)).pixels
    assert found.shape == image.pixels.shape
    assert np.abs(found.astype(int) - image.pixels).mean() < 6


def test_every_image_format_has_an_opener() -> None:
    assert set(_OPENERS) == {f.name for f in FORMATS if f.modality is Modality.IMAGE}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_the_camera_s_rotation_is_undone(format: str, orientation: int) -> None:
    """A picture stored in each of the eight ways comes out as the one that was seen."""
    seen = photo(size=(48, 32)).pixels
    store: dict[int, NDArray[np.uint8]] = {
        1: seen,
        2: seen[:, ::-1],
        3: seen[::-1, ::-1],
        4: seen[::-1],
        5: seen.transpose(1, 0, 2),
        6: np.rot90(seen),
        7: np.rot90(seen[:, ::-1], -1),
        8: np.rot90(seen, -1),
    }
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    stored = PIL.Image.fromarray(np.ascontiguousarray(store[orientation]))
    options = {"quality": 95} if format == "JPEG" else {}
    options |= {"lossless": True} if format == "WEBP" else {}
    lossy = {"JPEG", "AVIF", "HEIF"}
    found = decode_image(encoded(stored, format, exif=exif.tobytes(), **options)).pixels
    assert found.shape == seen.shape
    assert np.abs(found.astype(int) - seen).mean() < (6 if format in lossy else 0.01)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0",
        b"Exif\0\0XX" + bytes(40),
        b"garbage",
    ],
)
def test_damaged_exif_costs_the_rotation_only(exif: bytes) -> None:
    image = photo()
    found = decode_image(image_bytes(image, "PNG", exif=exif)).pixels
    np.testing.assert_array_equal(found, image.pixels)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    rgba = np.zeros((8, 8, 4), dtype=np.uint8)
    rgba[:4, :, 3] = 255  # the upper half is black, the lower half not there
    found = decode_image(encoded(PIL.Image.fromarray(rgba).convert(mode), "PNG")).pixels
    assert (found[:4] == 0).all()
    assert (found[4:] == 255).all()


def test_a_half_transparent_pixel_is_half_white() -> None:
    rgba = np.full((2, 2, 4), (255, 0, 0, 128), dtype=np.uint8)
    pixel = decode_image(encoded(PIL.Image.fromarray(rgba))).pixels[0, 0]
    np.testing.assert_allclose(pixel, (255, 127, 127), atol=1)


def test_a_transparent_colour_is_laid_on_white() -> None:
    data = encoded(PIL.Image.new("RGB", (4, 4), (10, 20, 30)), transparency=(10, 20, 30))
    assert (decode_image(data).pixels == 255).all()


def test_sixteen_bit_grey_is_scaled_to_eight() -> None:
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    for format in ("PNG", "TIFF"):
        found = decode_image(encoded(PIL.Image.fromarray(ramp), format)).pixels
        expected = np.rint(ramp / 257).astype(np.uint8)
        np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_wide_numbers_are_stretched_to_their_own_range(dtype: type) -> None:
    ramp: NDArray[Any] = np.linspace(-1000, 1000, 64).astype(dtype).reshape(8, 8)
    found = decode_image(encoded(PIL.Image.fromarray(ramp), "TIFF")).pixels
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[-1, -1].tolist() == [255, 255, 255]
    assert (np.diff(found[..., 0].ravel().astype(int)) >= 0).all()


def test_a_float_picture_with_nan_is_undecodable() -> None:
    values = np.full((4, 4), np.nan, dtype=np.float32)
    with pytest.raises(UndecodableMedia, match="finite"):
        decode_image(encoded(PIL.Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize(
    ("mode", "format", "expected"),
    [
        ("1", "PNG", (255, 255, 255)),
        ("L", "JPEG", (255, 255, 255)),
        ("CMYK", "JPEG", (0, 255, 255)),
        ("CMYK", "TIFF", (0, 255, 255)),
        ("YCbCr", "TIFF", (0, 255, 255)),
        ("P", "GIF", (0, 255, 255)),
        ("P", "BMP", (0, 255, 255)),
    ],
)
def test_every_colour_layout_becomes_rgb(
    mode: str, format: str, expected: tuple[int, int, int]
) -> None:
    colour = (255, 255, 255) if mode in {"1", "L"} else (0, 255, 255)
    data = encoded(PIL.Image.new("RGB", (16, 16), colour).convert(mode), format)
    np.testing.assert_allclose(decode_image(data).pixels[8, 8], expected, atol=3)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [PIL.Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(decode_image(data).pixels[8, 8], (255, 0, 0), atol=3)


def test_a_picture_of_one_pixel() -> None:
    assert decode_image(image_bytes(picture("red", (1, 1)))).pixels.tolist() == [[[255, 0, 0]]]


@pytest.mark.parametrize("size", [(30_000, 30_000), (9_000, 8_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(TooManyPixels, match=f"at most 64000000 pixels, got {size[0]} x {size[1]}"):
        decode_image(png_header(*size))


def test_a_real_bomb_is_refused_too() -> None:
    big = PIL.Image.new("1", (10_000, 10_000))
    for format in ("PNG", "TIFF", "BMP"):
        with pytest.raises(TooManyPixels, match="10000 x 10000"):
            decode_image(encoded(big, format), Limits(max_bytes=200_000_000))


def test_the_limit_is_the_caller_s() -> None:
    data = image_bytes(photo(size=(20, 10)))
    assert decode_image(data, Limits(max_pixels=200)).pixels.shape == (10, 20, 3)
    with pytest.raises(TooManyPixels, match="at most 199 pixels, got 20 x 10 = 200"):
        decode_image(data, Limits(max_pixels=199))
    with pytest.raises(MediaTooLarge, match=f"at most 10 bytes, got {len(data)}"):
        decode_image(data, Limits(max_bytes=10))


@pytest.mark.parametrize("name", ["max_bytes", "max_pixels", "max_seconds", "max_samples"])
def test_a_limit_must_be_positive(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive, got 0"):
        Limits(**{name: 0})


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_undecodable(format: str, share: float) -> None:
    data = image_bytes(photo(size=(200, 200)), format)
    with pytest.raises(UndecodableMedia):
        decode_image(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "got 0 bytes"),
        (b"Dear diary, this is no picture.", "31 bytes that begin with b'Dear dia'"),
        (b"BMW makes cars and this is a text about them.", "begin with b'BMW make'"),
        ("\ufeffUTF-16 text".encode("utf-16-le"), "begin with"),
        (audio_bytes(tone()), "got a WAV file"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, words: str) -> None:
    with pytest.raises(UndecodableMedia, match="image must be one of JPEG, PNG") as refusal:
        decode_image(data)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif", "AVIF"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1miafheic", "AVIF"),
        (b"\0\0\0\x14ftypheic\0\0\0\0mif1avif", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavif", "MP4"),
        (b"\0\0\0\x08ftyp", "MP4"),
    ],
)
def test_files_of_boxes_are_told_apart_by_their_brands(head: bytes, name: str) -> None:
    found = recognise(head)
    assert found is not None
    assert found.name == name


def test_decode_tells_pictures_from_sounds() -> None:
    assert decode(image_bytes(photo())).modality is Modality.IMAGE
    assert decode(audio_bytes(tone())).modality is Modality.AUDIO
    with pytest.raises(UndecodableMedia, match=r"JPEG.*WebM; got 5 bytes that begin with b'hello'"):
        decode(b"hello")


@pytest.mark.parametrize(
    ("size", "factor"), [((2100, 1030), 1), ((2100, 2047), 1), ((2100, 2048), 2)]
)
def test_large_jpegs_are_reduced_but_never_below_what_models_need(
    size: tuple[int, int], factor: int
) -> None:
    file = image_bytes(photo(5, size), "JPEG", quality=95)
    with PIL.Image.open(io.BytesIO(file)) as picture:
        expected = np.asarray(picture.reduce(factor)).astype(int)
    found = decode_image(file).pixels
    assert found.shape == expected.shape
    assert min(found.shape[:2]) >= min(LEAST_SIDE, *size)
    assert np.abs(found - expected).mean() < 1


def test_pictures_are_frozen() -> None:
    pixels = decode_image(image_bytes(photo())).pixels
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0, 0] = 1


def test_threads_decode_as_one_does() -> None:
    images = [photo(seed) for seed in range(16)]
    files = [image_bytes(image, "PNG") for image in images]
    barrier = threading.Barrier(4)

    def work(data: bytes) -> Image:
        barrier.wait(timeout=10)
        return decode_image(data)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, files))
    for one, other in zip(found, images, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
