"""Decoders that hang, eat, crash or lie: each costs its own item, and nothing else."""

import os
import signal
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from benchmarks.serve.processes import children
from embedder.decode import decode_as
from embedder.decode.limits import Limits
from embedder.errors import AudioTooLong, MediaError, TooManyPixels, UndecodableMedia
from embedder.media import Audio, Image, Modality, Video
from service.decoding.pool import Bounds, DecodePool
from tests.samples import audio_bytes, image_bytes, photo, tone
from tests.service.poison import POISON

MIB = 1024 * 1024


def pool(seconds: float = 20.0, decoder: str = "tests.service.bad_decoders:decode") -> DecodePool:
    return DecodePool(1, Bounds(Limits(max_seconds=600), 256 * MIB, seconds), decoder)


@pytest.fixture(scope="module")
def bad() -> Iterator[DecodePool]:
    with pool() as opened:
        yield opened


@pytest.fixture(scope="module")
def good() -> Iterator[DecodePool]:
    with pool(decoder="embedder.decode:decode_as") as opened:
        yield opened


def works(decoders: DecodePool) -> bool:
    decoded = decoders.decode(Modality.IMAGE, b"four")
    return isinstance(decoded, Image) and bool((decoded.pixels == 4).all())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"eat", f"decode_bytes {256 * MIB} of memory, and need more"),
        (b"nibble", f"decode_bytes {256 * MIB} of memory, and need more"),
        (b"abort", f"decode_bytes {256 * MIB} of memory; it ended by SIGABRT"),
        (b"segfault", "it ended by SIGSEGV"),
        (b"leave", "it ended by status 3"),
    ],
)
def test_a_decoder_that_goes_too_far_costs_its_item(
    bad: DecodePool, data: bytes, message: str
) -> None:
    with pytest.raises(UndecodableMedia, match=message):
        bad.decode(Modality.IMAGE, data)
    assert works(bad)


@pytest.mark.parametrize("data", [b"hang", b"spin"])
def test_a_decoder_that_takes_too_long_is_ended(data: bytes) -> None:
    with pool(seconds=0.2) as decoders:
        assert works(decoders)
        with pytest.raises(UndecodableMedia, match=r"within decode_seconds 0.2, and took longer"):
            decoders.decode(Modality.IMAGE, data)
        assert works(decoders)


def test_a_process_that_dies_idle_costs_no_item(caplog: pytest.LogCaptureFixture) -> None:
    before = children(os.getpid())
    with pool() as decoders:
        assert works(decoders)
        (ended,) = children(os.getpid()) - before
        os.kill(ended, signal.SIGKILL)
        os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)  # it is dead by now, and not buried
        assert works(decoders)
    assert "an idle decoding process ended by SIGKILL and is replaced" in caplog.text


def test_a_decoder_can_write_no_file(bad: DecodePool) -> None:
    with pytest.raises(UndecodableMedia, match="status 1"):
        bad.decode(Modality.IMAGE, b"write")
    assert works(bad)


def test_errors_keep_their_class_and_words(bad: DecodePool) -> None:
    with pytest.raises(TooManyPixels, match=r"^the rule, got too many$"):
        bad.decode(Modality.IMAGE, b"refuse")


def test_media_are_reduced_where_they_are_decoded(bad: DecodePool) -> None:
    halved = "tests.service.bad_decoders:halved"
    decoded = bad.decode(Modality.IMAGE, b"four", reducer=halved)
    assert isinstance(decoded, Image)
    assert (decoded.pixels == 2).all()
    with pytest.raises(UndecodableMedia, match="SIGABRT"):
        bad.decode(Modality.IMAGE, b"fatal", reducer=halved)
    assert works(bad)


def test_a_pool_may_have_a_lower_priority_than_the_service() -> None:
    bounds = Bounds(Limits(), 256 * MIB, 20.0, niceness=3)
    with DecodePool(1, bounds, "tests.service.bad_decoders:decode") as decoders:
        told = decoders.decode(Modality.IMAGE, b"nice")
    assert isinstance(told, Image)
    assert (told.pixels == min(19, os.nice(0) + 3)).all()


def test_what_nobody_waits_for_any_more_is_ended_at_once(bad: DecodePool) -> None:
    def pick(rate: float, count: int) -> Sequence[int]:
        bad.abandon()
        return [0]

    with pytest.raises(UndecodableMedia, match="it ended by SIGKILL"):
        bad.decode(Modality.IMAGE, b"film", pick)
    assert works(bad)


def test_frames_are_picked_by_who_asked(bad: DecodePool) -> None:
    def pick(rate: float, count: int) -> Sequence[int]:
        return [round(rate), count - 1]

    film = bad.decode(Modality.IMAGE, b"film", pick)
    assert isinstance(film, Video)
    assert (list(film.numbers), film.count, film.rate) == ([25, 99], 100, 25.0)


@pytest.mark.parametrize(
    ("modality", "data"),
    [
        (Modality.IMAGE, image_bytes(photo(size=(640, 480)), "JPEG")),
        (Modality.AUDIO, audio_bytes(tone(channels=2))),
    ],
)
def test_media_are_those_decoded_here(good: DecodePool, modality: Modality, data: bytes) -> None:
    there, here = good.decode(modality, data), decode_as(modality, data)
    match there, here:
        case Image(), Image():
            np.testing.assert_array_equal(there.pixels, here.pixels)
        case Audio(), Audio():
            np.testing.assert_array_equal(there.samples, here.samples)
            assert there.sample_rate == here.sample_rate
        case _:
            pytest.fail(f"{type(there)} is not {type(here)}")


@pytest.mark.parametrize("name", POISON)
def test_poison_has_the_error_that_it_has_here(good: DecodePool, name: str) -> None:
    content, reason = POISON[name]
    if reason == "ok":
        good.decode(content.modality, content.data)
        return
    with pytest.raises(MediaError) as here:
        decode_as(content.modality, content.data)
    with pytest.raises(type(here.value)) as there:
        good.decode(content.modality, content.data)
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    ("decoder", "data", "cause"),
    [
        ("bad_decoders", b"abort", "died"),
        ("bad_decoders", b"hang", "late"),
        ("none", b"", "unstarted"),
    ],
)
def test_an_operator_hears_why_a_process_is_replaced(decoder: str, data: bytes, cause: str) -> None:
    heard: list[str] = []
    bounds = Bounds(Limits(), 256 * MIB, 1.0)
    opened = DecodePool(1, bounds, f"tests.service.{decoder}:decode", heard.append)
    with opened, pytest.raises((UndecodableMedia, RuntimeError)):
        opened.decode(Modality.IMAGE, data)
    assert heard == [cause]


def test_limits_reach_the_decoder(good: DecodePool) -> None:
    bounds = Bounds(Limits(max_seconds=0.5), 256 * MIB, 20.0)
    with DecodePool(1, bounds) as strict, pytest.raises(AudioTooLong, match=r"at most 0.5 sec"):
        strict.decode(Modality.AUDIO, audio_bytes(tone(seconds=1)))


def test_a_decoder_that_cannot_start_is_our_fault_and_not_the_item_s() -> None:
    with (
        pool(decoder="tests.service.no_such_module:decode") as decoders,
        pytest.raises(RuntimeError, match="did not start: status 1"),
    ):
        decoders.decode(Modality.IMAGE, b"four")
