"""What a client takes for content."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kindred import Audio, Image, InvalidArgument, Modality, Part, Text, Vector
from kindred._content import content_of, contents_of, json_text, parts_of


def test_words_are_text() -> None:
    assert content_of("words") == Text("words")
    assert contents_of("words") == (Text("words"),)
    assert contents_of(word for word in "ab") == (Text("a"), Text("b"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", Image),
        ("a.JPEG", Image),
        ("a.png", Image),
        ("a.webp", Image),
        ("a.gif", Image),
        ("a.wav", Audio),
        ("a.mp3", Audio),
        ("a.flac", Audio),
        ("a.ogg", Audio),
        ("a.opus", Audio),
        ("a.m4a", Audio),
        ("a.mp4", Image),
        ("a.MOV", Image),
        ("a.mkv", Image),
        ("a.webm", Image),
    ],
)
def test_a_files_name_tells_what_it_holds(
    tmp_path: Path, name: str, kind: type[Image | Audio]
) -> None:
    path = tmp_path / name
    path.write_bytes(b"anything")
    assert content_of(path) == kind(b"anything")
    assert kind.file(path) == kind.file(str(path)) == kind(b"anything")


def test_a_text_file_is_words(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("grün", "utf-8")
    assert content_of(path) == Text("grün")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"Image\.file or Audio\.file for 'a\.xyz'"):
        content_of(tmp_path / "a.xyz")


def test_a_picture_object_travels_as_png() -> None:
    content = content_of(PIL.Image.new("RGB", (2, 2), "red"))
    assert isinstance(content, Image)
    assert content.data.startswith(b"\x89PNG")
    assert contents_of(PIL.Image.new("RGB", (2, 2), "red")) == (content,)


def test_anything_else_is_a_wrong_type() -> None:
    with pytest.raises(TypeError, match="got bytes"):
        content_of(b"which kind?")  # type: ignore[arg-type]


def test_parts_have_weights() -> None:
    assert parts_of("red") == ((Text("red"), 1.0),)
    assert parts_of(["red", Part("blue", -0.5)]) == ((Text("red"), 1.0), (Text("blue"), -0.5))


def test_a_vector_is_float32_of_a_modality() -> None:
    vector = Vector([1, 2.5], "audio")
    assert vector.values.dtype == np.float32
    assert vector.modality is Modality.AUDIO
    with pytest.raises(InvalidArgument, match="finite") as caught:
        Vector([1, float("nan")], "audio")
    assert caught.value.reason == "INVALID_VECTOR"


def test_only_json_is_metadata() -> None:
    assert json_text({"a": [1, None]}) == '{"a": [1, null]}'
    for wrong in (float("inf"), object()):
        with pytest.raises(InvalidArgument, match="JSON"):
            json_text({"a": wrong})
